//! What people attach to requests: sealed in chunks, in a folder or a bucket (product §5, §9). Nothing here holds more of a file
//! than a few chunks, except of pictures, which are small and made anew.

mod bucket;
mod folder;
mod intake;
mod picture;
mod sealed;
mod sniff;
mod store;

pub use intake::{Kept, keep};
pub use picture::MAX_PICTURE;
pub use sealed::{read, sealed_length, write};
pub use sniff::{Shown, Type};
pub use store::{Name, Settings, Store};

/// Why a file could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("storage.url: {0}")]
    Settings(&'static str),
    /// It is larger than what is allowed, in bytes.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// A picture that is none, or one that unpacks to more than a screen could show.
    #[error("the picture cannot be read")]
    Picture,
    /// Nobody has it, or not any more.
    #[error("there is no such file")]
    Missing,
    #[error("the stored file is damaged")]
    Damaged,
    /// Who sent it stopped, or the connection broke.
    #[error("the file did not come to its end: {0}")]
    Cut(String),
    /// The storage is away: later it may not be.
    #[error("the storage of files does not answer: {0}")]
    Away(String),
    /// The storage said no for good: settings.
    #[error("the storage of files refused: {0}")]
    Refused(String),
}

impl From<std::io::Error> for FileError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::Missing,
            kind => Self::Away(kind.to_string()),
        }
    }
}
