//! What submitters read by mail and in their portal's notices, in their language: short, and nothing that they did themselves.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::bitrix::tasks::plain;
use crate::domain::Lang;
use crate::domain::support::{RequestNumber, State};
use crate::mail::incoming::{REPLY_ABOVE_EN, REPLY_ABOVE_RU};
use crate::support::outgoing::News;

/// `None`: nobody need be written to for that.
pub(super) fn text(lang: Lang, number: RequestNumber, news: &News) -> Option<String> {
    let said = said(lang, number, news)?;
    let foot = match lang {
        Lang::Ru => format!("Обращение {number}. Чтобы ответить, ответьте на это письмо."),
        Lang::En => format!("Request {number}. To answer, reply to this letter."),
    };
    Some(format!("{}\n\n{said}\n\n-- \n{foot}\n", lang.pick(REPLY_ABOVE_RU, REPLY_ABOVE_EN)))
}

/// The same inside his portal, where he was told the number at once and has no letter to reply to.
pub(super) fn notice(lang: Lang, number: RequestNumber, subject: &str, news: &News) -> Option<String> {
    let said = match news {
        News::Registered { .. } => return None,
        News::TaskGone => lang.pick("Задача обращения удалена.", "The request's task was deleted.").to_owned(),
        news => said(lang, number, news)?,
    };
    let head = format!("{} {number}", lang.pick("Обращение", "Request"));
    let head = if subject.is_empty() { head } else { format!("{head}: {subject}") };
    let foot = lang.pick(
        "Ответить можно на странице «Обращения» приложения.",
        "Answer on the application's page \"Support requests\".",
    );
    Some(format!("[b]{}[/b]\n{}\n{foot}", plain(&head), plain(&said)))
}

fn said(lang: Lang, number: RequestNumber, news: &News) -> Option<String> {
    Some(match news {
        News::Registered { link } => registered(lang, number, link.as_deref()),
        News::Said { text, moved } => match moved.and_then(|state| stands(lang, state)) {
            Some(stands) => format!("{text}\n\n{stands}"),
            None => text.clone(),
        },
        News::Moved { state } => stands(lang, *state)?.to_owned(),
        News::Reminder { state, closes_at } => reminder(lang, *state, *closes_at),
        News::Live { release } => match lang {
            Lang::Ru => format!("На вашем портале работает выпуск {release}: в нём то, о чём вы писали, исправлено."),
            Lang::En => format!("Your portal runs release {release}: what you wrote about is fixed in it."),
        },
        News::Fixed { .. } | News::Clock { .. } | News::Overflow | News::TaskGone => return None,
    })
}

fn registered(lang: Lang, number: RequestNumber, link: Option<&str>) -> String {
    let head = match lang {
        Lang::Ru => format!("Ваше обращение зарегистрировано под номером {number}."),
        Lang::En => format!("Your request is registered under the number {number}."),
    };
    match link {
        Some(link) => {
            let follow = lang
                .pick("Следить за ним, подтвердить ответ или возразить:", "Follow it, confirm the answer or object:");
            format!("{head}\n\n{follow}\n{link}")
        }
        None => head,
    }
}

/// By the vendor's own clock, which is named.
fn reminder(lang: Lang, state: State, closes_at: DateTime<Utc>) -> String {
    let at = closes_at.with_timezone(&Tz::Europe__Moscow).format("%d.%m.%Y %H:%M");
    let waits = lang.pick("Обращение ждёт вас.", "The request waits for you.");
    let waits = stands(lang, state).unwrap_or(waits);
    match lang {
        Lang::Ru => format!(
            "Напоминаем об обращении. {waits}\n\nЕсли ответа не будет, {at} по московскому времени оно закроется."
        ),
        Lang::En => format!("A reminder of the request. {waits}\n\nWithout an answer it closes on {at}, Moscow time."),
    }
}

/// Where the request stands, if that asks something of its submitter or ends it.
fn stands(lang: Lang, state: State) -> Option<&'static str> {
    Some(match state {
        State::WaitingForCustomer => {
            lang.pick("Работа продолжится после вашего ответа.", "Work goes on when you have answered.")
        }
        State::Answered => lang.pick(
            "Это ответ на обращение. Подтвердите его или возразите на странице обращения.",
            "This is the answer to the request. Confirm it or object on the request's page.",
        ),
        State::Closed => lang.pick("Обращение закрыто.", "The request is closed."),
        State::Registered | State::InProgress | State::Completed => return None,
    })
}
