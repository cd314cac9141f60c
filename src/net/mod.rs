//! Outbound addresses: what this deployment may connect to, and clients that connect to the vetted address only
//! (product §9, "Outbound addresses").

mod authorities;
mod client;
mod guard;
mod ranges;

pub use authorities::Authorities;
pub use client::{
    USER_AGENT, check_authority, handshake, install_crypto, operator_client, operator_tls, refusal, tls_fault,
};
pub use guard::{Guard, Refused};
