//! A request as people see it, and its history with the proof that nothing in it was changed.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::content::Content;
use super::terms::named;
use super::{Actor, Desk, DeskError, at, hex};
use crate::domain::PortalId;
use crate::domain::support::RequestNumber;
use crate::domain::support::clock::Reading;
use crate::domain::support::complete::Item;
use crate::domain::support::history::{self as chain, Content as Kept};
use crate::domain::support::report::Case;
use crate::files::Type;
use crate::store::desk::files::{self, FileRow};
use crate::store::desk::history::{self, Line};
use crate::store::desk::offers::{self, Offer};
use crate::store::desk::remotes::{self, Remote};
use crate::store::desk::requests::RequestRow;
use crate::store::desk::search::{self, Filter, Whose};

/// Rows read in one go.
const PAGE: i64 = 500;

/// A request in a list.
#[derive(Debug, Clone)]
pub struct Listed {
    pub row: RequestRow,
    /// None: it was erased.
    pub content: Option<Content>,
    pub clocks: Vec<(&'static str, Reading)>,
}

/// A request's page.
#[derive(Debug, Clone)]
pub struct Whole {
    pub row: RequestRow,
    pub content: Option<Content>,
    pub clocks: Vec<(&'static str, Reading)>,
    pub missing: Vec<Item>,
    pub history: Vec<Told>,
    pub offers: Vec<Offer>,
    pub files: Vec<FileRow>,
    /// Of the desk's own eyes only.
    pub remotes: Vec<Remote>,
    pub entitlement: String,
}

/// An entry of the history as it is read.
#[derive(Debug, Clone)]
pub struct Told {
    pub place: u64,
    pub at: DateTime<Utc>,
    pub kind: &'static str,
    pub internal: bool,
    /// None: erased.
    pub content: Option<Value>,
}

fn told(line: &Line) -> Told {
    let content = line.content.as_ref().and_then(|(_, content)| serde_json::from_slice(content).ok());
    Told {
        place: line.entry.place,
        at: at(line.entry.at),
        kind: line.entry.kind.word(),
        internal: line.internal,
        content,
    }
}

/// What a request still lacks, now that these files are there.
fn missing(content: &Content, files: &[FileRow]) -> Vec<Item> {
    let shown = files.iter().any(|file| matches!(Type::parse(&file.mime), Type::Shown(_)));
    content.missing().into_iter().filter(|item| *item != Item::Picture || !shown).collect()
}

impl Desk {
    /// What a portal's request key makes of a phone, an e-mail or a login that is looked for.
    pub async fn search_key(&self, desk: PortalId) -> Result<crate::crypto::TenantKey, DeskError> {
        Ok(self.key(desk).await?)
    }

    pub async fn list(&self, whose: Whose, filter: &Filter, limit: i64) -> Result<Vec<Listed>, DeskError> {
        let rows = search::list(self.db(), whose, filter, limit).await?;
        let mut keys = std::collections::HashMap::new();
        let mut terms = std::collections::HashMap::new();
        let mut listed = Vec::with_capacity(rows.len());
        for row in rows {
            if let std::collections::hash_map::Entry::Vacant(entry) = keys.entry(row.key_portal) {
                entry.insert(self.key_if_any(row.key_portal).await?);
            }
            let content = Content::of(&row, keys.get(&row.key_portal).and_then(Option::as_ref))?;
            if let std::collections::hash_map::Entry::Vacant(entry) = terms.entry((row.desk, row.customer)) {
                entry.insert(self.terms(row.desk, row.customer).await?);
            }
            let readings = terms.get(&(row.desk, row.customer));
            let readings = readings.map(|terms| terms.readings(row.kind, &row.clocks, self.now()));
            let clocks = readings.as_ref().map(named).unwrap_or_default();
            listed.push(Listed { row, content, clocks });
        }
        Ok(listed)
    }

    /// Requests of a desk that came in a time, the newest first, each with what its clocks say now: at most `most`.
    pub async fn cases(
        &self,
        desk: PortalId,
        from: i64,
        to: i64,
        most: usize,
    ) -> Result<Vec<(RequestRow, Case)>, DeskError> {
        let mut cases = Vec::new();
        let mut filter = Filter { from: Some(from), to: Some(to), ..Filter::default() };
        let mut terms = std::collections::HashMap::new();
        loop {
            let rows = search::list(self.db(), Whose::Desk(desk), &filter, PAGE).await?;
            let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) >= PAGE;
            filter.after = rows.last().map(|last| (last.created_at, last.id));
            for row in rows {
                if let std::collections::hash_map::Entry::Vacant(entry) = terms.entry(row.customer) {
                    entry.insert(self.terms(desk, row.customer).await?);
                }
                let Some(terms) = terms.get(&row.customer) else { continue };
                let readings = terms.readings(row.kind, &row.clocks, self.now());
                let case = Case {
                    kind: row.kind,
                    state: row.state,
                    created_at: at(row.created_at),
                    first_answer: readings.first_answer,
                    solution: readings.solution,
                    disputes: row.clocks.disputes(),
                    rating: row.rating,
                    times: row.times.read(row.state, at(self.now())),
                };
                // Figures need no words, and many requests have many.
                cases.push((RequestRow { content: Vec::new(), ..row }, case));
            }
            if !full || cases.len() >= most {
                cases.truncate(most);
                return Ok(cases);
            }
        }
    }

    /// The page of a request, as much of it as this person may see.
    pub async fn whole(&self, who: &Actor, row: &RequestRow) -> Result<Whole, DeskError> {
        if who.roles.is_empty() {
            return Err(DeskError::NotFound);
        }
        let key = self.key_if_any(row.key_portal).await?;
        let content = Content::of(row, key.as_ref())?;
        let lines = history::of_request(self.db(), row.desk, key.as_ref(), row.id).await?;
        let shown = lines.iter().filter(|line| who.is_desk() || !line.internal).map(told).collect();
        let terms = self.terms(row.desk, row.customer).await?;
        let clocks = named(&terms.readings(row.kind, &row.clocks, self.now()));
        let desk = who.is_desk();
        let mut files = files::of_request(self.db(), row.desk, key.as_ref(), row.id).await?;
        files.retain(|file| desk || !file.internal);
        Ok(Whole {
            clocks,
            missing: content.as_ref().map(|content| missing(content, &files)).unwrap_or_default(),
            files,
            content,
            history: shown,
            offers: offers::of_request(self.db(), row.desk, key.as_ref(), row.id).await?,
            remotes: if desk { remotes::of_request(self.db(), row.desk, row.id).await? } else { Vec::new() },
            entitlement: if desk { terms.rules.entitlement(terms.member.as_deref()).to_owned() } else { String::new() },
            row: row.clone(),
        })
    }

    /// The whole history with salts, commitments and hashes: whoever has it can prove it again.
    pub async fn export(&self, who: &Actor, row: &RequestRow) -> Result<Value, DeskError> {
        if who.roles.is_empty() {
            return Err(DeskError::NotFound);
        }
        let key = self.key_if_any(row.key_portal).await?;
        let lines = history::of_request(self.db(), row.desk, key.as_ref(), row.id).await?;
        let proof = prove(row.number, &lines, row);
        // What is internal keeps its place in the chain for a customer, and its content to itself.
        let shown = |line: &&Line| who.is_desk() || !line.internal;
        let entries: Vec<Value> = lines
            .iter()
            .map(|line| {
                let kept = line.content.as_ref().filter(|_| shown(&line));
                let text = kept.and_then(|(_, content)| String::from_utf8(content.clone()).ok());
                json!({
                    "place": line.entry.place,
                    "at": at(line.entry.at),
                    "at_ms": line.entry.at,
                    "kind": line.entry.kind.word(),
                    "internal": line.internal,
                    "commitment": hex(&line.entry.commitment),
                    "hash": hex(&line.entry.hash),
                    "salt": kept.map(|(salt, _)| hex(&salt.0)),
                    "content": text,
                })
            })
            .collect();
        let head = json!({"place": row.head.place, "hash": hex(&row.head.hash)});
        Ok(json!({"number": row.number, "head": head, "proof": proof, "entries": entries}))
    }
}

fn prove(number: RequestNumber, lines: &[Line], row: &RequestRow) -> Value {
    let entries = lines.iter().map(|line| {
        let content = line.content.as_ref();
        (&line.entry, content.map_or(Kept::Erased, |(salt, content)| Kept::Kept(salt, content)))
    });
    match chain::prove(number, entries, row.head) {
        Ok(proof) => json!({"whole": true, "entries": proof.entries, "erased": proof.erased, "broken": null}),
        Err(broken) => json!({"whole": false, "entries": null, "erased": null, "broken": broken.to_string()}),
    }
}
