//! From what a record should hold and what it is known to hold to what is written: people's additions are kept.

use std::collections::BTreeSet;

use super::crm::{Comm, CrmValue, Fields, difference};

/// The one record a deal names that may become none.
pub const COMPANY: &str = "companyId";

/// One phone or e-mail to add or to take away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommStep {
    Add(Comm),
    Remove(Comm),
}

/// What is written, and what the record holds once that is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeSet {
    pub write: Fields,
    /// By field: `PHONE`, `EMAIL`.
    pub comms: Vec<(String, Vec<CommStep>)>,
    pub after: Fields,
}

impl ChangeSet {
    pub fn is_empty(&self) -> bool {
        self.write.is_empty() && self.comms.is_empty()
    }
}

/// Under which name the record remembers what of a shared list is ours.
pub fn ours(field: &str) -> String {
    format!("{field}.ours")
}

/// The field that a remembered name is about: names of fields have no dots.
pub fn field_of(name: &str) -> &str {
    name.split_once('.').map_or(name, |(field, _)| field)
}

/// Under which name it remembers what was written to it in a way that may not have worked.
pub fn tried(field: &str) -> String {
    format!("{field}.tried")
}

/// What to write so that `held` becomes `desired`.
///
/// Lists that people share with us (phones, e-mails, contacts of a deal, profile marks) gain what we want and lose
/// only what we once put there.
pub fn change_set(desired: &Fields, held: &Fields) -> ChangeSet {
    let mut set = ChangeSet::default();
    let mut plain = Fields::new();
    for (name, want) in desired {
        let has = held.get(name).unwrap_or(&CrmValue::Empty);
        let mine = held.get(&ours(name)).unwrap_or(&CrmValue::Empty);
        match want {
            CrmValue::Comms(want) => comm_steps(&mut set, name, want, has, mine),
            CrmValue::Ids(want) => {
                let target = shared_ids(want, has, mine);
                if !same_ids(&target, has) {
                    set.write.insert(name.clone(), CrmValue::Ids(target.clone()));
                }
                set.after.insert(name.clone(), CrmValue::Ids(target));
                set.after.insert(ours(name), CrmValue::Ids(want.clone()));
            }
            CrmValue::Texts(want) => {
                let mut target = want.clone();
                if let CrmValue::Texts(has) = has {
                    let gone = |text: &String| matches!(mine, CrmValue::Texts(mine) if mine.contains(text));
                    target.extend(has.iter().filter(|text| !gone(text)).cloned());
                }
                plain.insert(name.clone(), CrmValue::Texts(target));
            }
            want if name == COMPANY => {
                // Zero is "none" (facts §7.2). One that a person chose is not ours to take away.
                let none = |value: &CrmValue| value.is_empty() || *value == CrmValue::Int(0);
                if !none(want) {
                    plain.insert(name.clone(), want.clone());
                } else if !none(has) && has == mine {
                    plain.insert(name.clone(), CrmValue::Int(0));
                }
                set.after.insert(ours(name), want.clone());
            }
            other => {
                plain.insert(name.clone(), other.clone());
            }
        }
    }
    set.write.extend(difference(&plain, held));
    set.after.extend(plain);
    set
}

fn comm_steps(set: &mut ChangeSet, name: &str, want: &BTreeSet<Comm>, has: &CrmValue, mine: &CrmValue) {
    let none = BTreeSet::new();
    let as_comms = |value: &CrmValue| if let CrmValue::Comms(comms) = value { comms.clone() } else { none.clone() };
    let (has, mine) = (as_comms(has), as_comms(mine));
    let holds = |comms: &BTreeSet<Comm>, comm: &Comm| comms.iter().any(|held| bare(held) == bare(comm));
    let mut steps = Vec::new();
    let mut after = has.clone();
    for comm in &has {
        if holds(&mine, comm) && !holds(want, comm) {
            after.remove(comm);
            steps.push(CommStep::Remove(comm.clone()));
        }
    }
    for comm in want {
        if !holds(&after, comm) {
            after.insert(comm.clone());
            steps.push(CommStep::Add(comm.clone()));
        }
    }
    if !steps.is_empty() {
        set.comms.push((name.to_owned(), steps));
    }
    set.after.insert(name.to_owned(), CrmValue::Comms(after));
    set.after.insert(ours(name), CrmValue::Comms(want.clone()));
}

/// Of what is wanted, what is there: nothing is added, only what is wanted no more may go.
pub fn only_held(want: &BTreeSet<Comm>, has: Option<&CrmValue>) -> CrmValue {
    let holds = |comm: &Comm| match has {
        Some(CrmValue::Comms(has)) => has.iter().any(|held| bare(held) == bare(comm)),
        _ => false,
    };
    CrmValue::Comms(want.iter().filter(|comm| holds(comm)).cloned().collect())
}

/// The form in which phones and e-mails are compared: letters small, of a number only its digits.
pub fn bare(comm: &Comm) -> String {
    if comm.value.contains('@') {
        return comm.value.trim().to_lowercase();
    }
    let digits: String = comm.value.chars().filter(char::is_ascii_digit).collect();
    // The trunk prefix of Russian numbers: 8 and +7 lead to the same telephone.
    match digits.strip_prefix('8') {
        Some(rest) if rest.len() == 10 => format!("7{rest}"),
        _ if digits.is_empty() => comm.value.trim().to_lowercase(),
        _ => digits,
    }
}

/// Portals reformat phones and reorder links; that is no edit.
pub fn alike(a: &CrmValue, b: &CrmValue) -> bool {
    match (a, b) {
        (CrmValue::Comms(a), CrmValue::Comms(b)) => {
            let bare = |comms: &BTreeSet<Comm>| comms.iter().map(bare).collect::<BTreeSet<String>>();
            bare(a) == bare(b)
        }
        (CrmValue::Ids(target), has @ CrmValue::Ids(_)) => same_ids(target, has),
        (a, b) => a.same(b),
    }
}

/// Whether something of `mine` that a shared list had is gone from what it holds now, or is not its first any more.
pub fn lost(mine: &CrmValue, had: &CrmValue, now: &CrmValue) -> bool {
    if let (CrmValue::Ids(mine), CrmValue::Ids(had)) = (mine, had)
        && let Some(first) = had.first().filter(|first| mine.contains(first))
        && !matches!(now, CrmValue::Ids(now) if now.first() == Some(first))
    {
        return true;
    }
    let (mine, had, now) = (elements(mine), elements(had), elements(now));
    mine.iter().any(|one| had.contains(one) && !now.contains(one))
}

fn elements(list: &CrmValue) -> BTreeSet<String> {
    match list {
        CrmValue::Ids(ids) => ids.iter().map(ToString::to_string).collect(),
        CrmValue::Texts(texts) => texts.clone(),
        CrmValue::Comms(comms) => comms.iter().map(bare).collect(),
        _ => BTreeSet::new(),
    }
}

fn shared_ids(want: &[i64], has: &CrmValue, mine: &CrmValue) -> Vec<i64> {
    let ids = |value: &CrmValue| if let CrmValue::Ids(ids) = value { ids.clone() } else { Vec::new() };
    let mine = ids(mine);
    let others = ids(has).into_iter().filter(|id| !want.contains(id) && !mine.contains(id));
    want.iter().copied().chain(others).collect()
}

/// The first one matters (it is the primary); the order of the others does not.
fn same_ids(target: &[i64], has: &CrmValue) -> bool {
    let CrmValue::Ids(has) = has else { return target.is_empty() };
    target.first() == has.first() && target.iter().collect::<BTreeSet<_>>() == has.iter().collect::<BTreeSet<_>>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn comm(value: &str) -> Comm {
        Comm { value_type: "WORK".into(), value: value.into() }
    }

    fn comms(values: &[&str]) -> CrmValue {
        CrmValue::Comms(values.iter().map(|value| comm(value)).collect())
    }

    #[test]
    fn s1_a_persons_phone_survives_a_change_of_ours() {
        let held: Fields = [
            ("PHONE".into(), comms(&["+74951112233", "8 (495) 999-00-11"])),
            (ours("PHONE"), comms(&["+74951112233"])),
        ]
        .into();
        let desired: Fields = [("PHONE".into(), comms(&["+74952223344", "+74959990011"]))].into();
        let set = change_set(&desired, &held);
        assert_eq!(
            set.comms,
            [("PHONE".to_owned(), vec![CommStep::Remove(comm("+74951112233")), CommStep::Add(comm("+74952223344"))])]
        );
        let mut after = held.clone();
        after.extend(set.after);
        assert!(change_set(&desired, &after).is_empty(), "once confirmed there is nothing left to do");
    }

    #[test]
    fn s1_a_company_that_left_the_booking_leaves_the_deal_unless_a_person_chose_another() {
        let desired = |company: CrmValue| -> Fields { [(COMPANY.to_owned(), company)].into() };
        let mut held = Fields::new();
        assert!(change_set(&desired(CrmValue::Empty), &held).is_empty());
        let set = change_set(&desired(CrmValue::Int(9)), &held);
        assert_eq!(set.write.get(COMPANY), Some(&CrmValue::Int(9)));
        held.extend(set.after);
        let mut by_hand = held.clone();
        by_hand.insert(COMPANY.into(), CrmValue::Int(5));
        assert!(change_set(&desired(CrmValue::Empty), &by_hand).is_empty());
        let set = change_set(&desired(CrmValue::Empty), &held);
        assert_eq!(set.write.get(COMPANY), Some(&CrmValue::Int(0)));
        held.extend(set.after);
        assert!(change_set(&desired(CrmValue::Empty), &held).is_empty(), "once is enough");
    }

    #[test]
    fn s1_a_contact_that_a_person_added_to_the_deal_stays() {
        let held: Fields =
            [("contactIds".into(), CrmValue::Ids(vec![1, 9])), (ours("contactIds"), CrmValue::Ids(vec![1]))].into();
        let desired: Fields = [("contactIds".into(), CrmValue::Ids(vec![2, 3]))].into();
        assert_eq!(change_set(&desired, &held).write.get("contactIds"), Some(&CrmValue::Ids(vec![2, 3, 9])));
        let same: Fields = [("contactIds".into(), CrmValue::Ids(vec![1]))].into();
        assert!(change_set(&same, &held).is_empty());
    }

    #[test]
    fn s1_what_others_take_from_a_shared_list_is_told_from_what_they_add() {
        let (mine, had) = (CrmValue::Ids(vec![1, 2]), CrmValue::Ids(vec![1, 2, 9]));
        let after = |ids: &[i64]| lost(&mine, &had, &CrmValue::Ids(ids.to_vec()));
        assert!(!after(&[1, 2, 9, 10]) && !after(&[1, 9, 2]) && !after(&[1, 2]));
        assert!(after(&[1, 9]) && after(&[9, 1, 2]) && lost(&mine, &had, &CrmValue::Empty));
        let phone = comms(&["+74951112233"]);
        assert!(!lost(&phone, &phone, &comms(&["8 (495) 111-22-33", "+74959990011"])));
        assert!(lost(&phone, &phone, &comms(&["+74959990011"])) && !lost(&phone, &CrmValue::Empty, &CrmValue::Empty));
    }

    fn any_value() -> impl Strategy<Value = CrmValue> {
        prop_oneof![
            Just(CrmValue::Empty),
            "[a-c]{0,2}".prop_map(CrmValue::Text),
            (0_i64..3).prop_map(CrmValue::Int),
            proptest::collection::vec(1_i64..5, 0..3).prop_map(|mut ids| {
                let mut seen = BTreeSet::new();
                ids.retain(|id| seen.insert(*id));
                CrmValue::Ids(ids)
            }),
            proptest::collection::btree_set("[a-c]", 0..3).prop_map(CrmValue::Texts),
            proptest::collection::btree_set("[0-9]{3}", 0..3)
                .prop_map(|values| CrmValue::Comms(values.iter().map(|value| comm(value)).collect())),
        ]
    }

    proptest! {
        /// Whatever is held, one confirmed write brings the record to what is desired: no second write, no echo.
        #[test]
        fn s1_one_write_is_enough(
            desired in proptest::collection::btree_map("[a-d]", any_value(), 0..4),
            held in proptest::collection::btree_map("[a-d]", any_value(), 0..4),
        ) {
            let mut after = held.clone();
            after.extend(change_set(&desired, &held).after);
            prop_assert!(change_set(&desired, &after).is_empty());
        }
    }
}
