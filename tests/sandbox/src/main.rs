//! `fb24-sandbox`: the emulated hotel (and soon the portal) as a process of its own.

use std::time::Duration;

use fb24_sandbox::hotel::{Hotel, HotelOptions};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let options = HotelOptions {
        awkward: true,
        living_day: Some(Duration::from_secs(8)),
        listen: ([127, 0, 0, 1], 8620).into(),
        ..HotelOptions::default()
    };
    let hotel = Hotel::try_start(options)?;
    tracing::info!(url = %hotel.url());
    tokio::signal::ctrl_c().await
}
