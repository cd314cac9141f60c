//! The life of a stay and the steps it may take (product §1).

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StayStatus {
    Offer,
    Tentative,
    Waitlisted,
    Confirmed,
    InHouse,
    CheckedOut,
    Cancelled,
    NoShow,
}

/// What a step from one status to another means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    Same,
    Forward,
    Reinstated,
    UndoCheckIn,
    UndoCheckOut,
    /// No step the hotel's day knows: it is recorded as a problem and the stay keeps its status.
    Refused,
}

impl StayStatus {
    pub const ALL: [Self; 8] = [
        Self::Offer,
        Self::Tentative,
        Self::Waitlisted,
        Self::Confirmed,
        Self::InHouse,
        Self::CheckedOut,
        Self::Cancelled,
        Self::NoShow,
    ];

    /// The canonical word, as `FB24_STATUS` and the API carry it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Tentative => "tentative",
            Self::Waitlisted => "waitlisted",
            Self::Confirmed => "confirmed",
            Self::InHouse => "in_house",
            Self::CheckedOut => "checked_out",
            Self::Cancelled => "cancelled",
            Self::NoShow => "no_show",
        }
    }

    fn is_booking(self) -> bool {
        matches!(self, Self::Offer | Self::Tentative | Self::Waitlisted | Self::Confirmed)
    }

    /// The step from `self` to `next`.
    ///
    /// A poll may miss what happened between two looks, and a hotel's server may be down for hours: so a booking may be
    /// found checked out, a no-show or a cancelled one reinstated and checked in (or out again) already, and a guest
    /// checked in by mistake cancelled.
    pub fn step(self, next: Self) -> Transition {
        use StayStatus::{Cancelled, CheckedOut, InHouse, NoShow};
        match (self, next) {
            (a, b) if a == b => Transition::Same,
            (a, b) if a.is_booking() && b.is_booking() => Transition::Forward,
            (a, InHouse | CheckedOut | Cancelled | NoShow) if a.is_booking() => Transition::Forward,
            (InHouse, CheckedOut) => Transition::Forward,
            (InHouse, b) if b.is_booking() || matches!(b, Cancelled | NoShow) => Transition::UndoCheckIn,
            (CheckedOut, InHouse) => Transition::UndoCheckOut,
            (Cancelled | NoShow, b) if b.is_booking() || matches!(b, InHouse | CheckedOut) => Transition::Reinstated,
            // Night audit and the desk correct one closing reason by the other.
            (Cancelled, NoShow) | (NoShow, Cancelled) => Transition::Forward,
            _ => Transition::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_every_pair_of_statuses_has_one_meaning() {
        use StayStatus::*;
        for from in StayStatus::ALL {
            for to in StayStatus::ALL {
                let step = from.step(to);
                assert_eq!(step == Transition::Same, from == to, "{from:?} -> {to:?}");
            }
        }
        assert_eq!(Cancelled.step(Confirmed), Transition::Reinstated);
        assert_eq!(InHouse.step(Confirmed), Transition::UndoCheckIn);
        assert_eq!(CheckedOut.step(InHouse), Transition::UndoCheckOut);
        assert_eq!(Confirmed.step(CheckedOut), Transition::Forward);
        assert_eq!(Cancelled.step(CheckedOut), Transition::Reinstated, "reinstated, in and out while nobody looked");
        assert_eq!(InHouse.step(Cancelled), Transition::UndoCheckIn);
        for to in [Offer, Tentative, Waitlisted, Confirmed, Cancelled, NoShow] {
            assert_eq!(CheckedOut.step(to), Transition::Refused, "{to:?}");
        }
    }
}
