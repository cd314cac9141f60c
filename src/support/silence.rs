//! The customer's silence (decision 2): it closes nothing unless the desk turned it on, and nobody who was not reminded.

use serde_json::json;

use super::content::Content;
use super::outgoing::News;
use super::step::Step;
use super::terms::Terms;
use super::{Actor, Desk, DeskError, at};
use crate::crypto::TenantKey;
use crate::domain::support::Role;
use crate::domain::support::history::EntryKind;
use crate::domain::support::life::Action;
use crate::domain::support::silence::{AutoClose, Due, Silence};
use crate::store::desk::outbox;

/// Who acts where nobody does.
pub(super) fn policy() -> Actor {
    Actor { roles: [Role::Policy].into(), ..Actor::default() }
}

impl Desk {
    /// What the customer's silence comes to now.
    pub(super) async fn mind_silence(
        &self,
        step: &mut Step,
        terms: &Terms,
        key: &TenantKey,
        now: i64,
    ) -> Result<(), DeskError> {
        let (Some(rule), Some(silence)) = (terms.rules.settings.auto_close.as_ref(), step.row.silence.clone()) else {
            return Ok(());
        };
        match silence.due(Some(rule), at(now)) {
            Due::Nothing => Ok(()),
            Due::Remind => self.remind(step, terms, (rule, silence), key, now),
            Due::Close => match outbox::last_told(self.db(), step.row.desk, step.row.id).await? {
                outbox::Told::Reached(reached) => {
                    // He has his time from when it reached him on.
                    let silence = silence.reminded_anew(at(reached));
                    if silence.due(Some(rule), at(now)) == Due::Close {
                        return step.walk(&policy(), &Action::CloseBySilence, None, terms, now);
                    }
                    step.row.silence = Some(silence);
                    Ok(())
                }
                outbox::Told::Owed => {
                    step.row.silence = Some(silence.reminded_anew(at(now)));
                    Ok(())
                }
                outbox::Told::Refused => {
                    step.row.silence = None;
                    Ok(())
                }
            },
        }
    }

    fn remind(
        &self,
        step: &mut Step,
        terms: &Terms,
        (rule, mut silence): (&AutoClose, Silence),
        key: &TenantKey,
        now: i64,
    ) -> Result<(), DeskError> {
        silence.reminders.push(at(now));
        let Some(closes_at) = silence.closes_at(rule) else { return Ok(()) };
        let news = News::Reminder { state: step.row.state, closes_at };
        let content = Content::of(&step.row, Some(key))?.unwrap_or_default();
        let reaches = !self.to_submitter(&step.row, &content, &news)?.is_empty();
        // Whom nothing reaches nobody closes: his request waits for a person.
        step.row.silence = reaches.then_some(silence);
        if reaches {
            let said = json!({"action": "remind", "role": Role::Policy, "on": closes_at});
            step.ledger.write(EntryKind::Action, false, &said);
            step.leaves.push(terms.note(news.clone()));
            step.news.push(news);
        }
        Ok(())
    }
}
