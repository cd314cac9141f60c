//! Deals that new bookings name (product §2.14): by a number in a comment, or by the CRS number that a manager typed into
//! the deal he sold.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::json;

use super::answers::{ms, of_portal};
use super::attach::{REFUSED, is_anothers, refusal, text};
use super::error::SyncError;
use super::jobs::{Ended, Finished};
use super::lanes::Delivery;
use super::plan::{Due, Plan};
use crate::bitrix::crm::{item_find, items_of};
use crate::bitrix::{Answer, Call, Class, Error, PAGE, Priority};
use crate::domain::crm::{Kind, kind_of, read_id, read_item};
use crate::domain::{CrmEntity, Fields, HotelId, StayNumber, Subject, reference};
use crate::store::links::{self, LinkRow, Origin};
use crate::store::outbox::{self, Intent};
use crate::store::problems::{self, NewProblem};
use crate::store::stays::StayRow;

/// How long what was found counts while its booking waits to be sent. Whoever types a number meanwhile comes too late for it.
const FRESH_MS: i64 = 300_000;

/// So many deals with one number tell nothing, whoever they stand for: no more of them are read.
const TOO_MANY: usize = 200;

/// By these a deal tells whose it is.
const MARKS: [&str; 4] = ["originatorId", "originId", "UF_CRM_FB24_HOTEL", "UF_CRM_FB24_RESERVATION"];

/// A deal's field and the number in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Sign {
    field: String,
    number: String,
}

/// What a new booking says of its deal.
#[derive(Debug, Clone)]
pub(super) enum Reference {
    To(i64),
    /// It has another stay, or nobody knows which one, or which booking, was meant.
    Not(NewProblem),
    /// The portal knows.
    Sought(Sign),
}

type Bearers = BTreeMap<i64, Fields>;

/// Who bears a number, as the portal said a moment ago.
#[derive(Debug, Default)]
pub(super) struct Found(HashMap<Sign, (i64, Bearers)>);

impl Found {
    fn of(&self, sign: &Sign, now: i64) -> Option<&Bearers> {
        self.0.get(sign).filter(|(at, _)| now - at < FRESH_MS).map(|(_, bearers)| bearers)
    }

    fn put(&mut self, found: HashMap<Sign, Bearers>, now: i64) {
        self.0.retain(|_, (at, _)| now - *at < FRESH_MS);
        self.0.extend(found.into_iter().map(|(sign, bearers)| (sign, (now, bearers))));
    }
}

/// A booking that is new to the portal.
struct Booking<'s> {
    subject: &'s str,
    /// It is no row of the outbox: a comparison asks what would become of it.
    imagined: bool,
    mark: String,
    names: Names,
}

enum Names {
    Deal(i64),
    Sign(Sign),
}

impl Delivery {
    /// Deals that new bookings name, where that is wanted and was not tried before.
    pub(super) async fn referred(
        &self,
        due: &[Due],
        stays: &HashMap<(HotelId, StayNumber), StayRow>,
        linked: &HashMap<String, LinkRow>,
    ) -> Result<HashMap<String, Reference>, SyncError> {
        if !self.ground.terms.ownership.attach_by_reference {
            return Ok(HashMap::new());
        }
        let new = due.iter().filter(|due| !linked.contains_key(&due.row.subject) && due.row.intent != Intent::Own);
        let bookings: Vec<Booking<'_>> = new.filter_map(|due| self.booking(due, stays)).collect();
        let subjects: Vec<String> = bookings.iter().map(|booking| booking.subject.to_owned()).collect();
        let tried = problems::states(self.db(), self.portal, &subjects, REFUSED).await?;
        // Read once: what a search finds meanwhile is for the next look.
        let bearers: HashMap<Sign, Bearers> = {
            let (lanes, now) = (self.lanes(), self.now());
            let signs = bookings.iter().filter_map(|booking| booking.names.sign());
            signs.filter_map(|sign| Some((sign.clone(), lanes.found.of(sign, now)?.clone()))).collect()
        };
        let mut ids: Vec<i64> = bearers.values().flat_map(BTreeMap::keys).copied().collect();
        ids.extend(bookings.iter().filter_map(|booking| booking.names.deal()));
        let of = links::of_records(self.db(), self.portal, CrmEntity::Deal, &ids).await?;
        let taken: HashSet<i64> =
            of.iter().filter(|link| link.origin != Origin::Detached).map(|link| link.crm_id).collect();
        let candidates = |booking: &Booking<'_>| match &booking.names {
            Names::Deal(deal) => Some(vec![*deal]),
            Names::Sign(sign) => bearers.get(sign).map(|bearers| free(bearers, &taken, &booking.mark)),
        };
        let candidates: Vec<Option<Vec<i64>>> = bookings.iter().map(candidates).collect();
        let named = |deal: i64| candidates.iter().flatten().filter(|of| of.as_slice() == [deal]).count();
        let mut referred = HashMap::new();
        for (booking, deals) in bookings.iter().zip(&candidates) {
            if tried.contains_key(booking.subject) {
                continue;
            }
            let not = |deal: i64, why| Some(Reference::Not(refusal(booking.subject, deal, why)));
            let reference = match (&booking.names, deals.as_deref()) {
                // Whoever only looks at what would be written asks the portal nothing.
                (Names::Sign(_), None) if booking.imagined || self.lease.is_nobodys() => None,
                (Names::Sign(sign), None) => Some(Reference::Sought(sign.clone())),
                (Names::Deal(_), None) | (_, Some([])) => None,
                (_, Some([deal])) if taken.contains(deal) => not(*deal, "deal_has_stay"),
                (_, Some([deal])) if named(*deal) > 1 => not(*deal, "named_twice"),
                (_, Some([deal])) => Some(Reference::To(*deal)),
                (_, Some(several @ [first, ..])) => {
                    let params = json!({"id": first, "ids": several, "why": "several_deals"});
                    Some(Reference::Not(NewProblem { params, ..refusal(booking.subject, *first, "") }))
                }
            };
            referred.extend(reference.map(|reference| (booking.subject.to_owned(), reference)));
        }
        Ok(referred)
    }

    /// What it names, if it is a hotel's own and has a deal at all.
    fn booking<'s>(&self, due: &'s Due, stays: &HashMap<(HotelId, StayNumber), StayRow>) -> Option<Booking<'s>> {
        let Subject::Stay(hotel, number) = &due.subject else { return None };
        let row = stays.get(&(*hotel, number.clone())).filter(|row| self.carries(&due.subject, row, None))?;
        let (of, active) = self.mapping_of(&due.subject).filter(|(hotel, _)| !hotel.settings.demo)?;
        let by_crs = || {
            let number = row.facts.crs_number.get().map(|number| number.trim()).filter(|number| !number.is_empty())?;
            Some(Names::Sign(Sign { field: active.mapping.crs_field()?.to_owned(), number: number.to_owned() }))
        };
        let by_comment = row.facts.comments.get().and_then(|comments| reference::deal_of(comments));
        let names = by_comment.map(Names::Deal).or_else(by_crs)?;
        Some(Booking {
            subject: &due.row.subject,
            imagined: due.row.id == 0,
            mark: format!("{}:{number}", of.code),
            names,
        })
    }

    pub(super) fn refer(&self, plan: &mut Plan, due: &Due, deal: i64) {
        plan.links.push(LinkRow {
            subject: due.row.subject.clone(),
            entity: CrmEntity::Deal,
            crm_id: deal,
            origin: Origin::Referred,
            marked: false,
        });
        plan.read(CrmEntity::Deal, deal, due);
    }

    /// Asks which deals bear these numbers, many in one command. Only rows whose answer did not come wait for another try.
    pub(super) async fn search(&self, priority: Priority, sought: &[(i64, Sign)]) -> Finished {
        let mut asks = asks(sought.iter().map(|(_, sign)| sign));
        let mut found: HashMap<Sign, Bearers> = HashMap::new();
        let mut unheard: Vec<(Ask, Error)> = Vec::new();
        while !asks.is_empty() {
            let calls: Vec<Call> = asks.iter().map(Ask::call).collect();
            let answers = match self.many(priority, &calls).await {
                Ok(answers) => answers,
                Err(error) => calls.iter().map(|_| Err(error.clone())).collect(),
            };
            let mut next = Vec::new();
            for (ask, answer) in std::mem::take(&mut asks).into_iter().zip(answers) {
                match answer {
                    Ok(answer) => next.extend(ask.heard(&answer, &mut found)),
                    // No deal has such a field any more, or nobody may ask: a booking does not wait for that to change.
                    Err(error) if error.class == Class::Permanent && !of_portal(&error) => {
                        tracing::warn!(portal = %self.portal, %error, "the portal refuses to look deals up by a CRS number");
                        ask.nobody(&mut found);
                    }
                    Err(error) => unheard.push((ask, error)),
                }
            }
            asks = next;
        }
        let mut refused = None;
        for (ask, error) in unheard {
            found.retain(|sign, _| !ask.is_about(sign));
            let rows: Vec<i64> = sought.iter().filter(|(_, sign)| ask.is_about(sign)).map(|(row, _)| *row).collect();
            tracing::warn!(portal = %self.portal, %error, rows = rows.len(), "deals cannot be looked up by a CRS number; tried again later");
            outbox::postpone(self.db(), self.portal, &rows, self.now() + ms(&error).max(1_000)).await?;
            refused = refused.or(Some(error).filter(of_portal));
        }
        self.engine.step("deliver.found")?;
        let now = self.now();
        self.lanes().found.put(found, now);
        Ok(refused.map_or(Ended::Went(0), Ended::Refused))
    }
}

impl Names {
    fn deal(&self) -> Option<i64> {
        match self {
            Self::Deal(deal) => Some(*deal),
            Self::Sign(_) => None,
        }
    }

    fn sign(&self) -> Option<&Sign> {
        match self {
            Self::Deal(_) => None,
            Self::Sign(sign) => Some(sign),
        }
    }
}

/// Those that stand for no stay, or for this very one.
fn free(bearers: &Bearers, taken: &HashSet<i64>, mark: &str) -> Vec<i64> {
    let free = |(id, fields): &(&i64, &Fields)| !taken.contains(id) && !is_anothers(fields, mark);
    bearers.iter().filter(free).map(|(id, _)| *id).collect()
}

/// One command: some numbers of one field, the deals behind the last one that was read.
#[derive(Debug, PartialEq)]
struct Ask {
    field: String,
    numbers: BTreeSet<String>,
    after: i64,
}

fn asks<'s>(signs: impl Iterator<Item = &'s Sign>) -> Vec<Ask> {
    let mut by_field: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for sign in signs {
        by_field.entry(&sign.field).or_default().insert(&sign.number);
    }
    let mut asks = Vec::new();
    for (field, numbers) in by_field {
        let numbers: Vec<&str> = numbers.into_iter().collect();
        asks.extend(numbers.chunks(PAGE).map(|chunk| Ask {
            field: field.to_owned(),
            numbers: chunk.iter().map(|number| (*number).to_owned()).collect(),
            after: 0,
        }));
    }
    asks
}

impl Ask {
    fn call(&self) -> Call {
        let select: Vec<&str> = ["id", &self.field].into_iter().chain(MARKS).collect();
        let mut filter = serde_json::Map::new();
        filter.insert(format!("@{}", self.field), json!(self.numbers));
        filter.insert(">id".to_owned(), json!(self.after));
        item_find(super::wire(CrmEntity::Deal), &select, filter.into())
    }

    fn sign(&self, number: &str) -> Sign {
        Sign { field: self.field.clone(), number: number.to_owned() }
    }

    fn is_about(&self, sign: &Sign) -> bool {
        self.field == sign.field && self.numbers.contains(&sign.number)
    }

    fn nobody(&self, found: &mut HashMap<Sign, Bearers>) {
        for number in &self.numbers {
            found.entry(self.sign(number)).or_default();
        }
    }

    /// What is left to ask: a full page is not the end.
    fn heard(mut self, answer: &Answer, found: &mut HashMap<Sign, Bearers>) -> Option<Self> {
        self.nobody(found);
        let items = items_of(answer);
        let last = items.last().and_then(|item| read_id(item.get("id")?));
        for item in &items {
            let names = MARKS.into_iter().map(|name| (name, kind_of(name))).chain([(self.field.as_str(), Kind::Text)]);
            let fields = read_item(item, names);
            // The portal's own comparison is no respecter of case.
            let sign = self.sign(text(&fields, &self.field).trim());
            if let (Some(id), Some(bearers)) = (item.get("id").and_then(read_id), found.get_mut(&sign)) {
                bearers.insert(id, fields);
            }
        }
        self.after = last.filter(|last| items.len() >= PAGE && *last > self.after)?;
        let few = |number: &String| found.get(&self.sign(number)).is_none_or(|bearers| bearers.len() < TOO_MANY);
        let left: BTreeSet<String> = self.numbers.iter().filter(|number| few(number)).cloned().collect();
        (!left.is_empty()).then_some(Self { numbers: left, ..self })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const FIELD: &str = "UF_CRM_CRS";

    fn sign(number: &str) -> Sign {
        Sign { field: FIELD.into(), number: number.into() }
    }

    fn page(rows: impl Iterator<Item = (i64, String)>) -> Answer {
        let items: Vec<Value> = rows.map(|(id, number)| json!({"id": id, FIELD: number})).collect();
        Answer { result: json!({ "items": items }), ..Answer::default() }
    }

    #[test]
    fn s1_crs_numbers_are_looked_up_fifty_in_one_command_and_each_once() {
        let mut signs: Vec<Sign> = (0..60).map(|n| sign(&format!("CRS-{n:02}"))).collect();
        signs.push(sign("CRS-00"));
        signs.push(Sign { field: "UF_CRM_OTHER".into(), number: "CRS-00".into() });
        let asks = asks(signs.iter());
        assert_eq!(asks.iter().map(|ask| ask.numbers.len()).collect::<Vec<_>>(), [50, 10, 1]);
        let call = asks[2].call();
        assert_eq!(call.params["filter"], json!({"@UF_CRM_OTHER": ["CRS-00"], ">id": 0}));
    }

    #[test]
    fn s1_a_full_page_is_read_on_and_a_number_of_all_the_world_is_given_up() {
        let mut found = HashMap::new();
        let numbers: BTreeSet<String> = ["0", "A", "B"].map(str::to_owned).into();
        let mut ask = Some(Ask { field: FIELD.into(), numbers, after: 0 });
        let mut pages = 0;
        while let Some(next) = ask.take() {
            // Every deal bears a nought; the number that somebody meant comes late.
            let from = next.after + 1;
            let row = |id| (id, if id == 230 { "A ".to_owned() } else { "0".to_owned() });
            let there = |number: &str| next.numbers.contains(number.trim());
            let answer = page((from..=1_000).map(row).filter(|(_, number)| there(number)).take(PAGE));
            ask = next.heard(&answer, &mut found);
            pages += 1;
        }
        assert_eq!((pages, found[&sign("0")].len(), found[&sign("B")].len()), (5, TOO_MANY, 0));
        assert_eq!(found[&sign("A")].keys().collect::<Vec<_>>(), [&230]);
    }

    #[test]
    fn s1_only_the_very_number_counts_and_only_a_deal_that_is_nobody_elses() {
        let mut found = HashMap::new();
        let ask = Ask { field: FIELD.into(), numbers: ["ab-1".to_owned()].into(), after: 0 };
        assert_eq!(ask.heard(&page([(5, "ab-1".into()), (6, "AB-1".into())].into_iter()), &mut found), None);
        let mut bearers = found.remove(&sign("ab-1")).unwrap();
        assert_eq!(bearers.keys().collect::<Vec<_>>(), [&5]);
        let copy = json!({"id": 7, "UF_CRM_FB24_HOTEL": "GRAND", "UF_CRM_FB24_RESERVATION": "9"});
        bearers.insert(7, read_item(&copy, MARKS.map(|name| (name, kind_of(name)))));
        bearers.insert(8, Fields::new());
        assert_eq!(free(&bearers, &[8].into(), "GRAND:1"), [5]);
        assert_eq!(free(&bearers, &[8].into(), "GRAND:9"), [5, 7]);
    }

    #[test]
    fn s1_what_was_found_counts_for_a_moment_only() {
        let mut of = Found::default();
        of.put([(sign("A"), Bearers::new())].into(), 0);
        assert_eq!((of.of(&sign("A"), FRESH_MS - 1).is_some(), of.of(&sign("A"), FRESH_MS).is_some()), (true, false));
    }
}
