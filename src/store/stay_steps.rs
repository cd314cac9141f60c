//! Steps of stays as they were decided: small rows, kept as long as the stay.

use chrono::NaiveDateTime;

use super::bulk::{Via, insert};
use super::stays::{STAMP, stamp};
use super::{StoreError, Tx, args};
use crate::domain::history::{Step, StepKind};
use crate::domain::{HotelId, PortalId, StayNumber};

#[derive(Debug, Clone, PartialEq)]
pub struct StepRow {
    pub hotel: HotelId,
    pub stay: StayNumber,
    pub step: Step,
    pub pms_time: Option<NaiveDateTime>,
    pub received_at: i64,
}

pub async fn add(tx: &Tx, portal: PortalId, steps: &[StepRow]) -> Result<(), StoreError> {
    let rows = steps
        .iter()
        .map(|row| {
            args![
                portal.0,
                row.hotel.0,
                row.stay.as_str(),
                row.step.kind.word(),
                row.step.from.as_str(),
                row.step.to.as_str(),
                row.pms_time.map(|time| time.format(STAMP).to_string()),
                row.received_at
            ]
        })
        .collect();
    let columns = ["portal_id", "hotel_id", "stay", "kind", "old_value", "new_value", "pms_time", "received_at"];
    insert(tx, "stay_step", &columns, rows, "").await?;
    Ok(())
}

/// The latest steps of one stay, the latest first.
pub async fn of_stay(
    via: impl Into<Via<'_>>,
    portal: PortalId,
    hotel: HotelId,
    stay: &StayNumber,
    limit: i64,
) -> Result<Vec<StepRow>, StoreError> {
    let rows = via
        .into()
        .rows(
            "SELECT kind, old_value, new_value, pms_time, received_at FROM stay_step
             WHERE portal_id = $1 AND hotel_id = $2 AND stay = $3 ORDER BY id DESC LIMIT $4",
            args![portal.0, hotel.0, stay.as_str(), limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let kind: String = row.get("kind")?;
            let kind = StepKind::ALL.into_iter().find(|known| known.word() == kind);
            Ok(StepRow {
                hotel,
                stay: stay.clone(),
                step: Step {
                    kind: kind.ok_or(StoreError::Corrupt("stay_step.kind"))?,
                    from: row.get("old_value")?,
                    to: row.get("new_value")?,
                },
                pms_time: stamp(row.get("pms_time")?),
                received_at: row.get("received_at")?,
            })
        })
        .collect()
}
