//! What is wrong now, against what was held since the last look.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::{Alerts, Notice, To, Told};
use crate::domain::alert::{Alert, AlertKind, AlertSettings, Look, look};
use crate::domain::{HotelId, Lang, PortalId};
use crate::portal::{Portal, PortalError, PortalStatus};
use crate::store::alerts::{self, AlertKey};
use crate::store::hotels::{self, HotelRow};
use crate::store::leases::{self, Lease};
use crate::store::reconciliations::OVERDUE_MS;
use crate::store::{StoreError, found_changes, imports, reconciliations};

/// What waits this long stands (the settings page shows red then).
const STUCK_MS: i64 = 3_600_000;
/// Payment is asked for this long before it ends.
const PAYMENT_MS: i64 = 7 * 24 * 3_600_000;
/// The engine's priority of imports: a long one may wait for hours and is told by its own progress.
const IMPORTS: i32 = 2;

type Held = BTreeMap<AlertKey, (Option<Alert>, bool)>;

impl Alerts {
    pub(super) async fn watch(&self, lease: &Lease) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        let mut portals: BTreeMap<PortalId, Held> = BTreeMap::new();
        for (key, alert) in alerts::all(self.db()).await? {
            portals.entry(key.portal).or_default().insert(key, (Some(alert), false));
        }
        let mut troubles = alerts::troubles(self.db(), IMPORTS, now - STUCK_MS, now + PAYMENT_MS).await?;
        let drifted = reconciliations::drifted(self.db()).await?;
        troubles.extend(drifted.into_iter().map(|(portal, hotel)| AlertKey { portal, hotel, kind: AlertKind::Drift }));
        let given_up = imports::given_up(self.db()).await?.into_iter().map(|about| (about, AlertKind::ImportFailed));
        let behind = reconciliations::behind(self.db(), now - OVERDUE_MS).await?.into_iter();
        let of_hotels = given_up.chain(behind.map(|about| (about, AlertKind::Unreconciled)));
        troubles.extend(of_hotels.map(|((portal, hotel), kind)| AlertKey { portal, hotel, kind }));
        for (portal, loss) in found_changes::losses(self.db(), now).await? {
            if loss.is_grave() {
                troubles.push(AlertKey { portal, hotel: HotelId(0), kind: AlertKind::EventsLost });
            }
        }
        for key in troubles {
            portals.entry(key.portal).or_default().entry(key).or_insert((None, true)).1 = true;
        }
        for (portal, held) in portals {
            if let Err(error) = self.watch_portal(portal, held, lease, now).await {
                // Its neighbours are told all the same.
                tracing::warn!(%portal, %error, "a portal's alerts could not be looked after");
            }
        }
        Ok(())
    }

    async fn watch_portal(&self, portal: PortalId, held: Held, lease: &Lease, now: i64) -> Result<(), StoreError> {
        let key = match self.directory.key(portal).await {
            Err(StoreError::KeyDestroyed) => return Ok(()),
            key => key?,
        };
        let row = match self.directory.get(portal).await {
            Ok(row) => row,
            Err(PortalError::Store(error)) => return Err(error),
            Err(_) => return Ok(()),
        };
        let settings = alerts::settings(self.db(), portal, &key).await?;
        let hotels = hotels::list(self.db(), portal).await?;
        let by_id: HashMap<HotelId, &HotelRow> = hotels.iter().map(|hotel| (hotel.id, hotel)).collect();
        let tx = self.db().begin().await?;
        if !leases::holds(&tx, lease, now).await? {
            return Ok(());
        }
        for (about, (before, there)) in held {
            let hotel = by_id.get(&about.hotel).copied();
            // A hotel that was removed, or an app that was uninstalled, has no troubles any more, and nobody needs to hear it.
            if !row.status.open() || (about.hotel.0 != 0 && hotel.is_none()) {
                alerts::forget(&tx, about).await?;
                continue;
            }
            // While the portal is not worked for, nothing shows that a trouble is over.
            if !there && row.status != PortalStatus::Active {
                continue;
            }
            let zone = hotel.or(hotels.first()).map_or(chrono_tz::UTC, zone_of);
            let local = zone.from_utc_datetime(&moment(now).naive_utc());
            // Whom nobody can be told of it waits for somebody, as for the end of quiet hours.
            let quiet = settings.quiet_hours.is_some_and(|hours| hours.contain(local.time()));
            let addressees = self.addressees(&settings, &row, about.kind);
            let (alert, over) = match look(about.kind, before, there, quiet || addressees.is_empty(), now) {
                Look::Nothing => continue,
                Look::Hold(alert) => {
                    if before != Some(alert) {
                        alerts::hold(&tx, about, alert).await?;
                    }
                    continue;
                }
                Look::Forget => {
                    alerts::forget(&tx, about).await?;
                    continue;
                }
                Look::Raise(alert) => {
                    alerts::hold(&tx, about, alert).await?;
                    (alert, false)
                }
                Look::AllClear => {
                    alerts::forget(&tx, about).await?;
                    let Some(alert) = before else { continue };
                    (alert, true)
                }
            };
            let since = zone.from_utc_datetime(&moment(alert.since).naive_utc()).format("%d.%m.%Y %H:%M").to_string();
            for to in addressees {
                let notice = Notice {
                    to,
                    kind: about.kind,
                    over,
                    hotel: hotel.map(told),
                    since: since.clone(),
                    domain: row.domain.clone(),
                    lang: Lang::of_portal(&row.language),
                };
                alerts::queue(&tx, portal, &key, &notice, now).await?;
            }
        }
        tx.commit().await
    }

    /// Everybody once. A portal that took our access back cannot be told anything.
    fn addressees(&self, settings: &AlertSettings, portal: &Portal, kind: AlertKind) -> Vec<To> {
        let mut users: BTreeSet<i64> = settings.user_ids.iter().copied().collect();
        if users.is_empty() && portal.installer_user_id > 0 {
            users.insert(portal.installer_user_id);
        }
        if kind == AlertKind::TokenLost {
            users.clear();
        }
        let mails: BTreeSet<String> = settings.emails.iter().filter(|_| self.mailer.is_some()).cloned().collect();
        mails.into_iter().map(To::Mail).chain(users.into_iter().map(To::User)).collect()
    }
}

fn moment(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

fn zone_of(hotel: &HotelRow) -> Tz {
    hotel.timezone.parse().unwrap_or(chrono_tz::UTC)
}

fn told(hotel: &HotelRow) -> Told {
    Told { id: hotel.id, code: hotel.code.to_string(), name: hotel.name.clone() }
}
