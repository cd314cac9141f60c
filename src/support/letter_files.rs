//! Files of a letter become files of its request (E-15), by the rules of every other file. They are kept after the words: which of
//! them are done stands beside the letter, so that one sent again after a failure goes on where it ended. What is refused is
//! said in the request, which is made all the same.

use bytes::Bytes;
use futures_util::stream;

use super::act::Deed;
use super::attach::{Upload, file_name};
use super::letters::{Became, Coming, Taken};
use super::{Actor, Desk, DeskError};
use crate::domain::Lang;
use crate::domain::support::Role;
use crate::files::FileError;
use crate::mail::incoming::File;
use crate::store::desk::letters;
use crate::store::desk::requests::{self, RequestRow};

const PIECE: usize = 64 * 1024;
/// Of files that are refused together so many are named.
const NAMED: usize = 5;

/// Why a file is not kept, whatever is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Cut,
    TooLarge,
    Picture,
    Full,
    Closed,
}

impl Why {
    /// `Err`: it may pass, and the letter is to be sent again.
    fn of(error: DeskError) -> Result<Self, DeskError> {
        match error {
            DeskError::File(FileError::TooLarge(_)) => Ok(Self::TooLarge),
            DeskError::File(FileError::Picture) => Ok(Self::Picture),
            DeskError::Conflict("files_full") => Ok(Self::Full),
            DeskError::Refused(_) | DeskError::Forbidden => Ok(Self::Closed),
            error => Err(error),
        }
    }

    /// Whether the files behind it would meet the same.
    fn is_of_request(self) -> bool {
        matches!(self, Self::Full | Self::Closed)
    }

    fn words(self, lang: Lang) -> &'static str {
        match self {
            Self::Cut => lang.pick("пришло не целиком", "it did not come whole"),
            Self::TooLarge => lang.pick("слишком велико", "it is too large"),
            Self::Picture => lang.pick("картинка не читается", "the picture cannot be read"),
            Self::Full => lang.pick("у обращения уже нет места для файлов", "the request has no more room for files"),
            Self::Closed => lang.pick("обращение закрыто", "the request is closed"),
        }
    }
}

impl Desk {
    /// Keeps what came with a letter that was taken; `done` of its files were dealt with before.
    pub(super) async fn keep_files(&self, coming: &Coming<'_>, taken: Taken, done: usize) -> Result<Taken, DeskError> {
        let files = &coming.letter.files;
        let Some(number) = taken.number.filter(|_| taken.became != Became::Recorded && done < files.len()) else {
            return Ok(taken);
        };
        let Some(mut row) = requests::of_desk(self.db(), coming.desk, number).await? else { return Ok(taken) };
        // Its words are gone for good, and whoever wrote them.
        if row.erased_at.is_some() || self.key_if_any(row.key_portal).await?.is_none() {
            return Ok(taken);
        }
        for (nth, file) in files.iter().enumerate().skip(done) {
            let once = format!("{} {nth}", coming.name);
            let mut next = nth + 1;
            match self.keep_file(&row, file, &once).await? {
                Ok(kept) => row = kept,
                Err(why) => {
                    if why.is_of_request() {
                        next = files.len();
                    }
                    let refused = files.get(nth..next).unwrap_or_default();
                    let text = not_kept(coming.lang, refused, why);
                    let deed = Deed::Post { what: "file_refused", text, internal: false, told: true };
                    row = self.act_once(&Actor::default(), &row, &deed, Some(&once)).await?;
                }
            }
            letters::files_done(self.db(), coming.desk, &coming.name, next).await?;
            if next == files.len() {
                break;
            }
        }
        Ok(taken)
    }

    /// `Err` inside: it is not kept.
    async fn keep_file(&self, row: &RequestRow, file: &File, once: &str) -> Result<Result<RequestRow, Why>, DeskError> {
        if !file.whole {
            return Ok(Err(Why::Cut));
        }
        let who = Actor { roles: [Role::Submitter].into(), user: None, via: None };
        let upload = Upload { name: file_name(&file.name), internal: false };
        let pieces = file.bytes.chunks(PIECE).map(|piece| Ok::<_, FileError>(Bytes::copy_from_slice(piece)));
        match Box::pin(self.attach(&who, row, upload, stream::iter(pieces), Some(once))).await {
            Ok(row) => Ok(Ok(row)),
            Err(error) => Why::of(error).map(Err),
        }
    }
}

fn not_kept(lang: Lang, files: &[File], why: Why) -> String {
    let names: Vec<String> = files.iter().take(NAMED).map(|file| format!("«{}»", file_name(&file.name))).collect();
    let more = files.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" (+{more})") } else { String::new() };
    let head = lang.pick("Не принято вложение", "This attachment was not taken");
    format!("{head}: {}{more}. {}: {}.", names.join(", "), lang.pick("Причина", "The reason"), why.words(lang))
}
