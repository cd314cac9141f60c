//! Letters that come in (E-15): a reply belongs to a request only by our secret token and its own submitter's address; whatever
//! else a person writes is a new request. Robots are written down and never answered.

use serde_json::json;
use subtle::ConstantTimeEq;

use super::act::{Deed, TRIES};
use super::content::{Content, email_hash};
use super::gate::{Count, Gate};
use super::step::Step;
use super::{Actor, Desk, DeskError, Submission};
use crate::crypto::TenantKey;
use crate::domain::support::life::{Action, Refusal};
use crate::domain::support::{Kind, RequestNumber, Role, Scope, State};
use crate::domain::{Lang, PortalId};
use crate::mail::incoming::{Incoming, Nature, ReplyToken};
use crate::store::desk::letters::{self, Letter};
use crate::store::desk::requests::{self, RequestRow};
use crate::telemetry::metrics as names;

/// How long a letter is known again when it comes once more.
pub(super) const KNOWN_MS: i64 = 90 * 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// New requests of one sender: two robots that do not say what they are end here, a person never does. What is more is sent
/// again by its server, and lost by nobody.
const PER_SENDER_HOUR: i64 = 10;
/// Files that are listed by name.
const LISTED: usize = 20;

/// What became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    Request,
    Comment,
    /// Written down; nobody is told of it.
    Recorded,
}

impl Became {
    pub fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Comment => "comment",
            Self::Recorded => "recorded",
        }
    }

    fn parse(word: &str) -> Self {
        match word {
            "request" => Self::Request,
            "comment" => Self::Comment,
            _ => Self::Recorded,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub became: Became,
    /// Of the request it belongs to.
    pub number: Option<RequestNumber>,
}

/// The token that replies about a request come back with: known to whoever was written to, guessed by nobody.
pub(super) fn token(desk_key: &TenantKey, number: RequestNumber) -> ReplyToken {
    ReplyToken::new(number, &desk_key.hash("desk.reply", number.to_string().as_bytes()))
}

/// A letter on its way into the desk.
pub(super) struct Coming<'a> {
    pub letter: &'a Incoming,
    nature: Nature,
    pub desk: PortalId,
    key: TenantKey,
    /// By which it is known again.
    pub name: String,
    pub lang: Lang,
}

impl Coming<'_> {
    fn row(&self, became: Became, number: Option<RequestNumber>) -> Letter {
        Letter { nature: self.nature.word().to_owned(), became: became.word().to_owned(), number, files_done: 0 }
    }
}

impl Desk {
    /// Takes a letter, once: whatever is sent again is answered again.
    pub async fn letter(&self, letter: &Incoming) -> Result<Taken, DeskError> {
        let desk = self.public_desk().await?;
        let key = self.key(desk).await?;
        let name = key.hash("desk.letter", letter.digest.as_bytes());
        let nature = if self.is_own(letter) { Nature::Loop } else { letter.nature.clone() };
        let coming = Coming { letter, nature, desk, key, name, lang: lang(letter) };
        for _ in 0..TRIES {
            if let Some(known) = letters::find(self.db(), desk, &coming.name).await? {
                let taken = Taken { became: Became::parse(&known.became), number: known.number };
                return self.keep_files(&coming, taken, known.files_done).await;
            }
            let (named, proven) = self.answered(&coming).await?;
            let open = proven.as_ref().filter(|row| row.state != State::Closed);
            let taken = match (&coming.nature, open) {
                (Nature::Person | Nature::Bulk, Some(row)) => self.comment(&coming, row).await?,
                (Nature::Person, None) => self.open(&coming, named, proven.is_some()).await?,
                (Nature::Auto | Nature::Bounce { .. }, _) if proven.is_some() => {
                    self.note_robot(&coming, proven.as_ref()).await?
                }
                _ => self.only_record(&coming).await?,
            };
            if let Some(taken) = taken {
                let (nature, became) = (coming.nature.word(), taken.became.word());
                tracing::info!(
                    desk = desk.0,
                    nature,
                    became,
                    number = taken.number.map(|n| n.to_string()),
                    "a letter came"
                );
                return self.keep_files(&coming, taken, 0).await;
            }
        }
        Err(DeskError::Conflict("request_busy"))
    }

    /// From an address that is ours.
    fn is_own(&self, letter: &Incoming) -> bool {
        let config = &self.0.config;
        let own = [config.mail.from.as_str(), config.support.address.as_str()];
        let own = own.iter().filter_map(|address| crate::mail::sender(address));
        let Some(sender) = &letter.sender else { return false };
        own.map(|address| address.to_string().to_lowercase()).any(|own| own == *sender)
    }

    /// The request that it names by a true token, and its row if the sender is known there.
    async fn answered(&self, coming: &Coming<'_>) -> Result<(Option<RequestNumber>, Option<RequestRow>), DeskError> {
        let mut named = None;
        for told in &coming.letter.tokens {
            let right = token(&coming.key, told.number);
            if !bool::from(right.secret.as_bytes().ct_eq(told.secret.as_bytes())) {
                continue;
            }
            let Some(row) = requests::of_desk(self.db(), coming.desk, told.number).await? else { continue };
            named = named.or(Some(told.number));
            let Some(key) = self.key_if_any(row.key_portal).await? else { continue };
            // Its words are gone: it is nobody's any more.
            let Some(content) = Content::of(&row, Some(&key))? else { continue };
            let email = content.email.trim().to_lowercase();
            let known = match &coming.nature {
                // Who could not be reached is told by a server, not by himself.
                Nature::Bounce { failed } => failed.contains(&email),
                _ => coming.letter.sender.as_ref() == Some(&email),
            };
            if known && !email.is_empty() {
                return Ok((named, Some(row)));
            }
        }
        Ok((named, None))
    }

    /// The submitter goes on. `None`: somebody was first, and it is looked at again.
    async fn comment(&self, coming: &Coming<'_>, row: &RequestRow) -> Result<Option<Taken>, DeskError> {
        let who = Actor { roles: [Role::Submitter].into(), user: None, via: None };
        let deed = Deed::Step { action: Action::Say, text: Some(words(coming)) };
        self.write_letter(coming, &who, row, &deed, Became::Comment).await
    }

    /// A robot's word is kept with its request, for the desk's eyes.
    async fn note_robot(&self, coming: &Coming<'_>, row: Option<&RequestRow>) -> Result<Option<Taken>, DeskError> {
        let Some(row) = row else { return Ok(None) };
        let bounce = matches!(coming.nature, Nature::Bounce { .. });
        let deed = Deed::Post { what: coming.nature.word(), text: words(coming), internal: true, told: bounce };
        self.write_letter(coming, &Actor::default(), row, &deed, Became::Recorded).await
    }

    async fn write_letter(
        &self,
        coming: &Coming<'_>,
        who: &Actor,
        row: &RequestRow,
        deed: &Deed,
        became: Became,
    ) -> Result<Option<Taken>, DeskError> {
        let now = self.now().max(row.updated_at);
        let Some(key) = self.key_if_any(row.key_portal).await? else { return Ok(None) };
        let terms = self.terms(row.desk, row.customer).await?;
        let mut step = Step::new(row, now);
        step.judge(&terms, now);
        match self.decide(who, &mut step, deed, &terms, &key, now).await {
            // It was closed meanwhile: it is looked at again.
            Err(DeskError::Refused(Refusal::Closed)) => return Ok(None),
            decided => decided?,
        }
        step.end(row, &terms, now);
        let late = step.late;
        let tx = self.db().begin().await?;
        let new =
            letters::add(&tx, coming.desk, &coming.name, &coming.row(became, Some(row.number)), None, now).await?;
        if !new || self.write_in(&tx, who, &key, step, now).await?.is_none() {
            tx.rollback().await?;
            return Ok(None);
        }
        tx.commit().await?;
        metrics::counter!(names::SUPPORT_SLA_BREACHES).increment(late);
        Ok(Some(Taken { became, number: Some(row.number) }))
    }

    /// A new request. `None`: the same letter came twice at once.
    async fn open(
        &self,
        coming: &Coming<'_>,
        named: Option<RequestNumber>,
        closed: bool,
    ) -> Result<Option<Taken>, DeskError> {
        let ready = self.prepare(coming.desk, submission(coming, named, closed)).await?;
        let tx = self.db().begin().await?;
        let row = coming.row(Became::Request, Some(ready.number));
        if letters::add(&tx, coming.desk, &coming.name, &row, None, self.now()).await?
            && let Some(made) = self.enter(&tx, &ready).await?
        {
            tx.commit().await?;
            super::register::told(&made.row);
            return Ok(Some(Taken { became: Became::Request, number: Some(made.row.number) }));
        }
        tx.rollback().await?;
        Ok(None)
    }

    async fn only_record(&self, coming: &Coming<'_>) -> Result<Option<Taken>, DeskError> {
        let letter = coming.letter;
        let content =
            json!({"from": letter.sender, "name": letter.name, "subject": letter.subject, "text": words(coming)});
        let tx = self.db().begin().await?;
        let kept = content.to_string().into_bytes();
        let row = coming.row(Became::Recorded, None);
        let new = letters::add(&tx, coming.desk, &coming.name, &row, Some((&coming.key, &kept)), self.now()).await?;
        tx.commit().await?;
        Ok(new.then_some(Taken { became: Became::Recorded, number: None }))
    }
}

fn submission(coming: &Coming<'_>, named: Option<RequestNumber>, closed: bool) -> Submission {
    let (letter, lang) = (coming.letter, coming.lang);
    let email = letter.sender.clone().unwrap_or_default();
    let counted = if email.is_empty() { "nobody".to_owned() } else { email_hash(&coming.key, &email) };
    let count = Count { name: format!("mail:sender:{counted}"), most: PER_SENDER_HOUR, span_ms: HOUR_MS };
    let subject = match letter.subject.as_str() {
        "" => lang.pick("Письмо без темы", "Letter without a subject").to_owned(),
        subject => subject.to_owned(),
    };
    let conditions = named.map(|number| match closed {
        true => format!("{} {number}", lang.pick("Ответ на закрытое обращение", "An answer to the closed request")),
        false => format!(
            "{} {number}, {}",
            lang.pick("Ответ на письмо об обращении", "An answer to a letter about the request"),
            lang.pick("но с другого адреса", "but from another address")
        ),
    });
    Submission {
        customer: None,
        submitter: None,
        kind: Kind::Service,
        scope: Scope::User,
        channel: "mail",
        app_version: String::new(),
        lang,
        content: Content {
            subject,
            description: words(coming),
            conditions: conditions.unwrap_or_default(),
            name: letter.name.clone(),
            email,
            letter: letter.id.clone(),
            ..Content::default()
        },
        once: None,
        parent: None,
        by: Actor { roles: [Role::Submitter].into(), user: None, via: None },
        // With nobody to send it to, it would open the request to nobody.
        link: letter.sender.is_some(),
        consent: None,
        gate: Some(Gate { captcha: None, counts: vec![count] }),
    }
}

/// What it says, with what came along: whether its files can be kept is known later.
fn words(coming: &Coming<'_>) -> String {
    let (letter, lang) = (coming.letter, coming.lang);
    let mut lines: Vec<String> = Vec::new();
    for file in letter.files.iter().take(LISTED) {
        let size = file.bytes.len().div_ceil(1024);
        lines.push(format!("{}: {}, {size} {}", lang.pick("Вложено", "Attached"), file.name, lang.pick("КБ", "KB")));
    }
    let more = letter.files.len().saturating_sub(LISTED);
    if more > 0 {
        lines.push(format!("{}: {more}", lang.pick("Ещё вложений", "More attachments")));
    }
    if letter.cut {
        lines.push(
            lang.pick("Письмо было длиннее: конец отброшен.", "The letter was longer: its end is left out.").into(),
        );
    }
    let text = letter.text.trim();
    match (text, lines.is_empty()) {
        ("", true) => lang.pick("Письмо без текста", "Letter without words").to_owned(),
        ("", false) => lines.join("\n"),
        (text, true) => text.to_owned(),
        (text, false) => format!("{text}\n\n{}", lines.join("\n")),
    }
}

/// The language that is written to us in.
fn lang(letter: &Incoming) -> Lang {
    let written = || letter.subject.chars().chain(letter.text.chars());
    let russian = written().any(|c| matches!(c, 'а'..='я' | 'А'..='Я' | 'ё' | 'Ё'));
    if russian || !written().any(char::is_alphabetic) { Lang::Ru } else { Lang::En }
}
