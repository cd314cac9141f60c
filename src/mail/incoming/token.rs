//! What a reply is known by: a number with a secret, in the address that is answered to and in every id of ours.

use std::fmt;
use std::str::FromStr;

use crate::domain::support::RequestNumber;

/// Ids of ours begin with it.
const OURS: &str = "fb24.";
/// Hexadecimal: mail systems change the case of addresses.
const SECRET: usize = 32;
/// A letter that names more of them is nobody's reply.
pub(super) const MOST: usize = 20;

/// `fb-2026-000123-<secret>`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyToken {
    pub number: RequestNumber,
    pub secret: String,
}

impl ReplyToken {
    /// Of a longer keyed hash its beginning: 128 bits that nobody guesses by mail.
    pub fn new(number: RequestNumber, hash: &str) -> Self {
        Self { number, secret: hash.chars().take(SECRET).collect() }
    }

    /// What stands before the `@` of a letter's id: the same for every try; `row` 0 is what all letters of a request answer.
    pub fn id(&self, row: i64) -> String {
        format!("{OURS}{row}.{self}")
    }

    /// The local part of the address that a reply to it goes to.
    pub fn mailbox(&self, local: &str) -> String {
        format!("{local}+{self}")
    }
}

impl fmt::Display for ReplyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.number.to_string().to_ascii_lowercase(), self.secret)
    }
}

/// It is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoToken;

impl FromStr for ReplyToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let (number, secret) = text.rsplit_once('-').ok_or(NoToken)?;
        let whole = secret.len() == SECRET && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = number.to_ascii_uppercase().parse().map_err(|_| NoToken)?;
        if whole { Ok(Self { number, secret: secret.to_ascii_lowercase() }) } else { Err(NoToken) }
    }
}

/// Of an address that is answered to.
pub(super) fn of_address(address: &str) -> Option<ReplyToken> {
    let (local, _) = address.rsplit_once('@')?;
    local.rsplit_once('+')?.1.parse().ok()
}

/// Of ids of ours wherever they stand in a text.
pub(super) fn in_text(text: &str) -> impl Iterator<Item = ReplyToken> {
    text.split(OURS).skip(1).filter_map(|id| {
        let (_, token) = id.get(..id.floor_char_boundary(120))?.split_once('@')?.0.split_once('.')?;
        token.parse().ok()
    })
}
