//! Storing what was said of a hotel.

use secrecy::SecretString;

use super::super::refuse::{conflict, invalid, invalid_with};
use super::input::{HotelInput, SourceInput, WayInput};
use crate::domain::{Currency, HotelCode, PortalId};
use crate::fidelio::demo;
use crate::http::HttpState;
use crate::http::auth::Principal;
use crate::http::problem::Problem;
use crate::store::Tx;
use crate::store::hotels::{self, HotelRow, HotelSettings};
use crate::store::problems;
use crate::store::sources::{self, Dialect, SourceConfig, SourceRow};
use crate::sync::imports::ImportState;
use crate::sync::{SyncError, removal};

/// Refuses at once what the guard would refuse at each poll: schemes and literal private addresses. Names are looked
/// up when they are called, never while a person waits for a save.
pub fn check_addresses(state: &HttpState, who: &Principal, hotel: &HotelInput) -> Result<(), Problem> {
    for (index, source) in hotel.sources.iter().enumerate() {
        let Some(way) = &source.way else { continue };
        if state.pms_guard.check_url(&who.member_id, &way.url).is_err() {
            return Err(invalid(format!("/sources/{index}/url"), "address_refused"));
        }
    }
    Ok(())
}

/// An amount of a deal can stand only in a currency that the portal has. A demo hotel counts in whatever there is: its
/// one click must do in any portal (product §8).
pub async fn check_currency(state: &HttpState, who: &Principal, hotel: &mut HotelInput) -> Result<(), Problem> {
    match state.directory.lacks_currency(who.portal, &hotel.facts.currency).await? {
        None => Ok(()),
        Some(known) if hotel.is_demo() => {
            let first = known.iter().find_map(|code| Currency::parse(code).ok());
            hotel.facts.currency = first.unwrap_or_else(|| hotel.facts.currency.clone());
            Ok(())
        }
        Some(known) => Err(invalid_with("/currency", "currency_missing", "known", known.join(", "))),
    }
}

/// A new hotel, or a removed one that takes its code again; answers the code.
pub async fn create(
    state: &HttpState,
    portal: PortalId,
    code: HotelCode,
    input: &HotelInput,
) -> Result<HotelCode, Problem> {
    let configs = configs(&input.sources, &[])?;
    let key = state.directory.key(portal).await?;
    let tx = state.db.begin().await?;
    hotels::in_turn(&tx, portal).await?;
    if input.is_demo() && sources::has_kind(&tx, portal, demo::KIND).await? {
        return Err(conflict("demo_taken"));
    }
    let code = if input.is_demo() { demo_code(&tx, portal, code).await? } else { code };
    let hotel = match hotels::create(&tx, portal, &code, &input.facts, state.clock.now_ms()).await? {
        Some(hotel) => {
            if input.is_demo() {
                let settings = HotelSettings { demo: true, ..HotelSettings::default() };
                hotels::set_settings(&tx, portal, hotel, &settings).await?;
            }
            hotel
        }
        None => {
            let holder = hotels::holder(&tx, portal, &code).await?.ok_or_else(taken)?;
            if holder.removed_at.is_none() || !is_same(&holder, input, &configs) {
                return Err(taken());
            }
            hotels::update(&tx, portal, holder.id, &input.facts).await?;
            if holder.settings.demo {
                removal::undo(&tx, &holder).await?;
            }
            holder.id
        }
    };
    for (source, config) in input.sources.iter().zip(&configs) {
        sources::add(&tx, portal, &key, hotel, source.kind, source.via, config.as_ref()).await?;
    }
    tx.commit().await?;
    Ok(code)
}

/// The first of `DEMO`, `DEMO-2`, … that no real hotel holds or held: one click must do in any portal (product §8).
async fn demo_code(tx: &Tx, portal: PortalId, wanted: HotelCode) -> Result<HotelCode, Problem> {
    let mut code = wanted.clone();
    for number in 2..100 {
        if hotels::holder(tx, portal, &code).await?.is_none_or(|holder| holder.settings.demo) {
            return Ok(code);
        }
        code = HotelCode::parse(&format!("{wanted}-{number}")).map_err(|_| taken())?;
    }
    Err(taken())
}

fn taken() -> Problem {
    conflict("hotel_code_taken")
}

/// Whether a removed hotel came back: reached at an address it was reached at, or of the same name in the same zone.
/// That its *records* are the same is checked when they are read (product §1: known numbers with other people).
fn is_same(tombstone: &HotelRow, input: &HotelInput, configs: &[Option<SourceConfig>]) -> bool {
    if tombstone.settings.demo || input.is_demo() {
        return tombstone.settings.demo && input.is_demo();
    }
    let name = |name: &str| name.trim().to_lowercase();
    let address = configs.iter().flatten().any(|config| tombstone.settings.former_sources.contains(&config.address()));
    address || (name(&tombstone.name) == name(&input.facts.name) && tombstone.timezone == input.facts.timezone)
}

/// The configurations to store. A password that was not given is taken from the source that is already there, but is
/// never sent to an address or for a user that the person who set it did not mean.
fn configs(inputs: &[SourceInput], stored: &[SourceRow]) -> Result<Vec<Option<SourceConfig>>, Problem> {
    inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let Some(way) = &input.way else { return Ok(None) };
            let old = stored.iter().find(|old| old.kind == input.kind && old.via == input.via);
            let old = old.and_then(|old| old.config.as_ref());
            let dialect = way.dialect.over(old.map(|old| &old.dialect));
            let password = match &way.password {
                Some(password) => password.clone(),
                None => kept_password(index, way, &dialect, old)?,
            };
            Ok(Some(SourceConfig {
                url: way.url.clone(),
                username: way.username.clone(),
                password,
                vendor: way.vendor.clone(),
                dialect,
            }))
        })
        .collect()
}

fn kept_password(
    index: usize,
    way: &WayInput,
    dialect: &Dialect,
    old: Option<&SourceConfig>,
) -> Result<SecretString, Problem> {
    let pointer = format!("/sources/{index}/password");
    let Some(old) = old else { return Err(invalid(pointer, "required")) };
    // Whom another authority vouches for may be another server.
    let vouched = dialect.ca_pem.is_none() || dialect.ca_pem == old.dialect.ca_pem;
    if old.url == way.url && old.username == way.username && vouched {
        Ok(old.password.clone())
    } else {
        Err(invalid(pointer, "password_again"))
    }
}

/// The sources become those of the input: known ones are reconfigured and keep their position, others come and go.
pub async fn change(state: &HttpState, hotel: &HotelRow, input: &HotelInput) -> Result<(), Problem> {
    let portal = hotel.portal;
    if hotel.settings.demo != input.is_demo() {
        return Err(invalid("/sources", "demo_apart"));
    }
    let key = state.directory.key(portal).await?;
    let stored = sources::of_hotel(&state.db, portal, &key, hotel.id).await?;
    let configs = configs(&input.sources, &stored)?;
    let tx = state.db.begin().await?;
    hotels::update(&tx, portal, hotel.id, &input.facts).await?;
    for (source, config) in input.sources.iter().zip(&configs) {
        match stored.iter().find(|old| old.kind == source.kind && old.via == source.via) {
            Some(old) => {
                sources::reconfigure(&tx, portal, &key, old.id, config.as_ref()).await?;
            }
            None => {
                sources::add(&tx, portal, &key, hotel.id, source.kind, source.via, config.as_ref()).await?;
            }
        }
    }
    for old in &stored {
        if !input.sources.iter().any(|source| old.kind == source.kind && old.via == source.via) {
            sources::delete(&tx, portal, old.id).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Stops everything that reads the hotel; what stands in the portal stays, unless the hotel is the demo one (product §4).
pub async fn remove(state: &HttpState, hotel: &HotelRow) -> Result<(), Problem> {
    let key = state.directory.key(hotel.portal).await?;
    let stored = sources::of_hotel(&state.db, hotel.portal, &key, hotel.id).await?;
    // An address known from an earlier life stays known.
    let mut addresses = hotel.settings.former_sources.clone();
    addresses.extend(stored.iter().filter_map(|source| Some(source.config.as_ref()?.address())));
    addresses.sort();
    addresses.dedup();
    for import in state.engine.imports(hotel.portal, Some(hotel.id)).await? {
        if matches!(import.state, ImportState::Queued | ImportState::Running | ImportState::Paused) {
            match state.engine.cancel_import(hotel.portal, &import.id).await {
                // It ended by itself meanwhile.
                Ok(()) | Err(SyncError::Conflict(_) | SyncError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    let tx = state.db.begin().await?;
    hotels::remove(&tx, hotel, addresses, state.clock.now_ms()).await?;
    problems::over_at(&tx, hotel.portal, hotel.id).await?;
    sources::delete_of_hotel(&tx, hotel.portal, hotel.id).await?;
    if hotel.settings.demo {
        removal::begin(&tx, hotel, state.clock.now_ms()).await?;
    }
    tx.commit().await?;
    state.engine.wake();
    Ok(())
}
