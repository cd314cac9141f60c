//! What ties reservations together: firms, company, shares, groups, parties, postings, accounts.

use chrono::{Duration, NaiveDate, NaiveDateTime};

use super::dice::Dice;
use super::model::{Posting, Reservation, Status};
use super::state::{Booking, HotelState};

/// Firms, agents, accompanying guests, shares, groups and parties.
pub fn relations(state: &mut HotelState, dice: &mut Dice, companies: usize, agents: usize, guests: i64) {
    let companies = i64::try_from(companies).unwrap_or_default();
    let agents = i64::try_from(agents).unwrap_or_default();
    let numbers: Vec<i64> = state.reservations.keys().copied().collect();
    for number in &numbers {
        let Some(r) = state.reservations.get_mut(number) else { continue };
        if companies > 0 && dice.chance(18) {
            r.company = 60_000 + dice.range(1, companies);
            r.market = "COR".into();
            r.rate_code = "CORP".into();
        } else if agents > 0 && dice.chance(14) {
            r.agent = 68_000 + dice.range(1, agents);
            r.source = "AGT".into();
        } else if companies > 0 && dice.chance(10) {
            r.source_profile = 69_001;
        }
        if r.adults > 1 && dice.chance(40) && guests > 1 {
            let companion = 70_000 + dice.range(1, guests);
            if companion != r.profile {
                r.companions.push(companion);
            }
        }
    }
    // Two reservations in one room.
    let sharing = (numbers.len() / 40).min(150);
    let candidates: Vec<i64> = state
        .reservations
        .values()
        .filter(|r| matches!(r.status, Status::Confirmed | Status::InHouse) && r.nights() > 0)
        .map(|r| r.number)
        .collect();
    for pair in candidates.chunks_exact(2).step_by(3).take(sharing) {
        let &[first, second] = pair else { continue };
        let Some(host) = state.reservations.get(&first).cloned() else { continue };
        let Some(r) = state.reservations.get_mut(&second) else { continue };
        if r.profile == host.profile || r.status != host.status {
            continue;
        }
        (r.arrival, r.departure, r.room_type, r.room) =
            (host.arrival, host.departure, host.room_type.clone(), host.room.clone());
        r.checked_in = host.checked_in;
        r.share = first;
        r.reprice();
        if let Some(host) = state.reservations.get_mut(&first) {
            host.share = first;
        }
    }
    for (index, name) in ["Конференция «Макет-2026»", "Хор «Пробный»", "Команда «Образец»"].into_iter().enumerate()
    {
        let id = 400 + i64::try_from(index).unwrap_or_default();
        state.groups.insert(id, name.into());
        let members = candidates.iter().rev().skip(index * 9).take(7);
        for number in members {
            if let Some(r) = state.reservations.get_mut(number) {
                r.group = id;
                r.market = "GRP".into();
            }
        }
    }
    state.parties.insert(310, "Свадьба Пробных".into());
    for number in candidates.iter().skip(5).step_by(7).take(4) {
        if let Some(r) = state.reservations.get_mut(number) {
            r.party = 310;
        }
    }
}

/// Charges of every night spent and payments of who left.
pub fn postings(state: &mut HotelState, today: NaiveDate) {
    let lived: Vec<Reservation> = state
        .reservations
        .values()
        .filter(|r| matches!(r.status, Status::InHouse | Status::CheckedOut))
        .cloned()
        .collect();
    for r in lived {
        let posting = |id, department: &str, kind, price, description: &str, date| Posting {
            id,
            reservation: r.number,
            profile: r.profile,
            department: department.into(),
            department_type: kind,
            price,
            quantity: 1,
            description: description.into(),
            date,
            currency: r.currency.clone(),
        };
        for night in r.arrival.iter_days().take_while(|day| *day < r.departure && *day < today) {
            let id = state.next_id();
            state.postings.push(posting(id, "100", 1, r.rate, "Проживание", night));
        }
        if r.status == Status::CheckedOut {
            let id = state.next_id();
            state.postings.push(posting(id, "900", 3, r.total, "Оплата картой", r.departure));
        }
    }
}

/// Accounts without a stay, which the reservation query returns all the same (facts §5.1).
pub fn financial_accounts(state: &mut HotelState, companies: usize, now: NaiveDateTime) {
    let count = i64::try_from(companies.min(6)).unwrap_or_default();
    for index in 1..=count {
        let booking = Booking {
            profile: 60_000 + index,
            arrival: state.system_date - Duration::days(200),
            departure: state.system_date + Duration::days(165),
            room_type: String::new(),
            adults: 0,
            rate_code: String::new(),
            rate: 0,
            status: Status::Confirmed,
        };
        let mut account = super::state::blank_reservation(9_000 + index, &booking, now - Duration::days(200));
        account.financial_account = true;
        account.updated = now - Duration::hours(index);
        state.reservations.insert(account.number, account);
    }
}
