//! Files of a request (S-12, S-33; product §5): handed in as they come, sealed under the request's key, shown to whom the request
//! is, and handed out by addresses that live for minutes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::Stream;
use serde::{Deserialize, Serialize};

use super::act::Deed;
use super::{Actor, Desk, DeskError, at};
use crate::domain::PortalId;
use crate::domain::support::life::{self, Action};
use crate::files::{FileError, Kept, Name, Store, keep, read};
use crate::store::StoreError;
use crate::store::desk::files::{self, FileRow, NewFile};
use crate::store::desk::requests::RequestRow;

/// A recording of a screen.
const LARGEST: u64 = 500 * 1024 * 1024;
/// Of one request.
const MOST_FILES: i64 = 50;
pub(super) const MOST_BYTES: u64 = 2 * 1024 * 1024 * 1024;
const ADDRESS_LIVES_MS: i64 = 5 * 60 * 1_000;
/// Nobody takes so long to hand in a file.
const GIVEN_UP_MS: i64 = 24 * 3_600 * 1_000;
/// Objects taken out of the store in one look.
const STEP: i64 = 50;
const ADDRESS: &str = "desk_file.address";

/// What comes with a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub name: String,
    /// Of the desk among itself.
    pub internal: bool,
}

/// One object, until then: what an address carries, sealed.
#[derive(Serialize, Deserialize)]
struct Grant {
    desk: i64,
    request: i64,
    file: i64,
    until: i64,
}

/// A file that somebody may read now.
#[derive(Debug, Clone)]
pub struct Granted {
    pub file: FileRow,
}

impl Desk {
    /// Takes a file in. Whoever may not say a word here hands in nothing; after an error nothing is left of it. Of one name
    /// (`once`) the first is kept.
    pub async fn attach<S, E>(
        &self,
        who: &Actor,
        row: &RequestRow,
        upload: Upload,
        content: S,
        once: Option<&str>,
    ) -> Result<RequestRow, DeskError>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: std::fmt::Display,
    {
        let now = self.now();
        match upload.internal {
            true if !who.is_desk() => return Err(DeskError::Forbidden),
            true => {}
            false => drop(life::click(row.state, &Action::Say, &who.roles, at(now))?),
        }
        let key = self.key_if_any(row.key_portal).await?.filter(|_| row.erased_at.is_none());
        let key = key.ok_or(DeskError::Refused(life::Refusal::Closed))?;
        let (held, bytes) = files::held(self.db(), row.desk, row.id).await?;
        let room = MOST_BYTES.saturating_sub(bytes);
        if held >= MOST_FILES || room == 0 {
            return Err(DeskError::Conflict("files_full"));
        }
        let name = Name::new(row.key_portal.0);
        let new = NewFile {
            request: row.id,
            key_portal: row.key_portal,
            object: name.id(),
            name: &upload.name,
            internal: upload.internal,
            by_desk: who.is_desk(),
        };
        let id = files::begin(self.db(), row.desk, &key, &new, now).await?;
        let done = match keep(self.files()?, &key, &name, content, LARGEST.min(room)).await {
            Ok(kept) => self.act_once(who, row, &handed_in(id, upload, kept), once).await,
            Err(error) => Err(error.into()),
        };
        // What the request did not take (it ended meanwhile, or it was the same sending) goes again: now, because its row may
        // be gone already with the request's words.
        if !matches!(done, Ok(_) | Err(DeskError::Store(_)))
            && let Err(error) = self.files()?.remove(&name).await
        {
            tracing::warn!(%error, "a file that a request did not take stays in the store");
        }
        files::give_up(self.db(), row.desk, id).await?;
        done
    }

    /// The sealed part of an address at which one file of a request can be read for some minutes, and their end.
    pub async fn address(&self, who: &Actor, row: &RequestRow, file: i64) -> Result<(String, i64), DeskError> {
        let key = self.key_if_any(row.key_portal).await?.ok_or(DeskError::NotFound)?;
        let found = files::get(self.db(), row.desk, &key, row.id, file).await?;
        found.filter(|file| who.is_desk() || !file.internal).ok_or(DeskError::NotFound)?;
        let until = self.now().saturating_add(ADDRESS_LIVES_MS);
        let grant = Grant { desk: row.desk.0, request: row.id, file, until };
        let text = serde_json::to_vec(&grant).map_err(|_| StoreError::Corrupt(ADDRESS))?;
        let sealed = self.0.keyring.seal(ADDRESS, &text).map_err(StoreError::from)?;
        Ok((URL_SAFE_NO_PAD.encode(sealed), until))
    }

    /// The file of an address; one that is forged, run out or of a file that is gone names nothing.
    pub async fn granted(&self, sealed: &str) -> Result<Granted, DeskError> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| DeskError::NotFound)?;
        let text = self.0.keyring.open(ADDRESS, &sealed).map_err(|_| DeskError::NotFound)?;
        let grant: Grant = serde_json::from_slice(&text).map_err(|_| DeskError::NotFound)?;
        if grant.until <= self.now() {
            return Err(DeskError::NotFound);
        }
        let desk = PortalId(grant.desk);
        let row = crate::store::desk::requests::by_id(self.db(), desk, grant.request).await?;
        let row = row.ok_or(DeskError::NotFound)?;
        let key = self.key_if_any(row.key_portal).await?.ok_or(DeskError::NotFound)?;
        let file = files::get(self.db(), desk, &key, row.id, grant.file).await?.ok_or(DeskError::NotFound)?;
        Ok(Granted { file })
    }

    /// Its bytes from `from` to before `to`.
    pub async fn bytes_of(
        &self,
        granted: &Granted,
        from: u64,
        to: u64,
    ) -> Result<impl Stream<Item = Result<Bytes, FileError>> + use<>, DeskError> {
        let file = &granted.file;
        let key = self.key_if_any(file.key_portal).await?.ok_or(DeskError::NotFound)?;
        let name = Name::known(file.key_portal.0, file.object);
        let (_, bytes) = read(self.files()?, &key, &name, from, to).await?;
        Ok(bytes)
    }

    /// Takes what was given up out of the store of files.
    pub(super) async fn sweep_files(&self) -> Result<(), DeskError> {
        let begun_before = self.now().saturating_sub(GIVEN_UP_MS);
        for left in files::left_over(self.db(), begun_before, STEP).await? {
            self.files()?.remove(&Name::known(left.key_portal.0, left.object)).await?;
            files::forget(self.db(), &left).await?;
        }
        Ok(())
    }

    fn files(&self) -> Result<&Store, DeskError> {
        self.0.files.as_ref().map_err(|error| DeskError::File(FileError::Settings(error)))
    }
}

fn handed_in(id: i64, upload: Upload, kept: Kept) -> Deed {
    Deed::File { id, name: upload.name, mime: kept.kind.mime(), length: kept.length, internal: upload.internal }
}

/// A name as it may be shown and kept: no path, nothing that turns a text around, not empty.
pub fn file_name(told: &str) -> String {
    let last = told.rsplit(['/', '\\']).next().unwrap_or_default();
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let clean: String = last.chars().filter(|c| !c.is_control() && !turns(*c)).take(200).collect();
    match clean.trim().trim_matches('.').trim() {
        "" => "file".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn s12_a_file_s_name_leads_nowhere_and_shows_what_it_is() {
        for (told, name) in [
            ("снимок.png", "снимок.png"),
            ("../../etc/passwd", "passwd"),
            (r"C:\Users\a\экран.png", "экран.png"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("a\nb\0.txt", "ab.txt"),
            ("..", "file"),
            ("", "file"),
        ] {
            assert_eq!(file_name(told), name, "{told:?}");
        }
        assert_eq!(file_name(&"я".repeat(900)).chars().count(), 200);
    }
}
