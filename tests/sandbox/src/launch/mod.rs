//! Starts the sandbox's parts in order and ends them together.

mod arguments;
mod product;
mod settings;

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use fb24_sandbox::hotel::{Hotel, HotelOptions};
use fb24_sandbox::portal::{Edition, Portal, PortalOptions};
use fb24_sandbox::ports;
use fb24_sandbox::ui::{self, Interface, Links};
use tokio::signal::unix::{SignalKind, signal};

use arguments::Arguments;
use product::Product;

#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("{0}\n\n{help}", help = arguments::HELP)]
    Arguments(String),
    #[error("cannot {what}: {error}")]
    Io { what: String, error: std::io::Error },
    #[error("the application could not {step} (exit: {status}). Its last words:\n{log}\nThe whole log: {path}")]
    Product { step: &'static str, status: String, log: String, path: PathBuf },
    #[error("the application is not ready after {seconds} s. Its last words:\n{log}\nThe whole log: {path}")]
    NotReady { seconds: u64, log: String, path: PathBuf },
}

/// Names what failed.
fn io(what: &str) -> impl FnOnce(std::io::Error) -> LaunchError {
    let what = what.to_owned();
    move |error| LaunchError::Io { what, error }
}

/// A line for the person at the terminal.
pub fn say(line: &str) {
    // A closed terminal is no reason to stop.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// The wished port, or any free one when it is taken or none is wished.
fn port(wished: Option<u16>) -> std::io::Result<u16> {
    match wished {
        Some(port) if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() => Ok(port),
        _ => ports::free(),
    }
}

struct Ports {
    portal: u16,
    oauth: u16,
    app: u16,
    ops: u16,
    hotel: u16,
}

impl Ports {
    fn choose(first: u16) -> std::io::Result<Self> {
        // 0: any free ports, for several sandboxes at once.
        let wish = |offset| (first != 0).then(|| first.saturating_add(offset));
        Ok(Self {
            portal: port(wish(0))?,
            oauth: port(wish(1))?,
            hotel: port(wish(2))?,
            app: port(wish(3))?,
            ops: port(wish(4))?,
        })
    }
}

fn hotel(arguments: &Arguments, port: u16) -> Result<Hotel, LaunchError> {
    let options = HotelOptions {
        reservations: arguments.reservations,
        seed: arguments.seed,
        awkward: true,
        living_day: arguments.living_day,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        ..HotelOptions::default()
    };
    Hotel::try_start(options).map_err(io("open the hotel"))
}

fn links(app: String, ops: u16, portal: &Portal, hotel: &Hotel) -> Links {
    Links {
        app,
        portal: format!("{}/", portal.url()),
        hotel: format!("http://{}/", hotel.address()),
        ready: format!("http://127.0.0.1:{ops}/health/ready"),
        interface: hotel.with(|state| Interface {
            hotel_code: state.code.clone(),
            hotel_name: state.name.clone(),
            url: String::new(),
            username: state.user.clone(),
            password: state.password.clone(),
            vendor: state.vendor.clone().unwrap_or_default(),
            timezone: state.zone.name().to_owned(),
            currency: "RUB".into(),
        }),
    }
}

/// Starts everything the arguments ask for and waits for the end.
pub async fn run(arguments: impl Iterator<Item = String>) -> Result<(), LaunchError> {
    let Some(arguments) = Arguments::read(arguments)? else {
        say(arguments::HELP);
        return Ok(());
    };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(io("listen for signals"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(io("listen for signals"))?;
    std::fs::create_dir_all(&arguments.run_dir).map_err(io("make the run folder"))?;
    let run_dir = arguments.run_dir.canonicalize().map_err(io("find the run folder"))?;

    let ports = Ports::choose(arguments.port).map_err(io("find free ports"))?;
    let app = format!("http://127.0.0.1:{}", ports.app);
    let hotel = hotel(&arguments, ports.hotel)?;
    let portal = Portal::try_start(PortalOptions {
        port: ports.portal,
        oauth_port: ports.oauth,
        app_url: Some(app.clone()),
        edition: arguments.edition,
        tls: arguments.edition == Edition::Box,
        ..PortalOptions::default()
    })
    .map_err(io("open the portal"))?;
    let mut links = links(app.clone(), ports.ops, &portal, &hotel);
    links.interface.url = hotel.url();
    let card = serde_json::to_string_pretty(&links).unwrap_or_default();
    std::fs::write(run_dir.join("sandbox.json"), card).map_err(io("write sandbox.json"))?;
    ui::set_links(links);

    let Some(binary) = &arguments.product else {
        ready(&portal, None);
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        return Ok(());
    };
    let settings = settings::of(&run_dir, &ports, &portal).map_err(io("prepare the application's settings"))?;
    let mut product = Product::new(binary, &run_dir, settings);
    let health = format!("http://127.0.0.1:{}/health/ready", ports.ops);
    let ended = tokio::select! {
        ended = product.work(&health, || ready(&portal, Some(&run_dir))) => ended,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    if ended.is_ok() {
        say("\nОстанавливаем … / Stopping …");
    }
    product.stop().await;
    ended
}

fn ready(portal: &Portal, run_dir: Option<&std::path::Path>) {
    say(&format!("\n  Песочница готова / The sandbox is ready:\n\n      {}/\n", portal.url()));
    say("  Ctrl-C: остановить всё / stop everything.");
    if let Some(run_dir) = run_dir {
        say(&format!("  Журнал приложения / the application's log: {}", run_dir.join("product.log").display()));
    }
}
