//! Who is responsible for a new request: in turn, as far as each has room, of those who work now.

use chrono::{DateTime, Utc};

use super::calendar::Calendar;

/// Somebody of a queue, in its order.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// User of the support portal.
    pub user: i64,
    /// Open requests he may have at most; none: any number.
    pub cap: Option<u32>,
    /// Open requests he has.
    pub load: u32,
    pub hours: &'a Calendar,
}

impl Member<'_> {
    fn has_room(&self) -> bool {
        self.cap.is_none_or(|cap| self.load < cap)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    To(i64),
    /// Nobody has room, or nobody is in the queue: the manager has it, and is alerted.
    Overflow,
}

/// The responsible of a request that comes now. At night and on days off it is in turn among those who are back first (E-16).
pub fn choose(members: &[Member<'_>], last: Option<i64>, now: DateTime<Utc>) -> Choice {
    let turn = members.iter().position(|member| Some(member.user) == last).map_or(0, |place| place + 1);
    let in_turn = || members.iter().cycle().skip(turn).take(members.len()).filter(|member| member.has_room());
    let opens = |member: &Member<'_>| member.hours.opens(now);
    // Of equals `min_by_key` takes the first, whose turn it is.
    let back = in_turn().filter_map(|member| Some((opens(member)?, member.user))).min_by_key(|(opens, _)| *opens);
    let anybody = || in_turn().next().map(|member| member.user);
    back.map(|(_, user)| user).or_else(anybody).map_or(Choice::Overflow, Choice::To)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::super::calendar_tests::{at, every_day, moscow};
    use super::*;
    use crate::domain::support::Holidays;

    fn monday(hour: i64) -> DateTime<Utc> {
        at("2026-11-22T21:00:00Z") + TimeDelta::hours(hour)
    }

    fn member(user: i64, cap: Option<u32>, load: u32, hours: &Calendar) -> Member<'_> {
        Member { user, cap, load, hours }
    }

    #[test]
    fn s38_requests_go_round_to_who_works_and_has_room() {
        let (day, late) =
            (moscow(), Calendar::new(chrono_tz::Tz::Europe__Moscow, every_day("12:00-21:00"), Holidays::default()));
        let late = late.expect("a calendar");
        let queue = [
            member(1, Some(2), 1, &day),
            member(2, None, 50, &day),
            member(3, Some(1), 1, &day),
            member(4, None, 0, &late),
        ];
        let chosen = |last, hour| choose(&queue, last, monday(hour));
        assert_eq!(chosen(None, 10), Choice::To(1));
        assert_eq!(chosen(Some(1), 10), Choice::To(2));
        assert_eq!(chosen(Some(2), 10), Choice::To(1), "3 has no room, 4 is not there yet");
        assert_eq!(chosen(Some(2), 13), Choice::To(4));
        assert_eq!(chosen(Some(4), 19), Choice::To(4), "the others went home");
        assert_eq!(chosen(Some(1), 23), Choice::To(2), "they are back first");
        assert_eq!(chosen(Some(99), 10), Choice::To(1), "who had the last turn has left");
    }

    #[test]
    fn s38_an_overflow_is_nobody_s_secret() {
        let day = moscow();
        assert_eq!(choose(&[], None, monday(10)), Choice::Overflow);
        let full = [member(1, Some(1), 1, &day), member(2, Some(0), 0, &day)];
        assert_eq!(choose(&full, Some(1), monday(10)), Choice::Overflow);
    }

    proptest! {
        #[test]
        fn s38_nobody_gets_two_more_than_another_nor_more_than_his_cap(
            caps in prop::collection::vec(prop::option::of(0_u32..5), 1..6),
            requests in 1_usize..30,
        ) {
            let day = moscow();
            let mut loads = vec![0_u32; caps.len()];
            let mut last = None;
            for _ in 0..requests {
                let users = caps.iter().zip(&loads).zip(0_i64..);
                let queue: Vec<_> = users.map(|((cap, load), user)| member(user, *cap, *load, &day)).collect();
                let full = queue.iter().all(|member| !member.has_room());
                match choose(&queue, last, monday(10)) {
                    Choice::Overflow => prop_assert!(full),
                    Choice::To(user) => {
                        loads[usize::try_from(user).expect("a user")] += 1;
                        last = Some(user);
                    }
                }
            }
            let room: Vec<u32> = caps.iter().zip(&loads).filter(|(cap, _)| cap.is_none()).map(|(_, load)| *load).collect();
            prop_assert!(room.iter().max().unwrap_or(&0) - room.iter().min().unwrap_or(&0) <= 1);
            for (cap, load) in caps.iter().zip(&loads) {
                prop_assert!(cap.is_none_or(|cap| *load <= cap));
            }
        }
    }
}
