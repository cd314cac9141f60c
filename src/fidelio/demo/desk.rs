//! What the desk would tell of a booking at a moment: everything follows from which of its moments have passed.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use rust_decimal::Decimal;

use super::book::{Booking, End, room_name};
use super::dice::Dice;
use super::people;
use crate::domain::stay::{Companion, Note};
use crate::domain::{Currency, Known, Money, ProfileNumber, Stay, StayStatus};

/// `None`: nobody has booked it yet.
pub(super) fn status(booking: &Booking, now: NaiveDateTime) -> Option<StayStatus> {
    if now < booking.booked_at {
        return None;
    }
    Some(match booking.end {
        End::Cancelled(at) if now >= at => StayStatus::Cancelled,
        End::NoShow(at) if now >= at => StayStatus::NoShow,
        End::Stayed { check_out, .. } if now >= check_out => StayStatus::CheckedOut,
        End::Stayed { check_in, .. } if now >= check_in => StayStatus::InHouse,
        _ if now >= booking.confirmed_at => StayStatus::Confirmed,
        _ => booking.begins,
    })
}

/// Everybody the booking names.
pub(super) fn named(booking: &Booking) -> impl Iterator<Item = &ProfileNumber> {
    [Some(&booking.guest), booking.companion.as_ref(), booking.company.as_ref(), booking.agent.as_ref()]
        .into_iter()
        .flatten()
}

struct RoomType {
    code: &'static str,
    /// A night, in roubles; other currencies count a hundred to one.
    price: u32,
}

fn room_type(room: u32) -> RoomType {
    match room % 12 {
        0..=2 => RoomType { code: "SGL", price: 5_200 },
        3..=6 => RoomType { code: "DBL", price: 6_800 },
        7..=9 => RoomType { code: "TWN", price: 7_100 },
        10 => RoomType { code: "FAM", price: 9_400 },
        _ => RoomType { code: "STE", price: 16_500 },
    }
}

/// The booking as the hotel holds it now.
pub(super) fn stay(seed: u64, booking: &Booking, currency: &Currency, now: NaiveDateTime) -> Option<Stay> {
    let status = status(booking, now)?;
    let mut dice = Dice::new(booking.luck, &[4]);
    let kind = room_type(booking.room);
    let mut stay = Stay::new(booking.number.clone());
    stay.status = Known::Is(status);
    stay.arrival = Known::Is(booking.arrival);
    stay.departure = Known::Is(booking.departure());
    stay.booked_on = Known::Is(booking.booked_at.date());
    stay.created_at = Known::Is(booking.booked_at);
    stay.updated_at = booking.moments().into_iter().filter(|moment| *moment <= now).max().into();
    if let End::Stayed { check_in, check_out } = booking.end {
        stay.checked_in_at = (now >= check_in).then_some(check_in).into();
        stay.checked_out_at = (now >= check_out).then_some(check_out).into();
    }
    let assigned = now >= booking.assigned_at && status != StayStatus::Cancelled;
    stay.room = assigned.then(|| room_name(booking.room)).into();
    stay.room_type = Known::Is(kind.code.to_owned());
    stay.rooms = Known::Is(1);
    stay.adults = Known::Is(if booking.companion.is_some() { 2 } else { 1 });
    let child = kind.code == "FAM" || dice.percent(6);
    stay.children = Known::Is(if child { BTreeMap::from([("child".to_owned(), 1)]) } else { BTreeMap::new() });

    let (market, rate) = match (&booking.group, &booking.company) {
        (Some(_), _) => ("GRP", "GROUP"),
        (None, Some(_)) => ("CORP", "CORP"),
        (None, None) => ("LEIS", dice.one_of(&["BAR", "BAR", "BB", "NREF"])),
    };
    stay.market = Known::Is(market.to_owned());
    stay.rate = Known::Is(rate.to_owned());
    let source = if booking.agent.is_some() { "OTA" } else { dice.one_of(&["WEB", "TEL", "MAIL"]) };
    stay.source = Known::Is(source.to_owned());
    stay.channel = Known::Is(if booking.agent.is_some() { "GDS" } else { "DIRECT" }.to_owned());
    stay.guarantee = Known::Is(dice.one_of(&["CC", "DEP", "6PM"]).to_owned());
    money(booking, &mut stay, &kind, currency, status, &mut dice);

    stay.main_guest = Known::Is(booking.guest.clone());
    stay.companions = Known::Is(booking.companion.iter().map(|profile| companion(seed, profile)).collect());
    stay.company = booking.company.clone().into();
    stay.travel_agent = booking.agent.clone().into();
    stay.group = booking.group.clone().into();
    words(seed, booking, &mut stay, &mut dice);
    Some(stay)
}

fn money(
    booking: &Booking,
    stay: &mut Stay,
    kind: &RoomType,
    currency: &Currency,
    status: StayStatus,
    dice: &mut Dice,
) {
    let rebate = if stay.group.get().is_some() || booking.company.is_some() { 12 } else { dice.between(0, 5) };
    let night = Decimal::from(kind.price * (100 - rebate)) / Decimal::ONE_HUNDRED;
    let night = if currency.as_str() == "RUB" { night } else { night / Decimal::ONE_HUNDRED };
    let amount = (night * Decimal::from(booking.nights)).round_dp(2).normalize();
    let of = |amount| Money { amount, currency: currency.clone() };
    (stay.balance, stay.paid) = match status {
        StayStatus::InHouse => (Known::Is(of(amount)), Known::Is(of(Decimal::ZERO))),
        StayStatus::CheckedOut => (Known::Is(of(Decimal::ZERO)), Known::Is(of(amount))),
        _ => (Known::Empty, Known::Empty),
    };
    stay.total = Known::Is(of(amount));
}

fn companion(seed: u64, number: &ProfileNumber) -> Companion {
    let name = people::profile(seed, number).map(|profile| profile.display_name()).unwrap_or_default();
    Companion { profile: number.clone(), name, stay: None }
}

/// What guests ask for, in their language or the house's.
fn words(seed: u64, booking: &Booking, stay: &mut Stay, dice: &mut Dice) {
    let guest = people::profile(seed, &booking.guest);
    let russian = guest.as_ref().is_none_or(|guest| guest.nationality.get().is_none_or(|country| country == "RU"));
    let wishes = if russian {
        ["Поздний заезд, после 21:00", "Просит тихий номер", "Нужен счёт на компанию", "Детская кроватка"]
    } else {
        ["Late arrival, after 9 pm", "Asks for a quiet room", "Invoice to the company", "Baby cot"]
    };
    stay.comments = Known::Is(if dice.percent(30) { vec![dice.one_of(&wishes).to_owned()] } else { Vec::new() });
    let is_vip = guest.is_some_and(|guest| guest.vip.get().is_some());
    let note = |number: &str, category: &str, text: &str| Note {
        number: Some(format!("{}-{number}", booking.number)),
        category: category.to_owned(),
        text: text.to_owned(),
        guest_may_see: false,
    };
    let mut notes = Vec::new();
    if is_vip {
        notes.push(note("1", "VIP", if russian { "Фрукты и вода в номер" } else { "Fruit and water to the room" }));
    }
    if dice.percent(10) {
        notes.push(note("2", "HK", if russian { "Гипоаллергенные подушки" } else { "Hypoallergenic pillows" }));
    }
    stay.notes = Known::Is(notes);
}
