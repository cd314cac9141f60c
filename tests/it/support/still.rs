//! Time that passes only when everybody waits for it: then a run shows what its waits cost, and not how fast the machine is.

use std::time::Duration;

use fb24_sandbox::portal::Portal;
use tokio::runtime::{Handle, RuntimeFlavor};

/// A database may be silent for so long and yet be at work.
const SILENCE: Duration = Duration::from_millis(8);

/// Returns when nothing moves: no task of this runtime, and no request that is not waiting for the portal's clock.
pub async fn still(portal: &Portal) {
    let metrics = Handle::current().metrics();
    let alone = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
    let turns = || (0..metrics.num_workers()).map(|worker| metrics.worker_park_unpark_count(worker)).sum::<u64>();
    let working = || {
        !alone && (0..metrics.num_workers()).any(|worker| metrics.worker_park_unpark_count(worker).is_multiple_of(2))
    };
    loop {
        let before = turns();
        tokio::time::sleep(SILENCE).await;
        // Whoever woke us goes to rest again.
        if working() {
            std::thread::sleep(Duration::from_micros(200));
        }
        // Our own sleep counts for one or two.
        if turns() - before <= 4 && !working() && portal.at_rest().0 {
            return;
        }
    }
}

/// How far time may go at once: to what a request waits for, but not so far that a look at what is live is missed.
pub fn step(portal: &Portal, now_ms: i64) -> Duration {
    const FAR: u64 = 150;
    let due = portal.at_rest().1.and_then(|due| u64::try_from(due - now_ms).ok());
    // Without a request under way it is our own work that is awaited, or the next permit.
    Duration::from_millis(due.map_or(FAR, |left| left.clamp(1, FAR)))
}
