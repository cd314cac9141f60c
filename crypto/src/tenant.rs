//! One tenant's data key: random, wrapped under the master key, destroyed on a proven `CLEAN=1`.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{CryptoError, Keyring, open, seal, subkey};

const WRAP: &str = "tenant_key.wrapped";

#[derive(Clone)]
pub struct TenantKey {
    key: Zeroizing<[u8; 32]>,
    /// Derived once: every stored row is sealed or opened with it.
    sealing: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for TenantKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TenantKey")
    }
}

impl TenantKey {
    fn of(key: Zeroizing<[u8; 32]>) -> Self {
        let sealing = subkey(&key, "fb24 tenant seal");
        Self { key, sealing }
    }

    pub fn generate() -> Self {
        Self::of(Zeroizing::new(rand::random()))
    }

    pub fn wrap(&self, ring: &Keyring) -> Result<Vec<u8>, CryptoError> {
        ring.seal(WRAP, self.key.as_slice())
    }

    pub fn open_wrapped(ring: &Keyring, wrapped: &[u8]) -> Result<Self, CryptoError> {
        let key = Zeroizing::new(ring.open(WRAP, wrapped)?);
        <[u8; 32]>::try_from(key.as_slice())
            .map(|key| Self::of(Zeroizing::new(key)))
            .map_err(|_| CryptoError::Damaged(WRAP))
    }

    pub fn seal(&self, context: &'static str, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        seal(&self.sealing, context, plain)
    }

    pub fn open(&self, context: &'static str, sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
        open(&self.sealing, context, sealed)
    }

    /// A key of its own for one thing of this tenant.
    pub(crate) fn derive(&self, label: &'static str, salt: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0_u8; 32]);
        // 32 bytes are always within HKDF-SHA256's output limit, so the only error cannot occur.
        let _ = Hkdf::<Sha256>::new(Some(salt), self.key.as_slice()).expand(label.as_bytes(), out.as_mut());
        out
    }

    /// Keyed hash for exact match and content comparison: 128 bits, hexadecimal. Equal values under other labels differ.
    pub fn hash(&self, label: &'static str, value: &[u8]) -> String {
        let key = subkey(&self.key, label);
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_slice()) else {
            return String::new(); // HMAC takes keys of any length
        };
        mac.update(value);
        mac.finalize().into_bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s48_a_tenant_cannot_open_or_match_what_is_another_tenants() {
        let (a, b) = (TenantKey::generate(), TenantKey::generate());
        let sealed = a.seal("stay.facts", b"Anna").expect("seal");
        assert_eq!(a.open("stay.facts", &sealed).as_deref(), Ok(b"Anna".as_slice()));
        assert!(b.open("stay.facts", &sealed).is_err());
        assert_eq!(a.hash("phone", b"1"), a.hash("phone", b"1"));
        assert_ne!(a.hash("phone", b"1"), a.hash("email", b"1"));
        assert_ne!(a.hash("phone", b"1"), b.hash("phone", b"1"));
        assert_eq!(a.hash("phone", b"1").len(), 32);
    }
}
