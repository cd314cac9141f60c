//! Objects in a bucket of S3 or MinIO: requests are signed by `rusty-s3` and carried by our one HTTP client. What is no longer
//! than a part goes in one request; a longer object goes in parts, which S3 makes one object of, or throws away.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use reqwest::{Client, Response, StatusCode, header};
use rusty_s3::actions::{
    AbortMultipartUpload, CompleteMultipartUpload, CreateMultipartUpload, DeleteObject, GetObject, HeadObject,
    PutObject, S3Action, UploadPart,
};
use rusty_s3::{Credentials, UrlStyle};
use secrecy::ExposeSecret;

use super::FileError;
use super::store::Settings;

/// S3 takes parts of at least 5 MiB; one is held in memory for each object on its way in.
const PART: usize = 8 * 1024 * 1024;
/// How long a signature is good for, and a request may take.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Bucket {
    bucket: rusty_s3::Bucket,
    credentials: Credentials,
    /// Before every object's name: empty, or ends in `/`.
    prefix: String,
    client: Client,
}

/// An object on its way in.
pub struct Upload<'a> {
    place: &'a Bucket,
    name: String,
    held: BytesMut,
    /// Since more came than one part holds.
    parts: Option<Parts>,
}

struct Parts {
    id: String,
    tags: Vec<String>,
}

impl Bucket {
    /// `place` is `<bucket>` or `<bucket>/<prefix>`.
    pub fn open(place: &str, settings: &Settings<'_>) -> Result<Self, FileError> {
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.trim_matches('/');
        let endpoint = if settings.endpoint.is_empty() {
            format!("https://s3.{}.amazonaws.com", settings.region)
        } else {
            settings.endpoint.to_owned()
        };
        let endpoint = endpoint.parse().map_err(|_| FileError::Settings("storage.endpoint is no address"))?;
        // The path style is the one that every server of this kind understands.
        let bucket = rusty_s3::Bucket::new(endpoint, UrlStyle::Path, bucket.to_owned(), settings.region.to_owned())
            .map_err(|_| FileError::Settings("the bucket has no name that a server could take"))?;
        let credentials = Credentials::new(settings.access_key, settings.secret_key.expose_secret());
        let client = crate::net::operator_client()
            .map_err(|_| FileError::Settings("no client for storage.endpoint could be made"))?;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { bucket, credentials, prefix, client })
    }

    fn object(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub fn create(&self, name: String) -> Upload<'_> {
        Upload { place: self, name: self.object(&name), held: BytesMut::new(), parts: None }
    }

    pub async fn length(&self, name: &str) -> Result<u64, FileError> {
        let name = self.object(name);
        let action = HeadObject::new(&self.bucket, Some(&self.credentials), &name);
        let answer = heard(self.client.head(action.sign(PATIENCE)).timeout(PATIENCE)).await?;
        let length = answer.headers().get(header::CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse().ok());
        length.ok_or(FileError::Damaged)
    }

    pub async fn read(
        &self,
        name: &str,
        from: u64,
        to: u64,
    ) -> Result<impl Stream<Item = Result<Bytes, FileError>> + use<>, FileError> {
        let name = self.object(name);
        let action = GetObject::new(&self.bucket, Some(&self.credentials), &name);
        let range = format!("bytes={from}-{}", to.saturating_sub(1));
        // A reader may take his time: only each piece of the answer has to come.
        let asked = self.client.get(action.sign(PATIENCE)).header(header::RANGE, range).timeout(PATIENCE * 10);
        let answer = heard(asked).await?;
        if from > 0 && answer.status() != StatusCode::PARTIAL_CONTENT {
            return Err(FileError::Refused("it does not serve parts of an object".to_owned()));
        }
        Ok(answer.bytes_stream().map(|piece| piece.map_err(away)))
    }

    pub async fn remove(&self, name: &str) -> Result<(), FileError> {
        let name = self.object(name);
        let action = DeleteObject::new(&self.bucket, Some(&self.credentials), &name);
        match heard(self.client.delete(action.sign(PATIENCE)).timeout(PATIENCE)).await {
            Ok(_) | Err(FileError::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Upload<'_> {
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.held.extend_from_slice(bytes);
        while self.held.len() >= PART {
            let part = self.held.split_to(PART).freeze();
            self.send(part).await?;
        }
        Ok(())
    }

    async fn send(&mut self, part: Bytes) -> Result<(), FileError> {
        let (place, name) = (self.place, self.name.as_str());
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => self.parts.insert(Parts { id: place.begin(name).await?, tags: Vec::new() }),
        };
        let number = u16::try_from(parts.tags.len() + 1).map_err(|_| FileError::TooLarge(u64::MAX))?;
        let action = UploadPart::new(&place.bucket, Some(&place.credentials), name, number, &parts.id);
        let answer = heard(place.client.put(action.sign(PATIENCE)).body(part).timeout(PATIENCE)).await?;
        let tag = answer.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
        parts.tags.push(tag.ok_or_else(|| FileError::Refused("a part has no tag".to_owned()))?.to_owned());
        Ok(())
    }

    pub async fn finish(mut self) -> Result<(), FileError> {
        let rest = std::mem::take(&mut self.held).freeze();
        let (place, name) = (self.place, self.name.clone());
        if self.parts.is_none() {
            let action = PutObject::new(&place.bucket, Some(&place.credentials), &name);
            heard(place.client.put(action.sign(PATIENCE)).body(rest).timeout(PATIENCE)).await?;
            return Ok(());
        }
        let sent = if rest.is_empty() { Ok(()) } else { self.send(rest).await };
        let Some(parts) = &self.parts else { return Ok(()) };
        let joined = match sent {
            Ok(()) => place.join(&name, parts).await,
            Err(error) => Err(error),
        };
        if joined.is_err() {
            self.abandon().await;
        }
        joined
    }

    pub async fn abandon(self) {
        let Some(parts) = &self.parts else { return };
        let place = self.place;
        let action = AbortMultipartUpload::new(&place.bucket, Some(&place.credentials), &self.name, &parts.id);
        if let Err(error) = heard(place.client.delete(action.sign(PATIENCE)).timeout(PATIENCE)).await {
            tracing::warn!(%error, "parts of an object that did not come to its end stay in the bucket");
        }
    }
}

impl Bucket {
    async fn begin(&self, name: &str) -> Result<String, FileError> {
        let action = CreateMultipartUpload::new(&self.bucket, Some(&self.credentials), name);
        let answer = heard(self.client.post(action.sign(PATIENCE)).timeout(PATIENCE)).await?;
        let text = answer.text().await.map_err(away)?;
        let begun = CreateMultipartUpload::parse_response(&text);
        begun
            .map(|begun| begun.upload_id().to_owned())
            .map_err(|_| FileError::Refused("an answer of another form".to_owned()))
    }

    /// Makes one object of its parts. S3 answers this with 200 and may still say no in the body.
    async fn join(&self, name: &str, parts: &Parts) -> Result<(), FileError> {
        let tags = parts.tags.iter().map(String::as_str);
        let action = CompleteMultipartUpload::new(&self.bucket, Some(&self.credentials), name, &parts.id, tags);
        let (url, body) = (action.sign(PATIENCE), action.body());
        let answer = heard(self.client.post(url).body(body).timeout(PATIENCE)).await?;
        let text = answer.text().await.map_err(away)?;
        if text.contains("<Error>") { Err(FileError::Away("the parts were not joined".to_owned())) } else { Ok(()) }
    }
}

/// The answer, if it is a good one. A signed address stays out of every error.
async fn heard(request: reqwest::RequestBuilder) -> Result<Response, FileError> {
    let answer = request.send().await.map_err(away)?;
    match answer.status() {
        status if status.is_success() => Ok(answer),
        StatusCode::NOT_FOUND => Err(FileError::Missing),
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Err(FileError::Away(format!("HTTP {}", status.as_u16())))
        }
        status => Err(FileError::Refused(format!("HTTP {}", status.as_u16()))),
    }
}

fn away(error: reqwest::Error) -> FileError {
    FileError::Away(error.without_url().to_string())
}
