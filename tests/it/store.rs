//! The store's own promises, on both engines.

use fidelio_bitrix24::store::leases;

use crate::on_both_engines;

on_both_engines! {
    s48_a_lease_has_one_holder_and_a_fence_that_grows(db) {
        let db = db.db;
        let first = leases::acquire(&db, "portal:1", "a", 1_000, 2_000).await.unwrap().expect("free");
        assert_eq!(leases::acquire(&db, "portal:1", "b", 1_500, 2_500).await.unwrap(), None, "held by a");
        let renewed = leases::acquire(&db, "portal:1", "a", 1_900, 2_900).await.unwrap().expect("ours");
        assert_eq!(renewed.fence, first.fence, "a renewal keeps the fence");
        let taken = leases::acquire(&db, "portal:1", "b", 2_900, 3_900).await.unwrap().expect("run out");
        assert!(taken.fence > first.fence);
        let tx = db.begin().await.unwrap();
        assert!(!leases::holds(&tx, &renewed, 2_950).await.unwrap());
        assert!(leases::holds(&tx, &taken, 2_950).await.unwrap());
        tx.commit().await.unwrap();
    }
}
