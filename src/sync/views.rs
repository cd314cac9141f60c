//! Read models for the API: what we hold of stays, what went wrong, how old the queues are.

use chrono::{NaiveDate, NaiveDateTime};
use serde::Serialize;

use super::engine::Engine;
use super::error::SyncError;
use super::findings;
use super::provenance::FieldOrigin;
use crate::crypto::TenantKey;
use crate::domain::{CrmEntity, HotelCode, HotelId, PortalId, Profile, Stay, StayNumber, StayStatus, Subject};
use crate::store::links::{LinkRow, Origin};
use crate::store::stay_steps::StepRow;
use crate::store::stays::{PageOf, StayRow};
use crate::store::{crm_records, hotels, inbox, links, outbox, problems, profiles, stay_steps, stays};

/// More steps than this no stay of a person has; a robot at the hotel may.
const STEPS_SHOWN: i64 = 50;

/// A person of a stay.
#[derive(Debug, Clone, PartialEq)]
pub struct GuestView {
    pub profile: String,
    pub name: String,
    pub main: bool,
    /// `guest`, `companion`, `sharer`, `company`, `travel_agent`, `source`.
    pub role: String,
    pub facts: Option<Profile>,
    pub crm_id: Option<i64>,
}

/// One stay as we hold it.
#[derive(Debug, Clone, PartialEq)]
pub struct StayView {
    pub hotel: HotelId,
    pub hotel_code: HotelCode,
    pub facts: Stay,
    pub guests: Vec<GuestView>,
    pub source: String,
    pub pms_time: Option<NaiveDateTime>,
    pub received_at: i64,
    pub deal_id: Option<i64>,
    /// When the portal last confirmed this stay's deal.
    pub synced_at: Option<i64>,
    /// Something of it is still on its way.
    pub pending: bool,
    /// The latest steps, the latest first.
    pub history: Vec<StepRow>,
    /// Of the deal's fields, where their values came from.
    pub origins: Vec<FieldOrigin>,
}

/// Which stays to list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StayFilter {
    pub hotel: Option<HotelId>,
    pub status: Option<StayStatus>,
    pub arrival_from: Option<NaiveDate>,
    pub arrival_to: Option<NaiveDate>,
}

/// One line of a list of stays.
#[derive(Debug, Clone, PartialEq)]
pub struct StayLine {
    pub hotel: HotelId,
    pub facts: Stay,
    pub deal_id: Option<i64>,
    pub synced_at: Option<i64>,
}

/// One page; `next` is given back as `after` for the page that follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// `rejected` (the portal said no), `failed` (tries used up), `refused` (we said no), `doubtful` (a person should look).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProblemView {
    pub id: i64,
    pub subject: String,
    pub hotel: Option<HotelId>,
    /// Stable code, such as `status.refused` or `crm.rejected`.
    pub cause: String,
    pub kind: String,
    /// Parameters of the texts; no guest's data.
    pub params: serde_json::Value,
    pub count: i32,
    /// `open`, `retried`, `dismissed`.
    pub state: String,
    pub note: String,
    pub first_at: i64,
    pub last_at: i64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProblemFilter {
    pub state: Option<String>,
    pub kind: Option<String>,
    pub cause: Option<String>,
    pub hotel: Option<HotelId>,
}

/// How much waits, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct QueueView {
    pub waiting: i64,
    pub oldest_seconds: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct HotelQueue {
    pub hotel: HotelId,
    pub queue: QueueView,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct StatusView {
    pub inbox: QueueView,
    pub outbox: QueueView,
    pub hotels: Vec<HotelQueue>,
    pub open_problems: i64,
}

impl Engine {
    pub async fn stay(
        &self,
        portal: PortalId,
        hotel: &HotelCode,
        number: &StayNumber,
    ) -> Result<Option<StayView>, SyncError> {
        let deps = &self.0.deps;
        let Some(hotel) = hotels::by_code(&deps.db, portal, hotel).await? else { return Ok(None) };
        self.stay_of(portal, hotel.id, number).await
    }

    pub async fn stay_by_deal(&self, portal: PortalId, deal: i64) -> Result<Option<StayView>, SyncError> {
        let found = links::of_records(&self.0.deps.db, portal, CrmEntity::Deal, &[deal]).await?;
        match found.iter().find(|link| link.origin != Origin::Detached).map(|link| link.subject.parse()) {
            Some(Ok(Subject::Stay(hotel, number))) => self.stay_of(portal, hotel, &number).await,
            _ => Ok(None),
        }
    }

    async fn stay_of(
        &self,
        portal: PortalId,
        hotel: HotelId,
        number: &StayNumber,
    ) -> Result<Option<StayView>, SyncError> {
        let db = &self.0.deps.db;
        let key = self.0.deps.portals.key(portal).await?;
        let id = (hotel, number.clone());
        let (Some(row), Some(hotel)) = (
            stays::load(db, portal, &key, std::slice::from_ref(&id)).await?.remove(&id),
            hotels::by_id(db, portal, hotel).await?,
        ) else {
            return Ok(None);
        };
        let guests = self.guests_of(portal, &key, &row).await?;
        let subject = Subject::Stay(row.hotel, number.clone()).to_string();
        let deal_id = self.deal_of(portal, row.hotel, number).await?;
        let record = match deal_id {
            Some(deal) => crm_records::load(db, portal, &key, CrmEntity::Deal, &[deal]).await?.remove(&deal),
            None => None,
        };
        let pending = outbox::states(db, portal, std::slice::from_ref(&subject)).await?;
        let origins = self.origins(portal, &key, row.hotel, &subject, record.as_ref()).await?;
        let history = stay_steps::of_stay(db, portal, row.hotel, number, STEPS_SHOWN).await?;
        Ok(Some(StayView {
            hotel: row.hotel,
            hotel_code: hotel.code,
            guests,
            source: row.source,
            pms_time: row.pms_time,
            received_at: row.received_at,
            deal_id: deal_id.filter(|_| record.as_ref().is_none_or(|record| !record.deleted)),
            synced_at: record.map(|record| record.synced_at).filter(|at| *at > 0),
            pending: pending.get(&subject).is_some_and(|(state, ..)| [outbox::WAITING, outbox::SENT].contains(state)),
            history,
            origins,
            facts: row.facts,
        }))
    }

    async fn guests_of(&self, portal: PortalId, key: &TenantKey, row: &StayRow) -> Result<Vec<GuestView>, SyncError> {
        let db = &self.0.deps.db;
        let roles = stays::roles(&row.facts);
        let ids: Vec<_> = roles.iter().map(|(number, _)| (row.hotel, number.clone())).collect();
        let mut facts = profiles::load(db, portal, key, &ids).await?;
        let subject = |number: &crate::domain::ProfileNumber| Subject::Profile(row.hotel, number.clone()).to_string();
        let subjects: Vec<String> = roles.iter().map(|(number, _)| subject(number)).collect();
        let links = links::of_subjects(db, portal, &subjects).await?;
        let main = row.facts.main_guest.get();
        let others = row.facts.companions.get().into_iter().chain(row.facts.sharers.get()).flatten();
        let named: std::collections::HashMap<_, _> =
            others.map(|companion| (companion.profile.clone(), companion.name.clone())).collect();
        Ok(roles
            .into_iter()
            .map(|(number, role)| {
                let profile = facts.remove(&(row.hotel, number.clone())).map(|row| row.facts);
                let name = profile.as_ref().map(Profile::display_name).filter(|name| !name.is_empty());
                GuestView {
                    name: name.or_else(|| named.get(&number).cloned()).unwrap_or_default(),
                    main: main == Some(&number),
                    role: role.word().to_owned(),
                    facts: profile,
                    crm_id: links.get(&subject(&number)).map(|link| link.crm_id),
                    profile: number.to_string(),
                }
            })
            .collect())
    }

    /// In order of arrival.
    pub async fn stays(
        &self,
        portal: PortalId,
        filter: &StayFilter,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Page<StayLine>, SyncError> {
        let db = &self.0.deps.db;
        let key = self.0.deps.portals.key(portal).await?;
        let limit = limit.clamp(1, 500);
        let of = PageOf {
            hotel: filter.hotel,
            status: filter.status,
            arrival_from: filter.arrival_from.map(|date| date.to_string()),
            arrival_to: filter.arrival_to.map(|date| date.to_string()),
            after: after.and_then(|text| {
                let mut parts = text.splitn(3, '~');
                let (arrival, hotel, number) = (parts.next()?, parts.next()?, parts.next()?);
                Some((arrival.to_owned(), hotel.parse().ok()?, number.to_owned()))
            }),
        };
        let mut rows = stays::page(db, portal, &key, &of, limit + 1).await?;
        let more = i64::try_from(rows.len()).is_ok_and(|count| count > limit);
        rows.truncate(usize::try_from(limit).unwrap_or(500));
        let next = rows.last().filter(|_| more).map(|row| {
            let arrival = row.facts.arrival.get().map(ToString::to_string).unwrap_or_default();
            format!("{arrival}~{}~{}", row.hotel, row.facts.number)
        });
        let subject = |row: &StayRow| Subject::Stay(row.hotel, row.facts.number.clone()).to_string();
        let subjects: Vec<String> = rows.iter().map(subject).collect();
        let links = links::of_subjects(db, portal, &subjects).await?;
        let ids: Vec<i64> = links.values().map(|link| link.crm_id).collect();
        let records = crm_records::load(db, portal, &key, CrmEntity::Deal, &ids).await?;
        let items = rows
            .into_iter()
            .map(|row| {
                let deal_id = links.get(&subject(&row)).and_then(deal);
                let record = deal_id.and_then(|id| records.get(&id));
                let synced_at = record.map(|record| record.synced_at).filter(|at| *at > 0);
                StayLine { hotel: row.hotel, deal_id, synced_at, facts: row.facts }
            })
            .collect();
        Ok(Page { items, next })
    }

    /// The latest first.
    pub async fn problems(
        &self,
        portal: PortalId,
        filter: &ProblemFilter,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Page<ProblemView>, SyncError> {
        let key = self.0.deps.portals.key(portal).await?;
        let limit = limit.clamp(1, 500);
        let of = problems::ListOf {
            state: filter.state.clone(),
            kind: filter.kind.clone(),
            cause: filter.cause.clone(),
            hotel: filter.hotel,
            before: after
                .and_then(|text| text.split_once('~'))
                .and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?))),
        };
        let mut rows = problems::page(&self.0.deps.db, portal, &key, &of, limit + 1).await?;
        let more = i64::try_from(rows.len()).is_ok_and(|count| count > limit);
        rows.truncate(usize::try_from(limit).unwrap_or(500));
        let next = rows.last().filter(|_| more).map(|row| format!("{}~{}", row.last_at, row.id));
        let items = rows
            .into_iter()
            .map(|row| ProblemView {
                id: row.id,
                subject: row.subject,
                hotel: row.hotel,
                cause: row.cause,
                kind: row.kind,
                params: findings::shown(row.params),
                count: row.count,
                state: row.state,
                note: row.note,
                first_at: row.first_at,
                last_at: row.last_at,
            })
            .collect();
        Ok(Page { items, next })
    }

    pub async fn queues(&self, portal: PortalId) -> Result<StatusView, SyncError> {
        let (db, now) = (&self.0.deps.db, self.0.deps.clock.now_ms());
        let view = |waiting: i64, oldest: Option<i64>| QueueView {
            waiting,
            oldest_seconds: oldest.map_or(0, |at| (now - at).max(0) / 1_000),
        };
        let undecided = inbox::waiting(db, portal).await?;
        let (sending, since) = outbox::pending(db, portal).await?;
        let mut of_hotels = Vec::new();
        for hotel in hotels::list(db, portal).await? {
            let (sending, since) = outbox::pending_of(db, portal, hotel.id).await?;
            let inbox = undecided.iter().find(|(id, ..)| *id == hotel.id);
            let oldest = inbox.map(|(.., at)| *at).into_iter().chain(since).min();
            let waiting = sending + inbox.map_or(0, |(_, count, _)| *count);
            of_hotels.push(HotelQueue { hotel: hotel.id, queue: view(waiting, oldest) });
        }
        Ok(StatusView {
            inbox: view(undecided.iter().map(|(_, count, _)| count).sum(), undecided.iter().map(|(.., at)| *at).min()),
            outbox: view(sending, since),
            hotels: of_hotels,
            open_problems: problems::open_count(db, portal).await?,
        })
    }

    /// Which deal carries the stay: for permission checks.
    pub async fn deal_of(
        &self,
        portal: PortalId,
        hotel: HotelId,
        number: &StayNumber,
    ) -> Result<Option<i64>, SyncError> {
        let subject = Subject::Stay(hotel, number.clone()).to_string();
        let links = links::of_subjects(&self.0.deps.db, portal, std::slice::from_ref(&subject)).await?;
        Ok(links.get(&subject).and_then(deal))
    }
}

/// The deal that stands for the stay.
fn deal(link: &LinkRow) -> Option<i64> {
    (link.origin != Origin::Detached).then_some(link.crm_id)
}
