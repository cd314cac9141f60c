//! What the events route is compared with: the whole product in a process of its own, with one more listener whose events
//! route reads, admits and seals as the product does, and then either writes one row a transaction or nothing at all.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use actix_web::web::{self, Bytes, Data};
use actix_web::{App as ActixApp, HttpResponse, HttpServer};
use fidelio_bitrix24::app::serve::App;
use fidelio_bitrix24::bitrix::PortalEvent;
use fidelio_bitrix24::clock::Clock;
use fidelio_bitrix24::config;
use fidelio_bitrix24::portal::Directory;
use fidelio_bitrix24::store::{Db, inbox};
use fidelio_bitrix24::sync::CrmEvent;
use tokio_util::sync::CancellationToken;

use crate::support::process::{Settings, free_port};

pub const KIND: &str = "FB24_BENCH_COMPARATOR";
const PORT: &str = "FB24_BENCH_PORT";
/// The lane in which the product keeps events.
const LIVE: i32 = 1;

#[derive(Clone)]
struct Parts {
    directory: Directory,
    db: Db,
    clock: Clock,
    writes: bool,
}

async fn take(parts: Data<Parts>, body: Bytes) -> HttpResponse {
    let event = PortalEvent::parse(&body).expect("a good event");
    let admitted = parts.directory.admit(&event).await.expect("a known portal");
    let record = event.crm().expect("a record");
    let hint = CrmEvent {
        event: event.event.clone(),
        entity: record.entity_type_id,
        crm_id: record.id,
        ts: event.ts.unwrap_or_default(),
    };
    let key = parts.directory.key(admitted.portal).await.expect("a key");
    let sealed = key.seal("inbox.payload", &serde_json::to_vec(&hint).expect("json")).expect("sealed");
    if parts.writes {
        let row = (admitted.portal, format!("crm:{}:{}", hint.entity, hint.crm_id), sealed);
        inbox::add_events(&parts.db, vec![row], LIVE, parts.clock.now_ms()).await.expect("a row");
    }
    HttpResponse::Ok().finish()
}

/// The child's whole life; the parent ends it.
pub async fn serve(kind: &str) {
    let settings = config::load_from(None, std::env::vars().filter(|(name, _)| name.starts_with("FB24__")));
    let app = App::build(settings.expect("settings"), Clock::system(), None).await.expect("the product");
    let (directory, db) = (app.directory.clone(), app.db.clone());
    let parts = Data::new(Parts { directory, db, clock: Clock::system(), writes: kind == "row" });
    let port: u16 = std::env::var(PORT).expect("a port").parse().expect("a number");
    let server = HttpServer::new(move || {
        let limit = web::PayloadConfig::new(256 * 1024);
        let events = web::resource("/bitrix/events").app_data(limit).route(web::post().to(take));
        ActixApp::new().app_data(parts.clone()).service(events.route(web::get().to(HttpResponse::Ok)))
    });
    let server = server.workers(2).disable_signals().bind(("127.0.0.1", port)).expect("the port").run();
    tokio::spawn(server);
    app.run(CancellationToken::new()).await.expect("it runs");
}

pub struct Comparator {
    child: Child,
    pub port: u16,
}

impl Comparator {
    pub async fn start(kind: &str, settings: &Settings) -> Self {
        let port = free_port();
        let listen = || format!("127.0.0.1:{}", free_port());
        let settings = settings
            .clone()
            .with("http.listen", &listen())
            .with("ops.listen", &listen())
            .with("http.public_url", &format!("http://127.0.0.1:{port}"));
        let child = Command::new(std::env::current_exe().expect("this program"))
            .envs(settings.pairs().iter().cloned())
            .env(KIND, kind)
            .env(PORT, port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the comparator starts");
        let end = Instant::now() + Duration::from_secs(30);
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(Instant::now() < end, "the comparator does not listen");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self { child, port }
    }
}

impl Drop for Comparator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
