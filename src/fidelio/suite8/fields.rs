//! What is asked for. Fields that a licence or a version may refuse stand in groups which are probed and remembered per
//! hotel (facts §10.7, §10.8).

/// Never asked for and, when an answer carries them all the same, never kept: cards, passports, logins (facts §10.20).
const DENIED: &[&str] = &[
    "CreditCardNo",
    "ExpiryMonth",
    "ExpiryYear",
    "CardholderName",
    "CreditCardCode",
    "ApprovalCode",
    "ApprovalAmount",
    "PersonalDocument",
    "LoginName",
    "LoginPassword",
];

pub fn is_denied(name: &str) -> bool {
    DENIED.iter().any(|denied| denied.eq_ignore_ascii_case(name))
}

/// Optional fields that go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The name under which it is remembered and reported.
    pub name: &'static str,
    pub fields: &'static [&'static str],
}

/// One kind of record: its request type, key and fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    pub req_type: &'static str,
    pub key: &'static str,
    pub core: &'static [&'static str],
    pub optional: &'static [Group],
}

pub const UPDATED: &str = "LastUpdateTime";
pub const CREATED: &str = "CreationTime";
/// Group of the stamps: documented for profiles, only seen in use for reservations (facts §6.2).
pub const STAMPS: &str = "LastUpdateTime";

pub const RESERVATION: Kind = Kind {
    req_type: "Reservation",
    key: "GuestNum",
    core: &[
        "GuestNum",
        "ReservationType",
        "ReservationState",
        "ReservationStatus",
        "NoAvailReason",
        "ResStatusPriorCXL",
        "OptionDate",
        "GuestArrival",
        "GuestDeparture",
        "CheckinDateTime",
        "CheckoutDateTime",
        "ProfileID",
        "GuestName",
        "RoomType",
        "RoomNum",
        "NoOfRooms",
        "NoOfAdults",
        "Child",
        "RateCode",
        "CurrencyCode",
        "TotalStay",
        "ForeignTotalStay",
        "MarketCode",
        "SourceCode",
        "ChannelCode",
        "Guarantee",
        "CompanyID",
        "TravelAgentID",
        "SourceID",
        "BookerID",
        "GroupID",
        "GroupName",
        "BlockCode",
        "ReservationComment1",
        "ReservationComment2",
    ],
    optional: &[
        Group { name: STAMPS, fields: &[UPDATED, CREATED] },
        Group { name: "Notes", fields: &["Notes", "NotesList"] },
        Group { name: "AccompanyingGuests", fields: &["AccompanyingGuests"] },
        Group { name: "Share", fields: &["HasShare", "Share"] },
        Group { name: "Party", fields: &["PartyID", "PartyName"] },
        Group { name: "CustomField", fields: &["CustomField"] },
        Group { name: "CRS", fields: &["CrsSystem", "CrsResNumber"] },
    ],
};

pub const PROFILE: Kind = Kind {
    req_type: "Profile",
    key: "ProfileID",
    core: &[
        "ProfileID",
        "GuestFirstname",
        "GuestName",
        "ProfileType",
        "ProfileCategory",
        "Title",
        "Birthday",
        "Gender",
        "DeleteCode",
        "NationalityISO2",
        "Language",
        "VipCode",
        "City",
        "Street1",
        "Street2",
        "Street3",
        "ZIP",
        "State",
        "CountryISO2",
        "Telephone",
        "Email",
        "NoMailing",
    ],
    optional: &[
        Group { name: STAMPS, fields: &[UPDATED, CREATED] },
        // The switch works only together with all four roles (facts §5.4).
        Group { name: "Communications", fields: &["Communications", "Fax", "Communication"] },
        Group { name: "Addresses", fields: &["Addresses"] },
        Group { name: "Name2", fields: &["Name2"] },
        Group { name: "ProfilePreferences", fields: &["ProfilePreferences"] },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_no_list_holds_a_denied_field() {
        for kind in [RESERVATION, PROFILE] {
            let optional = kind.optional.iter().flat_map(|group| group.fields);
            for field in kind.core.iter().chain(optional) {
                assert!(!is_denied(field), "{field}");
            }
        }
    }
}
