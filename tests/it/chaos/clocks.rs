//! The product's own clock is set, an hour on or back, while portal and hotel go on as before.

use chrono::Duration;

use super::{CODE, agree, live, looks, minutes, open};
use crate::on_both_engines;
use crate::support::world::deals_by_mark;

on_both_engines! {
    s1_s7_a_clock_that_jumps_an_hour_either_way_stops_nothing_and_hides_nothing(db) {
        let town = open(&db.db);
        let house = &town.houses[0];
        let mut crew = town.crew(None);
        town.move_in(house, CODE, &mut crew).await;
        for hours in [1, -1, -1, 1] {
            live(house, 6);
            town.jump(Duration::hours(hours));
            live(house, 6);
            let number = house.hotel.book_new_guest(3, 2).expect("a booking");
            minutes(&town, &mut crew, 15).await;
            let mark = format!("{CODE}:{number}");
            assert!(deals_by_mark(&house.portal).contains_key(&mark), "a quarter of an hour after a jump of {hours} h");
            looks(&town, &mut crew, 14, 300).await;
            agree(&town, house, &format!("when {hours} h are over")).await;
        }
    }
}
