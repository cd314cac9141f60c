//! Both trackers at once: neither waits for the other.

use async_trait::async_trait;
use fb24_sandbox::portal::{Edition, Fault, Portal, PortalClock, PortalOptions};
use fidelio_bitrix24::bitrix::{self, PortalClient};
use fidelio_bitrix24::crypto::{Keyring, TenantKey};
use fidelio_bitrix24::domain::Lang;
use fidelio_bitrix24::store::{Db, StoreError, keys};
use fidelio_bitrix24::support::deliver::{self, DeliverError, TaskDelivery, TaskPlace, TaskPortals};

use super::*;
use crate::bitrix::portal::client_of;

struct Place {
    client: PortalClient,
    db: Db,
    keyring: Arc<Keyring>,
}

#[async_trait]
impl TaskPortals for Place {
    async fn place(&self, _: PortalId) -> Result<TaskPlace, DeliverError> {
        let client = self.client.clone();
        Ok(TaskPlace { client, v3: true, creator: 1, lang: Lang::Ru, request_cap: Duration::from_secs(60) })
    }
    async fn request_key(&self, portal: PortalId) -> Result<TenantKey, StoreError> {
        keys::obtain_for(&self.db, &self.keyring, portal, keys::REQUESTS, 0).await
    }
    async fn key(&self, portal: PortalId) -> Result<TenantKey, StoreError> {
        keys::obtain(&self.db, &self.keyring, portal, 0).await
    }
    async fn failed(&self, _: PortalId, _: &bitrix::Error) {}
}

fn portal_of(bench: &Bench) -> (Portal, TaskDelivery) {
    let clock = PortalClock::fixed(start_time());
    let portal = Portal::start(PortalOptions { edition: Edition::Cloud, clock, ..PortalOptions::default() });
    portal.set_installed();
    let (client, _) = client_of(&portal, &bench.api.db, bench.api.now.clone(), 480);
    let place = Place { client, db: bench.api.db.clone(), keyring: bench.api.keyring.clone() };
    let delivery = TaskDelivery::new(deliver::Deps {
        db: bench.api.db.clone(),
        clock: bench.api.now.clone(),
        portals: Arc::new(place),
        post: None,
        lease: Duration::from_secs(20),
        observer: None,
    });
    (portal, delivery)
}

on_both_engines! {
    s48_kaiten_that_is_away_for_hours_delays_no_task_and_gets_all_in_order_afterwards(db) {
        let bench = Bench::start(db).await;
        let (portal, tasks) = portal_of(&bench);
        let number = bench.register().await;
        bench.kaiten.down(true);
        let words = ["one", "two", "three", "four"];
        for word in words {
            bench.says(number, word).await;
            let _ = bench.node(None).visit().await;
            tasks.deliver(Channel::Task, bench.desk).await.expect("the task goes on");
            let open = bench.rows(number, Channel::Task).await;
            assert!(open.iter().all(|(_, state)| *state == outbox::DONE), "{open:?}");
            bench.pass(3_600);
            portal.advance(Duration::from_secs(3_600));
        }
        assert_eq!((portal.tasks().len(), bench.kaiten.cards().len()), (1, 0));
        bench.kaiten.down(false);
        bench.until_quiet(number).await;
        assert_eq!(bench.said(), words);
        assert_eq!(bench.told().await.len(), 0);
    }

    s48_a_task_that_is_refused_holds_no_card(db) {
        let bench = Bench::start(db).await;
        let (portal, tasks) = portal_of(&bench);
        let number = bench.register().await;
        bench.says(number, "one").await;
        for method in ["tasks.task.add", "api/tasks.task.add"] {
            portal.fault(Fault::error(method, 400, "100"));
        }
        let _ = tasks.deliver(Channel::Task, bench.desk).await;
        bench.until_quiet(number).await;
        assert_eq!(bench.said(), ["one"]);
        assert_eq!(bench.rows(number, Channel::Task).await.iter().filter(|(_, state)| *state == outbox::DONE).count(), 0);
    }

    s42_a_word_in_the_card_is_in_the_task(db) {
        let bench = Bench::start(db).await;
        let (portal, tasks) = portal_of(&bench);
        let number = bench.register().await;
        bench.settle().await;
        tasks.deliver(Channel::Task, bench.desk).await.expect("made");
        bench.kaiten.say_as(SPECIALIST, bench.card().id, "Клиенту: готово");
        bench.settle().await;
        portal.advance(Duration::from_secs(300));
        tasks.deliver(Channel::Task, bench.desk).await.expect("told");
        assert!(portal.said(1).iter().any(|said| said.text.contains("готово")));
        assert_eq!(bench.times(number, "say: готово").await, 1);
    }
}
