use super::super::conditions::like;
use super::super::{ConditionTimes, Knobs};
use super::*;

/// Nests conditions to the right: the only shape there is.
fn chain(parts: &[(&str, &str, &str)], operator: &str) -> String {
    let (name, operation, value) = parts[0];
    let rest = &parts[1..];
    let link = if rest.is_empty() {
        String::new()
    } else {
        format!("<link operator=\"{operator}\"><condition>{}</condition></link>", chain(rest, operator))
    };
    format!("<condition name=\"{name}\" operation=\"{operation}\">{value}</condition>{link}")
}

fn conditions(parts: &[(&str, &str, &str)], operator: &str) -> String {
    format!("<conditions>{}</conditions>", chain(parts, operator))
}

async fn numbers(hotel: &super::super::Hotel, conditions: &str) -> Vec<String> {
    column(&ask(hotel, &reservations(conditions, &["GuestNum"])).await, "GuestNum")
}

#[tokio::test]
async fn s48_nested_links_and_operations() {
    let hotel = demo(Knobs::default()).await;
    hotel.with(|s| {
        book(s, 50118, 5, 7, Status::Confirmed);
        book(s, 50119, 20, 22, Status::Tentative);
    });
    let range = [("GuestNum", "ge", "50118"), ("GuestNum", "lt", "50120")];
    assert_eq!(numbers(&hotel, &conditions(&range, "AND")).await, ["50118", "50119"]);
    let several = [("GuestNum", "eq", "50117"), ("GuestNum", "eq", "50119"), ("GuestNum", "eq", "1")];
    assert_eq!(numbers(&hotel, &conditions(&several, "OR")).await, ["50117", "50119"]);
    let not = [("GuestNum", "ge", "50117"), ("ReservationStatus", "eq", "0")];
    assert_eq!(numbers(&hotel, &conditions(&not, "NOT")).await, ["50117", "50118"]);
    let dates = [("GuestArrival", "ge", "05.03.2026"), ("GuestArrival", "lt", "12.03.2026 00:00:00.000 UTC-180")];
    assert_eq!(numbers(&hotel, &conditions(&dates, "AND")).await, ["50118"]);
    assert_eq!(numbers(&hotel, &only("GuestName", "like", "Про_н%")).await.len(), 3);
    assert_eq!(numbers(&hotel, &only("GuestNum", "neq", "50117")).await.len(), 2);
}

#[tokio::test]
async fn s48_update_times_with_seconds_and_any_spelling() {
    let hotel = demo(Knobs::default()).await;
    let window =
        |from: &str, to: &str| conditions(&[("LastUpdateTime", "ge", from), ("LastUpdateTime", "lt", to)], "AND");
    let long = window("05.03.2026 09:58:00.000 UTC-180", "05.03.2026 09:58:01.000 UTC-60");
    assert_eq!(numbers(&hotel, &long).await, ["50117"], "the suffix is no offset");
    assert!(numbers(&hotel, &window("05.03.2026 09:50:00", "05.03.2026 09:58:00")).await.is_empty());
    assert_eq!(numbers(&hotel, &only("LastUpdateTime", "ge", "05.03.2026")).await, ["50117"]);
    hotel.with(|s| s.knobs.condition_times = ConditionTimes::NoSuffix);
    assert_eq!(status(&ask(&hotel, &reservations(&long, &["GuestNum"])).await), "UR");
    assert_eq!(numbers(&hotel, &window("05.03.2026 09:50:00", "05.03.2026 10:00:00")).await, ["50117"]);
    hotel.with(|s| s.knobs.condition_times = ConditionTimes::DateOnly);
    let body = reservations(&window("05.03.2026 09:50:00", "05.03.2026 10:00:00"), &["GuestNum"]);
    assert_eq!(status(&ask(&hotel, &body).await), "UR");
}

#[tokio::test]
async fn s48_wrong_conditions() {
    let hotel = demo(Knobs::default()).await;
    for (condition, expected) in [
        (only("GuestNum", "in", "1"), "IR"),
        (only("GuestNum", "eq", "abc"), "UR"),
        (only("GuestNum", "eq", ""), "UR"),
        (only("Colour", "eq", "1"), "IR"),
        ("<conditions><condition operation=\"eq\">1</condition></conditions>".to_owned(), "IR"),
        ("<conditions><condition name=\"GuestNum\" operation=\"eq\">1</condition><link operator=\"XOR\"><condition/></link></conditions>".to_owned(), "IR"),
    ] {
        assert_eq!(status(&ask(&hotel, &reservations(&condition, &["GuestNum"])).await), expected, "{condition}");
    }
    let tolerated = only("GuestNum", "eq", "50117").replace("operation", "dataType=\"String\" operation");
    assert_eq!(numbers(&hotel, &tolerated).await, ["50117"]);
}

#[test]
fn s48_like_is_oracles() {
    for (text, pattern, found) in [
        ("Пробная", "%об%", true),
        ("Пробная", "Пробная", true),
        ("Пробная", "пробная", false),
        ("Пробная", "______", false),
        ("Пробная", "_______", true),
        ("", "%", true),
        ("a", "", false),
        ("aXbXc", "a%b%c", true),
    ] {
        assert_eq!(like(text, pattern), found, "{text} like {pattern}");
    }
}
