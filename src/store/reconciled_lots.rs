//! What a reconciliation goes through, lot after lot: all of a hotel, or what a night's turn is.

use std::collections::HashMap;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use super::bulk::{chunk_of, list};
use super::stays::keyed;
use super::{Db, Row, StoreError, args};
use crate::domain::{CrmEntity, GroupNumber, HotelId, PortalId};

/// What a night compares with the portal: whatever may still change, and a part of the history in its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Stays that leave on this day or later, or whose departure nobody knows.
    pub leaving_since: NaiveDate,
    /// Of the others those that arrived on this day of a month: after 31 nights all had their turn.
    pub history_day: u32,
}

/// Days of a month.
const TURNS: u32 = 31;

impl Scope {
    /// The turn after this one.
    pub fn next(leaving_since: NaiveDate, last: Option<Self>) -> Self {
        let day = last.map_or(leaving_since.day(), |last| last.history_day % TURNS + 1);
        Self { leaving_since, history_day: day }
    }
}

/// The condition on stay `stay`. Dates and numbers of ours: nothing in it needs to be escaped.
fn among(scope: Option<Scope>, stay: &str) -> String {
    match scope {
        None => "1 = 1".to_owned(),
        Some(Scope { leaving_since, history_day }) => format!(
            "({stay}.departure >= '{leaving_since}' OR {stay}.departure = '' OR substr({stay}.arrival, 9, 2) = '{history_day:02}')"
        ),
    }
}

/// The next stays in order of their numbers, with their arrival.
pub async fn stays_after(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    scope: Option<Scope>,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, Option<NaiveDate>)>, StoreError> {
    let sql = format!(
        "SELECT number, arrival FROM stay s WHERE portal_id = $1 AND hotel_id = $2 AND number > $3 AND {}
         ORDER BY number LIMIT $4",
        among(scope, "s")
    );
    db.rows(&sql, args![portal.0, hotel.0, after, limit]).await?.iter().map(arrival).collect()
}

fn arrival(row: &Row) -> Result<(String, Option<NaiveDate>), StoreError> {
    Ok((row.get("number")?, row.get::<String>("arrival")?.parse().ok()))
}

/// When these stays arrive.
pub async fn arrivals(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    numbers: &[String],
) -> Result<HashMap<String, NaiveDate>, StoreError> {
    let mut found = HashMap::new();
    for chunk in numbers.chunks(chunk_of(1)) {
        let sql = format!(
            "SELECT number, arrival FROM stay WHERE portal_id = $1 AND hotel_id = $2 AND number IN ({})",
            list(2, chunk.len())
        );
        for row in db.rows(&sql, keyed(portal, hotel, chunk)).await? {
            let (number, day) = arrival(&row)?;
            found.extend(day.map(|day| (number, day)));
        }
    }
    Ok(found)
}

/// The next groups of a hotel.
pub async fn groups_after(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    scope: Option<Scope>,
    after: &str,
    limit: i64,
) -> Result<Vec<GroupNumber>, StoreError> {
    let sql = format!(
        "SELECT DISTINCT group_number FROM stay s
         WHERE portal_id = $1 AND hotel_id = $2 AND group_number > $3 AND {} ORDER BY group_number LIMIT $4",
        among(scope, "s")
    );
    let read = |row: &Row| {
        GroupNumber::parse(&row.get::<String>("group_number")?).map_err(|_| StoreError::Corrupt("stay.group_number"))
    };
    db.rows(&sql, args![portal.0, hotel.0, after, limit]).await?.iter().map(read).collect()
}

/// The next profiles in order of their numbers. People nobody books for stay in the hotel: only whom a stay names, or who
/// has a record already.
pub async fn profiles_after(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    scope: Option<Scope>,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let mut values = args![portal.0, hotel.0, after, limit];
    let named = named("p.portal_id", "p.hotel_id", "p.number", scope);
    let wanted = match scope {
        Some(_) => named,
        None => {
            values.push(format!("profile:{hotel}:").into());
            format!(
                "({named} OR EXISTS (SELECT 1 FROM link l WHERE l.portal_id = p.portal_id AND l.subject = $5 || p.number))"
            )
        }
    };
    let sql = format!(
        "SELECT number FROM profile p WHERE p.portal_id = $1 AND p.hotel_id = $2 AND p.number > $3 AND {wanted}
         ORDER BY number LIMIT $4"
    );
    db.rows(&sql, values).await?.iter().map(|row| row.get("number")).collect()
}

/// Whether a stay of the scope names the profile.
fn named(portal: &str, hotel: &str, profile: &str, scope: Option<Scope>) -> String {
    let stay = match scope {
        None => String::new(),
        Some(_) => format!(
            " AND EXISTS (SELECT 1 FROM stay s WHERE s.portal_id = sp.portal_id AND s.hotel_id = sp.hotel_id
                AND s.number = sp.stay AND {})",
            among(scope, "s")
        ),
    };
    format!(
        "EXISTS (SELECT 1 FROM stay_profile sp
            WHERE sp.portal_id = {portal} AND sp.hotel_id = {hotel} AND sp.profile = {profile}{stay})"
    )
}

/// The next records of a kind that stand for somebody of the hotel and are not known to be gone, by id; `upto` included.
pub async fn linked(
    db: &Db,
    portal: PortalId,
    hotel: HotelId,
    scope: Option<Scope>,
    entity: CrmEntity,
    (after, upto): (i64, i64),
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let subjects = if entity == CrmEntity::Deal { ["stay", "group"] } else { ["profile"; 2] };
    let within = match scope {
        None => String::new(),
        Some(_) => {
            let number = |kind: &str| format!("substr(l.subject, {})", format!("{kind}:{hotel}:").len() + 1);
            let hotel = hotel.0.to_string();
            let stay = |column: &str, kind: &str| {
                format!(
                    "EXISTS (SELECT 1 FROM stay s WHERE s.portal_id = l.portal_id AND s.hotel_id = {hotel}
                        AND s.{column} = {} AND {})",
                    number(kind),
                    among(scope, "s")
                )
            };
            match entity {
                CrmEntity::Deal => format!(
                    " AND ((l.subject LIKE $3 AND {}) OR (l.subject LIKE $8 AND {}))",
                    stay("number", "stay"),
                    stay("group_number", "group")
                ),
                _ => format!(" AND {}", named("l.portal_id", &hotel, &number("profile"), scope)),
            }
        }
    };
    let [one, other] = subjects.map(|kind| format!("{kind}:{hotel}:%"));
    let sql = format!(
        "SELECT DISTINCT l.crm_id FROM link l
         LEFT JOIN crm_record r ON r.portal_id = l.portal_id AND r.entity = l.entity AND r.crm_id = l.crm_id
         WHERE l.portal_id = $1 AND l.entity = $2 AND (l.subject LIKE $3 OR l.subject LIKE $8) AND l.crm_id > $4 AND l.crm_id <= $5
            AND l.origin <> 'detached' AND (r.deleted IS NULL OR r.deleted = $6){within}
         ORDER BY l.crm_id LIMIT $7"
    );
    let values = args![portal.0, entity.type_id(), one, after, upto, false, limit, other];
    db.rows(&sql, values).await?.iter().map(|row| row.get("crm_id")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_all_of_the_history_has_its_turn_within_a_month_of_nights() {
        let night: NaiveDate = "2026-10-22".parse().unwrap();
        let mut turns = std::collections::BTreeSet::new();
        let mut last = None;
        for _ in 0..TURNS {
            let scope = Scope::next(night, last);
            turns.insert(scope.history_day);
            last = Some(scope);
        }
        assert_eq!(turns, (1..=TURNS).collect());
    }
}
