//! What is remembered of a stay's life: steps of its status and moves of its dates. Nothing here is a guest's data.

use chrono::NaiveDate;

use super::known::Known;
use super::stay::Stay;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    Status,
    Dates,
}

impl StepKind {
    pub const ALL: [Self; 2] = [Self::Status, Self::Dates];

    pub fn word(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Dates => "dates",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub kind: StepKind,
    /// A status's word, or two dates as an ISO 8601 interval whose unknown end is `..`; empty where nothing was known.
    pub from: String,
    pub to: String,
}

/// What happened to the stay between two states of its facts.
pub fn steps(before: &Stay, after: &Stay) -> Vec<Step> {
    [(StepKind::Status, status(before), status(after)), (StepKind::Dates, dates(before), dates(after))]
        .into_iter()
        .filter(|(_, from, to)| from != to)
        .map(|(kind, from, to)| Step { kind, from, to })
        .collect()
}

fn status(stay: &Stay) -> String {
    stay.status.get().map(|status| status.word().to_owned()).unwrap_or_default()
}

fn dates(stay: &Stay) -> String {
    let day = |fact: &Known<NaiveDate>| fact.get().map_or_else(|| "..".to_owned(), ToString::to_string);
    match (stay.arrival.get(), stay.departure.get()) {
        (None, None) => String::new(),
        _ => format!("{}/{}", day(&stay.arrival), day(&stay.departure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{StayNumber, StayStatus};

    fn stay(status: StayStatus, arrival: &str, departure: Option<&str>) -> Stay {
        let mut stay = Stay::new(StayNumber::parse("1").unwrap());
        stay.status = Known::Is(status);
        stay.arrival = Known::Is(arrival.parse().unwrap());
        stay.departure = departure.map_or(Known::Absent, |day| Known::Is(day.parse().unwrap()));
        stay
    }

    #[test]
    fn s1_history_tells_steps_and_moved_dates_and_nothing_else() {
        let booked = stay(StayStatus::Confirmed, "2026-11-20", None);
        let mut roomed = booked.clone();
        roomed.room = Known::Is("101".into());
        assert_eq!(steps(&booked, &roomed), []);
        let living = stay(StayStatus::InHouse, "2026-11-20", Some("2026-11-23"));
        let step = |kind, from: &str, to: &str| Step { kind, from: from.into(), to: to.into() };
        assert_eq!(
            steps(&booked, &living),
            [
                step(StepKind::Status, "confirmed", "in_house"),
                step(StepKind::Dates, "2026-11-20/..", "2026-11-20/2026-11-23"),
            ]
        );
    }
}
