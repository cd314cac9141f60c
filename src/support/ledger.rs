//! Entries being written: each is chained to the one before, with a salt of its own.

use serde_json::{Value, json};

use super::Actor;
use crate::domain::support::history::{EntryKind, Head, Salt, commit};
use crate::domain::support::life::{Action, Fact, Resolution};
use crate::store::desk::history::Line;

#[derive(Debug)]
pub(super) struct Ledger {
    head: Head,
    at: i64,
    lines: Vec<Line>,
}

impl Ledger {
    pub fn new(head: Head, at: i64) -> Self {
        Self { head, at, lines: Vec::new() }
    }

    pub fn write(&mut self, kind: EntryKind, internal: bool, content: &Value) {
        let content = content.to_string().into_bytes();
        let salt = Salt(rand::random());
        let entry = self.head.append(self.at, kind, commit(&salt, &content));
        self.head = entry.head();
        self.lines.push(Line { entry, internal, content: Some((salt, content)) });
    }

    /// What somebody did and where it moved the request.
    pub fn fact(&mut self, who: &Actor, action: &Action, fact: &Fact, text: Option<&str>) {
        let kind = if *action == Action::Say { EntryKind::Message } else { EntryKind::Action };
        // A word without words is a file's, which has an entry of its own.
        if *action != Action::Say || text.is_some() {
            let text = text.or(reason(action));
            self.write(
                kind,
                false,
                &json!({"action": word(action), "role": fact.role, "user": who.user, "text": text}),
            );
        }
        let step = fact.transition;
        if step.from != step.to {
            let resolution = step.resolution.map(Resolution::word);
            self.write(
                EntryKind::State,
                false,
                &json!({"from": step.from, "to": step.to, "role": fact.role, "resolution": resolution}),
            );
        }
    }

    pub fn head(&self) -> Head {
        self.head
    }

    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}

pub(super) fn word(action: &Action) -> &'static str {
    match action {
        Action::Take => "take",
        Action::Ask => "ask",
        Action::Resume => "resume",
        Action::Say => "say",
        Action::Answer => "answer",
        Action::Confirm => "confirm",
        Action::Close => "close",
        Action::Dispute(_) => "dispute",
        Action::Withdraw(_) => "withdraw",
        Action::CloseBySilence => "close_by_silence",
        Action::CloseOfGone => "close_of_gone",
    }
}

pub(super) fn reason(action: &Action) -> Option<&str> {
    match action {
        Action::Dispute(reason) | Action::Withdraw(reason) => Some(reason.as_str()),
        _ => None,
    }
}
