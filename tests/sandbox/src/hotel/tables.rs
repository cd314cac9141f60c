//! Small query types: system information, code tables, groups, notes, postings. Their rows are written at once.

use super::answer::{Row, date, money};
use super::conditions::{Compiled, Sort, Value};
use super::model::{CodeRow, Note};
use super::request::Conditions;
use super::state::HotelState;
use super::{Answered, answer::Refusal};

/// Types whose every selectable field is a condition too (facts §3), or the few that are (facts §5.5).
fn conditions_of(what: &str) -> &'static [(&'static str, Sort)] {
    match what {
        "RoomType" => &[("RoomTypeShortDesc", Sort::Text)],
        "Market" => &[("MarketID", Sort::Number), ("MarketShortdesc", Sort::Text), ("MarketMainMarket", Sort::Text)],
        "CurrencyList" => {
            &[("CurrencyShortdesc", Sort::Text), ("CurrencyISO3", Sort::Text), ("CurrencyDepartment", Sort::Text)]
        }
        "NoteCategory" => &[
            ("NoteCategoryID", Sort::Number),
            ("NoteCategoryShortDescription", Sort::Text),
            ("NoteCategoryLongDescription", Sort::Text),
            ("NoteCategoryTableLinkedTo", Sort::Text),
        ],
        "Note" => &[
            ("NoteID", Sort::Number),
            ("NoteTableLinkedTo", Sort::Text),
            ("NoteTableID", Sort::Number),
            ("NoteDescription", Sort::Text),
            ("NoteCategoryCode", Sort::Text),
            ("NoteCategoryID", Sort::Number),
            ("NoteGuestViewable", Sort::Number),
        ],
        "Posting" => &[
            ("PostingID", Sort::Number),
            ("ProfileID", Sort::Number),
            ("GuestNum", Sort::Number),
            ("DepartmentCode", Sort::Text),
            ("PostingDescription", Sort::Text),
            ("PostingDate", Sort::Date),
        ],
        "Group" => &[("GroupID", Sort::Number), ("GroupName", Sort::Text)],
        "Department" | "Departments" => {
            &[("DepartmentCode", Sort::Text), ("DepartmentName", Sort::Text), ("DepartmentShortDesc", Sort::Text)]
        }
        "RateList" => &[("RateCode", Sort::Text)],
        _ => &[],
    }
}

fn notes(state: &HotelState) -> Vec<CodeRow> {
    let row = |note: &Note, table: &str, id: i64| -> CodeRow {
        vec![
            ("NoteID", note.id.to_string()),
            ("NoteTableLinkedTo", table.to_owned()),
            ("NoteTableID", id.to_string()),
            ("NoteDescription", note.text.clone()),
            ("NoteCategoryCode", note.category.clone()),
            ("NoteCategoryID", "0".into()),
            ("NoteGuestViewable", i64::from(note.guest_may_see).to_string()),
        ]
    };
    let reservations =
        state.reservations.values().flat_map(|r| r.notes.iter().map(move |n| row(n, "Reservation", r.number)));
    let profiles = state.profiles.values().flat_map(|p| p.notes.iter().map(move |n| row(n, "Profile", p.id)));
    reservations.chain(profiles).collect()
}

fn postings(state: &HotelState) -> Vec<CodeRow> {
    let row = |p: &super::model::Posting| -> CodeRow {
        let price = if state.knobs.negative_credits && p.department_type == 3 { -p.price } else { p.price };
        vec![
            ("PostingID", p.id.to_string()),
            ("ProfileID", p.profile.to_string()),
            ("GuestNum", p.reservation.to_string()),
            ("DepartmentCode", p.department.clone()),
            ("DepartmentType", p.department_type.to_string()),
            ("PostingPrice", money(price)),
            ("PostingQuantity", p.quantity.to_string()),
            ("PostingDescription", p.description.clone()),
            ("PostingDate", date(p.date)),
            ("CurrencyCode", p.currency.clone()),
            ("PostingProfileOrigID", "0".into()),
            ("PostingGuestNumOrig", "0".into()),
            ("PostingComment", String::new()),
            ("PostingCheckNr", String::new()),
            ("PostingForeignPrice", money(price)),
        ]
    };
    state.postings.iter().map(row).collect()
}

fn groups(state: &HotelState) -> Vec<CodeRow> {
    let row = |(id, name): (&i64, &String)| -> CodeRow {
        vec![("GroupID", id.to_string()), ("GroupName", name.clone()), ("GroupInactive", "0".into())]
    };
    state.groups.iter().map(row).collect()
}

fn all_rows(state: &HotelState, what: &str) -> Option<Vec<CodeRow>> {
    match what {
        "Note" => Some(notes(state)),
        "Posting" => Some(postings(state)),
        "Group" => Some(groups(state)),
        _ => state.codes.get(what).cloned(),
    }
}

fn cell(row: &CodeRow, name: &str) -> String {
    row.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone()).unwrap_or_default()
}

/// Answers one of the small types, or says that there is no such type.
pub fn answer(
    state: &HotelState,
    what: &str,
    conditions: Option<&Conditions>,
    fields: &[String],
) -> Result<Option<Answered>, Refusal> {
    let mut rows = String::new();
    let mut count = 0;
    let mut write = |cells: &[(&str, String)]| {
        rows.push_str("<row><fields>");
        cells.iter().for_each(|(name, value)| Row(&mut rows).field(name, value));
        rows.push_str("</fields></row>");
        count += 1;
    };
    match what {
        // Conditions and fields are ignored here (facts §3).
        "SystemDate" => write(&[("SystemDate", date(state.system_date))]),
        "SystemInfo" => write(&[
            ("LicenseName", state.name.clone()),
            ("LicenseNoOfRooms", state.rooms.len().to_string()),
            ("Version", "8.14.0.0".into()),
        ]),
        _ => {
            let Some(all) = all_rows(state, what) else { return Ok(None) };
            if fields.is_empty() {
                return Err(Refusal::invalid("Element fields is expected"));
            }
            let known = |name: &str| conditions_of(what).iter().find(|(n, _)| *n == name).copied();
            let compiled = conditions.map(|c| Compiled::new(c, &known, &state.knobs)).transpose()?;
            for row in all {
                let value = |name: &str| -> Value<'_> {
                    let text = row.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| v.as_str());
                    match conditions_of(what).iter().find(|(n, _)| *n == name).map(|(_, sort)| *sort) {
                        Some(Sort::Number) => Value::Number(text.parse().unwrap_or_default()),
                        Some(Sort::Date) => Value::Date(super::conditions::parse_time(text).map(|(day, _, _)| day)),
                        _ => Value::Text(text),
                    }
                };
                if compiled.as_ref().is_none_or(|c| c.matches(&value)) {
                    let asked = row.iter().map(|(name, _)| *name).filter(|name| fields.iter().any(|f| f == name));
                    let cells: Vec<_> = asked.map(|name| (name, cell(&row, name))).collect();
                    write(&cells);
                }
            }
        }
    }
    Ok(Some(Answered::Written { rows, count }))
}
