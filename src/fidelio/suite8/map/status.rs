//! Where a reservation stands in its life (facts §5.2).

use crate::domain::StayStatus;

/// The fields that tell it; `None` where a field was not returned or is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signs {
    pub state: Option<u16>,
    pub status: Option<u16>,
    pub reason: Option<u16>,
    pub checked_in: bool,
    pub checked_out: bool,
}

/// No status follows from the fields: the record is reported and the stay keeps what it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    #[error("the fields contradict each other")]
    Contradiction,
    #[error("no known status")]
    NoStatus,
}

/// First match wins, in the order of the table in facts §5.2.
///
/// A guest in house since yesterday has state 0, and states 1 and 2 hold on the business date only: the check-in and
/// check-out stamps decide.
pub fn status(signs: Signs) -> Result<StayStatus, Unknown> {
    let Signs { state, status, reason, checked_in, checked_out } = signs;
    let cancelled = reason == Some(3) || state == Some(3);
    let no_show = reason == Some(4) || state == Some(4);
    if state.is_some_and(|state| state > 5) || reason.is_some_and(|reason| reason > 4) {
        return Err(Unknown::NoStatus);
    }
    if cancelled || no_show {
        return match (cancelled && no_show) || checked_in || checked_out {
            true => Err(Unknown::Contradiction),
            false if cancelled => Ok(StayStatus::Cancelled),
            false => Ok(StayStatus::NoShow),
        };
    }
    if checked_out || state == Some(2) {
        return Ok(StayStatus::CheckedOut);
    }
    if checked_in || state == Some(1) {
        return Ok(StayStatus::InHouse);
    }
    match (reason, state, status) {
        (Some(1), ..) => Ok(StayStatus::Waitlisted),
        (Some(2), ..) | (_, Some(5), _) => Ok(StayStatus::Offer),
        (.., Some(0)) => Ok(StayStatus::Tentative),
        (.., Some(1)) => Ok(StayStatus::Confirmed),
        _ => Err(Unknown::NoStatus),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(
        state: Option<u16>,
        status_: Option<u16>,
        reason: Option<u16>,
        times: (bool, bool),
    ) -> Result<StayStatus, Unknown> {
        status(Signs { state, status: status_, reason, checked_in: times.0, checked_out: times.1 })
    }

    #[test]
    fn s1_every_line_of_the_table_holds() {
        use StayStatus::*;
        let none = (false, false);
        for (state, status, reason, times, expected) in [
            (Some(3), Some(3), Some(3), none, Ok(Cancelled)),
            (Some(0), Some(3), Some(3), none, Ok(Cancelled)),
            (Some(3), None, None, none, Ok(Cancelled)),
            (Some(4), Some(3), Some(4), none, Ok(NoShow)),
            (None, Some(3), Some(4), none, Ok(NoShow)),
            (Some(2), Some(1), Some(0), (true, true), Ok(CheckedOut)),
            (Some(0), Some(1), Some(0), (true, true), Ok(CheckedOut)),
            (Some(2), Some(1), None, none, Ok(CheckedOut)),
            (Some(1), Some(1), Some(0), none, Ok(InHouse)),
            // In house since yesterday: state 0.
            (Some(0), Some(1), Some(0), (true, false), Ok(InHouse)),
            (Some(0), Some(3), Some(1), none, Ok(Waitlisted)),
            (Some(0), Some(3), Some(2), none, Ok(Offer)),
            (Some(5), Some(3), Some(0), none, Ok(Offer)),
            (Some(0), Some(0), Some(0), none, Ok(Tentative)),
            (Some(0), Some(1), Some(0), none, Ok(Confirmed)),
            (None, Some(1), None, none, Ok(Confirmed)),
            (Some(0), Some(3), Some(0), none, Err(Unknown::NoStatus)),
            (Some(0), Some(2), None, none, Err(Unknown::NoStatus)),
            (Some(9), Some(1), None, none, Err(Unknown::NoStatus)),
            (Some(0), Some(1), Some(7), none, Err(Unknown::NoStatus)),
            (None, None, None, none, Err(Unknown::NoStatus)),
            (Some(3), Some(3), Some(3), (true, false), Err(Unknown::Contradiction)),
            (Some(3), Some(3), Some(4), none, Err(Unknown::Contradiction)),
            (Some(4), Some(3), Some(4), (true, true), Err(Unknown::Contradiction)),
        ] {
            assert_eq!(of(state, status, reason, times), expected, "{state:?} {status:?} {reason:?} {times:?}");
        }
    }
}
