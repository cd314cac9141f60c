//! What goes wrong meanwhile: lost, doubled and mixed events, lost answers, late commits, both sides down for hours.

use std::time::Duration;

use fb24_sandbox::hotel::Fault as HotelFault;
use fb24_sandbox::hotel::dice::Dice;
use fb24_sandbox::portal::{Fault, FaultAnswer};
use fidelio_bitrix24::clock::Clock;

use crate::support::town::House;

#[derive(Default)]
pub struct Trouble {
    pub count: u64,
    hotel_down_until: i64,
    portal_down_until: i64,
}

const METHODS: [&str; 5] = ["crm.item.add", "crm.item.update", "crm.item.list", "crm.contact.update", "batch"];

impl Trouble {
    pub fn brew(&mut self, house: &House, clock: &Clock, dice: &mut Dice) {
        let now = clock.now_ms();
        let (lost, shuffled, duplicates) = (dice.chance(15), dice.chance(30), dice.range(0, 4) / 3);
        house.portal.delivering(|events| {
            events.lost = lost;
            events.shuffled = shuffled;
            events.duplicates = u32::try_from(duplicates).unwrap_or_default();
        });
        self.hotel(house, now, dice);
        self.portal(house, now, dice);
        if dice.chance(2) {
            house.portal.expire_tokens();
            self.count += 1;
        }
    }

    /// Waits until what the portal has to tell is told.
    pub async fn events(&self, house: &House) {
        assert!(house.portal.events_settled().await, "the portal's events do not come to an end");
    }

    pub fn end(&mut self, house: &House) {
        house.portal.clear_faults();
        house.hotel.faults().clear();
        house.portal.delivering(|events| *events = Default::default());
    }

    fn hotel(&mut self, house: &House, now: i64, dice: &mut Dice) {
        if self.hotel_down_until > 0 {
            if now > self.hotel_down_until {
                house.hotel.faults().clear();
                self.hotel_down_until = 0;
            }
            return;
        }
        if dice.chance(1) {
            // For hours: the server is off, or a proxy before it has an opinion of its own.
            let fault = if dice.chance(50) { HotelFault::DropBefore } else { HotelFault::Html(503) };
            house.hotel.faults().clear();
            house.hotel.faults().always(fault);
            self.hotel_down_until = now + dice.range(3_600_000, 4 * 3_600_000);
            self.count += 1;
        } else if dice.chance(8) {
            let faults = [
                HotelFault::DropBefore,
                HotelFault::DropAfter,
                HotelFault::Html(502),
                HotelFault::Truncated,
                HotelFault::Broken,
                HotelFault::Empty,
                HotelFault::Garbage("<html><body>IIS".into()),
            ];
            house.hotel.faults().push(dice.pick(&faults).cloned().expect("a fault"));
            self.count += 1;
        }
    }

    fn portal(&mut self, house: &House, now: i64, dice: &mut Dice) {
        if self.portal_down_until > 0 {
            if now > self.portal_down_until {
                house.portal.clear_faults();
                self.portal_down_until = 0;
            }
            return;
        }
        if dice.chance(1) && dice.chance(60) {
            house.portal.clear_faults();
            house.portal.fault(Fault::before("*").answering(FaultAnswer::Html(502)).times(u32::MAX));
            self.portal_down_until = now + dice.range(300_000, 2 * 3_600_000);
            self.count += 1;
        } else if dice.chance(20) && house.portal.faults().len() < 4 {
            let method = dice.word(&METHODS);
            let late = Duration::from_millis(dice.range(500, 55_000).unsigned_abs());
            let fault = match dice.range(1, 10) {
                1 => Fault::before(method),
                2 | 3 => Fault::after_commit(method),
                4 | 5 => Fault::commit_later(method, late),
                6 => Fault::after_commit(method).answering(FaultAnswer::Truncated),
                7 => Fault::after_commit(method).answering(FaultAnswer::Html(504)),
                8 => Fault::before(method).answering(FaultAnswer::Html(500)),
                9 => Fault::error(method, 503, "INTERNAL_SERVER_ERROR"),
                _ => Fault::expired_token(method),
            };
            house.portal.fault(fault.after(u32::try_from(dice.range(0, 1)).unwrap_or_default()));
            self.count += 1;
        }
    }
}
