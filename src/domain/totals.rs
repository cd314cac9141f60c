//! What a guest's finished stays add up to, over all profiles that are one person.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::money::{Currency, Money};
use super::status::StayStatus;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuestTotals {
    pub stays: i64,
    pub nights: i64,
    pub revenue: Earnings,
    pub last_stay: Option<NaiveDate>,
}

/// Of two currencies nothing is added up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Earnings(BTreeMap<Currency, Earned>);

/// In one currency.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Earned {
    stays: i64,
    amount: Decimal,
}

impl Earnings {
    pub fn add(&mut self, currency: &Currency, stays: i64, amount: Decimal) {
        let earned = self.0.entry(currency.clone()).or_default();
        earned.stays += stays;
        earned.amount = earned.amount.saturating_add(amount);
    }

    /// What one field can say: the currency of most stays; of equals the first by its code, in whatever order they came.
    pub fn main(&self) -> Option<Money> {
        let (currency, earned) = self.0.iter().rev().max_by_key(|(_, earned)| earned.stays)?;
        Some(Money { amount: earned.amount, currency: currency.clone() })
    }
}

/// What of a stay is counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    pub status: Option<StayStatus>,
    pub arrival: Option<NaiveDate>,
    pub departure: Option<NaiveDate>,
    pub total: Option<Money>,
}

impl GuestTotals {
    /// Counts a stay of which the person is the main guest; one that is not over counts nothing.
    pub fn count(&mut self, stay: &Figures) {
        if stay.status != Some(StayStatus::CheckedOut) {
            return;
        }
        self.stays += 1;
        let nights = stay.arrival.zip(stay.departure).map(|(from, to)| to.signed_duration_since(from).num_days());
        self.nights += nights.unwrap_or_default();
        self.last_stay = self.last_stay.max(stay.departure);
        if let Some(total) = &stay.total {
            self.revenue.add(&total.currency, 1, total.amount);
        }
    }

    /// The same person under another profile.
    pub fn add(&mut self, other: &Self) {
        self.stays += other.stays;
        self.nights += other.nights;
        self.last_stay = self.last_stay.max(other.last_stay);
        for (currency, earned) in &other.revenue.0 {
            self.revenue.add(currency, earned.stays, earned.amount);
        }
    }

    /// Every currency by itself.
    pub fn revenues(&self) -> impl Iterator<Item = Money> {
        self.revenue.0.iter().map(|(currency, earned)| Money { amount: earned.amount, currency: currency.clone() })
    }

    /// What one field can say of it.
    pub fn main_revenue(&self) -> Option<Money> {
        self.revenue.main()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stay(status: StayStatus, departure: &str, total: &str) -> Figures {
        let (amount, currency) = total.split_once(' ').unwrap();
        let departure: NaiveDate = departure.parse().unwrap();
        Figures {
            status: Some(status),
            arrival: Some(departure - chrono::Days::new(2)),
            departure: Some(departure),
            total: Some(Money { amount: amount.parse().unwrap(), currency: Currency::parse(currency).unwrap() }),
        }
    }

    #[test]
    fn s1_absurd_amounts_end_at_the_largest_one() {
        let mut totals = GuestTotals::default();
        for _ in 0..2 {
            totals.count(&stay(StayStatus::CheckedOut, "2026-11-20", "79228162514264337593543950335 RUB"));
        }
        assert_eq!(totals.main_revenue().map(|money| money.amount), Some(Decimal::MAX));
    }

    #[test]
    fn s1_only_finished_stays_count_and_currencies_are_not_added_up() {
        let of = |stays: &[Figures]| {
            let mut totals = GuestTotals::default();
            stays.iter().for_each(|stay| totals.count(stay));
            totals
        };
        let over = StayStatus::CheckedOut;
        let mut sum = of(&[stay(over, "2026-11-05", "100 EUR"), stay(StayStatus::InHouse, "2026-11-25", "9 EUR")]);
        assert_eq!((sum.stays, sum.nights), (1, 2));
        sum.add(&of(&[stay(over, "2026-10-01", "700 RUB"), stay(over, "2026-11-09", "50.50 EUR")]));
        assert_eq!((sum.stays, sum.nights, sum.last_stay), (3, 6, "2026-11-09".parse().ok()));
        let said = |money: Money| format!("{} {}", money.amount, money.currency);
        assert_eq!(sum.revenues().map(said).collect::<Vec<_>>(), ["150.50 EUR", "700 RUB"]);
        assert_eq!(sum.main_revenue().map(said), Some("150.50 EUR".to_owned()), "most stays were paid in it");
        sum.add(&of(&[stay(over, "2026-10-03", "1 RUB")]));
        assert_eq!(sum.main_revenue().map(said), Some("150.50 EUR".to_owned()), "of equals the first by its code");
    }
}
