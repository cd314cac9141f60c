//! A portal that refuses a method.

use std::time::Duration;

use super::{CODE, agree, live, looks, minutes, open};
use crate::on_both_engines;
use crate::support::world::deals_by_mark;

on_both_engines! {
    s1_s7_a_method_that_is_banned_holds_up_only_what_needs_it(db) {
        let town = open(&db.db);
        let house = &town.houses[0];
        let mut crew = town.crew(None);
        town.move_in(house, CODE, &mut crew).await;
        house.portal.block_method("crm.item.update", Duration::from_secs(1_800));
        live(house, 20);
        minutes(&town, &mut crew, 2).await;
        let number = house.hotel.book_new_guest(5, 2).expect("a booking");
        minutes(&town, &mut crew, 3).await;
        assert!(deals_by_mark(&house.portal).contains_key(&format!("{CODE}:{number}")), "a new booking needs no update");
        looks(&town, &mut crew, 40, 60).await;
        agree(house, "when the ban was over");
        let refused = house.portal.limits().operating_rejections;
        // A batch that was under way, and one look every ten minutes.
        assert!(refused <= 50 + 6 * 4, "{refused} calls of a banned method");
    }
}
