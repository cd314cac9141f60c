//! What people do meanwhile: guests and the desk at the hotel, managers in the portal.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Duration, NaiveDateTime, Timelike as _};
use fb24_sandbox::hotel::dice::Dice;
use fb24_sandbox::hotel::model::{CommKind, ProfileKind, Status};
use fb24_sandbox::hotel::people;
use fb24_sandbox::hotel::{Booking, HotelState};
use fb24_sandbox::portal::Entity;
use fidelio_bitrix24::clock::Clock;
use serde_json::{Value, json};

use crate::support::town::House;
use crate::support::truth::Hands;

/// An index takes that long to hear of a contact whose event was lost.
const HEARD_AFTER_MS: i64 = 900_000;
/// Put back by us so often at most; the war itself is another test's.
const EDITS: u32 = 2;

/// What people did that must be found at the end.
#[derive(Default)]
pub struct Life {
    pub acts: u64,
    pub hands: Hands,
    deleted_ids: BTreeSet<i64>,
    edits: BTreeMap<(&'static str, i64), u32>,
    seen: BTreeMap<i64, i64>,
    /// Entered by hand before they booked: from when on the hotel books them.
    expected: Vec<(i64, i64)>,
    audited: Option<NaiveDateTime>,
}

fn numbers(state: &HotelState, of: impl Fn(&fb24_sandbox::hotel::Reservation) -> bool) -> Vec<i64> {
    state.reservations.values().filter(|r| !r.financial_account && of(r)).map(|r| r.number).collect()
}

impl Life {
    pub fn deleted_deal(&self, id: &Value) -> bool {
        id.as_i64().is_some_and(|id| self.deleted_ids.contains(&id))
    }

    pub fn go_on(&mut self, house: &House, clock: &Clock, dice: &mut Dice) {
        let now = clock.now_ms();
        for deal in house.portal.records(Entity::Deal) {
            self.seen.entry(deal.id).or_insert(now);
        }
        self.night(house);
        for _ in 0..dice.range(0, 2) {
            if house.hotel.tick().is_some() {
                self.acts += 1;
            }
        }
        if dice.chance(40) {
            self.acts += u64::from(house.hotel.with(|state| desk(state, dice)));
        }
        if dice.chance(30) {
            self.acts += u64::from(self.manager(house, now, dice));
        }
        if dice.chance(2) {
            self.newcomer(house, now, dice);
        }
        let due: Vec<i64> = self.expected.iter().filter(|(_, at)| *at <= now).map(|(id, _)| *id).collect();
        self.expected.retain(|(_, at)| *at > now);
        for profile in due {
            house.hotel.with(|state| book(state, profile, dice));
            self.acts += 1;
        }
    }

    /// At three in the morning the hotel closes its day.
    fn night(&mut self, house: &House) {
        house.hotel.with(|state| {
            let now = state.now();
            let due = self.audited.is_none_or(|at| now - at > Duration::hours(20));
            if due && (3..6).contains(&now.hour()) {
                self.audited = Some(now);
                self.acts += 1 + u64::try_from(state.night_audit()).unwrap_or_default();
            }
        });
    }

    /// A manager enters a guest who will book: one person, one contact all the same.
    fn newcomer(&mut self, house: &House, now: i64, dice: &mut Dice) {
        let profile = house.hotel.with(|state| {
            let id = state.next_profile();
            let at = state.now();
            let person = people::guest(state, &mut Dice::new(id.unsigned_abs()), id, id - 70_000, at);
            state.profiles.insert(id, person.clone());
            person
        });
        let Some(phone) = profile.primary(CommKind::Telephone).map(|entry| entry.value.clone()) else { return };
        let contact = json!({
            "name": profile.first_name, "lastName": profile.name,
            "fm": [{"typeId": "PHONE", "valueType": "WORK", "value": phone}],
        });
        self.hands.by_hand.insert(house.portal.add_as(2, Entity::Contact, &contact).expect("a contact is entered"));
        self.expected.push((profile.id, now + HEARD_AFTER_MS + dice.range(0, 3_600_000)));
        self.acts += 1;
    }

    fn may_edit(&mut self, kind: &'static str, id: i64) -> bool {
        let edits = self.edits.entry((kind, id)).or_default();
        *edits += 1;
        *edits <= EDITS
    }

    fn manager(&mut self, house: &House, now: i64, dice: &mut Dice) -> bool {
        let portal = &house.portal;
        let edit = |entity, id, fields: Value| portal.edit_as(2, entity, id, &fields).is_ok();
        let deals = portal.records(Entity::Deal);
        let contacts = portal.records(Entity::Contact);
        let (Some(deal), Some(contact)) = (dice.pick(&deals), dice.pick(&contacts)) else { return false };
        let (is_open, at) =
            (["confirmed", "in_house"].contains(&deal.text("UF_CRM_FB24_STATUS").as_str()), dice.range(1, 100));
        match at {
            // Ours, so it is put back.
            1..=25 if self.may_edit("deal", deal.id) => {
                let field = dice.word(&["UF_CRM_FB24_ROOM_TYPE", "UF_CRM_FB24_GUARANTEE", "title", "UF_CRM_FB24_RATE"]);
                edit(Entity::Deal, deal.id, json!({field: format!("по просьбе {now}")}))
            }
            26..=32 if is_open && !self.hands.closed.contains_key(&deal.id) && self.may_edit("deal", deal.id) => {
                let stage = deal.text("stageId");
                let other = stage.split_once(':').map(|(pipeline, _)| format!("{pipeline}:FB24_TENTATIVE"));
                other.is_some_and(|other| edit(Entity::Deal, deal.id, json!({"stageId": other})))
            }
            33..=45 if self.may_edit("contact", contact.id) => {
                edit(Entity::Contact, contact.id, json!({"UF_CRM_FB24_VIP": format!("VIP{now}")}))
            }
            // Theirs, so it stays.
            46..=62 => {
                let text = format!("заметка {now}");
                self.hands.comments.insert((Entity::Deal, deal.id), text.clone());
                edit(Entity::Deal, deal.id, json!({"comments": text}))
            }
            63..=75 => {
                let text = format!("заметка {now}");
                self.hands.comments.insert((Entity::Contact, contact.id), text.clone());
                edit(Entity::Contact, contact.id, json!({"comments": text}))
            }
            76..=86 => {
                let phone = format!("+7495{:07}", dice.range(0, 9_999_999));
                let fm = json!({"fm": {"n0": {"typeId": "PHONE", "valueType": "WORK", "value": phone.clone()}}});
                self.hands.phones.entry(contact.id).or_default().insert(phone);
                edit(Entity::Contact, contact.id, fm)
            }
            87..=92 if is_open && !self.hands.closed.contains_key(&deal.id) => {
                let stage = deal.text("stageId");
                let Some((pipeline, _)) = stage.split_once(':') else { return false };
                let lost = format!("{pipeline}:LOSE");
                self.hands.closed.insert(deal.id, lost.clone());
                edit(Entity::Deal, deal.id, json!({"stageId": lost}))
            }
            // Not one that may still be on its way: nobody could tell its death from a lost answer.
            93..=94 if now - self.seen.get(&deal.id).copied().unwrap_or(now) > HEARD_AFTER_MS => {
                self.hands.deleted.insert(deal.text("originId"));
                self.deleted_ids.insert(deal.id);
                portal.delete_as(2, Entity::Deal, deal.id).is_ok()
            }
            _ => false,
        }
    }
}

fn book(state: &mut HotelState, profile: i64, dice: &mut Dice) {
    let arrival = state.system_date + Duration::days(dice.range(1, 20));
    let booking = Booking {
        profile,
        arrival,
        departure: arrival + Duration::days(dice.range(1, 4)),
        room_type: dice.word(&["STD", "DBL", "SUI"]).into(),
        adults: dice.range(1, 2),
        rate_code: "BAR".into(),
        rate: 540_000,
        status: *dice.pick(&[Status::Confirmed, Status::Tentative, Status::Offer]).expect("a status"),
    };
    state.book(booking).expect("a booking");
}

/// What the living day of the sandbox leaves out.
fn desk(state: &mut HotelState, dice: &mut Dice) -> bool {
    let house = numbers(state, |r| r.status == Status::InHouse);
    let left = numbers(state, |r| r.status == Status::CheckedOut);
    let coming = numbers(state, |r| matches!(r.status, Status::Confirmed | Status::Tentative));
    let off = numbers(state, |r| matches!(r.status, Status::NoShow | Status::Cancelled));
    let people: Vec<i64> = state.reservations.values().map(|r| r.profile).filter(|id| *id != 0).collect();
    let firms: Vec<i64> = state.profiles.values().filter(|p| p.kind == ProfileKind::Company).map(|p| p.id).collect();
    let of = |dice: &mut Dice, list: &[i64]| dice.pick(list).copied().unwrap_or_default();
    match dice.range(1, 14) {
        1 | 2 => {
            let number = of(dice, &house);
            let Ok(stay) = state.reservation(number).cloned() else { return false };
            let room = state.free_room(&stay.room_type, stay.arrival, stay.departure, number);
            room.is_some_and(|room| state.move_room(number, &room).is_ok())
        }
        // Not after a check-out was undone: both at once, unseen, is a step that is refused and recorded.
        3 => {
            let fresh = numbers(state, |r| r.status == Status::InHouse && r.departure > state.system_date);
            state.undo_check_in(of(dice, &fresh)).is_ok()
        }
        4 => state.undo_check_out(of(dice, &left)).is_ok(),
        5 => state.no_show(of(dice, &coming)).is_ok(),
        6 => state.reinstate(of(dice, &off)).is_ok(),
        7 => state.cancel(of(dice, &coming)).is_ok(),
        8 => {
            let rate = dice.range(400_000, 900_000);
            let edit = state.edit(of(dice, &coming), |r| {
                (r.rate, r.rate_code) = (rate, "PROMO".into());
                r.reprice();
            });
            edit.is_ok()
        }
        9 => {
            let children = dice.range(0, 2);
            state.edit(of(dice, &coming), |r| r.children = vec![("JUN".into(), children)]).is_ok()
        }
        10 => {
            let firm = if dice.chance(70) { of(dice, &firms) } else { 0 };
            state.edit(of(dice, &coming), |r| r.company = firm).is_ok()
        }
        11 => {
            let companion = of(dice, &people);
            let edit = state.edit(of(dice, &coming), |r| {
                if r.profile != companion {
                    r.companions = vec![companion];
                }
            });
            edit.is_ok()
        }
        12 => {
            let (id, new) = (of(dice, &people), state.next_id());
            let mail = format!("new.{new}@example.com");
            state.edit_profile(id, |p| p.set_primary(CommKind::Email, &mail, new))
        }
        13 => {
            let (id, vip) = (of(dice, &people), dice.word(&["VIP1", "VIP2", "GOLD", ""]));
            state.edit_profile(id, |p| p.vip = vip.into())
        }
        _ => {
            let (id, new) = (of(dice, &people), state.next_id());
            state.edit_profile(id, |p| p.name = format!("{}-{new}", p.name.split('-').next().unwrap_or_default()))
        }
    }
}
