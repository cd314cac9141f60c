//! A living day: one thing after another happens at the desk, so that a synchronised portal has something to show.

use chrono::Duration;

use super::dice::Dice;
use super::model::{CommKind, Status};
use super::state::HotelState;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    CheckIn,
    CheckOut,
    Book,
    WalkIn,
    ChangeDates,
    Extend,
    Cancel,
    Reinstate,
    Note,
    Phone,
}

fn numbers(state: &HotelState, of: impl Fn(&super::Reservation) -> bool) -> Vec<i64> {
    state.reservations.values().filter(|r| !r.financial_account && of(r)).map(|r| r.number).collect()
}

/// Lets one thing happen. Returns the reservation it concerned.
pub fn tick(state: &mut HotelState, dice: &mut Dice) -> Option<i64> {
    let today = state.system_date;
    let arriving = numbers(state, |r| r.arrival <= today && matches!(r.status, Status::Confirmed | Status::Tentative));
    let leaving = numbers(state, |r| r.departure <= today && r.status == Status::InHouse);
    let staying = numbers(state, |r| r.departure > today && r.status == Status::InHouse);
    let coming = numbers(state, |r| r.arrival > today && matches!(r.status, Status::Confirmed | Status::Tentative));
    let cancelled = numbers(state, |r| r.arrival > today && r.status == Status::Cancelled);
    let weights = [
        (Event::CheckIn, if arriving.is_empty() { 0 } else { 6 }),
        (Event::CheckOut, if leaving.is_empty() { 0 } else { 4 }),
        (Event::Book, 3),
        // Somebody always comes, or the day would end at noon.
        (Event::WalkIn, if arriving.len() < 3 { 3 } else { 0 }),
        (Event::ChangeDates, if coming.is_empty() { 0 } else { 2 }),
        (Event::Extend, if staying.is_empty() { 0 } else { 1 }),
        (Event::Cancel, if coming.len() > 20 { 1 } else { 0 }),
        (Event::Reinstate, if cancelled.is_empty() { 0 } else { 1 }),
        (Event::Note, if coming.is_empty() { 0 } else { 2 }),
        (Event::Phone, if coming.is_empty() { 0 } else { 1 }),
    ];
    let mut at = dice.range(1, weights.iter().map(|(_, w)| w).sum());
    let (event, _) = weights.into_iter().find(|(_, weight)| {
        at -= weight;
        at <= 0
    })?;
    let of = |dice: &mut Dice, list: &[i64]| dice.pick(list).copied();
    let number = match event {
        Event::CheckIn => of(dice, &arriving)?,
        Event::CheckOut => of(dice, &leaving)?,
        Event::Extend => of(dice, &staying)?,
        Event::ChangeDates | Event::Cancel | Event::Note | Event::Phone => of(dice, &coming)?,
        Event::Reinstate => of(dice, &cancelled)?,
        Event::Book => return state.book_new_guest(dice.range(1, 30), dice.range(1, 5)).ok(),
        Event::WalkIn => return state.book_new_guest(0, dice.range(1, 3)).ok(),
    };
    let done = match event {
        Event::CheckIn => state.check_in(number),
        Event::CheckOut => state.check_out(number),
        Event::Cancel => state.cancel(number),
        Event::Reinstate => state.reinstate(number),
        Event::Note => state.add_note(number, "NF", "Просит поздний выезд", false).map(|_| ()),
        Event::Phone => {
            change_phone(state, dice, number);
            Ok(())
        }
        _ => {
            let r = state.reservation(number).ok()?;
            let (from, to) = (r.arrival, r.departure);
            let moved = if event == Event::Extend { 0 } else { dice.range(-1, 2) };
            let arrival = (from + Duration::days(moved)).max(if event == Event::Extend { from } else { today });
            state.change_dates(number, arrival, (to + Duration::days(moved + 1)).max(arrival))
        }
    };
    // A full house may refuse a check-in: then nothing happened this time.
    done.ok().map(|()| number)
}

fn change_phone(state: &mut HotelState, dice: &mut Dice, number: i64) {
    let Some(profile) = state.reservations.get(&number).map(|r| r.profile) else { return };
    let phone = super::people::phone(5_000_000 + dice.range(1, 900_000));
    let id = state.next_id();
    state.edit_profile(profile, |p| p.set_primary(CommKind::Telephone, &phone, id));
    state.note_happening("phone", number, phone);
}
