//! The real binary killed (SIGKILL) at every named step of its work, and at moments that nobody chose, with answers lost
//! and requests that commit late; afterwards nothing is doubled, lost or wrong. Lease 1 s, request cap 2 s (settings), so
//! that holds end soon. `FB24_CRASH_SEED=…` plays the same kills in the same order.

use fb24_sandbox::hotel::dice::Dice;

use crate::on_both_engines;
use crate::support::crash::{Rig, Step, plan, seed};

/// Kills at named steps, on each engine; some more come anywhere, as chance puts them between.
const NAMED: usize = 12;

on_both_engines! {
    s1_s7_killed_at_every_named_step_nothing_is_doubled_lost_or_wrong(db) {
        let seed = seed();
        println!("FB24_CRASH_SEED={seed}");
        let mut rig = Rig::open(&db.db, &db.url, 1, seed, false).await;
        let (mut named, mut anywhere) = (0, 0);
        for step in plan(db.db.engine(), 3 * NAMED, &mut Dice::new(seed)) {
            // The test has a minute; the bench takes its time.
            if matches!(step, Step::Anywhere(_)) {
                if anywhere < NAMED / 4 {
                    anywhere += 1;
                    rig.kill_at(step).await;
                }
                continue;
            }
            named += usize::from(rig.kill_at(step).await);
            if named == NAMED {
                break;
            }
        }
        for (step, (kills, reached)) in &rig.kills {
            println!("{step}: killed {kills}, there {reached}");
        }
        let left = rig.end(90).await;
        assert!(left.is_empty(), "both sides still differ: {left:#?}");
        let limits = rig.portal.limits();
        assert_eq!((limits.bucket_rejections, limits.operating_rejections), (0, 0));
        assert_eq!(named, NAMED, "steps that were reached");
        assert_eq!(rig.close(), [Some(0)]);
    }
}
