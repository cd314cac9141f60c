//! One request, one problem (S-30, S-31): an operator makes a new request of a part of this one.

use std::collections::BTreeSet;

use super::act::{Deed, TRIES};
use super::content::Content;
use super::register::told;
use super::step::Step;
use super::{Actor, Desk, DeskError, Registered, Submission};
use crate::domain::Lang;
use crate::domain::support::life::{self, Action};
use crate::domain::support::split::{self, Chosen, Refusal};
use crate::domain::support::{Kind, Scope};
use crate::store::desk::requests::{self, RequestRow};
use crate::telemetry::metrics as names;

impl Desk {
    /// The sentences of a request, as they are chosen from.
    pub fn sentences(content: &Content) -> Vec<String> {
        split::sentences(&content.description).into_iter().map(str::to_owned).collect()
    }

    /// The child has its own clocks and names its parent; the parent keeps its words and names the child. `once` keeps a
    /// repeated click from splitting twice.
    pub async fn split(
        &self,
        who: &Actor,
        row: &RequestRow,
        sentences: &BTreeSet<usize>,
        subject: &str,
        (kind, scope): (Option<Kind>, Option<Scope>),
        once: Option<String>,
    ) -> Result<Registered, DeskError> {
        if !who.is_desk() {
            return Err(DeskError::Forbidden);
        }
        let key = self.key(row.key_portal).await?;
        let content = Content::of(row, Some(&key))?.ok_or(DeskError::Refused(life::Refusal::Closed))?;
        let chosen = Chosen { sentences: sentences.clone(), files: BTreeSet::new() };
        let child = split::child(row.number, &content.description, &BTreeSet::new(), &chosen).map_err(|refusal| {
            let word = match refusal {
                Refusal::NothingChosen => "nothing_chosen",
                Refusal::NothingLeft => "nothing_left",
                Refusal::NoSuchSentence(_) | Refusal::NoSuchFile(_) => "no_such_sentence",
            };
            DeskError::Invalid("/sentences".into(), word)
        })?;
        let lang = if row.language == Lang::En.word() { Lang::En } else { Lang::Ru };
        let part = Content { subject: subject.to_owned(), description: child.text, ..content };
        let submission = Submission {
            customer: row.customer,
            submitter: row.submitter,
            kind: kind.unwrap_or(row.kind),
            scope: scope.unwrap_or(row.scope),
            channel: "split",
            app_version: row.app_version.clone(),
            lang,
            content: part,
            once: once.map(|once| format!("split {} {once}", row.number)),
            parent: Some(child.parent),
            by: who.clone(),
            link: true,
            consent: None,
            gate: None,
        };
        if let Some(row) = self.registered(row.desk, submission.once.as_deref()).await? {
            return Ok(Registered { row, secret: None });
        }
        let once = submission.once.clone();
        let ready = self.prepare(row.desk, submission).await?;
        let text = match lang {
            Lang::Ru => format!("Часть этого обращения выделена в отдельное: {}", ready.number),
            Lang::En => format!("A part of this request became a request of its own: {}", ready.number),
        };
        let said = Deed::Step { action: Action::Say, text: Some(text) };
        // Both or neither, and on the parent as it stands.
        let (who, mut parent) = (who.at_the_desk(), row.clone());
        for _ in 0..TRIES {
            let now = self.now().max(parent.updated_at);
            let terms = self.terms(parent.desk, parent.customer).await?;
            let mut step = Step::new(&parent, now);
            step.judge(&terms, now);
            self.decide(&who, &mut step, &said, &terms, &key, now).await?;
            step.end(&parent, &terms, now);
            let late = step.late;
            let tx = self.db().begin().await?;
            let Some(made) = self.enter(&tx, &ready).await? else {
                tx.rollback().await?;
                let row = self.registered(parent.desk, once.as_deref()).await?;
                return Ok(Registered { row: row.ok_or(DeskError::NotFound)?, secret: None });
            };
            if self.write_in(&tx, &who, &key, step, now).await?.is_some() {
                tx.commit().await?;
                told(&made.row);
                metrics::counter!(names::SUPPORT_SLA_BREACHES).increment(late);
                return Ok(made);
            }
            tx.rollback().await?;
            parent = requests::by_id(self.db(), parent.desk, parent.id).await?.ok_or(DeskError::NotFound)?;
        }
        Err(DeskError::Conflict("request_busy"))
    }
}
