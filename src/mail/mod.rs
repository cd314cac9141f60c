//! Outgoing mail by SMTP.

use std::time::Duration;

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
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
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum MailError {
    #[error("{0}: {1}")]
    Settings(&'static str, &'static str),
    /// The server said no for good.
    #[error("the mail server refused the letter ({0})")]
    Refused(String),
    /// It may pass: the server is away, busy, or grey-lists.
    #[error("the mail server did not take the letter now ({0})")]
    Later(String),
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

    /// Sends one letter; it is with the server when this returns.
    pub async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let message = Message::builder()
            .message_id(Some(format!("<{}@{}>", letter.id, self.from.email.domain())))
            .from(self.from.clone())
            .to(Mailbox::new(None, letter.to.clone()))
            .subject(&letter.subject)
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.clone())
            .map_err(|error| MailError::Refused(error.to_string()))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            // The server's own words may repeat an address: its code says enough.
            Err(error) => {
                let code = error.status().map_or_else(|| "no answer".to_owned(), |code| code.to_string());
                Err(if error.is_permanent() { MailError::Refused(code) } else { MailError::Later(code) })
            }
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
