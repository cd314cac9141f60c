//! What the support portal's people read in a task, in their language.

use crate::bitrix::tasks::plain;
use crate::domain::Lang;
use crate::domain::support::{Kind, Scope, State};
use crate::support::outgoing::{Side, Task};

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
pub(super) fn description(lang: Lang, task: &Task) -> String {
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
    let mut text: String = lines.map(|(label, value)| format!("[b]{label}:[/b] {}\n", plain(value.trim()))).collect();
    for (label, value) in [("", &task.description), (pick(lang, "Условия", "Conditions"), &task.conditions)] {
        if !value.trim().is_empty() {
            let label = if label.is_empty() { String::new() } else { format!("[b]{label}:[/b]\n") };
            text.push_str(&format!("\n{label}{}\n", plain(value.trim())));
        }
    }
    text
}

/// A message of either side.
pub(super) fn said(lang: Lang, from: Side, internal: bool, text: &str) -> String {
    let who = match (from, internal) {
        (Side::Customer, _) => pick(lang, "Клиент", "Customer"),
        (Side::Desk, false) => pick(lang, "Клиенту отправлено", "Sent to the customer"),
        (Side::Desk, true) => pick(lang, "Внутри поддержки", "Inside the desk"),
    };
    format!("[b]{who}:[/b]\n{}", plain(text))
}

/// Why a customer disputes or withdraws.
pub(super) fn reason(lang: Lang, state: State, text: &str) -> String {
    let what = match state {
        State::Closed => pick(lang, "Клиент отзывает обращение", "The customer withdraws"),
        _ => pick(lang, "Клиент не согласен", "The customer disagrees"),
    };
    format!("[b]{what}:[/b]\n{}", plain(text))
}
