//! Master keys of the deployment: one seals, all configured ones open.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{CryptoError, open, seal, subkey};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a master key must be `<key id>:<base64 of 32 bytes>` with an id of 1 to 32 letters, digits, - or _")]
pub struct MasterKeyError;

struct MasterKey {
    id: String,
    key: Zeroizing<[u8; 32]>,
}

/// The configured master keys (`secrets.master_key`, `secrets.previous_keys`).
pub struct Keyring {
    current: MasterKey,
    previous: Vec<MasterKey>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("current", &self.current.id).finish_non_exhaustive()
    }
}

impl MasterKey {
    fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let (id, key) = text.trim().split_once(':').ok_or(MasterKeyError)?;
        let id_ok =
            (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        let key = Zeroizing::new(STANDARD.decode(key).map_err(|_| MasterKeyError)?);
        let key = <[u8; 32]>::try_from(key.as_slice()).map_err(|_| MasterKeyError)?;
        if !id_ok {
            return Err(MasterKeyError);
        }
        Ok(Self { id: id.to_owned(), key: Zeroizing::new(key) })
    }
}

impl Keyring {
    pub fn parse(current: &str, previous: &[String]) -> Result<Self, MasterKeyError> {
        Ok(Self {
            current: MasterKey::parse(current)?,
            previous: previous.iter().map(|text| MasterKey::parse(text)).collect::<Result<_, _>>()?,
        })
    }

    pub fn current_id(&self) -> &str {
        &self.current.id
    }

    pub fn knows(&self, key_id: &str) -> bool {
        self.find(key_id).is_some()
    }

    fn find(&self, key_id: &str) -> Option<&MasterKey> {
        std::iter::once(&self.current).chain(&self.previous).find(|key| key.id == key_id)
    }

    /// `<length of key id><key id><nonce><ciphertext>` under the current master key.
    pub fn seal(&self, context: &'static str, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let body = seal(&subkey(&self.current.key, "fb24 master seal"), context, plain)?;
        let length = u8::try_from(self.current.id.len()).map_err(|_| CryptoError::Sealing)?;
        Ok([&[length], self.current.id.as_bytes(), body.as_slice()].concat())
    }

    pub fn open(&self, context: &'static str, sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let damaged = || CryptoError::Damaged(context);
        let key_id = Self::key_id(sealed).ok_or_else(damaged)?;
        let key = self.find(key_id).ok_or_else(|| CryptoError::UnknownKey(key_id.to_owned()))?;
        let body = sealed.get(1 + key_id.len()..).ok_or_else(damaged)?;
        open(&subkey(&key.key, "fb24 master seal"), context, body)
    }

    /// Under which master key these bytes were sealed.
    pub fn key_id(sealed: &[u8]) -> Option<&str> {
        let (length, rest) = sealed.split_first()?;
        std::str::from_utf8(rest.get(..usize::from(*length))?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, byte: u8) -> String {
        format!("{id}:{}", STANDARD.encode([byte; 32]))
    }

    #[test]
    fn s48_a_rotated_key_still_opens_and_an_unknown_one_is_named() {
        let old = Keyring::parse(&key("k1", 1), &[]).expect("key");
        let sealed = old.seal("t.c", b"secret").expect("seal");
        let new = Keyring::parse(&key("k2", 2), &[key("k1", 1)]).expect("keys");
        assert_eq!(new.open("t.c", &sealed).as_deref(), Ok(b"secret".as_slice()));
        assert_eq!(new.open("t.other", &sealed), Err(CryptoError::Damaged("t.other")));
        let stranger = Keyring::parse(&key("k3", 3), &[]).expect("key");
        assert_eq!(stranger.open("t.c", &sealed), Err(CryptoError::UnknownKey("k1".into())));
    }

    #[test]
    fn s48_any_changed_byte_is_noticed() {
        let ring = Keyring::parse(&key("k", 1), &[]).expect("key");
        let sealed = ring.seal("t.c", b"secret").expect("seal");
        for i in 0..sealed.len() {
            let mut bad = sealed.clone();
            if let Some(byte) = bad.get_mut(i) {
                *byte ^= 1;
            }
            assert!(ring.open("t.c", &bad).is_err(), "byte {i}");
        }
        assert!(ring.open("t.c", &[]).is_err());
        assert!(Keyring::parse("k:short", &[]).is_err());
    }
}
