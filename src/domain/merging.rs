//! Profiles that a clerk merges in the PMS (facts Suite 8 §6): the interface says nothing of it. The one vanishes or goes
//! inactive, and its stays come with the other.

use std::collections::{BTreeSet, HashMap};

use super::change::{Change, Entity};
use super::ids::ProfileNumber;
use super::known::Known;
use super::profile::Profile;
use super::stay::Stay;

/// What became of a profile that the PMS has no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    MergedInto(ProfileNumber),
    /// Its stays went to several.
    Unclear,
    /// It still has stays, or none of its stays went to anybody.
    Nothing,
}

/// `successors`: who took its stays over; `left`: whether the PMS has a stay that still names it.
pub fn fate(successors: &BTreeSet<ProfileNumber>, left: bool) -> Fate {
    let mut all = successors.iter();
    match (all.next(), all.next()) {
        _ if left => Fate::Nothing,
        (None, _) => Fate::Nothing,
        (Some(one), None) => Fate::MergedInto(one.clone()),
        (Some(_), Some(_)) => Fate::Unclear,
    }
}

/// Whether the one may have been merged into the other: both are of one kind, both are people still, and the other is there.
pub fn may_be_one(from: &Profile, into: &Profile) -> bool {
    let company = |profile: &Profile| profile.kind.get().is_some_and(|kind| kind.is_company());
    let erased = |profile: &Profile| profile.privacy_removed == Known::Is(true);
    company(from) == company(into) && !erased(from) && !erased(into) && is_there(into)
}

/// Whether the PMS has it, as it says itself.
pub fn is_there(profile: &Profile) -> bool {
    profile.active != Known::Is(false)
}

/// The change as it is since these were merged: who is no more is named no more.
pub fn rename(change: &mut Change, into: &HashMap<ProfileNumber, ProfileNumber>) {
    if let Entity::Stay(stay) = &mut change.entity {
        rename_in(stay, into);
    }
}

pub fn rename_in(stay: &mut Stay, into: &HashMap<ProfileNumber, ProfileNumber>) {
    let rename = |number: &mut ProfileNumber| {
        if let Some(successor) = into.get(number) {
            number.clone_from(successor);
        }
    };
    let single =
        [&mut stay.main_guest, &mut stay.company, &mut stay.travel_agent, &mut stay.source_profile, &mut stay.booker];
    for fact in single {
        if let Known::Is(number) = fact {
            rename(number);
        }
    }
    for people in [&mut stay.companions, &mut stay.sharers] {
        if let Known::Is(people) = people {
            people.iter_mut().for_each(|one| rename(&mut one.profile));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::stay::Companion;
    use crate::domain::{ProfileKind, StayNumber};

    fn number(text: &str) -> ProfileNumber {
        ProfileNumber::parse(text).expect("a number")
    }

    #[test]
    fn s3_only_who_left_all_his_stays_to_one_other_was_merged_into_him() {
        let of = |numbers: &[&str], left| fate(&numbers.iter().map(|text| number(text)).collect(), left);
        assert_eq!(of(&["8"], false), Fate::MergedInto(number("8")));
        assert_eq!(of(&["8", "9"], false), Fate::Unclear);
        assert_eq!(
            (of(&[], false), of(&["8"], true), of(&["8", "9"], true)),
            (Fate::Nothing, Fate::Nothing, Fate::Nothing)
        );
    }

    #[test]
    fn s3_people_are_merged_into_people_who_are_there() {
        let (mut from, mut into) = (Profile::new(number("7")), Profile::new(number("8")));
        from.active = Known::Is(false);
        into.kind = Known::Is(ProfileKind::Guest);
        assert!(may_be_one(&from, &into), "who is no more is inactive");
        let inactive = Profile { active: Known::Is(false), ..into.clone() };
        let company = Profile { kind: Known::Is(ProfileKind::Company), ..into.clone() };
        let erased = Profile { privacy_removed: Known::Is(true), ..into.clone() };
        for other in [&inactive, &company, &erased] {
            assert!(!may_be_one(&from, other), "{other:?}");
        }
        assert!(!may_be_one(&erased, &into));
    }

    #[test]
    fn s3_who_was_merged_is_named_in_no_part_of_a_stay() {
        let mut stay = Stay::new(StayNumber::parse("1").expect("a number"));
        stay.main_guest = Known::Is(number("7"));
        stay.booker = Known::Is(number("7"));
        stay.company = Known::Is(number("70"));
        stay.companions = Known::Is(vec![Companion { profile: number("7"), name: "Petrov".into(), stay: None }]);
        rename_in(&mut stay, &HashMap::from([(number("7"), number("8"))]));
        assert_eq!(
            (&stay.main_guest, &stay.booker, &stay.company),
            (&Known::Is(number("8")), &Known::Is(number("8")), &Known::Is(number("70")))
        );
        assert_eq!(stay.companions.get().map(|all| all[0].profile.clone()), Some(number("8")));
    }
}
