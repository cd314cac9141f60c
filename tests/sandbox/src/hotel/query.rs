//! Queries: rights, conditions, requested fields. Decides *which* rows go out; they are written while streaming.

use super::answer::{Refusal, Row};
use super::conditions::Compiled;
use super::dice::Dice;
use super::knobs::{Licence, UnknownField};
use super::profiles::Plan;
use super::request::{Operation, Request};
use super::state::HotelState;
use super::{Answered, profiles, reservations, tables};

/// Licences of which one must be there for an area (facts §8); none: the type does not exist.
pub fn licences_for(what: &str) -> Option<&'static [Licence]> {
    use Licence::{Advanced, Basic, Crs, WebConnect};
    match what {
        "SystemDate" | "SystemInfo" | "Department" | "Departments" | "ChildrenCategories" | "Group" | "Country"
        | "CurrencyList" | "Market" | "MainMarket" | "RateList" | "RoomType" | "Channel" | "Source" | "Posting"
        | "Preference" => Some(&[Basic, Advanced]),
        "Reservation" | "Profile" => Some(&[Basic, Advanced, WebConnect, Crs]),
        "Note" | "NoteCategory" => Some(&[Basic, Advanced, WebConnect]),
        "cancel" | "Package" => Some(&[Advanced, WebConnect]),
        "post" => Some(&[Basic, Advanced]),
        "checkIn" | "checkOut" => Some(&[Basic, Advanced, WebConnect]),
        "BlockHeader" | "BlockDetail" | "StatisticAndFuture" | "HotelAvailability" => Some(&[Advanced]),
        _ => None,
    }
}

/// `IR` for a type nobody knows, `AD` where the licence or the right is missing.
pub fn check_right(state: &HotelState, what: &str) -> Result<(), Refusal> {
    let unknown = || Refusal::invalid(&format!("Unsupported request type <{what}>"));
    let licences = licences_for(what).ok_or_else(unknown)?;
    if state.knobs.unsupported.contains(what) {
        return Err(unknown());
    }
    if state.knobs.denied.contains(what) || !licences.iter().any(|l| state.knobs.licences.contains(l)) {
        return Err(Refusal::denied(&format!("Feature {what} is not licensed")));
    }
    Ok(())
}

/// Requested fields in the server's order; unknown ones vanish or fail the query.
fn requested(
    state: &HotelState,
    asked: &[String],
    all: &'static [&'static str],
    aliases: &[(&str, &'static str)],
) -> Result<Vec<&'static str>, Refusal> {
    if asked.is_empty() {
        return Err(Refusal::invalid("Element fields is expected"));
    }
    let known = |name: &str| {
        let name = aliases.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, real)| real);
        all.iter().find(|known| **known == name).copied()
    };
    let mut wanted = Vec::new();
    for name in asked {
        if name == "Guest3rdPartyID" && !state.knobs.licences.contains(&Licence::Crs) {
            return Err(Refusal::denied("Field Guest3rdPartyID is not licensed"));
        }
        match known(name) {
            Some(name) => wanted.push(name),
            None if state.knobs.unknown_field == UnknownField::Refuse => {
                return Err(Refusal::invalid(&format!("Unknown field {name}")));
            }
            None => {}
        }
    }
    Ok(all.iter().copied().filter(|name| wanted.contains(name)).collect())
}

fn matching_reservations(state: &HotelState, request: &Request, operation: &Operation) -> Result<Vec<i64>, Refusal> {
    let known = |name: &str| {
        let known = reservations::condition(name)?;
        let too_old = name == "ReservationState" && !request.knows_state();
        (!too_old).then_some(known)
    };
    let compiled = match &operation.conditions {
        Some(conditions) => Some(Compiled::new(conditions, &known, &state.knobs)?),
        None => None,
    };
    let names_state = operation.conditions.as_ref().is_some_and(|c| {
        c.chain().iter().any(|c| ["GuestNum", "ReservationState", "ReservationStatus"].contains(&c.name.as_str()))
    });
    let (low, high) = compiled.as_ref().map_or((i64::MIN, i64::MAX), |c| c.bounds("GuestNum"));
    if low > high {
        return Ok(Vec::new());
    }
    let rows = state.reservations.range(low..=high).map(|(_, r)| r);
    let rows = rows.filter(|r| state.knobs.plain_includes_all || names_state || reservations::active(state, r));
    let rows = rows.filter(|r| {
        compiled.as_ref().is_none_or(|c| c.matches(&|name| reservations::value(state, r, request.knows_state(), name)))
    });
    Ok(rows.map(|r| r.number).collect())
}

pub fn matching_profiles(state: &HotelState, operation: &Operation) -> Result<Vec<i64>, Refusal> {
    let compiled = match &operation.conditions {
        Some(conditions) => Some(Compiled::new(conditions, &profiles::condition, &state.knobs)?),
        None => None,
    };
    let (low, high) = compiled.as_ref().map_or((i64::MIN, i64::MAX), |c| c.bounds("ProfileID"));
    if low > high {
        return Ok(Vec::new());
    }
    let rows = state.profiles.range(low..=high).map(|(_, p)| p);
    let rows = rows.filter(|p| compiled.as_ref().is_none_or(|c| c.matches(&|name| profiles::value(p, name))));
    Ok(rows.map(|p| p.id).collect())
}

/// Numbers of the reservations an update's conditions hit.
pub fn targets(state: &HotelState, request: &Request, operation: &Operation) -> Result<Vec<i64>, Refusal> {
    matching_reservations(state, request, operation)
}

/// Prepares one query's answer.
pub fn prepare(state: &HotelState, request: &Request, operation: &Operation) -> Result<Answered, Refusal> {
    check_right(state, &operation.what)?;
    let asked: Vec<String> = operation.fields.iter().map(|f| f.name.clone()).collect();
    match operation.what.as_str() {
        "Reservation" => {
            let mut fields = requested(state, &asked, reservations::FIELDS, reservations::ALIASES)?;
            if !request.knows_state() {
                fields.retain(|name| *name != "ReservationState");
            }
            if !state.knobs.last_update_selectable {
                if state.knobs.unknown_field == UnknownField::Refuse && fields.contains(&"LastUpdateTime") {
                    return Err(Refusal::invalid("Unknown field LastUpdateTime"));
                }
                fields.retain(|name| !["LastUpdateTime", "CreationTime"].contains(name));
            }
            let numbers = matching_reservations(state, request, operation)?;
            // Both together multiply the rows: one per day of the stay (facts §5.1).
            let by_night = fields.contains(&"ReservationDetails") && fields.contains(&"DetailDate");
            fields.retain(|name| *name != "ReservationDetails" && (by_night || *name != "DetailDate"));
            Ok(Answered::Reservations { numbers, fields, by_night })
        }
        "Profile" => {
            let fields = requested(state, &asked, profiles::FIELDS, profiles::ALIASES)?;
            let ids = matching_profiles(state, operation)?;
            let with_privacy = asked.iter().any(|f| f == "IncludeNotCommited")
                || operation
                    .conditions
                    .as_ref()
                    .is_some_and(|c| c.chain().iter().any(|c| c.name == "IncludeNotCommited"));
            Ok(Answered::Profiles { ids, plan: Plan { fields, with_privacy } })
        }
        what => {
            let answered = tables::answer(state, what, operation.conditions.as_ref(), &asked)?;
            answered.ok_or_else(|| Refusal::invalid(&format!("Unsupported request type <{what}>")))
        }
    }
}

fn shuffled(fields: &[&'static str], row: i64) -> Vec<&'static str> {
    let mut dice = Dice::new(row.unsigned_abs());
    let mut keyed: Vec<_> = fields.iter().map(|name| (dice.roll(), *name)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, name)| name).collect()
}

/// Writes the rows of `keys`; what vanished meanwhile is skipped.
pub fn write_rows(state: &HotelState, answered: &Answered, keys: &[i64], out: &mut String) -> usize {
    let mut written = 0;
    for key in keys {
        match answered {
            Answered::Reservations { fields, by_night, .. } => {
                let Some(r) = state.reservations.get(key) else { continue };
                let nights = if *by_night { r.nights().max(1) } else { 1 };
                let order = if state.knobs.shuffle_fields { &shuffled(fields, r.number) } else { fields };
                for night in 0..nights {
                    out.push_str("<row><fields>");
                    reservations::write(state, r, order, night, &mut Row(out));
                    out.push_str("</fields></row>");
                    written += 1;
                }
            }
            Answered::Profiles { plan, .. } => {
                let Some(p) = state.profiles.get(key) else { continue };
                out.push_str("<row><fields>");
                if state.knobs.shuffle_fields {
                    let fields = shuffled(&plan.fields, p.id);
                    profiles::write(state, p, &Plan { fields, ..plan.clone() }, &mut Row(out));
                } else {
                    profiles::write(state, p, plan, &mut Row(out));
                }
                out.push_str("</fields></row>");
                written += 1;
            }
            Answered::Written { .. } | Answered::Inserted(_) | Answered::Updated(_) | Answered::Done => {}
        }
    }
    written
}
