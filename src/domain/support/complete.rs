//! What a request still lacks (decision 3; S-12, S-32…S-36, E-18): it is registered without, and asked for.

use crate::domain::Known;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Item {
    Subject,
    Description,
    /// A screenshot or a recording, if there is any.
    Picture,
    /// The conditions under which it happened.
    Conditions,
    /// Of the user it happened to.
    Login,
    /// The link of the portal where it happened.
    Portal,
}

impl Item {
    pub const ALL: [Self; 6] =
        [Self::Subject, Self::Description, Self::Picture, Self::Conditions, Self::Login, Self::Portal];

    pub fn word(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Description => "description",
            Self::Picture => "picture",
            Self::Conditions => "conditions",
            Self::Login => "login",
            Self::Portal => "portal",
        }
    }
}

/// What was told so far, by whatever channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told<'a> {
    pub subject: &'a str,
    pub description: &'a str,
    pub conditions: &'a str,
    pub login: &'a str,
    pub portal: &'a str,
    /// How many; empty: somebody said that there is none.
    pub pictures: &'a Known<usize>,
}

/// All that is missing, in the order in which it is asked for.
pub fn missing(told: Told<'_>) -> Vec<Item> {
    let lacks = |item: &Item| {
        let blank = |text: &str| text.trim().is_empty();
        match item {
            Item::Subject => blank(told.subject),
            Item::Description => blank(told.description),
            Item::Picture => matches!(told.pictures, Known::Absent | Known::Is(0)),
            Item::Conditions => blank(told.conditions),
            Item::Login => blank(told.login),
            Item::Portal => blank(told.portal),
        }
    };
    Item::ALL.into_iter().filter(lacks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL_BACK: Told<'_> = Told {
        subject: "Обратный звонок",
        description: " ",
        conditions: "",
        login: "",
        portal: "",
        pictures: &Known::Absent,
    };

    #[test]
    fn s12_s20_a_call_back_starts_incomplete_and_says_what_it_lacks() {
        let lacks = [Item::Description, Item::Picture, Item::Conditions, Item::Login, Item::Portal];
        assert_eq!(missing(CALL_BACK), lacks);
    }

    #[test]
    fn s12_s32_s33_s34_s35_s36_e18_a_request_is_complete_by_all_six_and_no_fewer() {
        let one = Known::Is(1);
        let whole = Told { description: "x", conditions: "x", login: "x", portal: "x", pictures: &one, ..CALL_BACK };
        assert_eq!(missing(whole), []);
        assert_eq!(missing(Told { subject: "\t", ..whole }), [Item::Subject]);
        assert_eq!(missing(Told { description: "", ..whole }), [Item::Description]);
        assert_eq!(missing(Told { conditions: "", ..whole }), [Item::Conditions]);
        assert_eq!(missing(Told { login: "", ..whole }), [Item::Login]);
        assert_eq!(missing(Told { portal: "", ..whole }), [Item::Portal]);
        assert_eq!(missing(Told { pictures: &Known::Is(0), ..whole }), [Item::Picture]);
        assert_eq!(missing(Told { pictures: &Known::Empty, ..whole }), [], "there is none, somebody said");
    }
}
