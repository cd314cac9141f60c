//! The end of an installation: stopped at once, believed only when proven, erased or kept sealed (product §7, §9).

use super::tokens::Probe;
use super::{Directory, PortalError, PortalStatus};
use crate::bitrix::{Class, Error};
use crate::domain::PortalId;
use crate::store::portals::{self, PortalRow};
use crate::store::{api_keys, keys, late_installs, purge, roles, tokens};

/// An answer that proves nothing is asked again this long; then the event is taken at its word.
const INCONCLUSIVE_MS: i64 = 24 * 3_600_000;
const FIRST_RETRY_MS: i64 = 60_000;
const LAST_RETRY_MS: i64 = 3_600_000;
/// After a forged event the next one does not stop work before it is proven: a user who repeats it could otherwise keep
/// a portal from working.
const WARY_MS: i64 = 600_000;
const DAY_MS: i64 = 86_400_000;

/// What the OAuth host's answer means for an uninstall event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    Real,
    Forged,
    Unclear,
}

impl Directory {
    /// An uninstall event that passed the gate: work stops now; whether it is true is found out next.
    pub(super) async fn uninstall_asked(&self, portal: PortalId, clean: bool) -> Result<(), PortalError> {
        let now = self.now();
        let row = portals::get(self.db(), portal).await?.ok_or(PortalError::Unknown)?;
        let status = PortalStatus::parse(&row.status).unwrap_or(PortalStatus::Gone);
        if matches!(status, PortalStatus::Uninstalled) {
            return Ok(());
        }
        let wary = row.refuted_at.is_some_and(|at| now.saturating_sub(at) < WARY_MS);
        if status == PortalStatus::Uninstalling || (wary && row.uninstall_at.is_some()) {
            // The first event counts: a user who knows the application token must not turn "keep" into "delete".
            return Ok(());
        }
        if wary {
            let prove_at = row.refuted_at.unwrap_or(now).saturating_add(WARY_MS);
            portals::ask_uninstall(self.db(), portal, clean, now, prove_at).await?;
        } else {
            portals::begin_uninstall(self.db(), portal, clean, now).await?;
        }
        self.forget(portal);
        self.wake();
        tracing::info!(portal = portal.0, clean, "an uninstall event came; it is being proven");
        Ok(())
    }

    /// One try to prove the uninstall. Called when the portal is due.
    pub(super) async fn prove_uninstall(&self, row: &PortalRow) -> Result<(), PortalError> {
        let now = self.now();
        match self.proof(row).await? {
            Proof::Real => self.finish_uninstall(row).await,
            Proof::Forged => self.resume(row, true).await,
            Proof::Unclear => {
                let asked = row.uninstall_at.unwrap_or(now);
                let age = now.saturating_sub(asked);
                if age >= INCONCLUSIVE_MS {
                    return self.finish_uninstall(row).await;
                }
                let wait = age.clamp(FIRST_RETRY_MS, LAST_RETRY_MS).min(INCONCLUSIVE_MS.saturating_sub(age).max(1));
                portals::set_check(self.db(), row.id, Some(now.saturating_add(wait))).await?;
                Ok(())
            }
        }
    }

    /// A verified admin opens the app while an uninstall is being proven: the old pair decides before it is replaced.
    pub(super) async fn settle_before_reinstall(&self, row: &PortalRow) -> Result<(), PortalError> {
        match self.proof(row).await? {
            Proof::Real => self.finish_uninstall(row).await,
            Proof::Forged => self.resume(row, true).await,
            // The app is there, so nothing is erased on a doubt.
            Proof::Unclear => self.resume(row, false).await,
        }
    }

    async fn proof(&self, row: &PortalRow) -> Result<Proof, PortalError> {
        // A pair that was known to be dead is refused whatever the app's state is.
        let was_dead = before(row) == PortalStatus::NeedsAuth;
        Ok(match self.probe(row.id).await? {
            Probe::Renewed => Proof::Forged,
            Probe::Refused { error, trusted } => judge(&error, trusted && !was_dead),
            Probe::NoPair | Probe::Unknown => Proof::Unclear,
        })
    }

    async fn resume(&self, row: &PortalRow, forged: bool) -> Result<(), PortalError> {
        let now = self.now();
        let tx = self.db().begin().await?;
        portals::clear_uninstall(&tx, row.id, forged.then_some(now)).await?;
        if row.status == PortalStatus::Uninstalling.word() {
            let back = before(row);
            let back = if back == PortalStatus::NeedsAuth && forged { PortalStatus::Ensuring } else { back };
            portals::set_status(&tx, row.id, back.word(), "", Some(now), now).await?;
        }
        tx.commit().await?;
        self.forget(row.id);
        if forged {
            metrics::counter!("fb24_forged_uninstalls_total").increment(1);
            tracing::warn!(portal = row.id.0, "an uninstall event was forged: the app is installed; work goes on");
            self.alert(row.id, "forged_uninstall").await;
        }
        Ok(())
    }

    async fn finish_uninstall(&self, row: &PortalRow) -> Result<(), PortalError> {
        // An installation that was asked for before, however slowly it is verified, is the one that ended.
        let asked = row.uninstall_at.unwrap_or(self.now());
        let tx = self.db().begin().await?;
        portals::stamp_end(&tx, row.id, asked).await?;
        late_installs::delete_until(&tx, &row.member_id, asked).await?;
        tx.commit().await?;
        if row.uninstall_clean == Some(true) { self.erase(row.id).await } else { self.seal_off(row).await }
    }

    /// `CLEAN=0`: tokens and keys of integrators go, the data waits sealed for its term.
    pub(super) async fn seal_off(&self, row: &PortalRow) -> Result<(), PortalError> {
        let now = self.now();
        let keep = i64::from(self.0.parts.config.portal.keep_after_uninstall_days).saturating_mul(DAY_MS);
        let tx = self.db().begin().await?;
        tokens::delete(&tx, row.id).await?;
        portals::set_application_token(&tx, row.id, None).await?;
        api_keys::delete_all(&tx, row.id).await?;
        portals::bump_generation(&tx, row.id).await?;
        portals::set_status(&tx, row.id, PortalStatus::Uninstalled.word(), "", Some(now.saturating_add(keep)), now)
            .await?;
        tx.commit().await?;
        self.forget(row.id);
        tracing::info!(portal = row.id.0, "uninstalled; the data is kept sealed for its term");
        Ok(())
    }

    /// `CLEAN=1`, or the term is over: the key is destroyed with everything that waits; what stays unreadable is purged
    /// in small steps. The member is free for a new installation under a new id.
    pub(super) async fn erase(&self, portal: PortalId) -> Result<(), PortalError> {
        let now = self.now();
        let tx = self.db().begin().await?;
        keys::destroy(&tx, portal, now).await?;
        purge::work_of(&tx, portal, now).await?;
        tokens::delete(&tx, portal).await?;
        roles::delete(&tx, portal).await?;
        api_keys::delete_all(&tx, portal).await?;
        portals::entomb(&tx, portal, now).await?;
        tx.commit().await?;
        self.forget(portal);
        self.forget_key(portal);
        tracing::info!(portal = portal.0, "erased; unreadable rows are being purged");
        Ok(())
    }

    /// One small step of the purge; `true` while there is more.
    pub(super) async fn purge_step(&self, portal: PortalId) -> Result<bool, PortalError> {
        if purge::step(self.db(), portal).await? > 0 {
            return Ok(true);
        }
        portals::delete_tombstone(self.db(), portal).await?;
        Ok(false)
    }
}

/// Where the portal stood when the event came.
fn before(row: &PortalRow) -> PortalStatus {
    if row.status != PortalStatus::Uninstalling.word() {
        return PortalStatus::parse(&row.status).unwrap_or(PortalStatus::Gone);
    }
    row.status_detail.strip_prefix("was:").and_then(PortalStatus::parse).unwrap_or(PortalStatus::Ensuring)
}

/// `trusted`: the pair was good as far as we know, so that "invalid" can only mean "revoked".
fn judge(error: &Error, trusted: bool) -> Proof {
    match error.class {
        Class::Gone => Proof::Real,
        // `invalid_client` also stands for our own wrong secret: it proves nothing.
        Class::Reauthorise if trusted && matches!(error.code(), "invalid_grant" | "bad_verification_code") => {
            Proof::Real
        }
        _ => Proof::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitrix::At;

    #[test]
    fn s3_only_a_refusal_as_not_installed_or_revoked_proves_an_uninstall() {
        let refused = |code: &str, status: u16| Error::refused(At::OAuth, code, "", status);
        assert_eq!(judge(&refused("NOT_INSTALLED", 401), true), Proof::Real);
        assert_eq!(judge(&refused("ERROR_OAUTH", 401), false), Proof::Real);
        assert_eq!(judge(&refused("invalid_grant", 400), true), Proof::Real);
        assert_eq!(judge(&refused("invalid_grant", 400), false), Proof::Unclear, "a pair that may have been spent");
        for code in ["PAYMENT_REQUIRED", "invalid_client", "wrong_client", "invalid_request", "internal_server_error"] {
            assert_eq!(judge(&refused(code, 401), true), Proof::Unclear, "{code}");
        }
        assert_eq!(judge(&Error::unanswered("time-out"), true), Proof::Unclear);
    }
}
