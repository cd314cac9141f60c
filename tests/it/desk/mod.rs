//! The support desk: its store, its life, its doors.

mod actions;
mod clocks;
mod erase;
mod files;
mod letter_files;
mod letter_silence;
mod letters;
mod life;
mod limits;
mod mailbox;
mod once;
mod pages;
mod public;
mod report;
mod settings;
mod silence;
mod store;

use std::collections::BTreeSet;

use fidelio_bitrix24::domain::support::{Kind, Role, Scope};
use fidelio_bitrix24::domain::{Lang, PortalId};
use fidelio_bitrix24::support::content::Content;
use fidelio_bitrix24::support::{Actor, Submission};

/// A report of a user of this portal.
pub fn report(customer: PortalId, user: i64) -> Submission {
    Submission {
        customer: Some(customer),
        submitter: Some(user),
        kind: Kind::Incident,
        scope: Scope::User,
        channel: "app",
        app_version: "0.1.0".into(),
        lang: Lang::Ru,
        content: Content {
            subject: "Нет броней".into(),
            description: "Не приходят брони. Также нет телефона.".into(),
            phone: "8 916 123-45-67".into(),
            email: "Anna@Example.com".into(),
            login: "anna".into(),
            ..Content::default()
        },
        once: None,
        parent: None,
        by: actor(&[Role::Submitter], user),
        link: false,
        consent: None,
        gate: None,
    }
}

pub fn actor(roles: &[Role], user: i64) -> Actor {
    Actor { roles: roles.iter().copied().collect::<BTreeSet<_>>(), user: Some(user), via: None }
}
