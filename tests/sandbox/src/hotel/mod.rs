//! An emulated hotel: Suite 8's XML Interface over HTTP, with rooms, people and a day that moves.
//!
//! Built from the facts about the interface; its unit tests are vectors written from the same facts.

pub mod answer;
pub mod codes;
pub mod conditions;
pub mod control;
pub mod day;
pub mod desk;
pub mod dice;
pub mod faults;
pub mod generate;
pub mod knobs;
pub mod message;
pub mod model;
pub mod names;
pub mod people;
pub mod profile_writes;
pub mod profiles;
pub mod query;
pub mod relations;
pub mod request;
pub mod reservations;
pub mod server;
pub mod state;
pub mod tables;
pub mod writes;

#[cfg(test)]
mod tests;

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use chrono::{NaiveDate, NaiveDateTime};
use chrono_tz::Tz;

pub use faults::{Fault, Faults};
pub use knobs::{
    ConditionTimes, DateSpelling, EmptySpelling, Knobs, Licence, OverLength, Packing, TextEncoding, UnknownField,
};
pub use model::{Profile, Reservation, Status};
pub use server::Seen;
pub use state::{Booking, DeskError, HotelState};

/// The path of the interface; the directory and the DLL's name vary between sites.
pub const PATH: &str = "/V8CF/fidelioIISWrapper.dll/FidelioXMLInterface.DataHandler";

/// The property's code in the address: a wrapper that serves several asks for it, and knows no other (facts §1).
pub const PROPERTY: &str = "DEMO";

/// What one operation of a message is answered with. Rows of the big types are written while streaming.
#[derive(Debug, Clone)]
pub enum Answered {
    Reservations { numbers: Vec<i64>, fields: Vec<&'static str>, by_night: bool },
    Profiles { ids: Vec<i64>, plan: profiles::Plan },
    Written { rows: String, count: usize },
    Inserted(String),
    Updated(String),
    Done,
}

impl Answered {
    fn keys(&self) -> &[i64] {
        match self {
            Self::Reservations { numbers: keys, .. } | Self::Profiles { ids: keys, .. } => keys,
            _ => &[],
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Written { count, .. } => *count,
            Self::Inserted(_) | Self::Updated(_) => 1,
            other => other.keys().len(),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Written { rows, .. } | Self::Inserted(rows) | Self::Updated(rows) => rows,
            _ => "",
        }
    }
}

/// What hotel to open.
#[derive(Debug, Clone)]
pub struct HotelOptions {
    pub reservations: usize,
    /// Guests' profiles; by default 4 for 5 reservations.
    pub guests: Option<usize>,
    pub companies: Option<usize>,
    pub rooms: usize,
    pub seed: u64,
    /// The business date; by default today in the hotel's zone. The clock runs on that day.
    pub today: Option<NaiveDate>,
    /// Stops the hotel's clock at that moment.
    pub now: Option<NaiveDateTime>,
    pub zone: Tz,
    pub code: String,
    pub name: String,
    pub username: String,
    pub password: String,
    pub vendor: Option<String>,
    /// Arrivals lie between that many days back …
    pub past_days: i64,
    /// … and that many ahead.
    pub future_days: i64,
    /// Families with one phone, odd spellings, people without contacts, a de-identified guest.
    pub awkward: bool,
    pub knobs: Knobs,
    /// Time between two events of a day that goes on by itself.
    pub living_day: Option<Duration>,
    pub listen: SocketAddr,
}

fn milliseconds(time: Option<Duration>) -> u64 {
    time.and_then(|t| u64::try_from(t.as_millis()).ok()).unwrap_or_default()
}

impl Default for HotelOptions {
    fn default() -> Self {
        Self {
            reservations: 500,
            guests: None,
            companies: None,
            rooms: 96,
            seed: 1,
            today: None,
            now: None,
            zone: chrono_tz::Europe::Moscow,
            code: "GRAND".into(),
            name: "Гранд Образец".into(),
            username: "B24SYNC".into(),
            password: "sandbox-5".into(),
            vendor: None,
            past_days: 28,
            future_days: 120,
            awkward: false,
            knobs: Knobs::default(),
            living_day: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }
}

impl HotelOptions {
    /// A hotel without reservations and guests: tests book what they need.
    pub fn empty() -> Self {
        Self { reservations: 0, guests: Some(0), companies: Some(0), ..Self::default() }
    }
}

/// A running hotel; it closes when the last handle goes.
#[derive(Clone)]
pub struct Hotel(Arc<Running>);

struct Running {
    address: SocketAddr,
    shared: server::Shared,
    server: ServerHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asking is enough: the server's own thread ends by itself.
        drop(self.server.stop(false));
    }
}

/// The state `options` describe, without a server.
pub fn build(options: &HotelOptions) -> HotelState {
    let mut state = HotelState::new(options.zone, options.today.or(options.now.map(|at| at.date())));
    (state.code, state.name) = (options.code.clone(), options.name.clone());
    (state.user, state.password) = (options.username.clone(), options.password.clone());
    state.vendor.clone_from(&options.vendor);
    state.knobs = options.knobs.clone();
    if let Some(now) = options.now {
        state.set_clock(now);
    } else if let Some(today) = options.today {
        state.set_skew(today - state.now().date());
    }
    let size = generate::Size {
        reservations: options.reservations,
        guests: options.guests.unwrap_or(options.reservations * 4 / 5),
        companies: options.companies.unwrap_or((options.reservations / 16).clamp(4, 400)),
        rooms: options.rooms,
        past_days: options.past_days,
        future_days: options.future_days,
        awkward: options.awkward,
    };
    generate::fill(&mut state, &size, options.seed);
    state
}

impl Hotel {
    /// Opens a hotel; panics when no port can be had, as a test wants it.
    #[expect(clippy::expect_used, reason = "test equipment: without a listener there is nothing to test")]
    pub fn start(options: HotelOptions) -> Self {
        Self::try_start(options).expect("the sandbox hotel starts")
    }

    /// Opens a hotel on a thread of its own, so that it answers under any runtime of a test.
    pub fn try_start(options: HotelOptions) -> std::io::Result<Self> {
        let shared = server::Shared {
            state: Arc::new(Mutex::new(build(&options))),
            faults: Faults::default(),
            seen: Arc::default(),
            keep: 20_000,
            in_flight: Arc::default(),
            most_at_once: Arc::default(),
            speed: Arc::new(AtomicU64::new(milliseconds(options.living_day))),
            dice: Arc::new(Mutex::new(dice::Dice::new(options.seed ^ 0xDA1))),
        };
        let listener = TcpListener::bind(options.listen)?;
        let address = listener.local_addr()?;
        let (ready, started) = std::sync::mpsc::channel();
        let (data, living) = (web::Data::new(shared.clone()), shared.clone());
        std::thread::Builder::new().name("sandbox-hotel".into()).spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new()
                        .app_data(data.clone())
                        .app_data(web::PayloadConfig::new(64 << 20))
                        .route(PATH, web::post().to(server::handle))
                        .configure(control::configure)
                        .configure(crate::ui::hotel_pages)
                })
                .workers(1)
                .keep_alive(Duration::from_secs(75))
                .disable_signals()
                .on_connect(|connection, extensions| {
                    use std::os::fd::AsFd as _;
                    if let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>()
                        && let Ok(owned) = stream.as_fd().try_clone_to_owned()
                    {
                        extensions.insert(server::Socket(std::net::TcpStream::from(owned)));
                    }
                })
                .listen(listener)
                .map(HttpServer::run);
                match server {
                    Ok(server) => {
                        // Nobody waits any more: then the handle goes and the server stops.
                        let _ = ready.send(Ok(server.handle()));
                        actix_web::rt::spawn(control::live(living));
                        if let Err(error) = server.await {
                            tracing::error!(%error, "the hotel's server ended");
                        }
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                    }
                }
            });
        })?;
        let server = started.recv().map_err(std::io::Error::other)??;
        Ok(Self(Arc::new(Running { address, shared, server })))
    }

    /// The full URL of the data handler, to be typed into a hotel's settings.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}?ic={PROPERTY}", self.0.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    pub fn username(&self) -> String {
        self.with(|s| s.user.clone())
    }

    pub fn password(&self) -> String {
        self.with(|s| s.password.clone())
    }

    pub fn vendor(&self) -> Option<String> {
        self.with(|s| s.vendor.clone())
    }

    /// Reads or changes the truth; what is changed by hand does not move `LastUpdateTime` (use [`Hotel::edit`]).
    pub fn with<T>(&self, look: impl FnOnce(&mut HotelState) -> T) -> T {
        look(&mut self.0.shared.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn check_in(&self, number: i64) -> Result<(), DeskError> {
        self.with(|s| s.check_in(number))
    }

    pub fn check_out(&self, number: i64) -> Result<(), DeskError> {
        self.with(|s| s.check_out(number))
    }

    pub fn cancel(&self, number: i64) -> Result<(), DeskError> {
        self.with(|s| s.cancel(number))
    }

    pub fn book(&self, booking: Booking) -> Result<i64, DeskError> {
        self.with(|s| s.book(booking))
    }

    /// Books a standard room for a new guest, arriving `in_days` from the business date.
    pub fn book_new_guest(&self, in_days: i64, nights: i64) -> Result<i64, DeskError> {
        self.with(|s| s.book_new_guest(in_days, nights))
    }

    pub fn edit(&self, number: i64, change: impl FnOnce(&mut Reservation)) -> Result<(), DeskError> {
        self.with(|s| s.edit(number, change))
    }

    pub fn edit_profile(&self, id: i64, change: impl FnOnce(&mut Profile)) -> bool {
        self.with(|s| s.edit_profile(id, change))
    }

    pub fn set_clock(&self, at: NaiveDateTime) {
        self.with(|s| s.set_clock(at));
    }

    /// Lets one thing of a living day happen; returns the reservation it concerned.
    pub fn tick(&self) -> Option<i64> {
        self.0.shared.tick()
    }

    /// How often something happens by itself; `None` stops it.
    pub fn set_living_day(&self, pace: Option<Duration>) {
        self.0.shared.speed.store(milliseconds(pace), Ordering::SeqCst);
    }

    pub fn faults(&self) -> Faults {
        self.0.shared.faults.clone()
    }

    /// Every request so far, the oldest first.
    pub fn requests(&self) -> Vec<Seen> {
        self.0.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests that wait for their answer now.
    pub fn in_flight(&self) -> usize {
        self.0.shared.in_flight.load(Ordering::SeqCst)
    }

    /// The most requests that were open at the same time.
    pub fn most_at_once(&self) -> usize {
        self.0.shared.most_at_once.load(Ordering::SeqCst)
    }
}
