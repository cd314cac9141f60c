//! The whole product between emulated portals and emulated hotels, under a clock that a test moves: nothing runs by
//! itself, every round of work is asked for.

use std::sync::Arc;
use std::time::Duration;

use chrono::Days;
use fb24_sandbox::hotel::{Hotel, HotelOptions, Knobs};
use fb24_sandbox::portal::{Portal as Sandbox, PortalClock, PortalOptions};
use fidelio_bitrix24::app::portals::Served;
use fidelio_bitrix24::app::sources;
use fidelio_bitrix24::clock::{Clock, ManualClock};
use fidelio_bitrix24::config::Config;
use fidelio_bitrix24::net::Guard;
use fidelio_bitrix24::portal::{Directory, Portal};
use fidelio_bitrix24::store::Db;
use fidelio_bitrix24::store::sources::of_portal;
use fidelio_bitrix24::sync::{Deps, Engine, Loops, Portals, SourceFactory, StepObserver};
use serde_json::json;

use super::api::start_time;
use super::portal::{Node, node_of, settings};
use super::world::Admin;

/// A portal and its hotel, both with the town's time.
pub struct House {
    pub portal: Sandbox,
    pub hotel: Hotel,
}

pub struct Town {
    pub houses: Vec<House>,
    pub node: Node,
    pub config: Config,
    pub db: Db,
    pub now: Clock,
    time: ManualClock,
}

/// One process at work: it lives until it is dropped, or until its observer stops it.
pub struct Crew {
    pub engine: Engine,
    pub loops: Loops,
}

fn served(config: &Config, directory: Directory) -> Arc<dyn Portals> {
    Arc::new(Served { directory, request_cap_seconds: config.bitrix.request_cap_seconds })
}

impl House {
    /// Opens both at the town's first moment.
    pub fn build(portal: PortalOptions, hotel: HotelOptions) -> Self {
        let now = start_time().with_timezone(&hotel.zone).naive_local();
        let knobs = Knobs { own_date: true, ..hotel.knobs.clone() };
        Self {
            portal: Sandbox::start(PortalOptions { clock: PortalClock::fixed(start_time()), ..portal }),
            hotel: Hotel::start(HotelOptions { now: Some(now), today: Some(now.date()), knobs, ..hotel }),
        }
    }
}

impl Town {
    pub fn open(db: &Db, houses: Vec<House>) -> Self {
        let (now, time) = Clock::manual(start_time());
        let mut config = settings(&houses[0].portal, "http://127.0.0.1:1", "k1");
        config.pms.allow_private = vec!["*=127.0.0.0/8".to_owned()];
        config.bitrix.oauth_hosts =
            houses.iter().map(|house| house.portal.oauth_url().parse().expect("an address")).collect();
        let terms = config.clone();
        let hotels = factory(&config, &now);
        let node = node_of(db, &mut config, &now, "front", move |directory| served(&terms, directory), hotels);
        Self { houses, node, config, db: db.clone(), now, time }
    }

    /// Another process on the same database.
    pub fn crew(&self, observer: Option<StepObserver>) -> Crew {
        let engine = Engine::new(Deps {
            db: self.db.clone(),
            clock: self.now.clone(),
            portals: served(&self.config, self.node.directory.clone()),
            sources: factory(&self.config, &self.now),
            lease: Duration::from_secs(self.config.sync.lease_seconds.into()),
            poll: Duration::from_secs(self.config.pms.poll_seconds.into()),
            observer,
        });
        let loops = Loops::new(&engine);
        Crew { engine, loops }
    }

    pub fn pass(&self, time: Duration) {
        for house in &self.houses {
            house.portal.advance(time);
            house.hotel.with(|state| state.advance(chrono::Duration::from_std(time).expect("a duration")));
        }
        // Last: the product must never believe that more of its allowance has come back than has.
        self.time.advance(time);
    }

    /// Sets the product's clock, and nobody else's.
    pub fn jump(&self, by: chrono::Duration) {
        self.time.set(self.now.now() + by);
    }

    /// Waits for work. Where it waits for time itself (its allowance, a moment that comes), time goes on.
    pub async fn patiently<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        for _ in 0..2_000 {
            match tokio::time::timeout(Duration::from_millis(60), &mut work).await {
                Ok(done) => return done,
                Err(_) => self.pass(Duration::from_millis(500)),
            }
        }
        panic!("work does not come to an end");
    }

    /// Rounds of one process until nothing more is due at this moment.
    pub async fn work(&self, crew: &mut Crew) {
        for _ in 0..40 {
            if self.patiently(crew.loops.round()).await.expect("a round") == 0 {
                return;
            }
        }
    }

    /// Steps in the lives of the portals until nothing is due.
    pub async fn live(&self) {
        for _ in 0..100 {
            if self.patiently(self.node.life.tick()).await.expect("a tick") == 0 {
                return;
            }
        }
        panic!("the portals' lives do not come to rest");
    }

    /// Installs the application and answers the portal's admin.
    pub async fn install(&self, house: &House) -> Admin {
        let answer = house.portal.install(&self.node.url).await.expect("the installer answers");
        assert_eq!(answer.status, 200, "{}", answer.body);
        for _ in 0..2 {
            self.live().await;
            assert!(house.portal.events_settled().await);
        }
        let admin = Admin::open(&house.portal, &self.node.url).await;
        self.live().await;
        admin
    }

    /// Installs the application, connects the hotel under this code, and imports what it has.
    pub async fn move_in(&self, house: &House, code: &str, crew: &mut Crew) {
        let (admin, import) = self.begin(house, code).await;
        self.finish(&admin, &import, crew).await;
    }

    /// Installs the application, connects the hotel under this code, and begins to import what it has.
    pub async fn begin(&self, house: &House, code: &str) -> (Admin, String) {
        let admin = self.install(house).await;
        admin.connect(&house.hotel, code).await;
        let from = start_time().date_naive() - Days::new(90);
        let path = format!("/api/v1/hotels/{code}/imports");
        let (status, body) = admin.post(&path, json!({"from": from, "dry_run": false})).await;
        assert_eq!(status, 202, "{body}");
        (admin, format!("/api/v1/imports/{}", body["id"].as_str().expect("an id")))
    }

    /// Works until the import is complete. A session ends after a quarter of an hour.
    pub async fn finish(&self, admin: &Admin, import: &str, crew: &mut Crew) {
        for _ in 0..200 {
            self.work(crew).await;
            let (_, now) = admin.get(import).await;
            if now["state"] == "completed" {
                return;
            }
            self.pass(Duration::from_secs(2));
        }
        panic!("the import does not come to an end");
    }

    /// Whether the house's hotel was read at all.
    pub async fn was_read(&self, house: &House) -> bool {
        let portal = self.portal(house).await.id;
        let key = self.node.directory.key(portal).await.expect("a key");
        let sources = of_portal(&self.db, portal, &key).await.expect("sources");
        sources.iter().any(|source| source.last_ok_at.is_some())
    }

    /// How portal and sources stand, for whoever wonders why nothing moves.
    pub async fn standing(&self, house: &House) -> String {
        let portal = self.portal(house).await;
        let key = self.node.directory.key(portal.id).await.expect("a key");
        let sources = of_portal(&self.db, portal.id, &key).await.expect("sources");
        format!("at {}: {portal:#?}, {sources:#?}", self.now.now())
    }

    pub async fn portal(&self, house: &House) -> Portal {
        self.node.directory.by_member(&house.portal.member_id()).await.expect("a look-up").expect("an installed portal")
    }
}

fn factory(config: &Config, clock: &Clock) -> SourceFactory {
    let guard = Guard::parse(&config.pms.allow_private).expect("ranges");
    sources::factory(&config.pms, Arc::new(guard), clock.clone())
}
