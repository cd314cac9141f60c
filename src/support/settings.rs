//! The desk's settings: one document, checked whole, every version kept. Edited only where the desk is (product §5).

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Desk, DeskError, hex};
use crate::domain::support::calendar::{Flaw as CalendarFlaw, Week};
use crate::domain::support::holidays::OwnDay;
use crate::domain::support::priority::{Flaw as MatrixFlaw, Table};
use crate::domain::support::silence::AutoClose;
use crate::domain::support::sla::{self, Flaw as SlaFlaw, Promise, Promises};
use crate::domain::support::{Calendar, Holidays, Kind, PriorityMatrix, Scope, Sla, card_moves, to_customer};
use crate::domain::{Lang, PortalId};
use crate::store::StoreError;
use crate::store::desk::requests;
use crate::store::desk::settings::{self, Version};

const MOST_DAYS: u32 = 3650;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeskSettings {
    pub zone: String,
    pub week: Week,
    /// Days off and worked days of the desk's own: they come before the country's.
    pub days: Vec<OwnDay>,
    pub promises: Promises,
    /// People are warned when so much of a clock's time is used up.
    pub warn_percent: u8,
    pub matrix: Table,
    /// The first one that takes a kind gets it.
    pub queues: Vec<Queue>,
    /// User of the desk who has what no queue takes, and is told of breaches.
    pub manager: Option<i64>,
    /// Closing for want of an answer: off unless given (decision 2).
    pub auto_close: Option<AutoClose>,
    /// By `member_id`.
    pub customers: BTreeMap<String, Customer>,
    /// By code.
    pub templates: BTreeMap<String, Words>,
    /// The last one is asked for.
    pub consents: Vec<Document>,
    pub retention: Retention,
    /// What a message in a task begins with, before a colon, to go to the customer; none: nothing goes.
    pub to_customer: Vec<String>,
    /// Columns of the Kaiten board by the state that they stand for; those of other states go by their kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kaiten_columns: card_moves::Named,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    pub name: String,
    /// Empty: all.
    #[serde(default)]
    pub kinds: BTreeSet<Kind>,
    pub members: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    pub user: i64,
    #[serde(default)]
    pub cap: Option<u32>,
}

/// What is agreed with one customer (E-14).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Customer {
    pub promises: Promises,
    /// Working hours of his own; none: the desk's.
    pub week: Option<Week>,
    pub zone: Option<String>,
    /// Users of his portal; none: its admins.
    pub representatives: Vec<i64>,
    /// Shown to operators, never blocking (S-18).
    pub entitlement: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    pub ru: String,
    pub en: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    pub version: String,
    pub ru: String,
    pub en: String,
}

impl Document {
    /// Of both texts: what somebody agreed to can be proved later.
    pub fn hash(&self) -> String {
        hex(&Sha256::new().chain_update(&self.ru).chain_update([0]).chain_update(&self.en).finalize())
    }

    pub fn text(&self, lang: Lang) -> &str {
        lang.pick(&self.ru, &self.en)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// After the closing.
    pub requests_days: u32,
    pub consents_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { requests_days: 1095, consents_days: 1095 }
    }
}

impl Default for DeskSettings {
    fn default() -> Self {
        let sla = Sla::default();
        let none = Promises::new();
        let matrix = PriorityMatrix::default();
        let row = |kind| Scope::ALL.map(|scope| (scope, matrix.of(kind, scope))).into();
        Self {
            zone: Tz::Europe__Moscow.name().to_owned(),
            week: Week::standard(),
            days: Vec::new(),
            promises: Kind::ALL.map(|kind| (kind, sla.promise(kind, &none))).into(),
            warn_percent: sla.warn_percent(),
            matrix: Kind::ALL.map(|kind| (kind, row(kind))).into(),
            queues: Vec::new(),
            manager: None,
            auto_close: None,
            customers: BTreeMap::new(),
            templates: BTreeMap::new(),
            consents: vec![Document { version: "1".to_owned(), ru: CONSENT_RU.to_owned(), en: CONSENT_EN.to_owned() }],
            retention: Retention::default(),
            to_customer: to_customer::WORDS.map(str::to_owned).into(),
            kaiten_columns: card_moves::Named::new(),
        }
    }
}

const CONSENT_RU: &str = "Я даю согласие на обработку моих персональных данных (имя, номер телефона, текст вопроса, IP-адрес) \
    службе поддержки приложения с целью ответить на мой вопрос, в соответствии с Федеральным законом от 27.07.2006 № 152-ФЗ. \
    Согласие действует до его отзыва; отозвать его можно обращением в службу поддержки.";
const CONSENT_EN: &str = "I consent to the processing of my personal data (name, phone number, text of the question, IP address) by \
    the support desk of the app in order to answer my question, under Federal Law 152-FZ of 27.07.2006. The consent holds until \
    it is withdrawn by a request to the support desk.";

/// Settings that proved right, ready to be reckoned with.
#[derive(Debug, Clone)]
pub struct Rules {
    pub settings: DeskSettings,
    pub calendar: Calendar,
    pub sla: Sla,
    pub matrix: PriorityMatrix,
    holidays: Holidays,
}

/// One thing that is wrong: a JSON pointer and a stable word.
pub type Wrong = (String, &'static str);

impl DeskSettings {
    pub fn checked(self, holidays: &Holidays) -> Result<Rules, Vec<Wrong>> {
        let mut wrong: Vec<Wrong> = Vec::new();
        let mut days = BTreeSet::new();
        let twice = self.days.iter().enumerate().filter(|(_, own)| !days.insert(own.day));
        wrong.extend(twice.map(|(n, _)| (format!("/days/{n}/day"), "day_twice")));
        let holidays = &holidays.with(&self.days);
        let calendar = calendar(&self.zone, &self.week, holidays, "", &mut wrong);
        let sla = Sla::checked(self.promises.clone(), self.warn_percent)
            .map_err(|flaws| wrong.extend(flaws.into_iter().map(|flaw| of_sla("", flaw))));
        let matrix = PriorityMatrix::checked(self.matrix.clone()).map_err(|flaws| {
            wrong.extend(flaws.into_iter().map(|flaw| match flaw {
                MatrixFlaw::Missing(kind, scope) => (cell(kind, scope), "required"),
                MatrixFlaw::WiderIsLower(kind, scope) => (cell(kind, scope), "wider_is_lower"),
                MatrixFlaw::SevererIsLower(kind, scope) => (cell(kind, scope), "severer_is_lower"),
            }));
        });
        let mut names = BTreeSet::new();
        for (n, queue) in self.queues.iter().enumerate() {
            if queue.name.trim().is_empty() || !names.insert(queue.name.as_str()) {
                wrong.push((format!("/queues/{n}/name"), "queue_name"));
            }
            let mut users = BTreeSet::new();
            for (m, member) in queue.members.iter().enumerate() {
                if member.user <= 0 || !users.insert(member.user) {
                    wrong.push((format!("/queues/{n}/members/{m}/user"), "user"));
                }
            }
        }
        if self.auto_close.as_ref().is_some_and(|policy| policy.check().is_err()) {
            wrong.push(("/auto_close".to_owned(), "auto_close"));
        }
        for (member, customer) in &self.customers {
            let under = format!("/customers/{}", escaped(member));
            wrong.extend(sla::check(&customer.promises).into_iter().map(|flaw| of_sla(&under, flaw)));
            if customer.week.is_some() || customer.zone.is_some() {
                let zone = customer.zone.as_ref().unwrap_or(&self.zone);
                let week = customer.week.as_ref().unwrap_or(&self.week);
                calendar_of(zone, week, holidays, &under, &mut wrong);
            }
        }
        for (code, words) in &self.templates {
            let under = format!("/templates/{}", escaped(code));
            if code.trim().is_empty() {
                wrong.push((under.clone(), "required"));
            }
            let texts = [("ru", &words.ru), ("en", &words.en)].into_iter().filter(|(_, text)| text.trim().is_empty());
            wrong.extend(texts.map(|(lang, _)| (format!("{under}/{lang}"), "required")));
        }
        let mut versions = BTreeSet::new();
        for (n, document) in self.consents.iter().enumerate() {
            let blank = |text: &str| text.trim().is_empty();
            if blank(&document.version)
                || blank(&document.ru)
                || blank(&document.en)
                || !versions.insert(&document.version)
            {
                wrong.push((format!("/consents/{n}"), "consent_document"));
            }
        }
        let days = |days: u32| (1..=MOST_DAYS).contains(&days);
        if !days(self.retention.requests_days) || !days(self.retention.consents_days) {
            wrong.push(("/retention".to_owned(), "retention"));
        }
        for (n, word) in self.to_customer.iter().enumerate() {
            if !to_customer::is_word(word) {
                wrong.push((format!("/to_customer/{n}"), "to_customer"));
            }
        }
        for state in card_moves::contradictions(&self.kaiten_columns) {
            wrong.push((format!("/kaiten_columns/{}", state.word()), "kaiten_column"));
        }
        match (calendar, sla, matrix) {
            (Some(calendar), Ok(sla), Ok(matrix)) if wrong.is_empty() => {
                Ok(Rules { settings: self, calendar, sla, matrix, holidays: holidays.clone() })
            }
            _ => Err(wrong),
        }
    }
}

/// A name as a JSON pointer holds it.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn cell(kind: Kind, scope: Scope) -> String {
    format!("/matrix/{}/{}", kind.word(), scope.word())
}

fn of_sla(under: &str, flaw: SlaFlaw) -> Wrong {
    let at = |kind: Kind, member: &str| format!("{under}/promises/{}{member}", kind.word());
    match flaw {
        SlaFlaw::Missing(kind) => (at(kind, ""), "required"),
        SlaFlaw::NoTime(kind) => (at(kind, ""), "no_time"),
        SlaFlaw::SolutionFirst(kind) => (at(kind, "/solution"), "solution_first"),
        SlaFlaw::Warning => ("/warn_percent".to_owned(), "percent"),
    }
}

fn calendar(zone: &str, week: &Week, holidays: &Holidays, under: &str, wrong: &mut Vec<Wrong>) -> Option<Calendar> {
    calendar_of(zone, week, holidays, under, wrong)
}

fn calendar_of(zone: &str, week: &Week, holidays: &Holidays, under: &str, wrong: &mut Vec<Wrong>) -> Option<Calendar> {
    let Ok(zone) = zone.parse::<Tz>() else {
        wrong.push((format!("{under}/zone"), "timezone"));
        return None;
    };
    let made = Calendar::new(zone, week.clone(), holidays.clone());
    let at = |day: chrono::Weekday| format!("{under}/week/{}", day.to_string().to_lowercase());
    made.map_err(|flaw| {
        wrong.push(match flaw {
            CalendarFlaw::NeverOpen => (format!("{under}/week"), "never_open"),
            CalendarFlaw::Backwards(day) => (at(day), "hours_backwards"),
            CalendarFlaw::Overlap(day) => (at(day), "hours_overlap"),
        });
    })
    .ok()
}

impl Rules {
    fn customer(&self, member: Option<&str>) -> Option<&Customer> {
        member.and_then(|member| self.settings.customers.get(member))
    }

    pub fn promise(&self, kind: Kind, member: Option<&str>) -> Promise {
        let none = Promises::new();
        self.sla.promise(kind, self.customer(member).map_or(&none, |customer| &customer.promises))
    }

    /// By which a customer's clocks run.
    pub fn calendar(&self, member: Option<&str>) -> Calendar {
        let own = self.customer(member).filter(|customer| customer.week.is_some() || customer.zone.is_some());
        let made = own.and_then(|customer| {
            let zone = customer.zone.as_ref().unwrap_or(&self.settings.zone);
            let week = customer.week.as_ref().unwrap_or(&self.settings.week);
            calendar_of(zone, week, &self.holidays, "", &mut Vec::new())
        });
        made.unwrap_or_else(|| self.calendar.clone())
    }

    pub fn representatives(&self, member: &str) -> &[i64] {
        self.customer(Some(member)).map_or(&[], |customer| &customer.representatives)
    }

    pub fn entitlement(&self, member: Option<&str>) -> &str {
        self.customer(member).map_or("", |customer| &customer.entitlement)
    }

    pub fn consent(&self) -> Option<&Document> {
        self.settings.consents.last()
    }
}

impl Desk {
    /// What the country's calendar says, whatever a desk makes of it.
    pub fn holidays(&self) -> &Holidays {
        &self.0.holidays
    }

    /// The settings of a desk and their version; the standard ones, version 0, where nobody changed any.
    pub async fn settings(&self, desk: PortalId) -> Result<(DeskSettings, i64), DeskError> {
        let Some(version) = settings::current(self.db(), desk).await? else { return Ok((DeskSettings::default(), 0)) };
        let read =
            serde_json::from_str(&version.document).map_err(|_| StoreError::Corrupt("desk_settings.document"))?;
        Ok((read, version.version))
    }

    pub(super) async fn rules(&self, desk: PortalId) -> Result<Rules, DeskError> {
        let (settings, _) = self.settings(desk).await?;
        // What was checked when it was saved is right now, unless a release asks for more: then the standard holds.
        settings
            .checked(&self.0.holidays)
            .or_else(|_| DeskSettings::default().checked(&self.0.holidays))
            .map_err(|_| DeskError::Store(StoreError::Corrupt("desk_settings.document")))
    }

    /// Saves the version after `seen`.
    pub async fn save_settings(
        &self,
        desk: PortalId,
        seen: i64,
        settings: DeskSettings,
        by: i64,
    ) -> Result<Result<i64, Vec<Wrong>>, DeskError> {
        let rules = match settings.checked(&self.0.holidays) {
            Ok(rules) => rules,
            Err(wrong) => return Ok(Err(wrong)),
        };
        let (now, current) = self.settings(desk).await?;
        if seen != current {
            return Err(DeskError::Conflict("settings_changed"));
        }
        // Somebody may have agreed to it: what stands behind a version never changes.
        let kept = |(n, document)| rules.settings.consents.get(n) == Some(document);
        let lost = now.consents.iter().enumerate().filter(|given| !kept(*given));
        let wrong: Vec<Wrong> = lost.map(|(n, _)| (format!("/consents/{n}"), "consent_kept")).collect();
        if !wrong.is_empty() {
            return Ok(Err(wrong));
        }
        let document =
            serde_json::to_string(&rules.settings).map_err(|_| StoreError::Corrupt("desk_settings.document"))?;
        let version = Version { version: seen + 1, document, made_by: by, made_at: self.now() };
        if !settings::save(self.db(), desk, &version).await? {
            return Err(DeskError::Conflict("settings_changed"));
        }
        if now.auto_close != rules.settings.auto_close {
            requests::wake_silent(self.db(), desk, version.made_at).await?;
        }
        Ok(Ok(version.version))
    }
}
