//! What people did in a task, as deeds of the desk.

use std::collections::BTreeSet;

use crate::bitrix::tasks::{Said, Task, signature};
use crate::domain::Lang;
use crate::domain::support::life::Action;
use crate::domain::support::task_moves::{Seen, TaskState, heard};
use crate::domain::support::to_customer::{to_customer, without_codes};
use crate::domain::support::{Mark, RequestNumber, Role, State};
use crate::store::desk::heard::Heard;
use crate::store::desk::outbox::Channel;
use crate::support::Actor;
use crate::support::act::Deed;
use crate::support::deliver::seen;
use crate::support::hear::Understood;

/// Whoever is in the task works the request; it is not told there again what he did there.
pub(super) fn specialist(user: Option<i64>) -> Actor {
    at_work(user, Channel::Task)
}

/// The same of whichever tracker.
pub(in crate::support) fn at_work(user: Option<i64>, via: Channel) -> Actor {
    Actor { roles: BTreeSet::from([Role::Operator]), user, via: Some(via) }
}

/// A message of ours: its mark is this request's, and who wrote it is the one whose token we write with.
fn is_ours(said: &Said, number: RequestNumber, creator: i64) -> bool {
    let mark = signature(&said.text).and_then(|mark| mark.parse::<Mark>().ok());
    mark.is_some_and(|mark| mark.number == number) && said.author == Some(creator)
}

/// What was said: behind one of the agreed words to the customer, everything else between colleagues.
pub(super) fn words(
    said: &[Said],
    (number, state): (RequestNumber, State),
    (creator, lang): (i64, Lang),
    words: &[String],
    known: &Heard,
) -> Understood {
    let mut understood = Understood::default();
    for one in said {
        // Without an author the chat notes something by itself.
        let Some(author) = one.author else { continue };
        let moved = one.at.is_some_and(|at| at <= known.said_from);
        if moved || is_ours(one, number, creator) {
            continue;
        }
        understood.word(specialist(Some(author)), &without_codes(&one.text), state, lang, words);
    }
    understood
}

impl Understood {
    /// What somebody wrote in a task or card, as it reads.
    pub(in crate::support) fn word(&mut self, who: Actor, text: &str, state: State, lang: Lang, words: &[String]) {
        let deed = match to_customer(text, words) {
            Some(part) if state != State::Closed => Deed::Step { action: Action::Say, text: Some(part.to_owned()) },
            part => {
                if part.is_some() {
                    self.replies.push(lang.pick(CLOSED_RU, CLOSED_EN).to_owned());
                }
                if text.trim().is_empty() {
                    return;
                }
                Deed::Note(text.trim().to_owned())
            }
        };
        self.deeds.push((who, deed));
    }
}

const CLOSED_RU: &str = "Обращение закрыто: клиенту это не отправлено.";
const CLOSED_EN: &str = "The request is closed: this was not sent to the customer.";

/// What its status says now; by the task as it was last seen.
pub(super) fn status(task: &Task, known: &Heard, state: State) -> Vec<(Actor, Deed)> {
    let now = (seen(task.status), task.status_changed_at);
    steps(&specialist(task.status_changed_by), (&known.status, known.status_at), now, state)
}

/// What it means that a task or card stands so now; `known`: as it stood.
pub(in crate::support) fn steps(
    who: &Actor,
    known: (&str, Option<i64>),
    now: Seen,
    state: State,
) -> Vec<(Actor, Deed)> {
    let before: Option<Seen> = parse(known.0).map(|state| (state, known.1));
    let actions = heard(before, now, state);
    actions.into_iter().map(|action| (who.clone(), Deed::Step { action, text: None })).collect()
}

const STATES: [(TaskState, &str); 6] = [
    (TaskState::Waiting, "waiting"),
    (TaskState::InProgress, "in_progress"),
    (TaskState::Supposed, "supposed"),
    (TaskState::Completed, "completed"),
    (TaskState::Deferred, "deferred"),
    (TaskState::Unknown, "unknown"),
];

fn parse(word: &str) -> Option<TaskState> {
    STATES.iter().find(|(_, known)| *known == word).map(|(state, _)| *state)
}

/// `desk_heard.status`, `desk_card.status`
pub(in crate::support) fn word(state: TaskState) -> &'static str {
    STATES.iter().find(|(known, _)| *known == state).map_or("unknown", |(_, word)| *word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::support::to_customer::WORDS;

    fn said(id: i64, author: Option<i64>, text: &str) -> Said {
        Said { id, author, at: Some(id), text: text.to_owned() }
    }

    fn understood(said: &[Said], state: State) -> Understood {
        let number = RequestNumber::new(2026, 1).expect("a number");
        words(said, (number, state), (1, Lang::En), &WORDS.map(str::to_owned), &Heard::default())
    }

    #[test]
    fn s42_words_behind_the_word_go_to_the_customer_and_ours_come_back_as_nothing() {
        let all = [
            said(1, None, "Task started"),
            said(2, Some(1), "Customer:\nКлиенту: ha\n(FB-2026-000001/3)"),
            said(3, Some(2), "[b]Клиенту:[/b] done"),
            said(4, Some(2), "между нами"),
            said(5, Some(2), "Клиенту: as if\n(FB-2026-000001/9)"),
            said(6, Some(1), "Клиенту: by hand"),
            said(7, Some(1), "Клиенту: of another\n(FB-2026-000002/9)"),
        ];
        let step = |text: &str| Deed::Step { action: Action::Say, text: Some(text.to_owned()) };
        let wanted = [
            (Some(2), step("done")),
            (Some(2), Deed::Note("между нами".into())),
            (Some(2), step("as if\n(FB-2026-000001/9)")),
            (Some(1), step("by hand")),
            (Some(1), step("of another\n(FB-2026-000002/9)")),
        ];
        let got = understood(&all, State::InProgress);
        let deeds: Vec<_> = got.deeds.iter().map(|(who, deed)| (who.user, deed.clone())).collect();
        assert_eq!((deeds, got.replies.len()), (wanted.to_vec(), 0));
        assert!(got.deeds.iter().all(|(who, _)| who.via == Some(Channel::Task)));
        let closed = understood(&all[2..3], State::Closed);
        assert_eq!(closed.deeds[0].1, Deed::Note("Клиенту: done".into()));
        assert_eq!(closed.replies, [CLOSED_EN]);
    }

    #[test]
    fn s39_every_status_survives_being_kept() {
        for (state, _) in STATES {
            assert_eq!(parse(word(state)), Some(state));
        }
        assert_eq!(parse(""), None);
    }
}
