//! What goes wrong in the world, one thing at a time, and what is left of it: nothing. Time is virtual but for the
//! database's own troubles.

mod clocks;
mod database;
mod pms;
mod portal;

use std::time::Duration;

use fb24_sandbox::hotel::HotelOptions;
use fb24_sandbox::portal::PortalOptions;
use fidelio_bitrix24::store::Db;

use crate::support::town::{Crew, House, Town};
use crate::support::world::differences;

const CODE: &str = "GRAND";
const STAYS: usize = 40;

fn open(db: &Db) -> Town {
    let hotel = HotelOptions { reservations: STAYS, rooms: 40, ..HotelOptions::default() };
    Town::open(db, vec![House::build(PortalOptions::default(), hotel)])
}

/// Everything that is due in so many minutes, a look every half of one.
async fn minutes(town: &Town, crew: &mut Crew, count: u64) {
    looks(town, crew, 2 * count, 30).await;
}

/// So many looks at what is due, as many seconds apart.
async fn looks(town: &Town, crew: &mut Crew, count: u64, seconds: u64) {
    for _ in 0..count {
        assert!(town.houses[0].portal.events_settled().await);
        town.live().await;
        town.work(crew).await;
        town.pass(Duration::from_secs(seconds));
    }
}

/// A little of everything that happens at a hotel.
fn live(house: &House, acts: usize) {
    for _ in 0..acts {
        house.hotel.tick();
    }
}

async fn agree(town: &Town, house: &House, what: &str) {
    let left = differences(&house.portal, &house.hotel, CODE);
    if !left.is_empty() {
        panic!("{what}: {left:#?}\n{}", town.standing(house).await);
    }
}
