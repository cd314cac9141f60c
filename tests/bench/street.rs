//! Emulated portals with a hotel each, connected to the product, and changes among them at a pace. A process may hold only so
//! many files open, so a long street is several processes of this program, told what to do line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use fb24_sandbox::hotel::{Hotel, HotelOptions};
use fb24_sandbox::portal::{Portal, PortalOptions};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::support::world::{Admin, differences, until};

/// Set for a process that is a street: how many houses.
pub const HOUSES: &str = "FB24_BENCH_HOUSES";
const CODE: &str = "GRAND";
/// Houses that move in side by side.
const AT_ONCE: usize = 8;
/// Of so many changes one is a new booking.
const NEW: usize = 5;

pub struct House {
    pub portal: Portal,
    pub hotel: Hotel,
    bookings: Vec<i64>,
}

/// A booking was changed.
pub struct Change {
    pub house: usize,
    at: DateTime<Utc>,
}

pub struct Street {
    pub houses: Vec<House>,
    changes: usize,
}

impl House {
    fn build() -> Self {
        let hotel = Hotel::start(HotelOptions { rooms: 20, ..HotelOptions::empty() });
        let bookings = [3, 5].map(|day| hotel.book_new_guest(day, 2).expect("a booking")).to_vec();
        Self { portal: Portal::start(PortalOptions::default()), hotel, bookings }
    }

    async fn move_in(&self, url: &str) {
        let admin = Admin::install(&self.portal, url).await;
        admin.connect(&self.hotel, CODE).await;
        let import = admin.start_import(CODE).await;
        admin.wait_for_import(&import, 300).await;
    }

    /// Seconds from the begin of the poll that could see it to the portal's carrying it out.
    fn latency(&self, changed: DateTime<Utc>) -> Option<f64> {
        let asked = self.hotel.requests();
        let windows = asked.iter().filter(|request| request.types.iter().any(|kind| kind == "Reservation"));
        let poll = windows.map(|request| request.at).find(|at| *at >= changed)?;
        let written = self.portal.requests_of("crm.item.update");
        let done = written.iter().map(|request| request.at_ms).find(|at| *at >= poll.timestamp_millis())?;
        Some((done - poll.timestamp_millis()) as f64 / 1e3)
    }
}

impl Street {
    pub fn build(houses: usize) -> Self {
        Self { houses: (0..houses).map(|_| House::build()).collect(), changes: 0 }
    }

    pub fn oauth_hosts(&self) -> Vec<String> {
        self.houses.iter().map(|house| house.portal.oauth_url()).collect()
    }

    pub async fn move_in(&self, url: &str) {
        let moving = self.houses.iter().map(|house| house.move_in(url));
        futures_util::stream::iter(moving).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    }

    /// Changes in one house after the other, evenly over the time.
    pub async fn change(&mut self, per_second: f64, time: Duration) -> Vec<Change> {
        let (begin, mut changed) = (Instant::now(), Vec::new());
        for n in 0..(per_second * time.as_secs_f64()) as usize {
            tokio::time::sleep_until((begin + Duration::from_secs_f64(n as f64 / per_second)).into()).await;
            let at = self.changes;
            self.changes += 1;
            // Not in order: neighbours are polled one after another.
            let house = at * 389 % self.houses.len();
            let here = &self.houses[house];
            if at % NEW == NEW - 1 {
                here.hotel.book_new_guest(4, 2).expect("a booking");
                continue;
            }
            let booking = here.bookings[at / self.houses.len() % here.bookings.len()];
            let edit = |stay: &mut fb24_sandbox::hotel::Reservation| {
                stay.rate += 1_000;
                stay.reprice();
            };
            here.hotel.edit(booking, edit).expect("edited");
            changed.push(Change { house, at: Utc::now() });
        }
        changed
    }

    /// Waits until all have what their hotels have; answers how many have not in time.
    pub async fn settled(&self, seconds: u64) -> usize {
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut open: Vec<&House> = self.houses.iter().collect();
        loop {
            open.retain(|house| !differences(&house.portal, &house.hotel, CODE).is_empty());
            if open.is_empty() || Instant::now() > end {
                for house in &open {
                    eprintln!("{}: {:#?}", house.portal.domain(), differences(&house.portal, &house.hotel, CODE));
                }
                return open.len();
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    pub fn latencies(&self, changed: &[Change]) -> Vec<f64> {
        changed.iter().filter_map(|change| self.houses[change.house].latency(change.at)).collect()
    }

    /// Requests that the portals refused by a limit.
    pub fn refused(&self) -> u64 {
        let of = |house: &House| house.portal.limits().bucket_rejections + house.portal.limits().operating_rejections;
        self.houses.iter().map(of).sum()
    }
}

/// The life of a process that is a street.
pub async fn serve(houses: &str) {
    let mut street = Street::build(houses.parse().expect("a number"));
    let mut changed = Vec::new();
    let tell = |said: Value| {
        println!("{said}");
        std::io::stdout().flush().expect("somebody reads");
    };
    tell(json!(street.oauth_hosts()));
    for line in std::io::stdin().lines() {
        let line: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let number = |name: &str| line[name].as_f64().expect("a number");
        tell(match line["do"].as_str().expect("a word") {
            "move in" => json!(street.move_in(line["url"].as_str().expect("a URL")).await),
            "change" => {
                let time = Duration::from_secs_f64(number("seconds"));
                changed.extend(street.change(number("per_second"), time).await);
                Value::Null
            }
            "settle" => json!(street.settled(number("seconds") as u64).await),
            "latencies" => json!(street.latencies(&std::mem::take(&mut changed))),
            "refused" => json!(street.refused()),
            other => panic!("{other}?"),
        });
    }
}

/// Streets in processes of their own, told the same at once.
pub struct Town(Vec<(Child, ChildStdin, BufReader<ChildStdout>)>);

impl Town {
    /// Opens so many houses; answers their OAuth hosts as well.
    pub fn open(houses: usize, streets: usize) -> (Self, String) {
        let open = |n: usize| {
            let count = houses / streets + usize::from(n < houses % streets);
            let mut child = Command::new(std::env::current_exe().expect("this program"))
                .env(HOUSES, count.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("a street");
            let (stdin, stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
            (child, stdin, BufReader::new(stdout))
        };
        let mut town = Self((0..streets).map(open).collect());
        let hosts: Vec<String> = town.heard().iter().flat_map(strings).collect();
        (town, hosts.join(","))
    }

    fn heard(&mut self) -> Vec<Value> {
        let hear = |(_, _, stdout): &mut (Child, ChildStdin, BufReader<ChildStdout>)| -> Value {
            let mut line = String::new();
            stdout.read_line(&mut line).expect("a street that lives");
            serde_json::from_str(&line).expect("JSON")
        };
        self.0.iter_mut().map(hear).collect()
    }

    /// What each street answers.
    pub fn tell(&mut self, order: &Value) -> Vec<Value> {
        for (_, stdin, _) in &mut self.0 {
            writeln!(stdin, "{order}").expect("a street that lives");
        }
        self.heard()
    }

    /// The sum of what they answer.
    pub fn sum(&mut self, order: &Value) -> f64 {
        self.tell(order).iter().filter_map(Value::as_f64).sum()
    }

    pub fn latencies(&mut self) -> Vec<f64> {
        let said = self.tell(&json!({"do": "latencies"}));
        said.iter().filter_map(Value::as_array).flatten().filter_map(Value::as_f64).collect()
    }

    /// Changes at a pace that all streets make up together.
    pub fn change(&mut self, per_second: f64, seconds: f64) {
        let share = per_second / self.0.len() as f64;
        self.tell(&json!({"do": "change", "per_second": share, "seconds": seconds}));
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        for (child, ..) in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn strings(said: &Value) -> Vec<String> {
    said.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Waits until the hotels are polled at their own pace again.
pub async fn at_rest(street: &Street) {
    let left = street.settled(120).await;
    assert_eq!(left, 0, "houses that are not served");
    until("events are told", 60, || async {
        for house in &street.houses {
            if !house.portal.events_settled().await {
                return None;
            }
        }
        Some(())
    })
    .await;
}
