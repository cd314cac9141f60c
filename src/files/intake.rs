//! A file as it comes from a person: known by its first bytes, a picture made anew, all else passed on as it comes.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::Semaphore;

use super::FileError;
use super::picture::{MAX_PICTURE, cleaned};
use super::sealed::write;
use super::sniff::{ENOUGH, Shown, Type, sniff};
use super::store::{Name, Store};
use crate::crypto::TenantKey;

/// What was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub length: u64,
    pub kind: Type,
}

/// Keeps what comes, up to `limit` bytes; a picture up to [`MAX_PICTURE`]. After an error nothing is left.
pub async fn keep<S, E>(store: &Store, key: &TenantKey, name: &Name, content: S, limit: u64) -> Result<Kept, FileError>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: std::fmt::Display,
{
    let mut content = Box::pin(content);
    let (head, more) = gather(&mut content, BytesMut::new(), ENOUGH).await?;
    let kind = sniff(&head);
    let length = match kind {
        Type::Shown(shown) if shown.is_picture() => {
            let picture = whole(&mut content, head, more, limit.min(MAX_PICTURE)).await?;
            let clean = anew(shown, picture).await?;
            write(store, key, name, stream::iter([Ok::<_, FileError>(clean)]), u64::MAX).await?
        }
        _ => {
            let begun = stream::iter([Ok(head.freeze())]);
            write(store, key, name, begun.chain(content), limit).await?
        }
    };
    Ok(Kept { length, kind })
}

/// What came until there is more than `enough`, and whether more may come.
async fn gather<S, E>(content: &mut S, mut held: BytesMut, enough: usize) -> Result<(BytesMut, bool), FileError>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    while held.len() <= enough {
        match content.next().await {
            Some(piece) => held.extend_from_slice(&piece.map_err(|error| FileError::Cut(error.to_string()))?),
            None => return Ok((held, false)),
        }
    }
    Ok((held, true))
}

async fn whole<S, E>(content: &mut S, head: BytesMut, more: bool, limit: u64) -> Result<Bytes, FileError>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let (all, _) = if more { gather(content, head, most).await? } else { (head, false) };
    if all.len() > most { Err(FileError::TooLarge(limit)) } else { Ok(all.freeze()) }
}

/// A picture of a few kilobytes may take a quarter of a gigabyte when it is opened: so many are opened at once.
static OPENED: Semaphore = Semaphore::const_new(2);

/// Decoding works for a while: aside, so that it holds up nobody.
async fn anew(kind: Shown, picture: Bytes) -> Result<Bytes, FileError> {
    let _turn = OPENED.acquire().await.map_err(|_| FileError::Picture)?;
    let made = tokio::task::spawn_blocking(move || cleaned(kind, &picture)).await;
    made.unwrap_or(Err(FileError::Picture)).map(Bytes::from)
}
