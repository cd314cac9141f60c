//! Whether the hotels are compared with the portal as they should be, as the status shows it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::status::Light;
use super::time::at;
use crate::store::hotels::HotelRow;
use crate::store::reconciliations::{Compared, OVERDUE_MS};

/// Red: a hotel's last reconciliation failed. Yellow: a hotel had none whole for 36 hours, or something it found is not
/// mended yet. Grey: a hotel was never reconciled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReconciliationLight {
    pub light: Light,
    /// Each hotel's latest whole reconciliation; of these the oldest.
    pub at: Option<DateTime<Utc>>,
    /// Codes of hotels that were never reconciled whole.
    pub never: Vec<String>,
    /// Codes of hotels whose last one failed.
    pub failed: Vec<String>,
    /// What was found and still waits: to be sent, or for a person.
    pub open: i64,
}

impl ReconciliationLight {
    pub fn of<'a>(hotels: impl Iterator<Item = &'a HotelRow>, compared: &[Compared], now: i64) -> Self {
        let of = |hotel: &'a HotelRow| {
            let known = compared.iter().find(|one| one.hotel == hotel.id).cloned();
            (hotel.code.to_string(), known.unwrap_or_else(|| Compared::never(hotel.id)))
        };
        Self::judge(&hotels.map(of).collect::<Vec<_>>(), now)
    }

    fn judge(hotels: &[(String, Compared)], now: i64) -> Self {
        let codes = |which: &dyn Fn(&Compared) -> bool| {
            hotels.iter().filter(|(_, one)| which(one)).map(|(code, _)| code.clone()).collect::<Vec<_>>()
        };
        let (never, failed) = (codes(&|one| one.at.is_none()), codes(&|one| one.failed));
        let oldest = hotels.iter().filter_map(|(_, one)| one.at).min();
        let open: i64 = hotels.iter().map(|(_, one)| one.open).sum();
        let light = if !failed.is_empty() {
            Light::Red
        } else if open > 0 || oldest.is_some_and(|at| now - at > OVERDUE_MS) {
            Light::Yellow
        } else if hotels.is_empty() || !never.is_empty() {
            Light::Grey
        } else {
            Light::Green
        };
        Self { light, at: oldest.map(at), never, failed, open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HotelId;

    const NOW: i64 = 1_000 * 3_600_000;

    fn hotel(code: &str, hours: Option<i64>, open: i64, failed: bool) -> (String, Compared) {
        let at = hours.map(|hours| NOW - hours * 3_600_000);
        (code.to_owned(), Compared { at, open, failed, ..Compared::never(HotelId(1)) })
    }

    #[test]
    fn s1_the_light_is_that_of_the_hotel_that_is_worst_off() {
        let judged = |hotels: &[(String, Compared)]| ReconciliationLight::judge(hotels, NOW);
        let (fresh, old) = (hotel("A", Some(2), 0, false), hotel("B", Some(30), 0, false));
        let both = judged(&[fresh.clone(), old]);
        assert_eq!((both.light, both.at), (Light::Green, Some(at(NOW - 30 * 3_600_000))), "the oldest of the latest");
        assert_eq!(judged(&[fresh.clone(), hotel("B", Some(37), 0, false)]).light, Light::Yellow);
        assert_eq!(judged(&[fresh.clone(), hotel("B", Some(1), 3, false)]).light, Light::Yellow);
        let new = judged(&[fresh.clone(), hotel("B", None, 0, false)]);
        assert_eq!((new.light, new.never), (Light::Grey, vec!["B".to_owned()]));
        let bad = judged(&[fresh, hotel("B", Some(37), 1, true)]);
        assert_eq!((bad.light, bad.failed, bad.open), (Light::Red, vec!["B".to_owned()], 1));
        assert_eq!(judged(&[]).light, Light::Grey);
    }
}
