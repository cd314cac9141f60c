//! Objects as files of a folder.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio_util::io::ReaderStream;

use super::FileError;

pub struct Folder {
    root: PathBuf,
}

/// Ending of a file that does not bear its name yet.
const DRAFT: &str = "part";

/// A file that does not bear its name yet.
pub struct Draft {
    file: File,
    draft: PathBuf,
    path: PathBuf,
}

impl Folder {
    pub fn new(root: impl AsRef<Path>) -> Self {
        Self { root: root.as_ref().to_owned() }
    }

    pub async fn create(&self, name: &str) -> Result<Draft, FileError> {
        let path = self.root.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).await?;
        }
        let draft = path.with_extension(DRAFT);
        let file = File::create_new(&draft).await?;
        Ok(Draft { file, draft, path })
    }

    pub async fn length(&self, name: &str) -> Result<u64, FileError> {
        Ok(fs::metadata(self.root.join(name)).await?.len())
    }

    pub async fn read(
        &self,
        name: &str,
        from: u64,
        to: u64,
    ) -> Result<impl Stream<Item = Result<Bytes, FileError>> + use<>, FileError> {
        let mut file = File::open(self.root.join(name)).await?;
        file.seek(std::io::SeekFrom::Start(from)).await?;
        let part = ReaderStream::with_capacity(file.take(to.saturating_sub(from)), 65_536);
        Ok(part.map(|read| read.map_err(FileError::from)))
    }

    pub async fn remove(&self, name: &str) -> Result<(), FileError> {
        let path = self.root.join(name);
        // A process that ended in the middle has left it under its other name.
        for path in [path.with_extension(DRAFT), path] {
            match fs::remove_file(path).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Draft {
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        Ok(self.file.write_all(bytes).await?)
    }

    pub async fn finish(mut self) -> Result<(), FileError> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        fs::rename(&self.draft, &self.path).await?;
        // The name itself is on disk only with its folder.
        if let Some(parent) = self.path.parent() {
            File::open(parent).await?.sync_all().await?;
        }
        Ok(())
    }

    pub async fn abandon(self) {
        if let Err(error) = fs::remove_file(&self.draft).await {
            tracing::warn!(%error, "a file that did not come to its end stays in the folder");
        }
    }
}
