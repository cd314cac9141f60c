//! How much of what waits goes into one request: no more commands than a batch takes, no longer than well below the
//! portal's cap, and no more than each method may still work (product §2.4). Pure.

use std::collections::HashMap;
use std::time::Duration;

use super::writes::CommandKind;
use crate::bitrix::crm::IMPORT_ROWS;
use crate::bitrix::{COMMANDS, Pace};
use crate::domain::CrmEntity;

/// Seconds that a request aims at, and at most so much of the portal's cap: rows may become slower, and what is not
/// answered holds its records. A portal whose rows are slow is bound by its operating limit, not by requests.
const AIM: f64 = 10.0;
const OF_CAP: f64 = 0.5;
/// Seconds that a row is taken to need while nothing is known: what is sent then is a probe.
const UNKNOWN_ROW: f64 = 0.2;
/// A request that works so long is not worth waiting for more to go with it.
const WORTH: f64 = 2.0;

/// How many may travel with a write that was in so many requests that came to nothing: whichever of them spoils a request
/// is alone at last, and holds up nobody else.
fn company(spoilt: i32) -> usize {
    match spoilt {
        ..=0 => usize::MAX,
        1 => IMPORT_ROWS,
        _ => 1,
    }
}

/// Seconds are told with a few digits.
const NEARLY: f64 = 0.01;

/// One write that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub kind: CommandKind,
    pub entity: CrmEntity,
    /// Commands it needs; rows of an import share theirs.
    pub commands: usize,
    /// Requests with it that came to nothing as a whole.
    pub spoilt: i32,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Packed {
    /// Positions of what goes into the request, in order.
    pub taken: Vec<usize>,
    /// What its method has no room for, and when it will (ms).
    pub held: Vec<(usize, i64)>,
    /// Waiting for more would not make the request any better.
    pub full: bool,
}

struct Room {
    open: bool,
    row: f64,
    cost: f64,
    left: f64,
    on_trial: bool,
    ready_at: i64,
}

impl Room {
    /// `waiting`: rows of the kind. An import is not worth a request for less than a command's rows.
    fn of(kind: CommandKind, pace: Pace, waiting: usize) -> Self {
        let shared = kind == CommandKind::Import && !pace.on_trial;
        let least = if shared { waiting.min(IMPORT_ROWS) } else { 1 };
        let need = (pace.cost * number(least)).min(pace.portion);
        Self {
            open: pace.left > 0.0 && pace.left + NEARLY >= need,
            row: pace.row.unwrap_or(UNKNOWN_ROW),
            cost: pace.cost,
            left: pace.left,
            on_trial: pace.on_trial,
            ready_at: pace.ready_at,
        }
    }

    fn take_one(&mut self) {
        self.left -= self.cost;
        self.open = !self.on_trial && self.left + NEARLY >= self.cost;
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Seconds that a request should take at most.
pub(super) fn aim(request_cap: Duration) -> f64 {
    AIM.min(request_cap.as_secs_f64() * OF_CAP)
}

/// `aim`: seconds that the request should take at most; one write goes whatever it takes.
pub(super) fn pack(items: &[Item], aim: f64, pace: impl Fn(CommandKind) -> Pace) -> Packed {
    let mut packed = Packed::default();
    let mut rooms: HashMap<CommandKind, Room> = HashMap::new();
    let mut open: HashMap<CrmEntity, usize> = HashMap::new();
    let (mut commands, mut seconds, mut most) = (0_usize, 0.0_f64, usize::MAX);
    for (at, item) in items.iter().enumerate() {
        let waiting = || items.iter().filter(|other| other.kind == item.kind).take(IMPORT_ROWS).count();
        let room = rooms.entry(item.kind).or_insert_with(|| Room::of(item.kind, pace(item.kind), waiting()));
        if !room.open {
            packed.held.push((at, room.ready_at));
            continue;
        }
        let most_with = most.min(company(item.spoilt));
        if packed.taken.len() >= most_with {
            packed.full = true;
            continue;
        }
        let rows = open.get(&item.entity).copied().unwrap_or_default();
        let needs = match item.kind {
            CommandKind::Import => usize::from(rows.is_multiple_of(IMPORT_ROWS)),
            _ => item.commands,
        };
        if commands + needs > COMMANDS || (!packed.taken.is_empty() && seconds + room.row > aim + NEARLY) {
            packed.full = true;
            break;
        }
        if item.kind == CommandKind::Import {
            open.insert(item.entity, rows + 1);
        }
        most = most_with;
        commands += needs;
        seconds += room.row;
        room.take_one();
        packed.taken.push(at);
    }
    let whole = commands == COMMANDS && open.values().all(|rows| rows.is_multiple_of(IMPORT_ROWS));
    packed.full |= whole || !packed.held.is_empty() || seconds >= WORTH;
    packed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FREE: Pace =
        Pace { row: Some(0.001), cost: 0.001, left: 400.0, on_trial: false, portion: 0.02, ready_at: 0, under_way: 0 };
    const KINDS: [CommandKind; 5] =
        [CommandKind::Add, CommandKind::Import, CommandKind::Update, CommandKind::Delete, CommandKind::Note];

    fn rows(kind: CommandKind, entity: CrmEntity, count: usize) -> Vec<Item> {
        vec![Item { kind, entity, commands: 1, spoilt: 0 }; count]
    }

    fn imports(count: usize) -> Vec<Item> {
        rows(CommandKind::Import, CrmEntity::Deal, count)
    }

    fn commands(items: &[Item], taken: &[usize]) -> usize {
        let mut imported: HashMap<CrmEntity, usize> = HashMap::new();
        let mut single = 0;
        for item in taken.iter().map(|at| items[*at]) {
            match item.kind {
                CommandKind::Import => *imported.entry(item.entity).or_default() += 1,
                _ => single += item.commands,
            }
        }
        single + imported.values().map(|rows| rows.div_ceil(IMPORT_ROWS)).sum::<usize>()
    }

    #[test]
    fn s48_a_request_is_filled_to_fifty_commands_of_twenty_rows() {
        let packed = pack(&imports(1_200), 30.0, |_| FREE);
        assert_eq!((packed.taken.len(), packed.held.len(), packed.full), (1_000, 0, true));
        let packed = pack(&imports(999), 30.0, |_| FREE);
        assert_eq!((packed.taken.len(), packed.full), (999, false), "one more would fit");
        let mixed = [
            rows(CommandKind::Import, CrmEntity::Contact, 10),
            imports(980),
            rows(CommandKind::Add, CrmEntity::Deal, 3),
        ]
        .concat();
        assert_eq!(pack(&mixed, 30.0, |_| FREE).taken.len(), 990, "a command of ten and 49 of twenty");
    }

    #[test]
    fn s1_a_request_ends_well_below_the_cap_and_the_first_one_is_a_probe() {
        let slow = Pace { row: Some(0.3), cost: 0.3, portion: 6.0, ..FREE };
        assert_eq!(pack(&imports(1_000), 30.0, |_| slow).taken.len(), 100);
        let unknown = Pace { row: None, cost: 0.0, ..FREE };
        assert_eq!(pack(&imports(1_000), aim(Duration::from_secs(60)), |_| unknown).taken.len(), 50);
        assert!(aim(Duration::from_secs(8)) < 4.1, "a portal may end requests sooner");
        let endless = Pace { row: Some(90.0), cost: 900.0, portion: 200.0, ..FREE };
        assert_eq!(pack(&imports(1_000), 30.0, |_| endless).taken.len(), 1, "one goes whatever it takes");
    }

    #[test]
    fn s1_what_one_method_has_no_room_for_holds_up_no_other() {
        let items = [imports(30), rows(CommandKind::Update, CrmEntity::Deal, 5)].concat();
        let pace = |kind| match kind {
            CommandKind::Import => Pace { cost: 0.3, left: 0.0, portion: 6.0, ready_at: 9_000, ..FREE },
            _ => FREE,
        };
        let packed = pack(&items, 30.0, pace);
        assert_eq!(packed.taken, [30, 31, 32, 33, 34]);
        assert_eq!(packed.held, (0..30).map(|at| (at, 9_000)).collect::<Vec<_>>());
        let little = |_| Pace { cost: 0.3, left: 5.0, portion: 6.0, ready_at: 9_000, ..FREE };
        assert_eq!(pack(&imports(30), 30.0, little).taken.len(), 0, "not for less than a command's rows …");
        assert_eq!(pack(&imports(16), 30.0, little).taken.len(), 16, "… unless there are no more");
    }

    #[test]
    fn s48_whether_a_ban_is_over_is_tried_by_one_row_of_what_waits_for_it() {
        let items = [imports(30), rows(CommandKind::Update, CrmEntity::Deal, 5)].concat();
        let pace = |kind| Pace { on_trial: kind == CommandKind::Import, ready_at: 9_000, ..FREE };
        let packed = pack(&items, 30.0, pace);
        assert_eq!(packed.taken, [0, 30, 31, 32, 33, 34]);
        assert_eq!(packed.held, (1..30).map(|at| (at, 9_000)).collect::<Vec<_>>());
    }

    #[test]
    fn s1_what_got_no_answer_together_is_tried_in_less_and_less_company() {
        let tried = |spoilt| Item { spoilt, ..rows(CommandKind::Update, CrmEntity::Deal, 1)[0] };
        let taken = |items: &[Item]| {
            let packed = pack(items, 30.0, |_| FREE);
            (packed.taken, packed.full)
        };
        assert_eq!(taken(&[tried(1); 30]), ((0..20).collect(), true));
        assert_eq!(taken(&[tried(2); 30]), (vec![0], true));
        assert_eq!(taken(&[tried(0), tried(2), tried(0)]), (vec![0, 2], true), "whoever is well goes without it");
        assert_eq!(taken(&[tried(2), tried(0)]), (vec![0], true), "and it goes when it is the first");
    }

    proptest! {
        #[test]
        fn s1_a_request_never_exceeds_what_is_left_and_is_empty_only_without_room(
            items in proptest::collection::vec((0_usize..5, 0_usize..3, 1_usize..3), 0..300),
            paces in proptest::collection::vec((proptest::option::of(0.000_1_f64..3.0), 0.0_f64..3.0, 0.0_f64..460.0), 5),
            aim in 1.0_f64..60.0,
        ) {
            let items: Vec<Item> = items
                .into_iter()
                .map(|(kind, entity, commands)| Item {
                    kind: KINDS[kind],
                    entity: CrmEntity::ALL[entity],
                    commands,
                    spoilt: 0,
                })
                .collect();
            let pace = |kind: CommandKind| {
                let (row, cost, left) = paces[KINDS.iter().position(|one| *one == kind).unwrap()];
                Pace { row, cost, left, portion: (20.0 * cost).min(228.0), ready_at: 7, ..Pace::default() }
            };
            let packed = pack(&items, aim, pace);
            prop_assert!(commands(&items, &packed.taken) <= COMMANDS);
            let mut seconds = 0.0;
            for kind in KINDS {
                let count = number(packed.taken.iter().filter(|at| items[**at].kind == kind).count());
                prop_assert!(count <= 1.0 || count * pace(kind).cost <= pace(kind).left + 2.0 * NEARLY);
                seconds += count * pace(kind).row.unwrap_or(UNKNOWN_ROW);
            }
            prop_assert!(packed.taken.len() <= 1 || seconds <= aim + 2.0 * NEARLY);
            // Nothing is both, the order holds, and who is first and has room goes.
            let mut seen: Vec<usize> = packed.taken.iter().copied().chain(packed.held.iter().map(|(at, _)| *at)).collect();
            prop_assert!(packed.taken.is_sorted());
            seen.sort_unstable();
            prop_assert!(seen.iter().enumerate().all(|(n, at)| n == *at), "all up to where it was full");
            prop_assert!(!packed.taken.is_empty() || packed.held.len() == items.len());
            for (at, _) in &packed.held {
                let kind = items[*at].kind;
                let taken = packed.taken.iter().filter(|other| items[**other].kind == kind).count();
                let least = if kind == CommandKind::Import { 20.0 } else { 1.0 };
                prop_assert!(pace(kind).left - number(taken) * pace(kind).cost < pace(kind).cost * least + 1e-6);
            }
        }
    }
}
