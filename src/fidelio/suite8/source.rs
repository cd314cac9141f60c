//! The hotel's interface as a source of canonical changes.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::check::check;
use super::client::{Client, Exchange};
use super::hotel::{Hotel, Settings};
use super::pass::Pass;
use super::request::Login;
use super::xml::Limits;
use crate::clock::Clock;
use crate::fidelio::{Layer, Read, ReadReport, Sink, Source, SourceError};
use crate::net::Guard;

/// Suite 8 XML Interface of one hotel.
pub struct Suite8 {
    hotel: Hotel,
    guard: Guard,
    member_id: String,
}

impl Suite8 {
    /// A source that connects where `guard` lets this portal connect.
    pub fn new(settings: Settings, member_id: &str, guard: Guard, clock: Clock) -> Result<Self, SourceError> {
        let http = guard
            .client(member_id, &settings.url, settings.ca_pem.as_deref())
            .map_err(|refused| SourceError::Address(refused.to_string()))?;
        let client = Client {
            http,
            url: settings.url.clone(),
            login: Login {
                username: settings.username.clone(),
                password: settings.password.clone(),
                encrypted: settings.password_encrypted,
                vendor: settings.vendor.clone(),
            },
            packed: settings.packed,
            timeout: settings.timeout,
            limits: Limits::default(),
            gate: Arc::new(Mutex::new(())),
        };
        Ok(Self { hotel: Hotel::new(settings, Arc::new(client), clock), guard, member_id: member_id.to_owned() })
    }

    /// The same source on another exchange; tests give it a hotel in memory.
    pub fn with_exchange(settings: Settings, exchange: Arc<dyn Exchange>, clock: Clock) -> Self {
        Self { hotel: Hotel::new(settings, exchange, clock), guard: Guard::default(), member_id: String::new() }
    }
}

#[async_trait]
impl Source for Suite8 {
    async fn read(
        &self,
        what: &Read,
        state: &serde_json::Value,
        sink: &mut dyn Sink,
    ) -> Result<ReadReport, SourceError> {
        let mut pass = Pass::new(&self.hotel, state, sink);
        pass.prepare().await?;
        match what {
            Read::Changes => pass.changes().await?,
            Read::Arrivals { from, to } => pass.arrivals(*from, *to).await?,
            Read::InHouse { from, to, on } => pass.in_house(*from, *to, *on).await?,
            Read::Stays { numbers } => {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                pass.stays(&numbers).await?;
            }
            Read::Profiles { numbers } => {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                pass.people(&numbers).await?;
            }
        }
        Ok(pass.finish())
    }

    async fn check(&self) -> Vec<Layer> {
        check(&self.hotel, &self.guard, &self.member_id).await
    }
}
