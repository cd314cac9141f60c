//! The history of a request (S-39, S-42, E-21; product §9): entries in a chain of hashes, so that none is changed, dropped,
//! added between or taken from another request unseen.
//!
//! The chain holds a commitment to each content, not the content: its salt is kept, and erased, with it. Without both a
//! commitment tells nothing, not even to somebody who guesses, and the chain proves the rest as before.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::number::RequestNumber;

const CHAIN: &[u8] = b"fb24 request history 1";

pub type Hash = [u8; 32];

/// Random, one for each content.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt(pub [u8; 32]);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}

/// What an entry is of. Who and what exactly is content: it may name people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryKind {
    Action,
    Message,
    File,
    State,
    Clock,
}

impl EntryKind {
    pub const ALL: [Self; 5] = [Self::Action, Self::Message, Self::File, Self::State, Self::Clock];

    pub fn word(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Message => "message",
            Self::File => "file",
            Self::State => "state",
            Self::Clock => "clock",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// One link of the chain. Times are milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// 1, 2, 3 …
    pub place: u64,
    pub at: i64,
    pub kind: EntryKind,
    pub commitment: Hash,
    /// Of all that stands above, and of the entry before.
    pub hash: Hash,
}

/// Where a chain ends: kept beside it, so that a chain cut short is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub place: u64,
    pub hash: Hash,
}

impl Head {
    /// Of a request of which nothing is written yet.
    pub fn of(number: RequestNumber) -> Self {
        let hash = Sha256::new().chain_update(CHAIN).chain_update(number.to_string()).finalize();
        Self { place: 0, hash: hash.into() }
    }

    /// The entry that comes next.
    pub fn append(self, at: i64, kind: EntryKind, commitment: Hash) -> Entry {
        let place = self.place.saturating_add(1);
        Entry { place, at, kind, commitment, hash: link(&self.hash, place, at, kind, &commitment) }
    }
}

impl Entry {
    pub fn head(&self) -> Head {
        Head { place: self.place, hash: self.hash }
    }
}

/// What a chain holds of a content: to nobody without the salt does it say anything.
pub fn commit(salt: &Salt, content: &[u8]) -> Hash {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&salt.0) else {
        return Hash::default(); // HMAC takes keys of any length
    };
    mac.update(content);
    mac.finalize().into_bytes().into()
}

/// Every part but the word has a fixed length, and the word is the last one: no two entries are hashed alike.
fn link(previous: &Hash, place: u64, at: i64, kind: EntryKind, commitment: &Hash) -> Hash {
    Sha256::new()
        .chain_update(previous)
        .chain_update(place.to_be_bytes())
        .chain_update(at.to_be_bytes())
        .chain_update(commitment)
        .chain_update(kind.word())
        .finalize()
        .into()
}

/// A content as it is found when the chain is proved.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    Kept(&'a Salt, &'a [u8]),
    Erased,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("entry {0} is not where it was written, or not as it was written")]
    Link(u64),
    #[error("the content of entry {0} is not what was written")]
    Content(u64),
    #[error("the history ends at entry {found} and was written up to entry {written}")]
    End { found: u64, written: u64 },
}

/// What was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proof {
    pub entries: u64,
    /// Of these only the commitments are left.
    pub erased: u64,
}

/// Proves a request's whole history: every entry with its content, in order, up to its head.
pub fn prove<'a>(
    number: RequestNumber,
    entries: impl IntoIterator<Item = (&'a Entry, Content<'a>)>,
    written: Head,
) -> Result<Proof, Broken> {
    let mut head = Head::of(number);
    let mut proof = Proof::default();
    for (entry, content) in entries {
        let expected = head.append(entry.at, entry.kind, entry.commitment);
        if expected != *entry {
            return Err(Broken::Link(expected.place));
        }
        match content {
            Content::Kept(salt, content) if !bool::from(commit(salt, content).ct_eq(&entry.commitment)) => {
                return Err(Broken::Content(entry.place));
            }
            Content::Kept(..) => {}
            Content::Erased => proof.erased += 1,
        }
        proof.entries += 1;
        head = entry.head();
    }
    if head == written { Ok(proof) } else { Err(Broken::End { found: head.place, written: written.place }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Line = (Entry, Option<(Salt, Vec<u8>)>);

    fn number(serial: u32) -> RequestNumber {
        RequestNumber::new(2026, serial).expect("a number")
    }

    fn written(contents: &[Vec<u8>]) -> (Vec<Line>, Head) {
        let mut head = Head::of(number(1));
        let mut lines = Vec::new();
        for (n, content) in contents.iter().enumerate() {
            let salt = Salt([u8::try_from(n).expect("few"); 32]);
            let kind = EntryKind::ALL[n % EntryKind::ALL.len()];
            let entry = head.append(i64::try_from(n).expect("few"), kind, commit(&salt, content));
            head = entry.head();
            lines.push((entry, Some((salt, content.clone()))));
        }
        (lines, head)
    }

    fn proved(lines: &[Line], head: Head) -> Result<Proof, Broken> {
        let entries = lines.iter().map(|(entry, content)| {
            (entry, content.as_ref().map_or(Content::Erased, |(salt, content)| Content::Kept(salt, content)))
        });
        prove(number(1), entries, head)
    }

    #[test]
    fn s39_e21_what_is_erased_keeps_its_proof_and_tells_nothing() {
        let (mut lines, head) = written(&[b"taken".to_vec(), b"Ivanova, +7 916".to_vec(), b"closed".to_vec()]);
        assert_eq!(proved(&lines, head), Ok(Proof { entries: 3, erased: 0 }));
        let before = lines[1].0.clone();
        lines[1].1 = None;
        assert_eq!(proved(&lines, head), Ok(Proof { entries: 3, erased: 1 }));
        assert_eq!(lines[1].0, before, "erasing touches no entry");
        assert_ne!(before.commitment, commit(&Salt([9; 32]), b"Ivanova, +7 916"), "a guess needs the salt");
        assert!(!format!("{:?}", Salt([9; 32])).contains('9'), "a salt is not logged");
    }

    #[test]
    fn s39_e21_a_history_is_one_request_s_own() {
        let (lines, head) = written(&[b"taken".to_vec()]);
        let entries = || lines.iter().map(|(entry, _)| (entry, Content::Erased));
        assert_eq!(prove(number(2), entries(), head), Err(Broken::Link(1)));
        assert_eq!(proved(&[], Head::of(number(1))), Ok(Proof::default()));
        assert_eq!(proved(&[], head), Err(Broken::End { found: 0, written: 1 }), "nothing is left of it");
    }

    #[test]
    fn s39_a_chain_of_this_version_is_hashed_as_it_always_was() {
        let hex = |hash: Hash| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (_, head) = written(&[b"taken".to_vec(), b"answered".to_vec()]);
        assert_eq!(hex(head.hash), "c4752f02ebffcb8b8d5bc5abe048b093f91b7352424a8289b63dd54a7f45df24");
    }

    proptest! {
        #[test]
        fn s39_e21_no_history_is_changed_unseen(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 1..8),
            erased in any::<[bool; 8]>(),
            place in any::<prop::sample::Index>(),
            harm in 0_usize..8,
        ) {
            let (mut lines, head) = written(&contents);
            for (line, erased) in lines.iter_mut().zip(erased) {
                if erased {
                    line.1 = None;
                }
            }
            prop_assert!(proved(&lines, head).is_ok());
            let place = place.index(lines.len());
            let mut line = lines[place].clone();
            match harm {
                0 => line.0.at += 1,
                1 => line.0.place += 1,
                2 => line.0.kind = EntryKind::ALL[(place + 1) % EntryKind::ALL.len()],
                3 => line.0.commitment[0] ^= 1,
                4 => line.0.hash[31] ^= 1,
                5 => line.1 = Some((Salt([77; 32]), contents[place].clone())),
                _ => {}
            }
            match harm {
                6 => drop(lines.remove(place)),
                7 => lines.insert(place, line),
                _ => lines[place] = line,
            }
            prop_assert!(proved(&lines, head).is_err());
        }
    }
}
