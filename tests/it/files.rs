//! What people attach: sealed, in a folder and in a bucket, over real sockets and on a real disk.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use fb24_sandbox::bucket::{ACCESS_KEY, BUCKET, BucketServer, REGION, SECRET_KEY};
use fidelio_bitrix24::crypto::TenantKey;
use fidelio_bitrix24::files::{FileError, Name, Settings, Store, keep, read, sealed_length, write};
use futures_util::{StreamExt, TryStreamExt, stream};
use secrecy::SecretString;
use tempfile::TempDir;

const ENOUGH: u64 = 1 << 30;

/// Both kinds of store, each with whatever must outlive it.
fn stores() -> Vec<(Store, Place)> {
    let folder = TempDir::new().expect("a folder");
    let secret = SecretString::from(SECRET_KEY);
    let url = format!("file://{}", folder.path().display());
    let settings = Settings { url: &url, endpoint: "", region: "", access_key: "", secret_key: &secret };
    let first = Store::open(&settings).expect("a folder");
    let (second, server) = bucket();
    vec![(first, Place::Folder(folder)), (second, Place::Bucket(server))]
}

enum Place {
    Folder(TempDir),
    Bucket(BucketServer),
}

fn bucket() -> (Store, BucketServer) {
    let server = BucketServer::start();
    (at(&server, SECRET_KEY), server)
}

fn at(server: &BucketServer, secret: &str) -> Store {
    let (url, endpoint) = (format!("s3://{BUCKET}/support"), server.url());
    let secret = SecretString::from(secret);
    let settings =
        Settings { url: &url, endpoint: &endpoint, region: REGION, access_key: ACCESS_KEY, secret_key: &secret };
    Store::open(&settings).expect("a bucket")
}

/// Every file below the folder: name, content.
fn lying(place: &Place) -> Vec<(String, Vec<u8>)> {
    fn below(folder: &std::path::Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                below(&entry.path(), found);
            } else {
                found.push((entry.path().display().to_string(), std::fs::read(entry.path()).expect("a file")));
            }
        }
    }
    match place {
        Place::Folder(folder) => {
            let mut found = Vec::new();
            below(folder.path(), &mut found);
            found
        }
        Place::Bucket(server) => server.objects().into_iter().map(|(name, bytes)| (name, bytes.to_vec())).collect(),
    }
}

fn change(place: &Place, how: impl Fn(&mut Vec<u8>)) {
    for (name, mut bytes) in lying(place) {
        match place {
            Place::Folder(_) => {
                how(&mut bytes);
                std::fs::write(&name, bytes).expect("written");
            }
            Place::Bucket(server) => server.change(&name, &how),
        }
    }
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 7 + at / 251) % 256).expect("a byte")).collect()
}

fn pieces(bytes: &[u8], size: usize) -> impl futures_util::Stream<Item = Result<Bytes, String>> + use<> {
    let pieces: Vec<_> = bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

async fn whole(store: &Store, key: &TenantKey, name: &Name, from: u64, to: u64) -> Result<Vec<u8>, FileError> {
    let (_, bytes) = read(store, key, name, from, to).await?;
    Ok(bytes.try_collect::<Vec<_>>().await?.concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s12_a_file_comes_back_as_it_was_whole_and_in_part_and_lies_sealed() {
    let key = TenantKey::generate();
    for (store, place) in stores() {
        for length in [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000] {
            let plain = content(length);
            let name = Name::new(7);
            assert_eq!(write(&store, &key, &name, pieces(&plain, 10_000), ENOUGH).await.expect("kept"), length as u64);
            let lies = lying(&place);
            assert_eq!(lies.len(), 1, "one object, no draft: {length}");
            assert_eq!(lies[0].1.len() as u64, sealed_length(length as u64));
            if length > 64 {
                assert!(!lies[0].1.windows(64).any(|part| part == &plain[..64]), "it lies open");
            }
            assert_eq!(whole(&store, &key, &name, 0, u64::MAX).await.expect("read"), plain);
            for (from, to) in
                [(0, 1), (65_535, 65_537), (65_536, 131_072), (length / 3, length / 2), (length, length + 9)]
            {
                let part = whole(&store, &key, &name, from as u64, to as u64).await.expect("read");
                assert_eq!(part, plain[from.min(length)..to.min(length)], "{from} to {to} of {length}");
            }
            assert!(whole(&store, &TenantKey::generate(), &name, 0, u64::MAX).await.is_err(), "another tenant's key");
            store.remove(&name).await.expect("removed");
            store.remove(&name).await.expect("removed once more");
            assert!(matches!(whole(&store, &key, &name, 0, 1).await, Err(FileError::Missing)));
        }
        store.check().await.expect("a store");
        assert!(lying(&place).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s33_a_recording_goes_through_in_parts_and_is_never_held_whole() {
    let key = TenantKey::generate();
    for (store, place) in stores() {
        let name = Name::new(7);
        // 12 MB, two parts of a bucket, made as it is asked for.
        let made = AtomicUsize::new(0);
        let piece = Bytes::from(content(100_000));
        let film = stream::iter(0..120).map(|_| {
            made.fetch_add(1, Ordering::Relaxed);
            Ok::<_, String>(piece.clone())
        });
        assert_eq!(write(&store, &key, &name, film, ENOUGH).await.expect("kept"), 12_000_000);
        assert_eq!(made.load(Ordering::Relaxed), 120);
        if let Place::Bucket(server) = &place {
            assert_eq!((server.open_uploads(), server.refused()), (0, 0));
        }
        assert_eq!(whole(&store, &key, &name, 11_900_000, 12_000_000).await.expect("read"), piece);
        let (length, bytes) = read(&store, &key, &name, 0, u64::MAX).await.expect("read");
        let read: usize = bytes.map(|piece| piece.expect("a piece").len()).collect::<Vec<_>>().await.iter().sum();
        assert_eq!((length, read), (12_000_000, 12_000_000));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s12_what_a_process_left_in_the_middle_goes_with_its_name() {
    let key = TenantKey::generate();
    for (store, place) in stores() {
        let name = Name::new(7);
        let held = pieces(&content(1_000_000), 100_000).chain(stream::pending());
        let cut = tokio::time::timeout(std::time::Duration::from_millis(300), write(&store, &key, &name, held, ENOUGH));
        assert!(cut.await.is_err(), "it ended in the middle");
        store.remove(&name).await.expect("removed");
        assert!(lying(&place).is_empty(), "{:?}", lying(&place).iter().map(|(name, _)| name).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s12_what_breaks_off_or_is_too_long_leaves_nothing() {
    let key = TenantKey::generate();
    for (store, place) in stores() {
        for length in [1_000, 9_000_000] {
            let name = Name::new(7);
            let plain = content(length);
            let broken = pieces(&plain, 100_000).chain(stream::iter([Err("gone".to_owned())]));
            let error = write(&store, &key, &name, broken, ENOUGH).await.expect_err("broken off");
            assert!(matches!(error, FileError::Cut(_)), "{error}");
            let limit = length as u64 - 1;
            let error = write(&store, &key, &Name::new(7), pieces(&plain, 100_000), limit).await.expect_err("too long");
            assert!(matches!(error, FileError::TooLarge(most) if most == limit), "{error}");
        }
        assert!(lying(&place).is_empty(), "{:?}", lying(&place).iter().map(|(name, _)| name).collect::<Vec<_>>());
        if let Place::Bucket(server) = &place {
            assert_eq!(server.open_uploads(), 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s12_a_stored_file_that_was_changed_cut_or_shuffled_is_not_handed_out() {
    type Harm = fn(&mut Vec<u8>);
    let harms: [(&str, Harm); 5] = [
        ("a byte", |bytes| bytes[70_000] ^= 1),
        ("the salt", |bytes| bytes[3] ^= 1),
        ("cut within a chunk", |bytes| bytes.truncate(100_000)),
        ("cut between chunks", |bytes| bytes.truncate(32 + 65_552)),
        ("two chunks changed places", |bytes| {
            let first: Vec<u8> = bytes.drain(32..32 + 65_552).collect();
            bytes.splice(32 + 65_552..32 + 65_552, first);
        }),
    ];
    let key = TenantKey::generate();
    for (store, place) in stores() {
        for (what, harm) in harms {
            let name = Name::new(7);
            write(&store, &key, &name, pieces(&content(150_000), 9_999), ENOUGH).await.expect("kept");
            change(&place, harm);
            assert!(matches!(whole(&store, &key, &name, 0, u64::MAX).await, Err(FileError::Damaged)), "{what}");
            store.remove(&name).await.expect("removed");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s48_a_bucket_that_is_away_or_refuses_says_which() {
    let (store, server) = bucket();
    server.down_for(1);
    let error = store.check().await.expect_err("away");
    assert!(matches!(error, FileError::Away(_)), "{error}");
    let error = at(&server, "another secret").check().await.expect_err("refused");
    assert!(matches!(&error, FileError::Refused(_)), "{error}");
    assert!(!error.to_string().contains("X-Amz") && server.refused() == 1);
    store.check().await.expect("it is back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s12_a_screenshot_is_kept_without_what_hides_in_it_and_other_files_as_they_are() {
    // One white pixel as PNG, a text chunk before its end, and a script behind it.
    let pixel: &[u8] = &[
        0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0, 0, 1, 8,
        0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 10, b'I', b'D', b'A', b'T', 0x78, 0x9c, 0x63, 0xf8, 0x0f, 0, 0x01,
        0x01, 0x01, 0x00, 0xb1, 0x38, 0xf6, 0x14, 0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
    ];
    let hiding = [pixel, b"<script>steal()</script>"].concat();
    let key = TenantKey::generate();
    for (store, place) in stores() {
        let name = Name::new(7);
        let kept = keep(&store, &key, &name, pieces(&hiding, 7), ENOUGH).await.expect("kept");
        assert_eq!(kept.kind.mime(), "image/png");
        let seen = whole(&store, &key, &name, 0, u64::MAX).await.expect("read");
        assert!(seen.len() as u64 == kept.length && !String::from_utf8_lossy(&seen).contains("script"));
        store.remove(&name).await.expect("removed");
        let broken = [&pixel[..20], b"and nothing that a picture is made of"].concat();
        let error = keep(&store, &key, &name, pieces(&broken, 9), ENOUGH).await.expect_err("no picture");
        assert!(matches!(error, FileError::Picture) && lying(&place).is_empty(), "{error}");
        for text in [b"".as_slice(), b"short", &content(300_000)] {
            let name = Name::new(7);
            let kept = keep(&store, &key, &name, pieces(text, 1_000), ENOUGH).await.expect("kept");
            assert_eq!((kept.length, kept.kind.mime()), (text.len() as u64, "application/octet-stream"));
            assert_eq!(whole(&store, &key, &name, 0, u64::MAX).await.expect("read"), text);
        }
    }
}
