//! What must stand on a portal (contract, "Marks left in Bitrix24"). Names are fixed; titles are for people.

use url::Url;

use crate::bitrix::Call;
use crate::bitrix::crm::Entity;
use crate::bitrix::setup::{self, NewField};
use crate::domain::{Lang, StayStatus};

pub const ORIGINATOR: &str = "fidelio-bitrix24";
pub const PIPELINE_ORIGIN: &str = "stays";
pub const PREFIX: &str = "UF_CRM_";

/// A user field of ours.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub owner: Entity,
    /// Without `UF_CRM_`.
    pub name: &'static str,
    pub kind: &'static str,
    pub multiple: bool,
    pub ru: &'static str,
    pub en: &'static str,
}

const fn field(owner: Entity, name: &'static str, kind: &'static str, ru: &'static str, en: &'static str) -> Field {
    Field { owner, name, kind, multiple: false, ru, en }
}

const fn profile(owner: Entity) -> Field {
    Field { multiple: true, ..field(owner, "FB24_PROFILE", "string", "Профиль Fidelio", "Fidelio profile") }
}

use Entity::{Company, Contact, Deal};

pub const FIELDS: &[Field] = &[
    field(Deal, "FB24_HOTEL", "string", "Отель", "Hotel"),
    field(Deal, "FB24_RESERVATION", "string", "Номер брони", "Reservation"),
    field(Deal, "FB24_STATUS", "string", "Состояние проживания", "Stay status"),
    field(Deal, "FB24_ARRIVAL", "date", "Заезд", "Arrival"),
    field(Deal, "FB24_DEPARTURE", "date", "Выезд", "Departure"),
    field(Deal, "FB24_NIGHTS", "integer", "Ночей", "Nights"),
    field(Deal, "FB24_ROOM", "string", "Номер комнаты", "Room"),
    field(Deal, "FB24_ROOM_TYPE", "string", "Тип номера", "Room type"),
    field(Deal, "FB24_RATE", "string", "Тариф", "Rate"),
    field(Deal, "FB24_ADULTS", "integer", "Взрослых", "Adults"),
    field(Deal, "FB24_CHILDREN", "integer", "Детей", "Children"),
    field(Deal, "FB24_GUARANTEE", "string", "Гарантия", "Guarantee"),
    field(Deal, "FB24_SOURCE", "string", "Источник брони", "Booking source"),
    field(Deal, "FB24_MARKET", "string", "Сегмент", "Market segment"),
    field(Deal, "FB24_CHANNEL", "string", "Канал", "Channel"),
    field(Deal, "FB24_GROUP", "string", "Группа", "Group"),
    field(Deal, "FB24_BOOKED_ON", "date", "Дата бронирования", "Booked on"),
    field(Deal, "FB24_BALANCE", "money", "Остаток к оплате", "Balance"),
    field(Deal, "FB24_SYNCED_AT", "datetime", "Обновлено из Fidelio", "Updated from Fidelio"),
    profile(Contact),
    field(Contact, "FB24_VIP", "string", "VIP-статус", "VIP status"),
    field(Contact, "FB24_LANGUAGE", "string", "Язык гостя", "Guest language"),
    field(Contact, "FB24_NATIONALITY", "string", "Гражданство", "Nationality"),
    field(Contact, "FB24_STAYS", "integer", "Проживаний", "Stays"),
    field(Contact, "FB24_NIGHTS", "integer", "Ночей всего", "Nights in all"),
    field(Contact, "FB24_REVENUE", "money", "Выручка", "Revenue"),
    field(Contact, "FB24_LAST_STAY", "date", "Последнее проживание", "Last stay"),
    profile(Company),
];

/// What people call a field of ours.
pub fn field_title(lang: Lang, owner: Entity, full_name: &str) -> Option<&'static str> {
    let field = FIELDS.iter().find(|field| field.owner == owner && field.full_name() == full_name)?;
    Some(if lang == Lang::Ru { field.ru } else { field.en })
}

impl Field {
    pub fn full_name(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    /// A title in each language, so that each user reads his own. `place`: among all fields of ours.
    pub fn creation(&self, place: i64) -> Call {
        let name = self.full_name();
        setup::userfield_add(
            self.owner,
            &NewField {
                name: &name,
                kind: self.kind,
                multiple: self.multiple,
                label_ru: self.ru,
                label_en: self.en,
                sort: 1000 + 10 * place,
            },
        )
    }
}

/// A default stage of our pipeline.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    pub status: StayStatus,
    /// Without `C<n>:`.
    pub id: &'static str,
    pub ru: &'static str,
    pub en: &'static str,
    pub color: &'static str,
    /// `None`: in progress; else `S` or `F`.
    pub semantics: Option<&'static str>,
    /// The pipeline brings it itself; only its title is ours, once.
    pub given: bool,
}

const fn stage(status: StayStatus, id: &'static str, ru: &'static str, en: &'static str, color: &'static str) -> Stage {
    Stage { status, id, ru, en, color, semantics: None, given: false }
}

pub const STAGES: &[Stage] = &[
    stage(StayStatus::Offer, "FB24_OFFER", "Предложение", "Offer", "#ACE9FB"),
    stage(StayStatus::Tentative, "FB24_TENTATIVE", "Предварительная бронь", "Tentative", "#39A8EF"),
    stage(StayStatus::Waitlisted, "FB24_WAITLIST", "Лист ожидания", "Waitlist", "#FFA900"),
    stage(StayStatus::Confirmed, "FB24_CONFIRMED", "Бронь подтверждена", "Confirmed", "#55D0E0"),
    stage(StayStatus::InHouse, "FB24_IN_HOUSE", "Проживает", "In house", "#47E4C2"),
    Stage {
        semantics: Some("S"),
        given: true,
        ..stage(StayStatus::CheckedOut, "WON", "Выехал", "Checked out", "#7BD500")
    },
    Stage {
        semantics: Some("F"),
        given: true,
        ..stage(StayStatus::Cancelled, "LOSE", "Отмена", "Cancelled", "#FF5752")
    },
    Stage { semantics: Some("F"), ..stage(StayStatus::NoShow, "FB24_NO_SHOW", "Незаезд", "No-show", "#FF8A80") },
];

/// What Bitrix24 puts into a new pipeline besides `WON` and `LOSE` (facts §7.5 and the product's own defaults).
pub const DEFAULT_STAGES: &[&str] =
    &["NEW", "PREPARATION", "PREPAYMENT_INVOICE", "EXECUTING", "FINAL_INVOICE", "APOLOGY"];

pub fn pipeline_title(russian: bool) -> &'static str {
    if russian { "Проживания" } else { "Hotel stays" }
}

/// A place in the portal where a page of ours is shown.
#[derive(Debug, Clone, Copy)]
pub struct Placement {
    pub code: &'static str,
    pub path: &'static str,
    pub ru: &'static str,
    pub en: &'static str,
}

pub const PLACEMENTS: &[Placement] = &[
    Placement { code: "CRM_DEAL_DETAIL_TAB", path: "bitrix/widgets/deal-stay", ru: "Проживание", en: "Stay" },
    Placement { code: "CRM_CONTACT_DETAIL_TAB", path: "bitrix/widgets/contact-guest", ru: "Гость", en: "Guest" },
];

/// Of the support portal alone, beside [`PLACEMENTS`]: the request on its task.
pub const TASK_PLACEMENTS: &[Placement] =
    &[Placement {
        code: "TASK_VIEW_TAB", path: "bitrix/widgets/task-request", ru: "Обращение", en: "Request"
    }];

/// Events whose absence on an old box is no reason to stop: they are said to be missing.
pub const EVENTS: &[&str] = &[
    "ONAPPINSTALL",
    "ONAPPUPDATE",
    "ONAPPUNINSTALL",
    "ONAPPPAYMENT",
    "ONAPPTEST",
    "ONCRMDEALADD",
    "ONCRMDEALUPDATE",
    "ONCRMDEALDELETE",
    "ONCRMDEALMOVETOCATEGORY",
    "ONCRMCONTACTADD",
    "ONCRMCONTACTUPDATE",
    "ONCRMCONTACTDELETE",
    "ONCRMCOMPANYADD",
    "ONCRMCOMPANYUPDATE",
    "ONCRMCOMPANYDELETE",
];

/// Of the support portal alone: what people do in requests' tasks.
pub const TASK_EVENTS: &[&str] = &["ONTASKUPDATE", "ONTASKDELETE", "ONTASKCOMMENTADD"];

/// Without it a portal lets us bind no event of tasks, and no page on them.
pub const TASK_SCOPE: &str = "task";

/// Events of records: those that a portal's queue keeps for us, too.
pub fn queued() -> impl Iterator<Item = &'static str> {
    EVENTS.iter().copied().filter(|event| event.starts_with("ONCRM"))
}

/// A portal tells at most so often that its queue has something: what is not lost comes by itself.
pub const QUEUE_SECONDS: u32 = 30;

/// Without these nothing of the product works; a box that lacks one must be updated (facts §9.4, "Boxes lag").
pub const METHODS: &[&str] = &[
    "crm.item.add",
    "crm.item.update",
    "crm.item.list",
    "crm.category.add",
    "crm.status.add",
    "crm.deal.userfield.add",
    "placement.bind",
    "event.bind",
];

/// Better with it; adding one by one works too.
pub const IMPORT_METHOD: &str = "crm.item.batchimport";

/// Scopes without which set-up cannot go on.
pub const SCOPES: &[&str] = &["crm", "placement"];

/// An address of ours as given to a portal.
pub fn handler(public_url: &Url, path: &str) -> String {
    format!("{}/{path}", public_url.as_str().trim_end_matches('/'))
}

pub const EVENTS_PATH: &str = "bitrix/events";

#[cfg(test)]
mod tests {
    use super::*;

    /// Written from the contract's text, not from the table above.
    const CONTRACT: &[(&str, &str, &[&str])] = &[
        (
            "deal",
            "string",
            &[
                "HOTEL",
                "RESERVATION",
                "STATUS",
                "ROOM",
                "ROOM_TYPE",
                "RATE",
                "GUARANTEE",
                "SOURCE",
                "MARKET",
                "CHANNEL",
                "GROUP",
            ],
        ),
        ("deal", "date", &["ARRIVAL", "DEPARTURE", "BOOKED_ON"]),
        ("deal", "integer", &["NIGHTS", "ADULTS", "CHILDREN"]),
        ("deal", "money", &["BALANCE"]),
        ("deal", "datetime", &["SYNCED_AT"]),
        ("contact", "string", &["PROFILE", "VIP", "LANGUAGE", "NATIONALITY"]),
        ("contact", "integer", &["STAYS", "NIGHTS"]),
        ("contact", "money", &["REVENUE"]),
        ("contact", "date", &["LAST_STAY"]),
        ("company", "string", &["PROFILE"]),
    ];

    #[test]
    fn s1_user_fields_are_those_of_the_contract() {
        let wanted: usize = CONTRACT.iter().map(|(_, _, names)| names.len()).sum();
        assert_eq!(FIELDS.len(), wanted);
        for (owner, kind, names) in CONTRACT {
            for name in *names {
                let found: Vec<_> =
                    FIELDS.iter().filter(|f| f.owner.word() == *owner && f.name == format!("FB24_{name}")).collect();
                assert_eq!(found.len(), 1, "{owner} {name}");
                assert_eq!(found[0].kind, *kind, "{owner} {name}");
                assert_eq!(found[0].multiple, *name == "PROFILE", "{owner} {name}");
                assert!(found[0].full_name().len() <= 43);
            }
        }
    }

    #[test]
    fn s1_stages_are_those_of_the_contract() {
        assert_eq!(STAGES.len(), StayStatus::ALL.len());
        for status in StayStatus::ALL {
            let stage = STAGES.iter().find(|stage| stage.status == status).expect("a stage for each status");
            let semantics = match status {
                StayStatus::CheckedOut => Some("S"),
                StayStatus::Cancelled | StayStatus::NoShow => Some("F"),
                _ => None,
            };
            assert_eq!(stage.semantics, semantics, "{status:?}");
            // 22 characters with the pipeline's prefix (facts §7.5).
            assert!(stage.id.len() <= 22 - "C999:".len(), "{}", stage.id);
            assert!(!DEFAULT_STAGES.contains(&stage.id));
        }
    }
}
