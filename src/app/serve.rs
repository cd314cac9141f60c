//! `serve`: builds every room from the settings, runs them until told to stop, and stops without losing anything.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App as ActixApp, HttpServer};
use anyhow::{Context, bail};
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::portals::Served;
use super::sources;
use crate::alerts::Alerts;
use crate::bitrix::{Client, OAuthHosts};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::http::{self, HttpState};
use crate::mail::{MailError, Mailer};
use crate::net::{Authorities, Guard};
use crate::portal::{Directory, Lifecycle, Parts};
use crate::store::{Db, Schema, StoreError, keys};
use crate::support::deliver::{self, Places, TaskDelivery};
use crate::support::listen::{self, TaskListener};
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
        let alerts = Alerts::new(directory.clone(), mailer, clock.clone());
        let places = Arc::new(Places {
            directory: directory.clone(),
            keyring: Arc::clone(&keyring),
            clock: clock.clone(),
            request_cap_seconds: config.bitrix.request_cap_seconds,
        });
        let tasks = TaskDelivery::new(deliver::Deps {
            db: db.clone(),
            clock: clock.clone(),
            portals: places.clone(),
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
        let workers =
            vec![engine.pulse(), lifecycle.pulse(), alerts.pulse(), tasks.pulse(), watch.pulse(), listener.pulse()];
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
            stopping,
            server,
            ops,
        })
    }

    /// Runs until `stop` is cancelled: running work is finished first, requests are answered to the end. A database
    /// connection that a listener's thread opened dies with that thread, whoever uses it then: so listeners go last.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let (server, ops) = (self.server.handle(), self.ops.handle());
        let work = TaskTracker::new();
        let (engine, token) = (self.engine.clone(), stop.clone());
        let engine_task = kept_at_work("engine", stop.clone(), move || {
            let (engine, token) = (engine.clone(), token.clone());
            async move { engine.run(token).await }
        });
        let engine_task = work.spawn(engine_task).abort_handle();
        let (lifecycle, token) = (self.lifecycle, stop.clone());
        let lifecycle_task = kept_at_work("lifecycle", stop.clone(), move || {
            let (lifecycle, token) = (lifecycle.clone(), token.clone());
            async move { lifecycle.run(token).await }
        });
        let lifecycle_task = work.spawn(lifecycle_task).abort_handle();
        let (alerts, token) = (self.alerts, stop.clone());
        let alerts_task = kept_at_work("alerts", stop.clone(), move || {
            let (alerts, token) = (alerts.clone(), token.clone());
            async move { alerts.run(token).await }
        });
        let alerts_task = work.spawn(alerts_task).abort_handle();
        let (tasks, token) = (self.tasks, stop.clone());
        let tasks_task = kept_at_work("tasks", stop.clone(), move || {
            let (tasks, token) = (tasks.clone(), token.clone());
            async move { tasks.run(token).await }
        });
        let tasks_task = work.spawn(tasks_task).abort_handle();
        let (watch, token) = (self.watch, stop.clone());
        let watch_task = kept_at_work("support", stop.clone(), move || {
            let (watch, token) = (watch.clone(), token.clone());
            async move { watch.run(token).await }
        });
        let watch_task = work.spawn(watch_task).abort_handle();
        let (listener, token) = (self.listener, stop.clone());
        let listener_task = kept_at_work("listening", stop.clone(), move || {
            let (listener, token) = (listener.clone(), token.clone());
            async move { listener.run(token).await }
        });
        let listener_task = work.spawn(listener_task).abort_handle();
        work.close();
        tokio::spawn(self.ops);
        let serving = tokio::spawn(self.server);
        stop.cancelled().await;
        self.stopping.cancel();
        if tokio::time::timeout(GRACE, work.wait()).await.is_err() {
            tracing::warn!("work did not end in time; it is taken up again at the next start");
            engine_task.abort();
            lifecycle_task.abort();
            alerts_task.abort();
            tasks_task.abort();
            watch_task.abort();
            listener_task.abort();
            work.wait().await;
        }
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

/// How mail leaves; `None` where no server is set.
pub(super) fn mailer(mail: &config::Mail) -> Result<Option<Mailer>, MailError> {
    Mailer::new(&mail.smtp_url, &mail.smtp_user, &mail.smtp_password, &mail.from)
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

/// Binds a listener with two workers: what they do waits for the database, not for the processor.
fn listen(
    key: &'static str,
    address: SocketAddr,
    configure: impl Fn(&mut actix_web::web::ServiceConfig) + Send + Clone + 'static,
) -> anyhow::Result<(actix_web::dev::Server, SocketAddr)> {
    let server = HttpServer::new(move || ActixApp::new().configure(configure.clone()))
        .workers(2)
        .shutdown_timeout(10)
        .disable_signals()
        .bind(address)
        .with_context(|| format!("{key}: {address} cannot be listened on"))?;
    let bound = server.addrs().first().copied().unwrap_or(address);
    Ok((server.run(), bound))
}
