//! The real binary killed (SIGKILL) at named steps and at moments that nobody chose, under load and beside other
//! troubles. Steps are seen from outside: a request of the product that the portal or the hotel keeps waiting, or a
//! statement that waits for a lock of ours. The seed decides which kills come in which order and what happens meanwhile.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use fb24_sandbox::hotel::dice::Dice;
use fb24_sandbox::hotel::{Fault as HotelFault, Hotel, HotelOptions};
use fb24_sandbox::portal::{Edition, Fault, FaultAnswer, Hold, Portal, PortalOptions};
use fidelio_bitrix24::store::{Db, Engine, Tx, testing};

use super::load::Load;
use super::process::{Process, Settings, free_port};
use super::truth::{Difference, compare};
use super::world::Admin;

pub const CODE: &str = "GRAND";
/// Longer than any step is waited for.
const NEVER: Duration = Duration::from_secs(60);
const LATE: Duration = Duration::from_millis(1_500);
/// A step that is not reached by then is given up; the kill comes all the same.
const REACHED: Duration = Duration::from_secs(4);
/// What should bring the process there is done so often: a record may be held, an import under way.
const TRIES: u32 = 4;
/// Time enough to run into a lock where nobody can see who waits.
const RUN_INTO: Duration = Duration::from_millis(120);

/// What became of the request at which the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    NeverDone,
    Done,
    /// Done when the process is dead already.
    DoneLater,
    /// Done and answered; the answer is not recorded.
    Answered,
}

/// Where the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A request with this method is under way to the portal.
    Portal(&'static str, Fate),
    /// The hotel is being read.
    HotelAsked,
    /// The hotel has answered; nothing of it is stored.
    HotelAnswered,
    /// A write to this table waits (SQLite: any write).
    Writing(&'static str),
    /// An event was taken in, its row waits, the portal has no answer.
    Event,
    /// It has just been started.
    Starting,
    /// So many milliseconds after whatever came before.
    Anywhere(u64),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Portal(method, Fate::NeverDone) => write!(f, "{method} sent, not done"),
            Self::Portal(method, Fate::Done) => write!(f, "{method} done, not answered"),
            Self::Portal(method, Fate::DoneLater) => write!(f, "{method} done after the death"),
            Self::Portal(method, Fate::Answered) => write!(f, "{method} answered, not recorded"),
            Self::HotelAsked => write!(f, "hotel asked"),
            Self::HotelAnswered => write!(f, "hotel answered, not stored"),
            Self::Writing(table) => write!(f, "writing: {table}"),
            Self::Event => write!(f, "event taken in, not stored"),
            Self::Starting => write!(f, "starting"),
            Self::Anywhere(_) => write!(f, "anywhere"),
        }
    }
}

impl Step {
    /// Every named step of this engine.
    pub fn named(engine: Engine) -> Vec<Self> {
        let fates = [Fate::NeverDone, Fate::Done, Fate::DoneLater, Fate::Answered];
        let writes = ["crm.item.batchImport", "crm.item.add", "crm.item.update"];
        let mut steps: Vec<Self> = writes.iter().flat_map(|m| fates.map(|fate| Self::Portal(m, fate))).collect();
        steps.extend([Fate::NeverDone, Fate::Done, Fate::Answered].map(|fate| Self::Portal("crm.item.list", fate)));
        steps.extend([Self::HotelAsked, Self::HotelAnswered, Self::Event, Self::Starting]);
        let tables: &[&str] = match engine {
            Engine::Sqlite => &["file"],
            Engine::Postgres => &[
                "inbox",
                "stay",
                "profile",
                "outbox",
                "crm_record",
                "link",
                "provenance",
                "portal_bucket",
                "lease",
                "source",
            ],
        };
        steps.extend(tables.iter().copied().map(Self::Writing));
        steps
    }
}

/// `count` kills, every named step in turn among those anywhere, in an order that the seed decides.
pub fn plan(engine: Engine, count: usize, dice: &mut Dice) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(count);
    while steps.len() < count {
        let mut turn = Step::named(engine);
        turn.extend((0..turn.len()).map(|_| Step::Anywhere(dice.range(1, 1_200).unsigned_abs())));
        while !turn.is_empty() && steps.len() < count {
            let last = i64::try_from(turn.len()).unwrap_or(1) - 1;
            steps.push(turn.swap_remove(usize::try_from(dice.range(0, last)).unwrap_or(0)));
        }
    }
    steps
}

/// A portal, a hotel, one or two nodes on one database, and what was done to them.
pub struct Rig {
    pub portal: Portal,
    pub hotel: Hotel,
    pub load: Load,
    /// Kills by step, and how many of them found it.
    pub kills: BTreeMap<String, (u32, u32)>,
    db: Db,
    nodes: Vec<Process>,
    settings: Settings,
    public: String,
    dice: Dice,
    hangs: u64,
    /// Somebody still has to ask for an import.
    owed: bool,
}

impl Rig {
    /// Installs the product, connects the hotel and begins its import.
    pub async fn open(db: &Db, url: &str, nodes: usize, seed: u64, put_backs: bool) -> Self {
        let portal = Portal::start(PortalOptions { edition: Edition::Enterprise, ..PortalOptions::default() });
        let hotel = Hotel::start(HotelOptions { reservations: 60, seed, ..HotelOptions::default() });
        let settings =
            Settings::new(url, &portal).with("sync.lease_seconds", "1").with("bitrix.request_cap_seconds", "2");
        let ports: Vec<u16> = (0..nodes).map(|_| free_port()).collect();
        let public = format!("http://127.0.0.1:{}", ports[0]);
        let mut running = Vec::new();
        for port in ports {
            running.push(Process::start_behind(&settings, port, &public).await);
        }
        let admin = Admin::install(&portal, &public).await;
        admin.connect(&hotel, CODE).await;
        admin.start_import(CODE).await;
        let load = Load::new(seed, put_backs);
        let (kills, dice) = (BTreeMap::new(), Dice::new(seed));
        Self {
            portal,
            hotel,
            load,
            kills,
            db: db.clone(),
            nodes: running,
            settings,
            public,
            dice,
            hangs: 0,
            owed: false,
        }
    }

    /// Lets the process come to this step and kills it there; whether it came so far.
    pub async fn kill_at(&mut self, step: Step) -> bool {
        self.load.go_on(&self.portal, &self.hotel);
        self.trouble();
        let (reached, lock) = self.reach(step).await;
        self.strike().await;
        if let Some(lock) = lock {
            lock.rollback().await.expect("the lock ends");
        }
        let entry = self.kills.entry(step.to_string()).or_default();
        *entry = (entry.0 + 1, entry.1 + u32::from(reached));
        // One that was not reached must not strike later.
        let waits = |fault: &Fault| matches!(fault.answer, FaultAnswer::Hang(_) | FaultAnswer::Held(_));
        if self.portal.faults().iter().any(waits) {
            self.portal.clear_faults();
        }
        self.hotel.faults().clear();
        self.revive().await;
        reached
    }

    /// What goes wrong besides: lost answers and late commits of requests that nobody is killed at.
    fn trouble(&mut self) {
        if !self.dice.chance(35) {
            return;
        }
        let method = self.dice.word(&["crm.item.add", "crm.item.update", "crm.item.batchImport", "crm.item.list"]);
        let fault = match self.dice.range(1, 4) {
            1 => Fault::before(method),
            2 => Fault::after_commit(method),
            3 => Fault::commit_later(method, LATE),
            _ => Fault::error(method, 503, "INTERNAL_SERVER_ERROR"),
        };
        // Behind the one at which the process dies.
        self.portal.fault(fault.after(1));
    }

    /// Whether the step was reached, and the lock that keeps the process there.
    async fn reach(&mut self, step: Step) -> (bool, Option<Tx>) {
        match step {
            Step::Portal(method, Fate::Answered) => return self.answered(method).await,
            Step::Portal(method, fate) => return (self.sent(method, fate).await, None),
            Step::HotelAsked | Step::HotelAnswered => return self.asked(step == Step::HotelAnswered).await,
            Step::Writing(table) => {
                let lock = testing::hold_writes(&self.db, table).await.expect("a lock");
                self.load.change(&self.hotel);
                self.load.book(&self.hotel);
                return (self.stuck(Duration::from_millis(400)).await, Some(lock));
            }
            Step::Event => {
                let lock = testing::hold_writes(&self.db, "inbox").await.expect("a lock");
                self.load.comment(&self.portal);
                return (self.stuck(RUN_INTO).await, Some(lock));
            }
            Step::Starting => {
                for node in &mut self.nodes {
                    node.strike();
                    *node = Process::spawn(&self.settings, node.port(), &self.public);
                }
                let pause = self.dice.range(5, 250).unsigned_abs();
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            Step::Anywhere(pause) => tokio::time::sleep(Duration::from_millis(pause)).await,
        }
        (true, None)
    }

    /// Asks for an import of what history has grown, unless one is under way: that one may have passed it already.
    async fn import(&mut self) {
        let admin = Admin::open(&self.portal, &self.public).await;
        self.owed &= admin.try_import(CODE).await.is_err();
    }

    /// Work that needs this method.
    async fn provoke(&mut self, method: &str) {
        match method {
            "crm.item.batchImport" => {
                self.load.history(&self.hotel);
                self.owed = true;
                self.import().await;
            }
            "crm.item.add" => self.load.book(&self.hotel),
            "crm.item.update" => self.load.change(&self.hotel),
            // An event makes the product look.
            _ => self.load.comment(&self.portal),
        }
    }

    /// Before every other fault.
    fn first(&self, fault: Fault) {
        let planned = self.portal.faults();
        self.portal.clear_faults();
        self.portal.fault(fault);
        planned.into_iter().for_each(|fault| self.portal.fault(fault));
    }

    async fn sent(&mut self, method: &'static str, fate: Fate) -> bool {
        self.hangs += 1;
        let hang = FaultAnswer::Hang(NEVER + Duration::from_millis(self.hangs));
        let fault = match fate {
            Fate::NeverDone => Fault::before(method),
            Fate::DoneLater => Fault::commit_later(method, LATE),
            _ => Fault::after_commit(method),
        };
        self.first(fault.answering(hang.clone()));
        let mut reached = false;
        for _ in 0..TRIES {
            self.provoke(method).await;
            reached = self.seen(|rig| rig.portal.faults().iter().all(|fault| fault.answer != hang)).await;
            if reached {
                break;
            }
        }
        // What the portal does before it hangs takes less.
        tokio::time::sleep(Duration::from_millis(10)).await;
        reached
    }

    async fn answered(&mut self, method: &'static str) -> (bool, Option<Tx>) {
        let hold = Hold::default();
        self.first(Fault::after_commit(method).answering(FaultAnswer::Held(hold.clone())));
        let mut reached = false;
        for _ in 0..TRIES {
            self.provoke(method).await;
            reached = tokio::time::timeout(REACHED, hold.reached()).await.is_ok();
            if reached {
                break;
            }
        }
        let lock = testing::hold_writes(&self.db, "outbox").await.expect("a lock");
        hold.release();
        (reached && self.stuck(RUN_INTO).await, Some(lock))
    }

    async fn asked(&mut self, answers: bool) -> (bool, Option<Tx>) {
        self.load.book(&self.hotel);
        let before = self.hotel.in_flight();
        let wait = Duration::from_millis(250);
        self.hotel.faults().push(HotelFault::Delay(if answers { wait } else { 3 * REACHED }));
        let asked = self.seen(|rig| rig.hotel.in_flight() > before).await;
        if !answers {
            return (asked, None);
        }
        let lock = testing::hold_writes(&self.db, "inbox").await.expect("a lock");
        (asked && self.stuck(wait + RUN_INTO).await, Some(lock))
    }

    async fn seen(&self, look: impl Fn(&Self) -> bool) -> bool {
        let end = Instant::now() + REACHED;
        while !look(self) {
            if Instant::now() > end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        true
    }

    /// Waits until somebody waits for our lock; where that cannot be seen, for a while.
    async fn stuck(&self, least: Duration) -> bool {
        if self.db.engine() == Engine::Sqlite {
            tokio::time::sleep(least.max(RUN_INTO)).await;
            return true;
        }
        let end = Instant::now() + REACHED;
        while testing::waiting(&self.db).await.expect("activity") == 0 {
            if Instant::now() > end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }

    /// Kills the only node, or one of two, or both.
    async fn strike(&mut self) {
        let worker = self.worker().await.unwrap_or(0);
        let others = self.nodes.len() - 1;
        match self.dice.range(1, 10) {
            // Mostly the one that does the work.
            3..=8 => self.nodes[worker].strike(),
            9 | 10 => self.nodes[(worker + others) % (others + 1)].strike(),
            _ => self.nodes.iter_mut().for_each(Process::strike),
        }
    }

    async fn revive(&mut self) {
        for node in &mut self.nodes {
            if !node.is_alive() {
                *node = Process::spawn(&self.settings, node.port(), &self.public);
            }
            node.wait_until_ready().await;
        }
    }

    /// Which node holds the portal.
    async fn worker(&self) -> Option<usize> {
        let leases = testing::leases(&self.db, chrono::Utc::now().timestamp_millis()).await.expect("leases");
        let (_, owner) = leases.into_iter().find(|(name, _)| name.starts_with("portal:"))?;
        self.nodes.iter().position(|node| node.node().as_ref() == Some(&owner))
    }

    /// Troubles end; what is left between both sides when they agree, or after so many seconds.
    pub async fn end(&mut self, seconds: u64) -> Vec<Difference> {
        self.portal.clear_faults();
        self.hotel.faults().clear();
        let end = Instant::now() + Duration::from_secs(seconds);
        loop {
            if self.owed {
                self.import().await;
            }
            let left = compare(&self.portal, &self.hotel, CODE, &self.load.hands);
            if left.is_empty() || Instant::now() > end {
                return left;
            }
            tokio::time::sleep(Duration::from_millis(if self.owed { 2_000 } else { 200 })).await;
        }
    }

    /// Stops the nodes in order; their exit codes.
    pub fn close(&mut self) -> Vec<Option<i32>> {
        self.nodes.drain(..).map(Process::terminate).collect()
    }
}

/// Chosen by hand, else by chance.
pub fn seed() -> u64 {
    let given = std::env::var("FB24_CRASH_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0))
}
