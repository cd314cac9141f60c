//! One request, one problem (S-30, S-31): an operator makes a new request of a part of this one.

use std::collections::BTreeSet;

use super::content::Content;
use super::{Actor, Desk, DeskError, Registered, Submission};
use crate::domain::Lang;
use crate::domain::support::life::Action;
use crate::domain::support::split::{self, Chosen, Refusal};
use crate::domain::support::{Kind, Scope};
use crate::store::desk::requests::RequestRow;

use super::act::Deed;

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
        if row.state == crate::domain::support::State::Closed {
            return Err(DeskError::Refused(crate::domain::support::life::Refusal::Closed));
        }
        let key = self.key(row.key_portal).await?;
        let content = Content::open(&key, &row.content)?;
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
        };
        let made = self.register(row.desk, submission).await?;
        if made.secret.is_some() {
            let text = match lang {
                Lang::Ru => format!("Часть этого обращения выделена в отдельное: {}", made.row.number),
                Lang::En => format!("A part of this request became a request of its own: {}", made.row.number),
            };
            self.act(&who.at_the_desk(), row, &Deed::Step { action: Action::Say, text: Some(text) }).await?;
        }
        Ok(made)
    }
}
