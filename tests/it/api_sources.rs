//! What is said of an interface through the API reaches the reader: hotels that only answer to who speaks their way.

use fb24_sandbox::hotel::{Hotel, HotelOptions};
use fb24_sandbox::portal::PortalOptions;
use fidelio_bitrix24::sync::imports::ImportState;
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::suite8::check::tls_front;
use crate::support::town::{House, Town};

/// A hotel with the address, and what else is said of its source.
fn body(code: &str, hotel: &Hotel, url: &str, more: &Value) -> Value {
    let mut body = json!({"code": code, "name": code, "timezone": "Europe/Moscow", "currency": "RUB",
        "sources": [{"kind": "suite8_xml", "via": "direct", "url": url,
                     "username": hotel.username(), "password": hotel.password()}]});
    body["sources"][0].as_object_mut().expect("a source").extend(more.as_object().cloned().expect("members"));
    body
}

on_both_engines! {
    s1_a_hotel_behind_its_own_authority_is_connected_by_the_api_and_read(db) {
        let house = House::build(PortalOptions::default(), HotelOptions { reservations: 8, ..HotelOptions::default() });
        let town = Town::open(&db.db, vec![house]);
        let house = &town.houses[0];
        let admin = town.install(house).await;
        let url = house.hotel.url();
        let (_, path) = url.trim_start_matches("http://").split_once('/').expect("a path");
        let url = format!("https://127.0.0.1:{}/{path}", tls_front(&house.hotel));
        let (status, made) = admin.post("/api/v1/hotels", body("GRAND", &house.hotel, &url, &json!({}))).await;
        assert_eq!(status, 201, "{made}");
        let failing = |checked: &Value| checked["layers"].as_array().expect("layers").iter()
            .find(|layer| layer["ok"] == false).map(|layer| layer["code"].clone());
        let (_, checked) = admin.post("/api/v1/hotels/GRAND/check", json!({})).await;
        assert_eq!(failing(&checked), Some(json!("certificate_issuer")), "{checked}");

        let said = json!({"ca_pem": fb24_sandbox::portal::tls::ca(false), "packed": true, "password_encrypted": true});
        let (status, saved) = admin.put("/api/v1/hotels/GRAND", body("GRAND", &house.hotel, &url, &said)).await;
        assert_eq!(status, 200, "{saved}");
        let (_, checked) = admin.post("/api/v1/hotels/GRAND/check", json!({})).await;
        assert_eq!(failing(&checked), None, "{checked}");
        let (_, started) = admin.post("/api/v1/hotels/GRAND/imports", json!({"dry_run": true})).await;
        let import = format!("/api/v1/imports/{}", started["id"].as_str().expect("an id"));
        let mut crew = town.crew(None);
        let mut counted = Value::Null;
        for _ in 0..50 {
            town.work(&mut crew).await;
            counted = admin.get(&import).await.1;
            if counted["state"] == ImportState::Completed.word() {
                break;
            }
            town.pass(std::time::Duration::from_secs(2));
        }
        assert!(counted["estimate"]["stays"].as_i64().is_some_and(|stays| stays > 0), "{counted}");
        let seen = house.hotel.requests();
        assert!(seen.iter().all(|request| request.packed), "every message goes packed");
        assert!(seen.iter().all(|request| !request.body.contains("Password=") || request.body.contains("PasswordEncrypted=\"true\"")));
    }
}
