//! Sealing at rest (product §9): a master key seals tokens and wraps tenant keys; a tenant key seals that tenant's data.
//!
//! XChaCha20-Poly1305 with random 192-bit nonces; the context (`table.column`, tenant included by the caller's key)
//! is authenticated, so that a sealed value cannot be moved to another column.

mod api_key;
pub mod file;
mod keyring;
mod tenant;

pub use api_key::ApiKey;
pub use keyring::{Keyring, MasterKeyError};
pub use tenant::TenantKey;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Why sealed bytes could not be opened. It never says what they hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    #[error("sealed under key {0:?}, which is not configured")]
    UnknownKey(String),
    #[error("sealed bytes of {0} are damaged, or were sealed for another place")]
    Damaged(&'static str),
    #[error("sealing failed")]
    Sealing,
}

const NONCE: usize = 24;

fn subkey(key: &[u8; 32], label: &str) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0_u8; 32]);
    // 32 bytes are always within HKDF-SHA256's output limit, so the only error cannot occur; a zero key would be
    // caught by the first open.
    let _ = Hkdf::<Sha256>::new(None, key).expand(label.as_bytes(), out.as_mut());
    out
}

fn seal(key: &[u8; 32], context: &'static str, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let nonce: [u8; NONCE] = rand::random();
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: context.as_bytes() })
        .map_err(|_| CryptoError::Sealing)?;
    Ok([nonce.as_slice(), sealed.as_slice()].concat())
}

fn open(key: &[u8; 32], context: &'static str, sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE>().ok_or(CryptoError::Damaged(context))?;
    XChaCha20Poly1305::new(&Key::from(*key))
        .decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: context.as_bytes() })
        .map_err(|_| CryptoError::Damaged(context))
}
