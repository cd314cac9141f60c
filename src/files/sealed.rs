//! The sealed form of a file: a salt, then chunks of [`CHUNK`] bytes, each longer by [`TAG`]; the last may be shorter, and of an
//! empty file it is empty.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};

use super::FileError;
use super::store::{Name, Store, Writing};
use crate::crypto::TenantKey;
use crate::crypto::file::{CHUNK, FileKey, SALT, TAG};

const SALT_LENGTH: u64 = 32;
const CHUNK_LENGTH: u64 = 65_536;
const SEALED_CHUNK: u64 = CHUNK_LENGTH + 16;
const _: () = assert!(SALT == 32 && CHUNK == 65_536 && TAG == 16);

/// What a file of this many bytes takes in the store.
pub fn sealed_length(plain: u64) -> u64 {
    let chunks = plain.div_ceil(CHUNK_LENGTH).max(1);
    SALT_LENGTH + plain + chunks * 16
}

/// How many bytes were sealed into so many.
fn plain_length(stored: u64) -> Result<u64, FileError> {
    let body = stored.checked_sub(SALT_LENGTH).ok_or(FileError::Damaged)?;
    let chunks = body.div_ceil(SEALED_CHUNK);
    body.checked_sub(chunks * 16).filter(|_| chunks > 0).ok_or(FileError::Damaged)
}

/// Seals what comes and keeps it; answers its length. What did not come to its end, or is longer than `limit`, leaves nothing.
pub async fn write<S, E>(store: &Store, key: &TenantKey, name: &Name, content: S, limit: u64) -> Result<u64, FileError>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: std::fmt::Display,
{
    let mut writing = store.create(name).await?;
    match pour(&mut writing, key, content, limit).await {
        Ok(length) => writing.finish().await.map(|()| length),
        Err(error) => {
            writing.abandon().await;
            Err(error)
        }
    }
}

async fn pour<S, E>(writing: &mut Writing<'_>, key: &TenantKey, content: S, limit: u64) -> Result<u64, FileError>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: std::fmt::Display,
{
    let salt: [u8; SALT] = rand::random();
    let key = FileKey::of(key, &salt);
    writing.push(&salt).await?;
    let mut content = std::pin::pin!(content);
    let (mut length, mut number) = (0_u64, 0_u64);
    let mut held = BytesMut::new();
    while let Some(piece) = content.next().await {
        let piece = piece.map_err(|error| FileError::Cut(error.to_string()))?;
        length = length.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if length > limit {
            return Err(FileError::TooLarge(limit));
        }
        held.extend_from_slice(&piece);
        // One that is exactly full may be the last: it waits until more comes.
        while held.len() > CHUNK {
            let chunk = held.split_to(CHUNK);
            writing.push(&sealed(&key, number, false, &chunk)?).await?;
            number += 1;
        }
    }
    writing.push(&sealed(&key, number, true, &held)?).await?;
    Ok(length)
}

fn sealed(key: &FileKey, number: u64, last: bool, plain: &[u8]) -> Result<Vec<u8>, FileError> {
    key.seal(number, last, plain).map_err(|_| FileError::Damaged)
}

/// The file's length, and its bytes from `from` to before `to` (both are cut to its length).
pub async fn read(
    store: &Store,
    key: &TenantKey,
    name: &Name,
    from: u64,
    to: u64,
) -> Result<(u64, impl Stream<Item = Result<Bytes, FileError>> + use<>), FileError> {
    let stored = store.length(name).await?;
    let length = plain_length(stored)?;
    let to = to.min(length);
    let from = from.min(to);
    let key = FileKey::of(key, &salt(store, name).await?);
    let last = (length.max(1) - 1) / CHUNK_LENGTH;
    // An empty range still opens the chunk it would begin in, so that a damaged file is never said to be an empty one.
    let first = (from / CHUNK_LENGTH).min(last);
    let end = (to.div_ceil(CHUNK_LENGTH)).clamp(first + 1, last + 1);
    let stored_end = (SALT_LENGTH + end * SEALED_CHUNK).min(stored);
    let bytes = store.read(name, SALT_LENGTH + first * SEALED_CHUNK, stored_end).await?;
    let opening = Opening { bytes, held: BytesMut::new(), key, number: first, end, last, from, to };
    Ok((length, futures_util::stream::unfold(Some(opening), next)))
}

async fn salt(store: &Store, name: &Name) -> Result<[u8; SALT], FileError> {
    let mut bytes = store.read(name, 0, SALT_LENGTH).await?;
    let mut held = BytesMut::new();
    while let Some(piece) = bytes.next().await {
        held.extend_from_slice(&piece?);
    }
    <[u8; SALT]>::try_from(held.as_ref()).map_err(|_| FileError::Damaged)
}

struct Opening<B> {
    bytes: B,
    held: BytesMut,
    key: FileKey,
    /// The next chunk, the one after the last that is asked for, the file's last.
    number: u64,
    end: u64,
    last: u64,
    from: u64,
    to: u64,
}

/// One chunk's bytes; after an error nothing.
async fn next<B>(opening: Option<Opening<B>>) -> Option<(Result<Bytes, FileError>, Option<Opening<B>>)>
where
    B: Stream<Item = Result<Bytes, FileError>> + Unpin,
{
    let mut opening = opening?;
    match opening.chunk().await {
        Ok(Some(bytes)) => Some((Ok(bytes), Some(opening))),
        Ok(None) => None,
        Err(error) => Some((Err(error), None)),
    }
}

impl<B: Stream<Item = Result<Bytes, FileError>> + Unpin> Opening<B> {
    async fn chunk(&mut self) -> Result<Option<Bytes>, FileError> {
        if self.number >= self.end {
            return Ok(None);
        }
        let whole = CHUNK + TAG;
        while self.held.len() < whole {
            match self.bytes.next().await {
                Some(piece) => self.held.extend_from_slice(&piece?),
                None => break,
            }
        }
        let sealed = self.held.split_to(whole.min(self.held.len()));
        let plain = self.key.open(self.number, self.number == self.last, &sealed).map_err(|_| FileError::Damaged)?;
        let at = self.number * CHUNK_LENGTH;
        self.number += 1;
        let within = |place: u64| usize::try_from(place.saturating_sub(at)).unwrap_or(usize::MAX).min(plain.len());
        let (from, to) = (within(self.from), within(self.to));
        Ok(Some(Bytes::from(plain).slice(from..to.max(from))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn s12_the_stored_length_says_the_files(plain in 0_u64..2_000_000) {
            prop_assert_eq!(plain_length(sealed_length(plain)).expect("a length"), plain);
        }
    }

    #[test]
    fn s12_no_file_is_shorter_than_its_salt_and_one_chunk() {
        for stored in [0, 31, 32, 40] {
            assert!(plain_length(stored).is_err(), "{stored}");
        }
    }
}
