//! Where sealed bytes lie: each object is written once under a name of its own, read in part or whole, and removed.

use futures_util::Stream;
use secrecy::SecretString;
use uuid::Uuid;

use super::FileError;
use super::bucket::{Bucket, Upload};
use super::folder::{Draft, Folder};

/// `<tenant>/<id>`: the tenant's objects stand together, so that they can be removed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    tenant: i64,
    id: Uuid,
}

impl Name {
    pub fn new(tenant: i64) -> Self {
        Self { tenant, id: Uuid::new_v4() }
    }

    pub fn known(tenant: i64, id: Uuid) -> Self {
        Self { tenant, id }
    }

    pub fn id(&self) -> Uuid {
        self.id
    }

    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.tenant, self.id.simple())
    }
}

/// `storage.*` of the settings.
pub struct Settings<'a> {
    pub url: &'a str,
    pub endpoint: &'a str,
    pub region: &'a str,
    pub access_key: &'a str,
    pub secret_key: &'a SecretString,
}

pub enum Store {
    Folder(Folder),
    Bucket(Box<Bucket>),
}

/// An object on its way in. Dropped before [`Writing::finish`], it never was.
pub(super) enum Writing<'a> {
    Folder(Draft),
    Bucket(Upload<'a>),
}

impl Store {
    pub fn open(settings: &Settings<'_>) -> Result<Self, FileError> {
        if let Some(path) = settings.url.strip_prefix("file://") {
            return Ok(Self::Folder(Folder::new(path)));
        }
        match settings.url.strip_prefix("s3://") {
            Some(place) => Ok(Self::Bucket(Box::new(Bucket::open(place, settings)?))),
            None => Err(FileError::Settings("must start with file:// or s3://")),
        }
    }

    pub(super) async fn create<'a>(&'a self, name: &Name) -> Result<Writing<'a>, FileError> {
        match self {
            Self::Folder(folder) => Ok(Writing::Folder(folder.create(&name.path()).await?)),
            Self::Bucket(bucket) => Ok(Writing::Bucket(bucket.create(name.path()))),
        }
    }

    /// The stored length in bytes.
    pub(super) async fn length(&self, name: &Name) -> Result<u64, FileError> {
        match self {
            Self::Folder(folder) => folder.length(&name.path()).await,
            Self::Bucket(bucket) => bucket.length(&name.path()).await,
        }
    }

    /// The stored bytes from `from` to before `to`.
    pub(super) async fn read(
        &self,
        name: &Name,
        from: u64,
        to: u64,
    ) -> Result<std::pin::Pin<Box<dyn Stream<Item = Result<bytes::Bytes, FileError>> + Send>>, FileError> {
        match self {
            Self::Folder(folder) => Ok(Box::pin(folder.read(&name.path(), from, to).await?)),
            Self::Bucket(bucket) => Ok(Box::pin(bucket.read(&name.path(), from, to).await?)),
        }
    }

    /// It is gone afterwards, also if it was never there.
    pub async fn remove(&self, name: &Name) -> Result<(), FileError> {
        match self {
            Self::Folder(folder) => folder.remove(&name.path()).await,
            Self::Bucket(bucket) => bucket.remove(&name.path()).await,
        }
    }

    /// Writes, reads and removes a few bytes.
    pub async fn check(&self) -> Result<(), FileError> {
        let name = Name::new(0);
        let mut writing = self.create(&name).await?;
        writing.push(b"fidelio-bitrix24").await?;
        writing.finish().await?;
        let length = self.length(&name).await;
        self.remove(&name).await?;
        if length? == 16 { Ok(()) } else { Err(FileError::Damaged) }
    }
}

impl Writing<'_> {
    pub(super) async fn push(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        match self {
            Self::Folder(draft) => draft.push(bytes).await,
            Self::Bucket(upload) => upload.push(bytes).await,
        }
    }

    /// The object is there, whole, for everyone.
    pub(super) async fn finish(self) -> Result<(), FileError> {
        match self {
            Self::Folder(draft) => draft.finish().await,
            Self::Bucket(upload) => upload.finish().await,
        }
    }

    /// What came of it is taken away again.
    pub(super) async fn abandon(self) {
        match self {
            Self::Folder(draft) => draft.abandon().await,
            Self::Bucket(upload) => upload.abandon().await,
        }
    }
}
