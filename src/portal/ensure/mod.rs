//! Set-up of a portal, idempotent: looked at first, then only what is missing is made. Safe at each open, update and
//! reinstall; a step that dies is found again by listing.

mod bindings;
mod claim;
mod pipeline;
pub mod plan;
mod schema;
mod survey;

use url::Url;

use super::installation::{Installation, InstallationState, StepState};
use super::settings::PortalSettings;
use super::{Directory, PortalError, PortalStatus};
use crate::bitrix::{Class, Error, PortalClient, Priority, setup};
use crate::domain::{CrmSchema, Lang, PortalId};
use crate::store::portals::{self, PortalRow, Said};
use crate::store::{StoreError, hotels};
use survey::Survey;

const DAY_MS: i64 = 86_400_000;
const RETRY_MS: i64 = 30_000;
/// A set-up that the portal refuses is tried again by itself only this often; an admin may ask at any time.
const REFUSED_MS: i64 = 3_600_000;

/// Why a set-up stopped.
#[derive(Debug)]
enum Halt {
    /// To be gone on with at this moment (ms); nothing is wrong.
    Again(i64),
    /// This step failed, for this reason.
    Failed(&'static str, String),
    /// Another server of ours works for this portal; its name.
    Foreign(String),
    Bitrix(Error),
    Other(PortalError),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Bitrix(error)
    }
}

impl From<PortalError> for Halt {
    fn from(error: PortalError) -> Self {
        Self::Other(error)
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Other(error.into())
    }
}

/// One run.
struct Work<'a> {
    directory: &'a Directory,
    client: PortalClient,
    portal: PortalId,
    report: Installation,
    take_over: bool,
    /// It was before this run: the portal delivers events.
    at_work: bool,
    /// Requests become tasks here.
    desk: bool,
    /// What a mapping may name, as far as it was seen.
    schema: CrmSchema,
}

impl Work<'_> {
    fn now(&self) -> i64 {
        self.directory.now()
    }

    fn public_url(&self) -> Url {
        self.directory.0.parts.config.http.public_url.clone()
    }

    fn russian(&self, survey: &Survey) -> bool {
        Lang::of_portal(&survey.language) == Lang::Ru
    }

    fn request_cap_ms(&self, settings: &PortalSettings) -> i64 {
        let seconds = settings.request_cap_seconds.unwrap_or(self.directory.0.parts.config.bitrix.request_cap_seconds);
        i64::from(seconds).saturating_mul(1000)
    }

    async fn settings(&self) -> Result<PortalSettings, Halt> {
        Ok(self.directory.settings(self.portal).await?)
    }

    async fn change_settings(&self, change: impl Fn(&mut PortalSettings) + Send) -> Result<(), Halt> {
        Ok(self.directory.update_settings(self.portal, change).await.map(drop)?)
    }

    async fn step(&mut self, code: &'static str, state: StepState) -> Result<(), Halt> {
        self.report.mark(code, state, None);
        self.report.updated_at = self.now();
        Ok(self.directory.save_installation(self.portal, &self.report).await?)
    }

    async fn run(&mut self) -> Result<(), Halt> {
        self.step("preflight", StepState::Working).await?;
        let survey = Survey::look(&self.client, &mut self.report).await?;
        self.learn(&survey).await?;
        if self.report.blocked() {
            return Err(Halt::Failed("preflight", String::new()));
        }
        self.step("preflight", StepState::Done).await?;

        self.step("claim", StepState::Working).await?;
        self.claim(&survey).await?;
        self.step("claim", StepState::Done).await?;

        self.step("pipeline", StepState::Working).await?;
        let (category, fresh) = self.pipeline(&survey).await?;
        self.step("pipeline", StepState::Done).await?;

        self.step("stages", StepState::Working).await?;
        self.stages(&survey, category, fresh).await?;
        self.step("stages", StepState::Done).await?;

        self.step("fields", StepState::Working).await?;
        let made = self.fields(&survey).await?;
        self.keep_schema(&survey, made).await?;
        self.step("fields", StepState::Done).await?;

        self.step("placements", StepState::Working).await?;
        self.placements(&survey).await?;
        self.step("placements", StepState::Done).await?;

        self.step("events", StepState::Working).await?;
        self.events(&survey).await?;
        if self.report.blocked() {
            return Err(Halt::Failed("events", String::new()));
        }
        self.step("events", StepState::Done).await?;
        self.ask_for_a_sign(&survey).await
    }

    /// Asks the portal to send its self-test event where we do not know yet whether events reach us, or have no
    /// application token to let them in (older boxes put none into frames). Until `installFinish` nothing is delivered.
    async fn ask_for_a_sign(&mut self, survey: &Survey) -> Result<(), Halt> {
        let held = portals::application_token(self.directory.db(), self.portal).await?.is_some();
        if !survey.installed || (held && self.report.inbound_at.is_some()) {
            return Ok(());
        }
        // A portal that cannot test its delivery is no worse for it.
        match self
            .client
            .call(Priority::Person, &setup::event_test(serde_json::json!({"from": "fidelio-bitrix24"})))
            .await
        {
            Err(error) if !matches!(error.class, Class::Permanent | Class::Retry { .. }) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// What the portal said of itself.
    async fn learn(&mut self, survey: &Survey) -> Result<(), Halt> {
        let scope = survey.scopes.join(",");
        let now = self.now();
        let said = Said {
            installed: survey.installed,
            boxed: survey.boxed,
            license: &survey.license,
            paid_until: survey.paid_days.map(|days| now.saturating_add(days.saturating_mul(DAY_MS))),
            scope: &scope,
        };
        portals::set_facts(self.directory.db(), self.portal, said, now).await?;
        self.report.installed = survey.installed;
        if !survey.currencies.is_empty() {
            // A hotel may have been connected while the portal could not be asked.
            for hotel in hotels::list(self.directory.db(), self.portal).await? {
                let currency = hotel.currency.to_string();
                if !survey.currencies.contains(&currency) {
                    self.report.lack("currency", format!("{}: {currency}", hotel.code), false);
                }
            }
        }
        let (enterprise, can_import) = (survey.enterprise, survey.can_import);
        let currencies = survey.currencies.clone();
        let missing = survey.missing_methods.clone();
        self.change_settings(move |settings| {
            settings.enterprise = enterprise;
            settings.can_import = can_import;
            settings.missing_methods.clone_from(&missing);
            settings.currencies.clone_from(&currencies);
        })
        .await
    }
}

impl Directory {
    fn is_support_portal(&self, member: &str) -> bool {
        self.0.parts.config.support.named() == Some(member)
    }

    /// What a portal is set up as: one that becomes the support portal, or is it no more, is set up anew.
    pub(super) fn set_up_as(&self, member: &str) -> &'static str {
        if self.is_support_portal(member) { super::DESK_VERSION } else { super::VERSION }
    }

    /// One run of the set-up; answers when to go on, where it is known.
    pub(super) async fn ensure(&self, row: &PortalRow) -> Result<Option<i64>, PortalError> {
        let client = self.client_of(row)?;
        let mut report = Installation::begun(self.now());
        report.inbound_at = row.inbound_at;
        let take_over = row.status_detail == super::TAKE_OVER;
        let mut work = Work {
            directory: self,
            client,
            portal: row.id,
            report,
            take_over,
            desk: self.is_support_portal(&row.member_id),
            at_work: row.installed && row.status == PortalStatus::Active.word(),
            schema: CrmSchema::default(),
        };
        let ended = Box::pin(work.run()).await;
        self.conclude(row, work.report, ended).await
    }

    async fn conclude(
        &self,
        row: &PortalRow,
        mut report: Installation,
        ended: Result<(), Halt>,
    ) -> Result<Option<i64>, PortalError> {
        let now = self.now();
        report.updated_at = now;
        let working = |report: &mut Installation| report.state = InstallationState::Working;
        let again = match ended {
            Ok(()) => {
                report.state = InstallationState::Ready;
                self.save_installation(row.id, &report).await?;
                portals::set_ensured(self.db(), row.id, self.set_up_as(&row.member_id)).await?;
                if row.status != PortalStatus::Active.word() {
                    portals::move_status(self.db(), row.id, &row.status, "active", "", row.check_at, now).await?;
                    tracing::info!(portal = row.id.0, "the portal is set up");
                }
                None
            }
            Err(Halt::Again(at)) => {
                working(&mut report);
                Some(at)
            }
            Err(Halt::Foreign(name)) => {
                report.state = InstallationState::Failed;
                report.mark("claim", StepState::Failed, Some(name));
                portals::move_status(self.db(), row.id, &row.status, "foreign", "", row.check_at, now).await?;
                tracing::warn!(portal = row.id.0, "another server works for this portal");
                None
            }
            Err(Halt::Failed(step, why)) => {
                report.state = InstallationState::Failed;
                report.mark(step, StepState::Failed, Some(why).filter(|why| !why.is_empty()));
                Some(now.saturating_add(REFUSED_MS))
            }
            Err(Halt::Bitrix(error)) => match error.class {
                Class::Retry { after } => {
                    working(&mut report);
                    let wait = i64::try_from(after.as_millis()).unwrap_or(RETRY_MS).clamp(1_000, REFUSED_MS);
                    Some(now.saturating_add(if error.outcome_unknown { wait.max(5_000) } else { wait }))
                }
                Class::Permanent => {
                    report.state = InstallationState::Failed;
                    report.lack("refused", error.code(), true);
                    Some(now.saturating_add(REFUSED_MS))
                }
                Class::Reauthorise | Class::Suspend | Class::Gone => {
                    report.state = InstallationState::Failed;
                    if error.class == Class::Suspend {
                        report.lack("rest_plan", error.code(), true);
                    }
                    self.save_installation(row.id, &report).await?;
                    self.failed(row.id, &error).await?;
                    self.forget(row.id);
                    return Ok(None);
                }
            },
            Err(Halt::Other(error)) => return Err(error),
        };
        self.save_installation(row.id, &report).await?;
        self.forget(row.id);
        Ok(again)
    }
}
