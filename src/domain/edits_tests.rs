use proptest::prelude::*;

use super::*;
use crate::domain::change_set::{change_set, ours};
use crate::domain::crm::Comm;

fn text(value: &str) -> CrmValue {
    CrmValue::Text(value.to_owned())
}

fn phones(values: &[&str]) -> CrmValue {
    let comm = |value: &&str| Comm { value_type: "WORK".into(), value: (*value).to_owned() };
    CrmValue::Comms(values.iter().map(comm).collect())
}

fn desired(value: CrmValue) -> Fields {
    [("PHONE".to_owned(), value)].into()
}

fn written(edits: &mut Edits, value: CrmValue, stance: Stance, hotel_at: i64) -> bool {
    !edits.standing(desired(value), |_| stance, hotel_at).is_empty()
}

#[test]
fn s1_the_later_edit_wins_and_a_tie_leaves_the_portals() {
    let mut edits = Edits::default();
    edits.edited("PHONE", &text("1"), &text("manager"), 100);
    assert!(!written(&mut edits, text("1"), Stance::Newest, 500), "the hotel has nothing new, whatever its stamp");
    assert!(!written(&mut edits.clone(), text("2"), Stance::Newest, 99));
    assert!(!written(&mut edits.clone(), text("2"), Stance::Newest, 100), "a tie");
    assert!(written(&mut edits.clone(), text("2"), Stance::Newest, 101));
    assert!(written(&mut edits.clone(), text("1"), Stance::PutBack, 0));
    assert!(written(&mut edits, text("2"), Stance::UntilNews, 0));
}

#[test]
fn s1_a_value_that_came_too_late_does_not_win_by_another_change_of_the_hotel() {
    let mut edits = Edits::default();
    edits.edited("PHONE", &text("1"), &text("manager"), 100);
    assert!(!written(&mut edits, text("2"), Stance::Newest, 90));
    // The guest's VIP status was changed: the record's stamp is newer, its phone is not.
    assert!(!written(&mut edits, text("2"), Stance::Newest, 200));
    assert!(written(&mut edits, text("3"), Stance::Newest, 300));
}

#[test]
fn s1_an_edit_that_is_taken_back_is_none() {
    let mut edits = Edits::default();
    edits.edited("PHONE", &phones(&["+74951112233"]), &phones(&["+74950000000"]), 100);
    edits.edited("PHONE", &phones(&["+74951112233"]), &phones(&["8 495 111-22-33", "+74950000000"]), 110);
    assert!(edits.is_empty());
    edits.edited("PHONE", &text("1"), &text("a"), 100);
    // What stood there by now was a person's own.
    edits.edited("PHONE", &text("a"), &text("b"), 120);
    assert!(!written(&mut edits, text("1"), Stance::Newest, 110));
    edits.settle([&"PHONE".to_owned()]);
    assert!(edits.is_empty());
}

/// A field of one value, changed at both ends; each end learns of the other's change some time later.
#[derive(Debug, Clone, Copy)]
enum Step {
    HotelEdits,
    PersonEdits,
    /// Both in the same second.
    BothEdit,
    HotelIsRead,
    Delivered,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::HotelEdits),
        Just(Step::PersonEdits),
        Just(Step::BothEdit),
        Just(Step::HotelIsRead),
        Just(Step::Delivered)
    ]
}

struct Model {
    now: i64,
    hotel: (CrmValue, i64),
    /// As last read.
    known: (CrmValue, i64),
    portal: (CrmValue, i64),
    /// As last confirmed or looked at.
    held: Fields,
    edits: Edits,
}

impl Model {
    fn new() -> Self {
        let first = (text("first"), 0);
        let held = change_set(&desired(text("first")), &Fields::new()).after;
        Self { now: 0, hotel: first.clone(), known: first.clone(), portal: first, held, edits: Edits::default() }
    }

    /// A re-read, and then what is written.
    fn deliver(&mut self) {
        let held = self.held.get("PHONE").cloned().unwrap_or(CrmValue::Empty);
        if !alike(&held, &self.portal.0) {
            self.edits.edited("PHONE", &held, &self.portal.0, self.portal.1);
            self.held.insert("PHONE".into(), self.portal.0.clone());
        }
        let left = self.edits.standing(desired(self.known.0.clone()), |_| Stance::Newest, self.known.1);
        let set = change_set(&left, &self.held);
        if let Some(value) = set.write.get("PHONE") {
            self.portal.0 = value.clone();
        }
        self.edits.settle(set.after.keys());
        self.held.extend(set.after);
    }

    fn take(&mut self, step: Step) {
        self.now += 1;
        let (hotel, person) = (text(&format!("hotel {}", self.now)), text(&format!("person {}", self.now)));
        match step {
            Step::HotelEdits => self.hotel = (hotel, self.now),
            Step::PersonEdits => self.portal = (person, self.now),
            Step::BothEdit => {
                self.hotel = (hotel, self.now);
                self.portal = (person, self.now);
            }
            Step::HotelIsRead => self.known = self.hotel.clone(),
            Step::Delivered => self.deliver(),
        }
    }
}

proptest! {
    /// In whatever order the two sides hear of each other, the later edit stands in the end, and then nothing is written.
    #[test]
    fn s1_the_later_of_two_edits_stands_in_the_end(steps in proptest::collection::vec(step(), 0..24)) {
        let mut model = Model::new();
        let (mut last_hotel, mut last_person) = ((text("first"), 0), (text("first"), -1));
        for step in steps {
            model.take(step);
            if matches!(step, Step::HotelEdits | Step::BothEdit) {
                last_hotel = model.hotel.clone();
            }
            if matches!(step, Step::PersonEdits | Step::BothEdit) {
                last_person = model.portal.clone();
            }
        }
        model.take(Step::HotelIsRead);
        model.take(Step::Delivered);
        let winner = if last_hotel.1 > last_person.1 { last_hotel.0 } else { last_person.0 };
        prop_assert_eq!(&model.portal.0, &winner);
        let (before, edits) = (model.held.clone(), model.edits.clone());
        model.take(Step::Delivered);
        prop_assert_eq!((&model.portal.0, &model.held, &model.edits), (&winner, &before, &edits));
    }

    /// Phones: what people added stays whoever wins, and what is the hotel's is there when the hotel is the later one.
    #[test]
    fn s1_of_a_shared_list_only_the_hotels_part_is_disputed(
        added in proptest::collection::btree_set("[5-9]{3}", 0..3), hotel_later in any::<bool>(), removed in any::<bool>(),
    ) {
        let added: Vec<&str> = added.iter().map(String::as_str).collect();
        let mut held = change_set(&desired(phones(&["111"])), &Fields::new()).after;
        let mine = held.get(&ours("PHONE")).cloned().unwrap_or(CrmValue::Empty);
        let mut now = added.clone();
        now.extend((!removed).then_some("111"));
        let mut edits = Edits::default();
        if lost(&mine, &mine, &phones(&now)) {
            edits.edited("PHONE", &mine, &phones(&now), 100);
        }
        held.insert("PHONE".into(), phones(&now));
        let left = edits.standing(desired(phones(&["222"])), |_| Stance::Newest, if hotel_later { 101 } else { 99 });
        let set = change_set(&left, &held);
        let after = set.after.get("PHONE").or(held.get("PHONE")).cloned();
        let wins = hotel_later || !removed;
        let mut expected = added.clone();
        expected.extend(wins.then_some("222"));
        prop_assert_eq!(after, Some(phones(&expected)));
    }
}
