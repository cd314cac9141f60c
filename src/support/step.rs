//! What deeds make of a request, before it is written.

use serde_json::json;

use super::ledger::Ledger;
use super::outgoing::{News, Outgoing, Side};
use super::terms::Terms;
use super::watch::judge;
use super::{Actor, DeskError, at};
use crate::domain::support::Role;
use crate::domain::support::clock::Reading;
use crate::domain::support::history::EntryKind;
use crate::domain::support::life::{self, Action, Fact};
use crate::domain::support::silence::Silence;
use crate::store::desk::requests::RequestRow;

pub(super) struct Step {
    pub row: RequestRow,
    pub ledger: Ledger,
    pub leaves: Vec<Outgoing>,
    pub news: Vec<News>,
    /// Promises that were broken and that nobody was told of yet.
    pub late: u64,
}

impl Step {
    pub fn new(row: &RequestRow, now: i64) -> Self {
        Self { row: row.clone(), ledger: Ledger::new(row.head, now), leaves: Vec::new(), news: Vec::new(), late: 0 }
    }

    /// Clocks that ran out before the deeds: they may end by them before anybody looks.
    pub fn judge(&mut self, terms: &Terms, now: i64) {
        self.tell_of_clocks(terms, now, |reading| reading.breached);
    }

    /// What clocks came to that nobody was told of yet, as far as it is wanted: it is written down, and to be told.
    pub fn tell_of_clocks(&mut self, terms: &Terms, now: i64, wanted: impl Fn(&Reading) -> bool) {
        let told = judge(&mut self.row, terms, now, &mut self.ledger, wanted);
        let broken = |news: &&News| matches!(news, News::Clock { breached: true, .. });
        self.late += u64::try_from(told.iter().filter(broken).count()).unwrap_or_default();
        self.leaves.extend(told.into_iter().map(|about| terms.note(about)));
    }

    /// What follows from the deeds for clocks and deadlines; `before`: as the request was.
    pub fn end(&mut self, before: &RequestRow, terms: &Terms, now: i64) {
        let old = terms.deadline(before.kind, &before.clocks, now);
        let new = terms.deadline(self.row.kind, &self.row.clocks, now);
        if old != new && !self.leaves.iter().any(|leaves| matches!(leaves, Outgoing::State { .. })) {
            self.leaves.push(Outgoing::Deadline { deadline: new });
        }
        if self.row.clocks != before.clocks {
            self.ledger.write(EntryKind::Clock, true, &json!(self.row.clocks));
        }
        terms.watch(&mut self.row, now);
        self.row.head = self.ledger.head();
    }

    /// A step of its life, and what is told of it.
    pub fn walk(
        &mut self,
        who: &Actor,
        action: &Action,
        text: Option<&str>,
        terms: &Terms,
        now: i64,
    ) -> Result<(), DeskError> {
        let facts = life::click(self.row.state, action, &who.roles, at(now))?;
        for (nth, fact) in facts.into_iter().enumerate() {
            // The second of two facts is the closing by the same click.
            let action = if nth == 0 { action } else { &Action::Close };
            self.take(who, action, &fact, text, terms, now);
        }
        Ok(())
    }

    fn take(&mut self, who: &Actor, action: &Action, fact: &Fact, text: Option<&str>, terms: &Terms, now: i64) {
        self.ledger.fact(who, action, fact, text);
        self.row.clocks.note(action, fact);
        self.row.times.note(fact.transition, fact.at);
        self.row.state = fact.transition.to;
        self.row.resolution = fact.transition.resolution.or(self.row.resolution);
        self.row.silence = self.row.state.is_the_customers().then(|| Silence::since(at(now)));
        let desk = matches!(fact.role, Role::Operator | Role::Manager);
        let moved = (fact.transition.from != fact.transition.to).then_some(self.row.state);
        if let Some(text) = text {
            let from = if desk { Side::Desk } else { Side::Customer };
            self.leaves.push(Outgoing::Say { from, text: text.to_owned(), internal: false });
        }
        // One click is told once.
        match (text.filter(|_| desk), moved) {
            (Some(text), moved) => self.news.push(News::Said { text: text.to_owned(), moved }),
            (None, Some(state)) => self.news.push(News::Moved { state }),
            (None, None) => {}
        }
        if let Some(state) = moved {
            let reason = super::ledger::reason(action).map(str::to_owned);
            let deadline = terms.deadline(self.row.kind, &self.row.clocks, now);
            let resolution = self.row.resolution;
            self.leaves.push(Outgoing::State { state, resolution, reason, deadline });
        }
    }
}
