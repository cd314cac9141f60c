//! What the support portal's people read in a task or card, in their language.

use chrono_tz::Tz;

use crate::bitrix::tasks::plain;
use crate::domain::Lang;
use crate::domain::support::{Kind, Scope, State};
use crate::kaiten::escaped;
use crate::support::outgoing::{News, Side, Task};
use crate::support::terms::{FIRST_ANSWER, NEXT_UPDATE};

/// How a text is marked up where it is read.
#[derive(Debug, Clone, Copy)]
pub(in crate::support) enum Markup {
    /// Tasks.
    Bb,
    /// Cards.
    Markdown,
}

impl Markup {
    fn bold(self, text: &str) -> String {
        match self {
            Self::Bb => format!("[b]{text}[/b]"),
            Self::Markdown => format!("**{text}**"),
        }
    }

    /// What people wrote, which marks up nothing.
    fn plain(self, text: &str) -> String {
        match self {
            Self::Bb => plain(text),
            Self::Markdown => escaped(text),
        }
    }

    /// In Markdown a line ends where it ends only behind two spaces.
    fn lines(self, text: String) -> String {
        match self {
            Self::Bb => text,
            Self::Markdown => text.trim_end().replace('\n', "  \n"),
        }
    }
}

fn pick(lang: Lang, ru: &'static str, en: &'static str) -> &'static str {
    if lang == Lang::Ru { ru } else { en }
}

fn kind(lang: Lang, kind: Kind) -> &'static str {
    match kind {
        Kind::Problem => pick(lang, "проблема", "problem"),
        Kind::Incident => pick(lang, "инцидент", "incident"),
        Kind::Service => pick(lang, "запрос на обслуживание", "service request"),
        Kind::Development => pick(lang, "запрос на развитие", "development request"),
        Kind::Abuse => pick(lang, "сообщение о нарушении", "abuse report"),
    }
}

fn scope(lang: Lang, scope: Scope) -> &'static str {
    match scope {
        Scope::User => pick(lang, "один пользователь", "one user"),
        Scope::Department => pick(lang, "отдел", "a department"),
        Scope::Hotel => pick(lang, "весь отель", "the whole hotel"),
    }
}

/// All that a request says (S-32…S-36), one line a field. What people wrote opens no BB code.
pub(in crate::support) fn description(markup: Markup, lang: Lang, task: &Task) -> String {
    let parent = task.parent.map(|number| number.to_string()).unwrap_or_default();
    let head = format!("{}, {}", kind(lang, task.kind), scope(lang, task.scope));
    let lines = [
        (pick(lang, "Тип", "Kind"), head.as_str()),
        (pick(lang, "Портал клиента", "Customer's portal"), task.customer.as_deref().unwrap_or_default()),
        (pick(lang, "Ссылка", "Link"), &task.portal),
        (pick(lang, "Логин", "Login"), &task.login),
        (pick(lang, "Имя", "Name"), &task.name),
        (pick(lang, "Телефон", "Phone"), &task.phone),
        (pick(lang, "Почта", "E-mail"), &task.email),
        (pick(lang, "Канал", "Channel"), &task.channel),
        (pick(lang, "Версия", "Version"), &task.app_version),
        (pick(lang, "Выделено из", "Split from"), parent.as_str()),
    ];
    let lines = lines.iter().filter(|(_, value)| !value.trim().is_empty());
    let mut text: String = lines
        .map(|(label, value)| format!("{} {}\n", markup.bold(&format!("{label}:")), markup.plain(value.trim())))
        .collect();
    for (label, value) in [("", &task.description), (pick(lang, "Условия", "Conditions"), &task.conditions)] {
        if !value.trim().is_empty() {
            let label =
                if label.is_empty() { String::new() } else { format!("{}\n", markup.bold(&format!("{label}:"))) };
            text.push_str(&format!("\n{label}{}\n", markup.plain(value.trim())));
        }
    }
    markup.lines(text)
}

fn who(lang: Lang, from: Side, internal: bool) -> &'static str {
    match (from, internal) {
        (Side::Customer, _) => pick(lang, "Клиент", "Customer"),
        (Side::Desk, false) => pick(lang, "Клиенту отправлено", "Sent to the customer"),
        (Side::Desk, true) => pick(lang, "Внутри поддержки", "Inside the desk"),
    }
}

/// A message of either side.
pub(in crate::support) fn said(markup: Markup, lang: Lang, from: Side, internal: bool, text: &str) -> String {
    let who = markup.bold(&format!("{}:", who(lang, from, internal)));
    markup.lines(format!("{who}\n{}", markup.plain(text)))
}

/// A file that was handed in: it lies with the request.
pub(in crate::support) fn file(
    markup: Markup,
    lang: Lang,
    (from, internal): (Side, bool),
    name: &str,
    length: u64,
) -> String {
    let who = markup.bold(&format!("{}:", who(lang, from, internal)));
    let what = pick(lang, "файл на странице обращения", "a file on the request's page");
    let size = match length {
        0..=1_048_575 => format!("{} {}", length.div_ceil(1_024), pick(lang, "КБ", "KB")),
        _ => format!("{} {}", length.div_ceil(1_048_576), pick(lang, "МБ", "MB")),
    };
    markup.lines(format!("{who} {what}\n{} ({size})", markup.plain(name)))
}

/// Why a customer disputes or withdraws.
pub(in crate::support) fn reason(markup: Markup, lang: Lang, state: State, text: &str) -> String {
    let what = match state {
        State::Closed => pick(lang, "Клиент отзывает обращение", "The customer withdraws"),
        _ => pick(lang, "Клиент не согласен", "The customer disagrees"),
    };
    markup.lines(format!("{}\n{}", markup.bold(&format!("{what}:")), markup.plain(text)))
}

/// What the desk is told among itself.
pub(in crate::support) fn note(markup: Markup, lang: Lang, about: &News, zone: &str) -> Option<String> {
    match about {
        News::Clock { clock, deadline, breached } => {
            let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
            let at = deadline.with_timezone(&zone).format("%d.%m.%Y %H:%M");
            let clock = match clock.as_str() {
                FIRST_ANSWER => pick(lang, "первый ответ", "first answer"),
                NEXT_UPDATE => pick(lang, "ответ на слова клиента", "answer to the customer's words"),
                _ => pick(lang, "решение", "solution"),
            };
            let what = match breached {
                true => pick(lang, "Срок истёк", "The time is over"),
                false => pick(lang, "Срок истекает", "The time is running out"),
            };
            Some(format!("{} {clock}, {at}", markup.bold(&format!("{what}:"))))
        }
        News::Reminder { closes_at, .. } => {
            let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
            let at = closes_at.with_timezone(&zone).format("%d.%m.%Y");
            let what = pick(
                lang,
                "Клиенту отправлено напоминание. Без ответа обращение закроется",
                "The customer was reminded. Without an answer the request closes on",
            );
            Some(format!("{what} {at}"))
        }
        News::Fixed { release } => {
            Some(format!("{} {release}", markup.bold(pick(lang, "Исправлено в выпуске:", "Fixed in release:"))))
        }
        News::Live { release } => {
            let what = pick(lang, "Клиенту сказано, что исправлено в выпуске:", "The customer was told of the fix in:");
            Some(format!("{} {release}", markup.bold(what)))
        }
        News::Overflow => Some(
            pick(
                lang,
                "В очереди нет свободных: обращение у руководителя.",
                "Nobody of the queue has room: the manager has the request.",
            )
            .to_owned(),
        ),
        _ => None,
    }
}
