//! Integrators' keys: `fb24_<id>_<secret>` (contract, `/api/v1/keys`).

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const PREFIX: &str = "fb24_";

/// A key as its holder has it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Names the key; no secret.
    pub id: String,
    secret: String,
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).finish_non_exhaustive()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl ApiKey {
    pub fn generate() -> Self {
        let (id, secret): ([u8; 8], [u8; 32]) = (rand::random(), rand::random());
        Self { id: hex(&id), secret: hex(&secret) }
    }

    /// The whole key, to be shown once.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }

    /// Whether a bearer token is meant as a key at all.
    pub fn looks_like(token: &str) -> bool {
        token.starts_with(PREFIX)
    }

    pub fn parse(token: &str) -> Option<Self> {
        let (id, secret) = token.strip_prefix(PREFIX)?.split_once('_')?;
        let hexadecimal = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
        (hexadecimal(id, 16) && hexadecimal(secret, 64)).then(|| Self { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// What is stored. The secret is 256 random bits: it needs no slow hash.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.secret.as_bytes()))
    }

    /// Compares with a stored hash in constant time.
    pub fn matches(&self, stored: &str) -> bool {
        self.hash().as_bytes().ct_eq(stored.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s51_a_key_is_known_by_its_hash_alone() {
        let key = ApiKey::generate();
        let again = ApiKey::parse(&key.reveal()).expect("its own form");
        assert_eq!(again, key);
        assert!(again.matches(&key.hash()));
        assert!(!again.matches(&ApiKey::generate().hash()));
        assert!(!again.matches(""));
        assert!(!format!("{key:?}").contains(&key.secret));
        for bad in [
            "fb24_",
            "fb24_1_2",
            "",
            "fb24_zzzzzzzzzzzzzzzz_00",
            key.reveal().trim_start_matches("fb24"),
            &format!("{}0", key.reveal()),
        ] {
            assert_eq!(ApiKey::parse(bad), None, "{bad}");
        }
    }
}
