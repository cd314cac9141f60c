//! What people do while processes die: the hotel's day goes on, guests book, managers edit.

use std::collections::BTreeMap;

use chrono::Duration;
use fb24_sandbox::hotel::dice::Dice;
use fb24_sandbox::hotel::model::Status;
use fb24_sandbox::hotel::{Hotel, HotelState};
use fb24_sandbox::portal::{Entity, Portal};
use serde_json::{Value, json};

use super::truth::Hands;

/// Put back by us so often at most: the war itself is another test's.
const EDITS: u32 = 2;

pub struct Load {
    pub hands: Hands,
    /// Managers also edit what the hotel owns: found by an event, or minutes later by a scan.
    put_backs: bool,
    edits: BTreeMap<i64, u32>,
    dice: Dice,
    pub acts: u64,
}

fn coming(state: &HotelState) -> Vec<i64> {
    let ahead = |status| matches!(status, Status::Confirmed | Status::Tentative);
    state.reservations.values().filter(|r| !r.financial_account && ahead(r.status)).map(|r| r.number).collect()
}

impl Load {
    pub fn new(seed: u64, put_backs: bool) -> Self {
        Self { hands: Hands::default(), put_backs, edits: BTreeMap::new(), dice: Dice::new(seed ^ 0x10AD), acts: 0 }
    }

    /// A few things of a busy minute.
    pub fn go_on(&mut self, portal: &Portal, hotel: &Hotel) {
        for _ in 0..self.dice.range(1, 3) {
            self.acts += u64::from(hotel.tick().is_some());
        }
        match self.dice.range(1, 8) {
            1 => self.book(hotel),
            2 => self.change(hotel),
            3 => self.rename(hotel),
            4 => self.phone(portal),
            5 if self.put_backs => self.meddle(portal),
            _ => self.comment(portal),
        }
        self.acts += 1;
    }

    pub fn book(&mut self, hotel: &Hotel) {
        hotel.book_new_guest(self.dice.range(1, 20), self.dice.range(1, 4)).expect("a booking needs no room yet");
    }

    /// A booking is changed at the desk.
    pub fn change(&mut self, hotel: &Hotel) {
        let rate = self.dice.range(400_000, 900_000);
        hotel.with(|state| {
            let Some(number) = self.dice.pick(&coming(state)).copied() else { return };
            let edit = |r: &mut fb24_sandbox::hotel::Reservation| {
                (r.rate, r.rate_code) = (rate, "PROMO".into());
                r.reprice();
            };
            state.edit(number, edit).expect("it is there");
        });
    }

    fn rename(&mut self, hotel: &Hotel) {
        hotel.with(|state| {
            let guests: Vec<i64> = state.reservations.values().map(|r| r.profile).filter(|id| *id > 70_000).collect();
            let (Some(id), new) = (self.dice.pick(&guests).copied(), state.next_id()) else { return };
            state.edit_profile(id, |p| p.name = format!("{}-{new}", p.name.split('-').next().unwrap_or_default()));
        });
    }

    /// Stays of last week that nobody has told of: only an import finds them.
    pub fn history(&mut self, hotel: &Hotel) {
        hotel.with(|state| {
            for _ in 0..2 {
                let (now, nights) = (state.now(), self.dice.range(1, 3));
                let number = state.book_new_guest(-6, nights).expect("a room is free");
                let Some(profile) = state.reservations.get(&number).map(|r| r.profile) else { continue };
                if let Some(r) = state.reservations.get_mut(&number) {
                    let at = |date: chrono::NaiveDate| date.and_hms_opt(12, 0, 0);
                    r.status = Status::CheckedOut;
                    (r.checked_in, r.checked_out) = (at(r.arrival), at(r.departure));
                    (r.created, r.updated) = (now - Duration::days(9), now - Duration::days(2));
                }
                if let Some(p) = state.profiles.get_mut(&profile) {
                    (p.created, p.updated) = (now - Duration::days(9), now - Duration::days(2));
                }
            }
        });
    }

    /// A manager writes what is his own.
    pub fn comment(&mut self, portal: &Portal) {
        let entity = *self.dice.pick(&[Entity::Deal, Entity::Contact]).expect("one of two");
        let records = portal.records(entity);
        let Some(record) = self.dice.pick(&records) else { return };
        let text = format!("заметка {}", self.dice.roll());
        if portal.edit_as(2, entity, record.id, &json!({"comments": text})).is_ok() {
            self.hands.comments.insert((entity, record.id), text);
        }
    }

    fn phone(&mut self, portal: &Portal) {
        let contacts = portal.records(Entity::Contact);
        let Some(contact) = self.dice.pick(&contacts) else { return };
        let phone = format!("+7495{:07}", self.dice.range(0, 9_999_999));
        let more = json!({"fm": {"n0": {"typeId": "PHONE", "valueType": "WORK", "value": phone}}});
        if portal.edit_as(2, Entity::Contact, contact.id, &more).is_ok() {
            self.hands.phones.entry(contact.id).or_default().insert(phone);
        }
    }

    /// A manager changes what the hotel owns; it is put back.
    fn meddle(&mut self, portal: &Portal) {
        let deals = portal.records(Entity::Deal);
        let Some(deal) = self.dice.pick(&deals) else { return };
        let edits = self.edits.entry(deal.id).or_default();
        *edits += 1;
        if *edits <= EDITS {
            let field =
                self.dice.word(&["UF_CRM_FB24_ROOM_TYPE", "UF_CRM_FB24_GUARANTEE", "title", "UF_CRM_FB24_RATE"]);
            let fields: Value = json!({field: format!("по просьбе {}", self.dice.roll())});
            let _ = portal.edit_as(2, Entity::Deal, deal.id, &fields);
        }
    }
}
