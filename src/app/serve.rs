//! `serve`: builds every room from the settings, runs them until told to stop, and stops without losing anything.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App as ActixApp, HttpServer};
use anyhow::{Context, bail};
use futures_util::FutureExt;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::portals::Served;
use super::sources;
use crate::alerts::Alerts;
use crate::bitrix::{Client, OAuthHosts};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::http::{self, HttpState};
use crate::kaiten;
use crate::mail::mailbox::{Mailbox, MailboxError};
use crate::mail::{MailError, Mailer};
use crate::net::{Authorities, Guard};
use crate::portal::{Directory, Lifecycle, Parts};
use crate::store::{Db, Schema, StoreError, keys};
use crate::support::cards::CardTracker;
use crate::support::deliver::{self, Places, Post, TaskDelivery};
use crate::support::listen::{self, TaskListener};
use crate::support::mailbox::MailReader;
use crate::support::{Desk, Watch};
use crate::sync::{Deps, Engine, EventIntake, StepObserver};
use crate::telemetry;

/// How long running work may take to end after the signal: the request cap, and a little.
const GRACE: Duration = Duration::from_secs(70);

/// The pause before a worker that ended by a panic begins again.
const BEGINS_AGAIN: Duration = Duration::from_secs(1);

/// The application, built and bound, not yet running.
pub struct App {
    pub addr: SocketAddr,
    pub ops_addr: SocketAddr,
    pub engine: Engine,
    pub directory: Directory,
    pub db: Db,
    lifecycle: Lifecycle,
    alerts: Alerts,
    tasks: TaskDelivery,
    watch: Watch,
    listener: TaskListener,
    /// Where Kaiten is a tracker.
    cards: Option<CardTracker>,
    reader: Option<MailReader>,
    stopping: CancellationToken,
    server: actix_web::dev::Server,
    ops: actix_web::dev::Server,
}

/// Runs the application until Ctrl-C or SIGTERM.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let app = App::build(config, Clock::system(), None).await?;
    let node = app.engine.node();
    tracing::info!(listen = %app.addr, ops = %app.ops_addr, node, version = env!("CARGO_PKG_VERSION"), "serving");
    tokio::spawn(stop_on_signal(stop.clone()));
    app.run(stop).await
}

async fn stop_on_signal(stop: CancellationToken) {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(error) => return tracing::error!(%error, "no SIGTERM handler: stop with Ctrl-C"),
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping: running work is finished first");
    stop.cancel();
}

/// The database of the settings, at this release's schema and under configured keys; else why not.
async fn database(config: &Config) -> anyhow::Result<Db> {
    let db = Db::connect_with(&config.database).await?;
    match db.schema().await? {
        Schema::Current => {}
        Schema::Behind => bail!("the schema is older than this release: run `fidelio-bitrix24 migrate` first"),
        Schema::Newer => return Err(StoreError::NewerSchema.into()),
    }
    Ok(db)
}

impl App {
    /// Builds every room and binds both listeners. `observer` is for tests that stop the engine at a step boundary.
    pub async fn build(config: Config, clock: Clock, observer: Option<StepObserver>) -> anyhow::Result<Self> {
        let findings = config.findings();
        if !findings.is_empty() {
            let lines: Vec<String> = findings.iter().map(|found| format!("{}: {}", found.key, found.text)).collect();
            bail!("the settings do not allow a start\n  {}", lines.join("\n  "));
        }
        crate::net::install_crypto();
        telemetry::metrics::recorder();
        let keyring = Arc::new(config.keyring()?);
        let db = database(&config).await?;
        let unknown = keys::unknown_key_ids(&db, &keyring).await?;
        if !unknown.is_empty() {
            bail!(
                "the database holds rows sealed under master keys that are not configured: {}. Add them to \
                 secrets.previous_keys, or restore the database that belongs to this key",
                unknown.join(", ")
            );
        }

        let bitrix_guard = Guard::parse(&config.bitrix.allow_private).map_err(anyhow::Error::msg)?;
        let pms_guard = Arc::new(Guard::parse(&config.pms.allow_private).map_err(anyhow::Error::msg)?);
        let authorities = Authorities::read(&config.bitrix.portal_ca)
            .map_err(|reason| anyhow::anyhow!("bitrix.portal_ca: {reason}"))?;
        let oauth = OAuthHosts::new(
            config.bitrix.oauth_hosts.clone(),
            config.bitrix.client_id.clone(),
            config.bitrix.client_secret.clone(),
        )?;
        let config = Arc::new(config);
        let directory = Directory::new(Parts {
            db: db.clone(),
            config: Arc::clone(&config),
            keyring: Arc::clone(&keyring),
            clock: clock.clone(),
            bitrix: Client::new(bitrix_guard, oauth),
            authorities,
            node: uuid::Uuid::new_v4().to_string(),
        });
        let portals =
            Arc::new(Served { directory: directory.clone(), request_cap_seconds: config.bitrix.request_cap_seconds });
        let sources = sources::factory(&config.pms, Arc::clone(&pms_guard), clock.clone());
        let engine = Engine::new(Deps {
            db: db.clone(),
            clock: clock.clone(),
            portals: portals.clone(),
            sources: Arc::clone(&sources),
            lease: Duration::from_secs(config.sync.lease_seconds.into()),
            poll: Duration::from_secs(config.pms.poll_seconds.into()),
            observer,
        });
        let mailer = mailer(&config.mail)?;
        let alerts = Alerts::new(directory.clone(), mailer.clone(), clock.clone());
        let places =
            Arc::new(Places { directory: directory.clone(), request_cap_seconds: config.bitrix.request_cap_seconds });
        let tasks = TaskDelivery::new(deliver::Deps {
            db: db.clone(),
            clock: clock.clone(),
            portals: places.clone(),
            post: mailer.map(|mailer| Post::new(mailer, &config.support.address)),
            lease: Duration::from_secs(config.sync.lease_seconds.into()),
            observer: None,
        });
        let desk = Desk::new(db.clone(), Arc::clone(&config), Arc::clone(&keyring), clock.clone(), directory.clone());
        let watch = Watch::new(desk.clone());
        let listener = TaskListener::new(listen::Deps {
            desk: desk.clone(),
            portals: places,
            lease: Duration::from_secs(config.sync.lease_seconds.into()),
            observer: None,
        });
        let cards = cards(&config, desk.clone(), clock.clone())?;
        let reader = mailbox(&config.support)?.map(|mailbox| MailReader::new(desk.clone(), mailbox));
        let state = HttpState {
            desk,
            config: Arc::clone(&config),
            directory: directory.clone(),
            db: db.clone(),
            keyring,
            clock: clock.clone(),
            events: EventIntake::new(db.clone(), clock, portals),
            engine: engine.clone(),
            sources,
            pms_guard,
        };
        let (server, addr) = listen("http.listen", config.http.listen, move |cfg| http::configure(cfg, state.clone()))?;
        let lifecycle = Lifecycle::new(directory.clone());
        let stopping = CancellationToken::new();
        let mut workers =
            vec![engine.pulse(), lifecycle.pulse(), alerts.pulse(), tasks.pulse(), watch.pulse(), listener.pulse()];
        workers.extend(cards.as_ref().map(CardTracker::pulse));
        workers.extend(reader.as_ref().map(MailReader::pulse));
        let ops_state = http::ops::OpsState::new(db.clone(), workers, stopping.clone());
        let (ops, ops_addr) =
            listen("ops.listen", config.ops.listen, move |cfg| http::ops::configure(cfg, ops_state.clone()))?;
        Ok(Self {
            addr,
            ops_addr,
            engine,
            directory,
            db,
            lifecycle,
            alerts,
            tasks,
            watch,
            listener,
            cards,
            reader,
            stopping,
            server,
            ops,
        })
    }

    /// Runs until `stop` is cancelled: running work is finished first, requests are answered to the end. A database
    /// connection that a listener's thread opened dies with that thread, whoever uses it then: so listeners go last.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let (server, ops) = (self.server.handle(), self.ops.handle());
        let mut work = Workers::new(&stop);
        work.begin("engine", self.engine.clone(), |engine, stop| async move { engine.run(stop).await });
        work.begin("lifecycle", self.lifecycle, |lifecycle, stop| async move { lifecycle.run(stop).await });
        work.begin("alerts", self.alerts, |alerts, stop| async move { alerts.run(stop).await });
        work.begin("tasks", self.tasks, |tasks, stop| async move { tasks.run(stop).await });
        work.begin("support", self.watch, |watch, stop| async move { watch.run(stop).await });
        work.begin("listening", self.listener, |listener, stop| async move { listener.run(stop).await });
        if let Some(cards) = self.cards {
            work.begin("cards", cards, |cards, stop| async move { cards.run(stop).await });
        }
        if let Some(reader) = self.reader {
            work.begin("mailbox", reader, |reader, stop| async move { reader.run(stop).await });
        }
        tokio::spawn(self.ops);
        let serving = tokio::spawn(self.server);
        stop.cancelled().await;
        self.stopping.cancel();
        work.ended().await;
        // A step that was cut short has left its lease behind.
        if let Err(error) = self.engine.release_leases().await {
            tracing::warn!(%error, "leases could not be given back; they run out by themselves");
        }
        if let Err(error) = self.directory.release_leases().await {
            tracing::warn!(%error, "leases could not be given back; they run out by themselves");
        }
        server.stop(true).await;
        ops.stop(true).await;
        serving.await.context("the listener")?.context("the listener")
    }
}

/// The second tracker; `None` where it is not set.
fn cards(config: &Config, desk: Desk, clock: Clock) -> anyhow::Result<Option<CardTracker>> {
    let Some(client) = kaiten_client(config, clock)? else { return Ok(None) };
    Ok(Some(CardTracker::new(crate::support::cards::Deps {
        desk,
        cards: Arc::new(client),
        board: format!("{}#{}", config.support.kaiten_url.trim(), config.support.kaiten_board.trim()),
        lease: Duration::from_secs(config.sync.lease_seconds.into()),
        observer: None,
    })))
}

/// How Kaiten is asked; `None` where it is no tracker.
pub(super) fn kaiten_client(config: &Config, clock: Clock) -> anyhow::Result<Option<kaiten::Client>> {
    let support = &config.support;
    if !support.kaiten() {
        return Ok(None);
    }
    let guard = Guard::parse(&config.bitrix.allow_private).map_err(anyhow::Error::msg)?;
    let settings = kaiten::Settings {
        url: &support.kaiten_url,
        token: &support.kaiten_token,
        board: &support.kaiten_board,
        rate: Some(kaiten::PER_SECOND),
    };
    Ok(Some(kaiten::Client::new(&guard, &settings, clock)?))
}

/// How mail leaves; `None` where no server is set.
pub(super) fn mailer(mail: &config::Mail) -> Result<Option<Mailer>, MailError> {
    Mailer::new(&mail.smtp_url, &mail.smtp_user, &mail.smtp_password, &mail.from)
}

/// Where letters of the desk are read; `None` where no mailbox is set.
pub(super) fn mailbox(support: &config::Support) -> Result<Option<Mailbox>, MailboxError> {
    Mailbox::new(&support.imap_url, &support.imap_user, &support.imap_password)
}

/// What works beside the listeners.
struct Workers {
    tasks: TaskTracker,
    handles: Vec<AbortHandle>,
    stop: CancellationToken,
}

impl Workers {
    fn new(stop: &CancellationToken) -> Self {
        Self { tasks: TaskTracker::new(), handles: Vec::new(), stop: stop.clone() }
    }

    fn begin<W, F>(&mut self, name: &'static str, worker: W, run: impl Fn(W, CancellationToken) -> F + Send + 'static)
    where
        W: Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        let work = kept_at_work(name, self.stop.clone(), move || run(worker.clone(), stop.clone()));
        self.handles.push(self.tasks.spawn(work).abort_handle());
    }

    /// Waits for what they finish after the signal; what takes too long is cut off.
    async fn ended(self) {
        self.tasks.close();
        if tokio::time::timeout(GRACE, self.tasks.wait()).await.is_err() {
            tracing::warn!("work did not end in time; it is taken up again at the next start");
            self.handles.iter().for_each(AbortHandle::abort);
            self.tasks.wait().await;
        }
    }
}

/// A worker that ends by a panic begins again: its work is in the database, where it left it.
async fn kept_at_work<F>(worker: &'static str, stop: CancellationToken, work: impl Fn() -> F)
where
    F: Future<Output = ()>,
{
    while AssertUnwindSafe(work()).catch_unwind().await.is_err() && !stop.is_cancelled() {
        tracing::warn!(worker, "ended abnormally; it begins again");
        tokio::time::sleep(BEGINS_AGAIN).await;
    }
}

/// Longer than a proxy in front keeps an idle connection (Caddy two minutes, nginx one): who hangs up first must be the
/// proxy, or what it sends at that moment, an event of a portal, comes back to the portal as 502.
const KEEP_ALIVE: Duration = Duration::from_secs(150);

/// Binds a listener with two workers: what they do waits for the database, not for the processor.
fn listen(
    key: &'static str,
    address: SocketAddr,
    configure: impl Fn(&mut actix_web::web::ServiceConfig) + Send + Clone + 'static,
) -> anyhow::Result<(actix_web::dev::Server, SocketAddr)> {
    let server = HttpServer::new(move || ActixApp::new().configure(configure.clone()))
        .workers(2)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(10)
        .disable_signals()
        .bind(address)
        .with_context(|| format!("{key}: {address} cannot be listened on"))?;
    let bound = server.addrs().first().copied().unwrap_or(address);
    Ok((server.run(), bound))
}
