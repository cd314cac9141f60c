//! A mailbox that letters are read from (IMAP4rev1, RFC 3501; IDLE, RFC 2177). It is opened for reading only: nothing in it
//! changes, and whoever else reads it hides nothing from us.

use std::time::Duration;

use async_imap::error::Error as ImapError;
use chrono::NaiveDate;
use futures_util::TryStreamExt;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use url::Url;

use super::incoming::MOST;

/// A server that takes longer than this for one answer is away. A letter of the greatest size is one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where letters are read.
#[derive(Clone)]
pub struct Mailbox {
    host: String,
    port: u16,
    tls: bool,
    folder: String,
    user: String,
    password: SecretString,
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailbox")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MailboxError {
    #[error("{0}: {1}")]
    Settings(&'static str, &'static str),
    #[error("the mail server does not answer")]
    Away,
    #[error("the mail server's certificate is not trusted, or it speaks no TLS there")]
    Tls,
    #[error("the mail server does not let us in")]
    Login,
    #[error("the mail server has no such folder")]
    Folder,
    /// It says no to what every server can do, or something that is no IMAP.
    #[error("the mail server does not do as it should")]
    Odd,
}

impl From<ImapError> for MailboxError {
    fn from(error: ImapError) -> Self {
        match error {
            ImapError::Io(_) | ImapError::ConnectionLost => Self::Away,
            _ => Self::Odd,
        }
    }
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> Wire for T {}

/// An open folder.
pub struct Session {
    imap: async_imap::Session<Box<dyn Wire>>,
    idles: bool,
    /// The numbers of its letters are good as long as this stays the same.
    pub validity: u32,
    /// The number that the next letter will have at least.
    pub next: u32,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

async fn patiently<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<T, MailboxError>
where
    MailboxError: From<E>,
{
    Ok(tokio::time::timeout(PATIENCE, work).await.map_err(|_| MailboxError::Away)??)
}

impl Mailbox {
    /// `None`: no mailbox is set, so none is read.
    pub fn new(url: &str, user: &str, password: &SecretString) -> Result<Option<Self>, MailboxError> {
        if url.trim().is_empty() {
            return Ok(None);
        }
        let wrong = MailboxError::Settings("support.imap_url", "must be imaps://host[:port][/folder]");
        let url = Url::parse(url.trim()).map_err(|_| wrong)?;
        let (tls, port) = match url.scheme() {
            "imaps" => (true, 993),
            "imap" => (false, 143),
            _ => return Err(wrong),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(MailboxError::Settings(
                "support.imap_url",
                "holds credentials: set support.imap_user and support.imap_password instead",
            ));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(wrong)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        if !tls && !is_here(&host) {
            return Err(MailboxError::Settings(
                "support.imap_url",
                "would send the password in the clear: use imaps://",
            ));
        }
        if user.is_empty() {
            return Err(MailboxError::Settings("support.imap_user", "is needed to read the mailbox"));
        }
        let folder = url.path().trim_matches('/');
        Ok(Some(Self {
            port: url.port().unwrap_or(port),
            tls,
            folder: if folder.is_empty() { "INBOX".to_owned() } else { folder.to_owned() },
            user: user.to_owned(),
            password: password.clone(),
            host,
        }))
    }

    /// What tells it from every other one.
    pub fn name(&self) -> String {
        format!("{}@{}:{}/{}", self.user, self.host, self.port, self.folder)
    }

    pub async fn open(&self) -> Result<Session, MailboxError> {
        let mut client = async_imap::Client::new(patiently(self.connect()).await?);
        patiently(async { client.read_response().await.map_err(ImapError::Io) }).await?.ok_or(MailboxError::Away)?;
        let login = client.login(&self.user, self.password.expose_secret());
        let login = tokio::time::timeout(PATIENCE, login).await.map_err(|_| MailboxError::Away)?;
        let mut imap = login.map_err(|(error, _)| match error {
            ImapError::No(_) | ImapError::Bad(_) | ImapError::Validate(_) => MailboxError::Login,
            error => error.into(),
        })?;
        let idles = patiently(imap.capabilities()).await?.has_str("IDLE");
        let folder = tokio::time::timeout(PATIENCE, imap.examine(&self.folder)).await;
        let folder = folder.map_err(|_| MailboxError::Away)?.map_err(|error| match error {
            ImapError::No(_) => MailboxError::Folder,
            error => error.into(),
        })?;
        let validity = folder.uid_validity.ok_or(MailboxError::Odd)?;
        let mut session = Session { imap, idles, validity, next: 1 };
        session.next = match folder.uid_next {
            Some(next) => next,
            // An old server does not say it.
            None => session.from(1).await?.last().map_or(1, |last| last.saturating_add(1)),
        };
        Ok(session)
    }

    async fn connect(&self) -> Result<Box<dyn Wire>, MailboxError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|_| MailboxError::Away)?;
        if !self.tls {
            return Ok(Box::new(stream));
        }
        let stream = crate::net::operator_tls(&self.host, stream).await.map_err(|_| MailboxError::Tls)?;
        Ok(Box::new(stream))
    }
}

/// On this machine nobody listens between us and the server.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Session {
    /// Letters with this number or a higher one, in order.
    pub async fn from(&mut self, first: u32) -> Result<Vec<u32>, MailboxError> {
        let mut found = self.search(&format!("UID {first}:*")).await?;
        // `*` is the last letter, however low its number (RFC 3501, 6.4.8).
        found.retain(|uid| *uid >= first);
        Ok(found)
    }

    /// Letters that came on this day or later.
    pub async fn since(&mut self, day: NaiveDate) -> Result<Vec<u32>, MailboxError> {
        self.search(&format!("SINCE {}", day.format("%d-%b-%Y"))).await
    }

    async fn search(&mut self, query: &str) -> Result<Vec<u32>, MailboxError> {
        let mut found: Vec<u32> = patiently(self.imap.uid_search(query)).await?.into_iter().collect();
        found.sort_unstable();
        Ok(found)
    }

    /// As much of a letter as is kept, and whether there was more; `None`: somebody removed it.
    pub async fn letter(&mut self, uid: u32) -> Result<Option<(Vec<u8>, bool)>, MailboxError> {
        let wanted = format!("(UID RFC822.SIZE BODY.PEEK[]<0.{MOST}>)");
        let found: Vec<_> = patiently(async {
            self.imap.uid_fetch(uid.to_string(), wanted).await?.try_collect().await.map_err(MailboxError::from)
        })
        .await?;
        let found = found.iter().find(|letter| letter.uid == Some(uid));
        Ok(found.and_then(|letter| {
            let raw = letter.body()?.to_vec();
            let cut = letter.size.is_some_and(|size| usize::try_from(size).is_ok_and(|size| size > raw.len()));
            Some((raw, cut))
        }))
    }

    /// Until something happens in the folder, or so long. What happened between the last look and this is not told: so
    /// nobody should wait for long.
    pub async fn wait(mut self, longest: Duration) -> Result<Self, MailboxError> {
        if !self.idles {
            tokio::time::sleep(longest).await;
            return Ok(self);
        }
        let mut idle = self.imap.idle();
        patiently(idle.init()).await?;
        let happens = async { idle.wait_with_timeout(longest).0.await };
        // A server that only says that it lives would keep us for ever.
        if let Ok(happened) = tokio::time::timeout(longest, happens).await {
            happened?;
        }
        self.imap = patiently(idle.done()).await?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str, user: &str) -> Result<Option<Mailbox>, MailboxError> {
        Mailbox::new(url, user, &SecretString::from("secret"))
    }

    #[test]
    fn e15_a_mailbox_is_named_by_its_address() {
        let named = |url| of(url, "desk").expect("settings").expect("a mailbox").name();
        assert_eq!(named("imaps://mail.example.com"), "desk@mail.example.com:993/INBOX");
        assert_eq!(named("imaps://mail.example.com:994/Support/In"), "desk@mail.example.com:994/Support/In");
        assert_eq!(named("imap://127.0.0.1:8143/"), "desk@127.0.0.1:8143/INBOX");
        assert_eq!(named("imap://[::1]"), "desk@::1:143/INBOX");
        assert!(of("", "").expect("settings").is_none());
    }

    #[test]
    fn e15_s48_a_mailbox_that_gives_a_secret_away_is_refused() {
        for (url, user, key) in [
            ("imap://mail.example.com", "desk", "support.imap_url"),
            ("https://mail.example.com", "desk", "support.imap_url"),
            ("imaps://desk:secret@mail.example.com", "desk", "support.imap_url"),
            ("mail.example.com", "desk", "support.imap_url"),
            ("imaps://", "desk", "support.imap_url"),
            ("imaps://mail.example.com", "", "support.imap_user"),
        ] {
            let refused = of(url, user).expect_err(url);
            assert!(matches!(refused, MailboxError::Settings(named, _) if named == key), "{url}: {refused}");
            assert!(!refused.to_string().contains("secret@"), "{refused}");
        }
    }
}
