//! Whose turn it is when a hotel's bookings are carried over for the first time (product §2.9).

use chrono::{Days, NaiveDate};

use super::stay::Stay;

/// What people will need first, first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Arrivals of today and tomorrow.
    Arriving,
    InHouse,
    Future,
    History,
}

impl Turn {
    pub fn of(stay: &Stay, today: NaiveDate) -> Self {
        Self::between(stay.arrival.get().copied(), stay.departure.get().copied(), today)
    }

    pub fn between(arrival: Option<NaiveDate>, departure: Option<NaiveDate>, today: NaiveDate) -> Self {
        let tomorrow = today.checked_add_days(Days::new(1)).unwrap_or(today);
        match (arrival, departure) {
            (Some(arrival), _) if (today..=tomorrow).contains(&arrival) => Self::Arriving,
            (Some(arrival), _) if arrival > tomorrow => Self::Future,
            (_, Some(departure)) if departure >= today => Self::InHouse,
            _ => Self::History,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Known, StayNumber};

    #[test]
    fn s1_arrivals_of_today_and_tomorrow_then_who_is_in_house_then_the_future_then_history() {
        let date = |text: &str| text.parse::<NaiveDate>().unwrap();
        let turn = |arrival: &str, departure: &str| {
            let mut stay = Stay::new(StayNumber::parse("1").unwrap());
            (stay.arrival, stay.departure) = (Known::Is(date(arrival)), Known::Is(date(departure)));
            Turn::of(&stay, date("2026-11-21"))
        };
        assert_eq!(turn("2026-11-21", "2026-11-21"), Turn::Arriving);
        assert_eq!(turn("2026-11-22", "2026-11-25"), Turn::Arriving);
        assert_eq!(turn("2026-11-20", "2026-11-21"), Turn::InHouse, "he leaves today");
        assert_eq!(turn("2026-11-23", "2026-11-24"), Turn::Future);
        assert_eq!(turn("2026-11-19", "2026-11-20"), Turn::History);
        assert_eq!(Turn::of(&Stay::new(StayNumber::parse("1").unwrap()), date("2026-11-21")), Turn::History);
        assert!(Turn::Arriving < Turn::InHouse && Turn::InHouse < Turn::Future && Turn::Future < Turn::History);
    }
}
