//! A person who asked to be forgotten, or whom the PMS forgot (product §9): what of a change may still be taken in, and
//! what stays of what is held. Figures of a stay (dates, room, money) are the hotel's, and stay.

use std::collections::BTreeSet;

use super::change::{Change, Entity};
use super::ids::ProfileNumber;
use super::known::Known;
use super::profile::Profile;
use super::stay::{Companion, Stay};

/// Every profile that a change speaks of.
pub fn named(change: &Change) -> Vec<&ProfileNumber> {
    match &change.entity {
        Entity::Profile(profile) => vec![&profile.number],
        Entity::Stay(stay) => {
            let roles = [&stay.company, &stay.travel_agent, &stay.source_profile, &stay.booker];
            stay.guests().into_iter().chain(roles.into_iter().filter_map(Known::get)).collect()
        }
    }
}

/// The profile that this change orders to erase.
pub fn ordered(change: &Change) -> Option<&ProfileNumber> {
    match &change.entity {
        Entity::Profile(profile) if profile.privacy_removed == Known::Is(true) => Some(&profile.number),
        _ => None,
    }
}

/// What of a change may be known although these are erased; `None`: nothing.
pub fn without(mut change: Change, erased: &BTreeSet<ProfileNumber>) -> Option<Change> {
    if !named(&change).into_iter().any(|number| erased.contains(number)) {
        return Some(change);
    }
    match &mut change.entity {
        Entity::Profile(_) => None,
        Entity::Stay(stay) => {
            blank(stay, erased);
            Some(change)
        }
    }
}

/// Takes out of a stay what may tell of these people: free text may name anybody, so all of it goes.
pub fn blank(stay: &mut Stay, erased: &BTreeSet<ProfileNumber>) {
    fn empty<T>(fact: &mut Known<T>) {
        if !fact.is_absent() {
            *fact = Known::Empty;
        }
    }
    empty(&mut stay.comments);
    empty(&mut stay.notes);
    empty(&mut stay.custom);
    for group in [&mut stay.group, &mut stay.party] {
        if let Known::Is(group) = group {
            group.name.clear();
        }
    }
    let forget = |people: &mut Known<Vec<Companion>>| {
        if let Known::Is(people) = people {
            people.iter_mut().filter(|one| erased.contains(&one.profile)).for_each(|one| one.name.clear());
        }
    };
    forget(&mut stay.companions);
    forget(&mut stay.sharers);
}

/// All that stays of a profile: that it is one, and that it is erased.
pub fn stone(number: ProfileNumber, held: Option<&Profile>) -> Profile {
    let mut stone = Profile::new(number);
    stone.kind = held.map_or(Known::Absent, |held| held.kind.clone());
    stone.privacy_removed = Known::Is(true);
    stone
}

/// Whether nothing may be told of this profile any more.
pub fn is_erased(profile: &Profile) -> bool {
    profile.privacy_removed == Known::Is(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::stay::Group;
    use crate::domain::{Observed, StayNumber};
    use chrono::DateTime;

    fn change(entity: Entity) -> Change {
        let observed = Observed { source: "x".into(), pms_time: None, received_at: DateTime::UNIX_EPOCH };
        Change { entity, observed }
    }

    fn number(text: &str) -> ProfileNumber {
        ProfileNumber::parse(text).expect("a number")
    }

    #[test]
    fn s1_of_an_erased_guest_s_stay_the_figures_stay_and_the_words_go() {
        let mut stay = Stay::new(StayNumber::parse("1").expect("a number"));
        stay.main_guest = Known::Is(number("7"));
        stay.room = Known::Is("101".into());
        stay.comments = Known::Is(vec!["Ivanova: late".into()]);
        stay.group = Known::Is(Group { number: "5".into(), name: "Ivanova's wedding".into() });
        let companion = |profile, name: &str| Companion { profile: number(profile), name: name.into(), stay: None };
        stay.companions = Known::Is(vec![companion("8", "Petrov"), companion("9", "Sidorov")]);
        let before = change(Entity::Stay(Box::new(stay.clone())));
        let nobody = without(before.clone(), &[number("70")].into());
        assert_eq!(nobody, Some(before.clone()), "who is not named changes nothing");
        let Some(Change { entity: Entity::Stay(left), .. }) = without(before, &[number("8")].into()) else {
            panic!("the stay is there")
        };
        assert_eq!((&left.room, &left.main_guest), (&stay.room, &stay.main_guest));
        assert_eq!((&left.comments, &left.notes), (&Known::Empty, &Known::Absent), "what was not told is not told");
        assert_eq!(left.group.get().map(|group| group.name.as_str()), Some(""));
        let names: Vec<&str> = left.companions.get().into_iter().flatten().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["", "Sidorov"]);
    }

    #[test]
    fn s1_nothing_of_an_erased_profile_is_taken_in_again() {
        let mut profile = Profile::new(number("7"));
        profile.last_name = Known::Is("Ivanova".into());
        let told = change(Entity::Profile(Box::new(profile.clone())));
        assert_eq!((ordered(&told), without(told.clone(), &[number("7")].into())), (None, None));
        let stone = stone(number("7"), Some(&profile));
        assert_eq!((&stone.last_name, is_erased(&stone)), (&Known::Absent, true));
        assert_eq!(ordered(&change(Entity::Profile(Box::new(stone)))), Some(&number("7")));
    }
}
