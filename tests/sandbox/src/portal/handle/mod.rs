//! The handle tests and the sandbox binary hold a portal by.

mod knobs;
mod life;
mod records;
mod seen;
mod tasks;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;

use super::options::PortalOptions;
use super::server::{self, Listeners};
use super::state::{Addresses, Shared, State};
use super::tls;
use super::tokens::Pair;

pub use life::FrameAnswer;
pub use records::Record;

/// A running portal; stops when dropped.
#[derive(Debug)]
pub struct Portal {
    pub(super) shared: Arc<Shared>,
    server: ServerHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

fn bind(host: &str, port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((host, port))
}

impl Portal {
    /// Starts a portal; panics when no port can be had, as a test wants it.
    #[expect(clippy::expect_used, reason = "test equipment: without a listener there is nothing to test")]
    pub fn start(options: PortalOptions) -> Self {
        Self::try_start(options).expect("the sandbox portal starts")
    }

    /// Starts a portal.
    pub fn try_start(options: PortalOptions) -> std::io::Result<Self> {
        let (main, front) = if options.tls {
            (bind(&options.host, 0)?, Some(bind(&options.host, options.port)?))
        } else {
            (bind(&options.host, options.port)?, None)
        };
        let oauth = bind(&options.host, options.oauth_port)?;
        let (plain_port, oauth_port) = (main.local_addr()?.port(), oauth.local_addr()?.port());
        let port = match &front {
            Some(front) => front.local_addr()?.port(),
            None => plain_port,
        };
        let addresses = Addresses {
            domain: format!("{}:{port}", options.host),
            oauth_domain: format!("{}:{oauth_port}", options.host),
            former: Vec::new(),
            tls: front.is_some(),
        };
        let mut listeners = vec![main];
        // A second name for the day the portal is renamed; only loopback has one to spare.
        if options.host == "127.0.0.1"
            && let Ok(second) = bind("127.0.0.2", plain_port)
        {
            listeners.push(second);
        }
        let shared = Arc::new(Shared::new(State::new(options, addresses)));
        let (server, thread) = server::start(Arc::clone(&shared), Listeners { portal: listeners, front, oauth })?;
        Ok(Self { shared, server, thread: Some(thread) })
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        self.shared.lock().addresses.url()
    }

    /// `http://127.0.0.1:port` of the OAuth host.
    pub fn oauth_url(&self) -> String {
        format!("http://{}", self.shared.lock().addresses.oauth_domain)
    }

    /// `DOMAIN` of frames: host and port.
    pub fn domain(&self) -> String {
        self.shared.lock().addresses.domain.clone()
    }

    /// `…/rest/` of the portal.
    pub fn client_endpoint(&self) -> String {
        self.shared.lock().client_endpoint()
    }

    /// `…/rest/` of the OAuth host.
    pub fn server_endpoint(&self) -> String {
        self.shared.lock().server_endpoint()
    }

    /// The authority behind the portal's certificate, for a portal with `tls`.
    pub fn ca_pem(&self) -> &'static str {
        tls::ca(*self.shared.renewed.borrow())
    }

    /// The portal's certificate is replaced by one of another authority; what is connected has hung up when this
    /// returns.
    pub async fn renew_authority(&self) {
        self.shared.renewed.send_replace(true);
        // The listener and every connection have a receiver.
        for _ in 0..1000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if self.shared.renewed.receiver_count() <= 1 {
                return;
            }
        }
        panic!("a connection outlives the renewed certificate");
    }

    /// The permanent portal id.
    pub fn member_id(&self) -> String {
        self.shared.lock().member_id.clone()
    }

    /// The app's key.
    pub fn client_id(&self) -> String {
        self.shared.lock().options.client_id.clone()
    }

    /// The app's secret.
    pub fn client_secret(&self) -> String {
        self.shared.lock().options.client_secret.clone()
    }

    /// Shared secret of the installation.
    pub fn application_token(&self) -> String {
        self.shared.lock().app.application_token.clone()
    }

    /// A fresh pair of tokens for a user. The app must be installed for them to work.
    pub fn tokens(&self, user: i64) -> Pair {
        let mut state = self.shared.lock();
        let (now, seconds) = (state.clock.now(), state.options.token_seconds);
        state.tokens.issue(user, now, seconds)
    }

    /// Lets every access token expire.
    pub fn expire_tokens(&self) {
        let mut state = self.shared.lock();
        let now = state.clock.now();
        state.tokens.expire_all(now);
    }

    /// Forgets every token: refreshes fail with `invalid_grant`.
    pub fn revoke_tokens(&self) {
        self.shared.lock().tokens.revoke_all();
    }

    /// Address of an incoming webhook of a user.
    pub fn webhook(&self, user: i64) -> String {
        let mut state = self.shared.lock();
        let code =
            state.webhooks.entry(user).or_insert_with(|| super::tokens::hex(1).chars().take(16).collect()).clone();
        format!("{}/rest/{user}/{code}/", state.addresses.url())
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        // The stop command is queued at once; the future it returns only waits for the end.
        drop(self.server.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
