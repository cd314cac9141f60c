//! The public call-back form (S-21…S-29): closed without a support portal, and held to what keeps robots out.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::content::{Content, call_back_subject, phone_hash};
use super::gate::{Count, Gate, place};
use super::settings::Document;
use super::{Actor, Desk, DeskError, Evidence, Registered, Submission, hex};
use crate::crypto::TenantKey;
use crate::domain::support::{Kind, Role, Scope};
use crate::domain::{Lang, PortalId};
use crate::store::StoreError;
use crate::store::desk::requests::RequestRow;

const CAPTCHA: &str = "support.captcha";
const LIVES_MS: i64 = 600_000;
/// Guesses a browser makes at most: a second or two of work.
const GUESSES: u32 = 100_000;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const PER_ADDRESS_HOUR: i64 = 10;
const PER_PHONE_DAY: i64 = 5;
/// Of all forms, in shards: one row that everybody counts in would be one queue.
const PER_DAY: i64 = 200_000;
const SHARDS: u64 = 32;

/// A puzzle in the form of ALTCHA: find the number whose hash with the salt is the challenge.
#[derive(Debug, Clone, Serialize)]
pub struct Captcha {
    pub algorithm: &'static str,
    pub challenge: String,
    pub maxnumber: u32,
    pub salt: String,
    pub signature: String,
}

/// What a puzzle is, sealed: any node can check what another one gave out.
#[derive(Serialize, Deserialize)]
struct Puzzle {
    id: String,
    challenge: String,
    form: String,
    until: i64,
}

#[derive(Deserialize)]
struct Solution {
    challenge: String,
    number: u64,
    salt: String,
    signature: String,
}

/// A call-back as the form sends it.
#[derive(Debug, Clone)]
pub struct CallBack {
    pub name: String,
    pub phone: String,
    pub question: String,
    /// Of the consent the visitor ticked.
    pub document_version: String,
    pub captcha: Option<String>,
    /// A report of a violation (S-27).
    pub abuse: bool,
    pub lang: Lang,
    pub address: Option<IpAddr>,
    pub user_agent: String,
    pub form: &'static str,
    /// Names this sending of the form.
    pub once: Option<String>,
}

impl Desk {
    /// The support portal's desk; [`DeskError::Closed`] without one.
    pub async fn public_desk(&self) -> Result<PortalId, DeskError> {
        self.support_portal().await?.ok_or(DeskError::Closed)
    }

    /// The consent document that is asked for now.
    pub async fn consent_document(&self, desk: PortalId) -> Result<Option<Document>, DeskError> {
        Ok(self.rules(desk).await?.consent().cloned())
    }

    pub fn captcha(&self, form: &str) -> Result<Captcha, DeskError> {
        let salt = hex(&rand::random::<[u8; 12]>());
        let number = rand::random_range(0..GUESSES);
        let challenge = hex(&Sha256::digest(format!("{salt}{number}")));
        let puzzle = Puzzle {
            id: hex(&rand::random::<[u8; 16]>()),
            challenge: challenge.clone(),
            form: form.to_owned(),
            until: self.now().saturating_add(LIVES_MS),
        };
        let text = serde_json::to_vec(&puzzle).map_err(|_| StoreError::Corrupt("captcha"))?;
        let sealed = self.0.keyring.seal(CAPTCHA, &text).map_err(StoreError::from)?;
        let signature = URL_SAFE_NO_PAD.encode(sealed);
        Ok(Captcha { algorithm: "SHA-256", challenge, maxnumber: GUESSES, salt, signature })
    }

    /// The puzzle of a solution that is right, of this form and in time, and its end; whether it was used, the gate asks.
    fn solved(&self, form: &str, text: Option<&str>) -> Result<(String, i64), DeskError> {
        let wrong = || DeskError::Invalid("/captcha".into(), "captcha");
        let text = text.ok_or_else(|| DeskError::Invalid("/captcha".into(), "required"))?;
        let read = STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).map_err(|_| wrong())?;
        let solution: Solution = serde_json::from_slice(&read).map_err(|_| wrong())?;
        let sealed = URL_SAFE_NO_PAD.decode(&solution.signature).map_err(|_| wrong())?;
        let puzzle = self.0.keyring.open(CAPTCHA, &sealed).map_err(|_| wrong())?;
        let puzzle: Puzzle = serde_json::from_slice(&puzzle).map_err(|_| wrong())?;
        let found = hex(&Sha256::digest(format!("{}{}", solution.salt, solution.number)));
        let same = bool::from(found.as_bytes().ct_eq(puzzle.challenge.as_bytes()));
        if !same || solution.challenge != puzzle.challenge || puzzle.form != form || puzzle.until <= self.now() {
            return Err(wrong());
        }
        Ok((puzzle.id, puzzle.until))
    }

    /// A call-back becomes a request of the vendor's own desk.
    pub async fn call_back(&self, call: CallBack) -> Result<Registered, DeskError> {
        let desk = self.public_desk().await?;
        let document = self.consent_document(desk).await?.ok_or(DeskError::Closed)?;
        if call.document_version != document.version {
            return Err(DeskError::Invalid("/consent/document_version".into(), "consent_version"));
        }
        // Whoever sends it once more, whatever became of the first answer, is answered and not held up.
        if let Some(row) = self.registered(desk, call.once.as_deref()).await? {
            return self.told_again(row).await;
        }
        let captcha = match self.0.config.support.captcha {
            true => Some(self.solved(call.form, call.captcha.as_deref())?),
            false => None,
        };
        let gate = Gate { captcha, counts: counts(&self.key(desk).await?, &call) };
        let proof = json!({"address": call.address, "user_agent": call.user_agent, "phone": call.phone});
        let content = Content {
            subject: if call.abuse {
                call.lang.pick("Сообщение о нарушении", "Report of a violation").to_owned()
            } else {
                call_back_subject(call.lang).to_owned()
            },
            description: call.question,
            name: call.name,
            phone: call.phone,
            ..Content::default()
        };
        let submission = Submission {
            customer: None,
            submitter: None,
            kind: if call.abuse { Kind::Abuse } else { Kind::Service },
            scope: Scope::User,
            channel: "form",
            app_version: String::new(),
            lang: call.lang,
            content,
            once: call.once,
            parent: None,
            by: Actor { roles: [Role::Submitter].into(), user: None, via: None },
            link: true,
            consent: Some(Evidence {
                document_hash: document.hash(),
                document_version: document.version,
                form: call.form.to_owned(),
                proof,
            }),
            gate: Some(gate),
        };
        self.register(desk, submission).await
    }

    /// The link is told once, and was lost with the answer: this is another one.
    async fn told_again(&self, row: RequestRow) -> Result<Registered, DeskError> {
        let secret = super::links::secret();
        let tx = self.db().begin().await?;
        self.add_link(&tx, &row, &secret).await?;
        tx.commit().await?;
        Ok(Registered { row, secret: Some(secret) })
    }

    /// What the form shows: contacts and the consent with its version.
    pub async fn form(&self, lang: Lang) -> Result<Value, DeskError> {
        let desk = self.public_desk().await?;
        let document = self.consent_document(desk).await?.ok_or(DeskError::Closed)?;
        let (hash, text) = (document.hash(), document.text(lang));
        let settings = &self.0.config.support;
        Ok(json!({
            "phone": settings.phone,
            "address": settings.address,
            "consent": {"document_version": document.version, "document_hash": hash, "text": text},
        }))
    }
}

fn counts(key: &TenantKey, call: &CallBack) -> Vec<Count> {
    let phone = phone_hash(key, &call.phone);
    let shard = phone.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % SHARDS;
    let per_shard = PER_DAY / i64::try_from(SHARDS).unwrap_or(1);
    let count = |name: String, most, span_ms| Count { name, most, span_ms };
    vec![
        count(format!("form:address:{}", place(key, call.address)), PER_ADDRESS_HOUR, HOUR_MS),
        count(format!("form:phone:{phone}"), PER_PHONE_DAY, DAY_MS),
        count(format!("form:day:{shard}"), per_shard, DAY_MS),
    ]
}
