//! Mail: outgoing by SMTP; incoming from a mailbox, as a letter that was read.

pub mod incoming;
pub mod mailbox;

use std::time::Duration;

pub use lettre::Address;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

/// A server that takes longer than this to answer one command is away.
const PATIENCE: Duration = Duration::from_secs(30);

/// How this deployment sends mail.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// One letter to one person.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The same over every try: a mail program shows a letter that came twice once.
    pub id: String,
    pub to: Address,
    pub subject: String,
    pub text: String,
    pub thread: Option<Thread>,
}

/// What a letter belongs to.
#[derive(Debug, Clone)]
pub struct Thread {
    /// Where an answer goes.
    pub reply_to: Address,
    /// Ids without brackets of letters before it, the first one being what it answers.
    pub references: Vec<String>,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum MailError {
    #[error("{0}: {1}")]
    Settings(&'static str, &'static str),
    /// The server said no for good.
    #[error("the mail server refused the letter ({0})")]
    Refused(String),
    /// It may pass: the server is busy, or grey-lists.
    #[error("the mail server did not take the letter now ({0})")]
    Later(String),
    /// Nobody is there to take any letter.
    #[error("the mail server does not answer")]
    Away,
}

/// The address of a sender as `mail.from` names him: with or without a name.
pub fn sender(text: &str) -> Option<Address> {
    text.trim().parse::<Mailbox>().ok().map(|sender| sender.email)
}

/// Whether a text is an address that mail can be sent to.
pub fn address(text: &str) -> Option<Address> {
    text.parse().ok()
}

/// A robot that answers automatic mail would talk to us for ever (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// What comes back with this is ours, whatever way it went.
#[derive(Clone)]
struct OwnMark;

impl Header for OwnMark {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str(incoming::OWN_MARK)
    }
    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "1".to_owned())
    }
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailer")
    }
}

impl Mailer {
    /// `None`: no address of a server is set, so no mail is sent.
    pub fn new(url: &str, user: &str, password: &SecretString, from: &str) -> Result<Option<Self>, MailError> {
        if url.trim().is_empty() {
            return Ok(None);
        }
        let from = from
            .parse()
            .map_err(|_| MailError::Settings("mail.from", "must be an address, such as app@example.com"))?;
        let wrong = "must be smtps://host[:port], smtp://host[:port]?tls=required, or smtp://host[:port]";
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.trim())
            .map_err(|_| MailError::Settings("mail.smtp_url", wrong))?
            .timeout(Some(PATIENCE));
        if !user.is_empty() {
            transport = transport.credentials(Credentials::new(user.to_owned(), password.expose_secret().to_owned()));
        }
        Ok(Some(Self { transport: transport.build(), from }))
    }

    /// Whose letters these are.
    pub fn address(&self) -> &Address {
        &self.from.email
    }

    /// What ids of ours end with.
    pub fn domain(&self) -> &str {
        self.from.email.domain()
    }

    /// Sends one letter; it is with the server when this returns.
    pub async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let mut message = Message::builder()
            .message_id(Some(format!("<{}@{}>", letter.id, self.domain())))
            .from(self.from.clone())
            .to(Mailbox::new(None, letter.to.clone()))
            .subject(&letter.subject);
        if let Some(thread) = &letter.thread {
            let ids: Vec<String> = thread.references.iter().map(|id| format!("<{id}>")).collect();
            message = message
                .reply_to(Mailbox::new(None, thread.reply_to.clone()))
                .in_reply_to(ids.first().cloned().unwrap_or_default())
                .references(ids.join(" "));
        }
        let message = message
            .header(AutoSubmitted)
            .header(OwnMark)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.clone())
            .map_err(|error| MailError::Refused(error.to_string()))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            // The server's own words may repeat an address: its code says enough.
            Err(error) => Err(match error.status() {
                Some(code) if error.is_permanent() => MailError::Refused(code.to_string()),
                Some(code) => MailError::Later(code.to_string()),
                // Before anything was asked of it.
                None if error.is_client() => MailError::Refused("the letter cannot be sent".to_owned()),
                None => MailError::Away,
            }),
        }
    }

    /// Whether the server answers and takes our name and password. For `doctor`.
    pub async fn check(&self) -> Result<(), MailError> {
        let failed = |reason: &str| MailError::Later(reason.to_owned());
        match self.transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(failed("it does not answer")),
            Err(error) if error.is_permanent() => Err(MailError::Refused("name or password".to_owned())),
            Err(_) => Err(failed("no connection")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s48_settings_of_mail_are_refused_by_name() {
        let none = SecretString::from("");
        assert!(Mailer::new("", "", &none, "").expect("nothing set").is_none());
        let from = Mailer::new("smtp://127.0.0.1:25", "", &none, "nobody").expect_err("no address");
        assert!(matches!(from, MailError::Settings("mail.from", _)), "{from}");
        let url = Mailer::new("mail.example.com", "", &none, "app@example.com").expect_err("no address");
        assert!(matches!(url, MailError::Settings("mail.smtp_url", _)), "{url}");
        assert!(address("a@example.com").is_some());
        for bad in ["", "a", "a@", "a@b\r\nBcc: c@example.com", "A <a@example.com>", "a@example.com, b@example.com"] {
            assert!(address(bad).is_none(), "{bad}");
        }
    }
}
