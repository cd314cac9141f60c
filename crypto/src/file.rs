//! One file under its tenant's key, in chunks, so that neither writing nor reading holds more than one of them
//! (product §9). The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): each chunk's nonce holds its number and
//! whether it is the last, so that none can be left out, repeated or moved, and a file cut short does not open. The key is the
//! file's own, made from a random salt that stands before the chunks.

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::{CryptoError, TenantKey};

/// What of a file is sealed at once.
pub const CHUNK: usize = 65_536;
/// What sealing adds to a chunk.
pub const TAG: usize = 16;
pub const SALT: usize = 32;

const WHAT: &str = "file";

pub struct FileKey(XChaCha20Poly1305);

impl FileKey {
    pub fn of(tenant: &TenantKey, salt: &[u8; SALT]) -> Self {
        let key: Zeroizing<[u8; 32]> = tenant.derive(WHAT, salt);
        Self(XChaCha20Poly1305::new(&Key::from(*key)))
    }

    pub fn seal(&self, number: u64, last: bool, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.0.encrypt(&nonce(number, last), plain).map_err(|_| CryptoError::Sealing)
    }

    pub fn open(&self, number: u64, last: bool, sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.0.decrypt(&nonce(number, last), sealed).map_err(|_| CryptoError::Damaged(WHAT))
    }
}

/// 15 zero bytes, the chunk's number, whether it is the last.
fn nonce(number: u64, last: bool) -> XNonce {
    let mut bytes = [0_u8; 24];
    let (_, tail) = bytes.split_at_mut(15);
    for (to, from) in tail.iter_mut().zip(number.to_be_bytes().into_iter().chain([u8::from(last)])) {
        *to = from;
    }
    XNonce::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_a_chunk_opens_in_its_own_place_of_its_own_file_only() {
        let (tenant, other) = (TenantKey::generate(), TenantKey::generate());
        let key = FileKey::of(&tenant, &[1; SALT]);
        let sealed = key.seal(3, false, b"screen").expect("sealed");
        assert_eq!(sealed.len(), b"screen".len() + TAG);
        assert_eq!(FileKey::of(&tenant, &[1; SALT]).open(3, false, &sealed).as_deref(), Ok(b"screen".as_slice()));
        for (key, number, last) in [
            (FileKey::of(&tenant, &[1; SALT]), 4, false),
            (FileKey::of(&tenant, &[1; SALT]), 3, true),
            (FileKey::of(&tenant, &[2; SALT]), 3, false),
            (FileKey::of(&other, &[1; SALT]), 3, false),
        ] {
            assert_eq!(key.open(number, last, &sealed), Err(CryptoError::Damaged("file")));
        }
    }
}
