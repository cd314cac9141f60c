//! Storing what was said of a hotel.

use secrecy::SecretString;

use super::super::refuse::{conflict, invalid, invalid_with};
use super::input::{HotelInput, SourceInput};
use crate::domain::{HotelCode, PortalId};
use crate::http::HttpState;
use crate::http::auth::Principal;
use crate::http::problem::Problem;
use crate::store::hotels::{self, HotelRow};
use crate::store::sources::{self, SourceConfig, SourceRow};
use crate::sync::SyncError;
use crate::sync::imports::ImportState;

/// Refuses at once what the guard would refuse at each poll: schemes and literal private addresses. Names are looked
/// up when they are called, never while a person waits for a save.
pub fn check_addresses(state: &HttpState, who: &Principal, hotel: &HotelInput) -> Result<(), Problem> {
    for (index, source) in hotel.sources.iter().enumerate() {
        if state.pms_guard.check_url(&who.member_id, &source.url).is_err() {
            return Err(invalid(format!("/sources/{index}/url"), "address_refused"));
        }
    }
    Ok(())
}

/// An amount of a deal can stand only in a currency that the portal has.
pub async fn check_currency(state: &HttpState, who: &Principal, hotel: &HotelInput) -> Result<(), Problem> {
    match state.directory.lacks_currency(who.portal, &hotel.facts.currency).await? {
        None => Ok(()),
        Some(known) => Err(invalid_with("/currency", "currency_missing", "known", known.join(", "))),
    }
}

/// A new hotel, or a removed one that takes its code again.
pub async fn create(state: &HttpState, portal: PortalId, code: &HotelCode, input: &HotelInput) -> Result<(), Problem> {
    let configs = configs(&input.sources, &[])?;
    let key = state.directory.key(portal).await?;
    let tx = state.db.begin().await?;
    let hotel = match hotels::create(&tx, portal, code, &input.facts, state.clock.now_ms()).await? {
        Some(hotel) => hotel,
        None => {
            let holder = hotels::holder(&tx, portal, code).await?.ok_or_else(taken)?;
            if holder.removed_at.is_none() || !is_same(&holder, input, &configs) {
                return Err(taken());
            }
            hotels::update(&tx, portal, holder.id, &input.facts).await?;
            holder.id
        }
    };
    for (source, config) in input.sources.iter().zip(&configs) {
        sources::add(&tx, portal, &key, hotel, source.kind, source.via, config).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn taken() -> Problem {
    conflict("hotel_code_taken")
}

/// Whether a removed hotel came back: reached at an address it was reached at, or of the same name in the same zone.
/// That its *records* are the same is checked when they are read (product §1: known numbers with other people).
fn is_same(tombstone: &HotelRow, input: &HotelInput, configs: &[SourceConfig]) -> bool {
    let name = |name: &str| name.trim().to_lowercase();
    let address = configs.iter().any(|config| tombstone.settings.former_sources.contains(&config.address()));
    address || (name(&tombstone.name) == name(&input.facts.name) && tombstone.timezone == input.facts.timezone)
}

/// The configurations to store. A password that was not given is taken from the source that is already there, but is
/// never sent to an address or for a user that the person who set it did not mean.
fn configs(inputs: &[SourceInput], stored: &[SourceRow]) -> Result<Vec<SourceConfig>, Problem> {
    inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let password = match &input.password {
                Some(password) => password.clone(),
                None => kept_password(index, input, stored)?,
            };
            Ok(SourceConfig {
                url: input.url.clone(),
                username: input.username.clone(),
                password,
                vendor: input.vendor.clone(),
            })
        })
        .collect()
}

fn kept_password(index: usize, input: &SourceInput, stored: &[SourceRow]) -> Result<SecretString, Problem> {
    let pointer = format!("/sources/{index}/password");
    let Some(old) = stored.iter().find(|old| old.kind == input.kind && old.via == input.via) else {
        return Err(invalid(pointer, "required"));
    };
    if old.config.url == input.url && old.config.username == input.username {
        Ok(old.config.password.clone())
    } else {
        Err(invalid(pointer, "password_again"))
    }
}

/// The sources become those of the input: known ones are reconfigured and keep their position, others come and go.
pub async fn change(state: &HttpState, hotel: &HotelRow, input: &HotelInput) -> Result<(), Problem> {
    let portal = hotel.portal;
    let key = state.directory.key(portal).await?;
    let stored = sources::of_hotel(&state.db, portal, &key, hotel.id).await?;
    let configs = configs(&input.sources, &stored)?;
    let tx = state.db.begin().await?;
    hotels::update(&tx, portal, hotel.id, &input.facts).await?;
    for (source, config) in input.sources.iter().zip(&configs) {
        match stored.iter().find(|old| old.kind == source.kind && old.via == source.via) {
            Some(old) => {
                sources::reconfigure(&tx, portal, &key, old.id, config).await?;
            }
            None => {
                sources::add(&tx, portal, &key, hotel.id, source.kind, source.via, config).await?;
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

/// Stops everything that reads the hotel; what stands in the portal stays (product §4).
pub async fn remove(state: &HttpState, hotel: &HotelRow) -> Result<(), Problem> {
    let key = state.directory.key(hotel.portal).await?;
    let stored = sources::of_hotel(&state.db, hotel.portal, &key, hotel.id).await?;
    // An address known from an earlier life stays known.
    let mut addresses = hotel.settings.former_sources.clone();
    addresses.extend(stored.iter().map(|source| source.config.address()));
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
    sources::delete_of_hotel(&tx, hotel.portal, hotel.id).await?;
    tx.commit().await?;
    Ok(())
}
