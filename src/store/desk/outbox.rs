//! What leaves a request for its task, card, mirror, mail or a person's notices: in order for each request and channel, marked
//! as sent before it is sent.
//!
//! Rows of a request and channel are due one after another: the next one only when all before it are done or rejected. A row
//! that failed waits for somebody and holds those behind it; one that was rejected (the other side said no) holds nobody.

use std::collections::HashMap;

use crate::crypto::TenantKey;
use crate::domain::PortalId;
use crate::domain::support::RequestNumber;
use crate::store::{Db, Row, StoreError, Tx, args};

const PAYLOAD: &str = "desk_outbox.payload";

/// `desk_outbox.state`
pub const WAITING: i32 = 0;
/// It left, or was about to; its outcome is unknown until it is heard of or looked up.
pub const SENT: i32 = 1;
pub const REJECTED: i32 = 2;
pub const FAILED: i32 = 3;
pub const DONE: i32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// The task in the support portal.
    Task,
    /// A task in the customer's portal besides.
    Mirror,
    Kaiten,
    Mail,
    /// A notice inside a portal.
    Notice,
}

impl Channel {
    pub const ALL: [Self; 5] = [Self::Task, Self::Mirror, Self::Kaiten, Self::Mail, Self::Notice];

    pub fn word(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Mirror => "mirror",
            Self::Kaiten => "kaiten",
            Self::Mail => "mail",
            Self::Notice => "notice",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.word() == word)
    }

    /// Whether it stands in a portal's tasks.
    pub fn is_task(self) -> bool {
        matches!(self, Self::Task | Self::Mirror)
    }
}

/// What is to be done there; the payload says the rest (`support::outgoing`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The task or card is made.
    Open,
    /// The request stands elsewhere now.
    State,
    /// Something was said.
    Say,
    Deadline,
    /// Somebody else is responsible.
    Assign,
    /// A person is told.
    Tell,
}

impl Kind {
    pub const ALL: [Self; 6] = [Self::Open, Self::State, Self::Say, Self::Deadline, Self::Assign, Self::Tell];

    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::State => "state",
            Self::Say => "say",
            Self::Deadline => "deadline",
            Self::Assign => "assign",
            Self::Tell => "tell",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A row to be written; its payload is JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRow {
    pub channel: Channel,
    /// The portal where it is delivered; 0 for mail and cards.
    pub target: PortalId,
    pub kind: Kind,
    pub payload: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    pub id: i64,
    pub desk: PortalId,
    pub request: i64,
    pub number: RequestNumber,
    pub channel: Channel,
    pub target: PortalId,
    pub kind: Kind,
    /// Under whose request key the payload is sealed.
    pub key_portal: PortalId,
    pub payload: Vec<u8>,
    pub state: i32,
    pub attempts: i32,
    pub fence: i64,
    pub sent_at: i64,
    pub hold_until: i64,
    pub created_at: i64,
}

impl OutboxRow {
    /// A payload as a row holds it.
    pub fn seal(key: &TenantKey, payload: &[u8]) -> Result<Vec<u8>, StoreError> {
        Ok(key.seal(PAYLOAD, payload)?)
    }

    /// The payload, by the request key of `key_portal`.
    pub fn open(&self, key: &TenantKey) -> Result<Vec<u8>, StoreError> {
        Ok(key.open(PAYLOAD, &self.payload)?)
    }
}

const COLUMNS: &str = "o.id, o.portal_id, o.request_id, o.number, o.channel, o.target_id, o.kind, o.key_portal, \
     o.payload_sealed, o.state, o.attempts, o.fence, o.sent_at, o.hold_until, o.created_at";

fn read(row: &Row) -> Result<OutboxRow, StoreError> {
    Ok(OutboxRow {
        id: row.get("id")?,
        desk: PortalId(row.get("portal_id")?),
        request: row.get("request_id")?,
        number: row.get::<String>("number")?.parse().map_err(|_| StoreError::Corrupt("desk_outbox.number"))?,
        channel: Channel::parse(&row.get::<String>("channel")?).ok_or(StoreError::Corrupt("desk_outbox.channel"))?,
        target: PortalId(row.get("target_id")?),
        kind: Kind::parse(&row.get::<String>("kind")?).ok_or(StoreError::Corrupt("desk_outbox.kind"))?,
        key_portal: PortalId(row.get("key_portal")?),
        payload: row.get::<Option<Vec<u8>>>("payload_sealed")?.unwrap_or_default(),
        state: row.get("state")?,
        attempts: row.get("attempts")?,
        fence: row.get("fence")?,
        sent_at: row.get("sent_at")?,
        hold_until: row.get("hold_until")?,
        created_at: row.get("created_at")?,
    })
}

/// Whose rows are written.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    pub request: i64,
    pub number: RequestNumber,
    pub key_portal: PortalId,
    pub key: &'a TenantKey,
}

/// Adds rows in their order.
pub async fn add(tx: &Tx, desk: PortalId, of: Of<'_>, rows: &[NewRow], now: i64) -> Result<(), StoreError> {
    // One by one: ids must follow the order, which one statement of many rows promises nowhere.
    for row in rows {
        tx.execute(
            "INSERT INTO desk_outbox (portal_id, request_id, number, channel, target_id, kind, key_portal, payload_sealed,
                not_before, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
            args![
                desk.0,
                of.request,
                of.number.to_string(),
                row.channel.word(),
                row.target.0,
                row.kind.word(),
                of.key_portal.0,
                of.key.seal(PAYLOAD, &row.payload)?,
                now
            ],
        )
        .await?;
    }
    Ok(())
}

/// Where rows wait or are held: `(channel, target)`.
pub async fn targets(db: &Db) -> Result<Vec<(Channel, PortalId)>, StoreError> {
    let sql = "SELECT DISTINCT channel, target_id FROM desk_outbox WHERE state = 0
         UNION SELECT DISTINCT channel, target_id FROM desk_outbox WHERE state = 1";
    let rows = db.rows(sql, vec![]).await?;
    rows.iter()
        .map(|row| {
            let channel = Channel::parse(&row.get::<String>("channel")?);
            Ok((channel.ok_or(StoreError::Corrupt("desk_outbox.channel"))?, PortalId(row.get("target_id")?)))
        })
        .collect()
}

/// What is due at a target: of each request the first row only, and only if nothing before it is under way.
pub async fn due(
    db: &Db,
    channel: Channel,
    target: PortalId,
    now: i64,
    limit: i64,
) -> Result<Vec<OutboxRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM desk_outbox o
         WHERE o.channel = $1 AND o.target_id = $2 AND o.state = 0 AND o.not_before <= $3
            AND NOT EXISTS (SELECT 1 FROM desk_outbox e
                WHERE e.request_id = o.request_id AND e.channel = o.channel AND e.id < o.id AND e.state IN (0, 1, 3))
         ORDER BY o.not_before, o.id LIMIT $4"
    );
    db.rows(&sql, args![channel.word(), target.0, now, limit]).await?.iter().map(read).collect()
}

/// Marks a row as sent, before it is: in a transaction that commits before the request leaves. `false`: it is not due any
/// more, somebody else has it.
pub async fn mark_sent(tx: &Tx, row: &OutboxRow, fence: i64, now: i64, hold_until: i64) -> Result<bool, StoreError> {
    let marked = tx
        .execute(
            "UPDATE desk_outbox SET state = 1, fence = $3, sent_at = $4, hold_until = $5, attempts = attempts + 1, cause = ''
             WHERE portal_id = $1 AND id = $2 AND state = 0",
            args![row.desk.0, row.id, fence, now, hold_until],
        )
        .await?;
    Ok(marked > 0)
}

/// The same for the next request of a row whose last one was answered.
pub async fn mark_next(tx: &Tx, row: &OutboxRow, fence: i64, now: i64, hold_until: i64) -> Result<bool, StoreError> {
    let marked = tx
        .execute(
            "UPDATE desk_outbox SET sent_at = $4, hold_until = $5, cause = ''
             WHERE portal_id = $1 AND id = $2 AND state = 1 AND fence = $3",
            args![row.desk.0, row.id, fence, now, hold_until],
        )
        .await?;
    Ok(marked > 0)
}

/// Nothing can be learnt of its task now: the row is left alone until then, as it is. `false`: another owner has it.
pub async fn put_off(
    tx: &Tx,
    row: &OutboxRow,
    fence: i64,
    until: i64,
    cause: &str,
    counts: bool,
) -> Result<bool, StoreError> {
    let put_off = tx
        .execute(
            "UPDATE desk_outbox SET attempts = attempts + $6, cause = $5,
                not_before = CASE WHEN state = 0 THEN $4 ELSE not_before END,
                hold_until = CASE WHEN state = 1 THEN $4 ELSE hold_until END
             WHERE portal_id = $1 AND id = $2 AND ((state = 1 AND fence = $3) OR state = 0)",
            args![row.desk.0, row.id, fence, until, cause, i32::from(counts)],
        )
        .await?;
    Ok(put_off > 0)
}

/// Rows whose outcome is not known and whose hold is over: to be settled by look-up, never by sending again unseen.
pub async fn to_settle(
    db: &Db,
    channel: Channel,
    target: PortalId,
    now: i64,
    limit: i64,
) -> Result<Vec<OutboxRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM desk_outbox o
         WHERE o.channel = $1 AND o.target_id = $2 AND o.state = 1 AND o.hold_until <= $3 ORDER BY o.id LIMIT $4"
    );
    db.rows(&sql, args![channel.word(), target.0, now, limit]).await?.iter().map(read).collect()
}

/// The lease changed hands: what an older fence left open is the new owner's to settle.
pub async fn adopt(tx: &Tx, channel: Channel, target: PortalId, fence: i64) -> Result<u64, StoreError> {
    tx.execute(
        "UPDATE desk_outbox SET fence = $3 WHERE channel = $1 AND target_id = $2 AND state = 1 AND fence < $3",
        args![channel.word(), target.0, fence],
    )
    .await
}

/// How a row that was sent, or could not be, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// It did not happen: tried again then.
    Again {
        not_before: i64,
        cause: String,
        /// Whether it was a try: the next pause is longer.
        counts: bool,
    },
    /// It waits for somebody, and what is behind it waits with it.
    Failed(String),
    /// The other side said no.
    Rejected(String),
}

/// Under the fence that sent it. `false`: another owner has it now, and decides.
pub async fn settle(tx: &Tx, row: &OutboxRow, fence: i64, outcome: &Outcome, now: i64) -> Result<bool, StoreError> {
    let (state, not_before, cause, done_at) = match outcome {
        Outcome::Done => (DONE, now, "", Some(now)),
        Outcome::Again { not_before, cause, .. } => (WAITING, *not_before, cause.as_str(), None),
        Outcome::Failed(cause) => (FAILED, now, cause.as_str(), None),
        Outcome::Rejected(cause) => (REJECTED, now, cause.as_str(), Some(now)),
    };
    let forgiven = i32::from(matches!(outcome, Outcome::Again { counts: false, .. }));
    let settled = tx
        .execute(
            "UPDATE desk_outbox SET state = $4, not_before = $5, cause = $6, done_at = $7,
                attempts = attempts - CASE WHEN state = 1 THEN $8 ELSE 0 END,
                payload_sealed = CASE WHEN $4 = 4 THEN NULL ELSE payload_sealed END
             WHERE portal_id = $1 AND id = $2 AND ((state = 1 AND fence = $3) OR state = 0)",
            args![row.desk.0, row.id, fence, state, not_before, cause, done_at, forgiven],
        )
        .await?;
    Ok(settled > 0)
}

/// What failed or was refused is tried again, and what waits for another try or look-up goes at once: a person said so, or
/// what was wrong is mended. A hold is waited for (it has no cause yet). What says where its request stood, and was said anew
/// since, stays; so does what is no news any more.
pub async fn retry(tx: &Tx, desk: PortalId, request: i64, now: i64) -> Result<u64, StoreError> {
    let waiting = "UPDATE desk_outbox SET not_before = $3
         WHERE portal_id = $1 AND request_id = $2 AND state = 0 AND not_before > $3";
    let looked_up = "UPDATE desk_outbox SET hold_until = $3
         WHERE portal_id = $1 AND request_id = $2 AND state = 1 AND hold_until > $3 AND cause <> ''";
    let ended = "UPDATE desk_outbox SET state = 0, attempts = 0, not_before = $3, done_at = NULL
         WHERE portal_id = $1 AND request_id = $2 AND state IN (2, 3) AND NOT (state = 2 AND cause IN ('no_mail', 'not_notified'))
            AND NOT (state = 2 AND kind IN ('state', 'deadline', 'assign') AND EXISTS (SELECT 1 FROM desk_outbox n
                WHERE n.portal_id = desk_outbox.portal_id AND n.request_id = desk_outbox.request_id
                    AND n.channel = desk_outbox.channel AND n.kind = desk_outbox.kind AND n.id > desk_outbox.id))";
    let mut woken = 0;
    for sql in [waiting, looked_up, ended] {
        woken += tx.execute(sql, args![desk.0, request, now]).await?;
    }
    Ok(woken)
}

/// When the next row of a target becomes due or the next hold ends.
pub async fn next_at(db: &Db, channel: Channel, target: PortalId) -> Result<Option<i64>, StoreError> {
    let rows = db
        .rows(
            "SELECT MIN(CASE WHEN state = 0 THEN not_before ELSE hold_until END) AS at FROM desk_outbox
             WHERE channel = $1 AND target_id = $2 AND state IN (0, 1)",
            args![channel.word(), target.0],
        )
        .await?;
    rows.first().map_or(Ok(None), |row| row.get("at"))
}

/// Whether the task or card has yet to follow its request's state.
pub async fn owes_state(db: &Db, desk: PortalId, request: i64, channel: Channel) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS one FROM desk_outbox WHERE portal_id = $1 AND request_id = $2 AND channel = $3
         AND kind = 'state' AND state IN (0, 1, 3) LIMIT 1";
    Ok(!db.rows(sql, args![desk.0, request, channel.word()]).await?.is_empty())
}

/// What became of the last word that its submitter was to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It reached him by one way at least, then.
    Reached(i64),
    /// It is under way, or waits for somebody.
    Owed,
    /// It reaches him by no way.
    Refused,
}

pub async fn last_told(db: &Db, desk: PortalId, request: i64) -> Result<Told, StoreError> {
    let sql = "SELECT channel, state, done_at FROM desk_outbox
         WHERE portal_id = $1 AND request_id = $2 AND kind = 'tell' ORDER BY id";
    // That an earlier word reached him says nothing of the last one.
    let mut last = HashMap::new();
    for row in db.rows(sql, args![desk.0, request]).await? {
        let (state, at): (i32, Option<i64>) = (row.get("state")?, row.get("done_at")?);
        last.insert(row.get::<String>("channel")?, (state, at));
    }
    let reached = last.values().filter(|(state, _)| *state == DONE).filter_map(|(_, at)| *at).min();
    let owed = last.values().any(|(state, _)| matches!(*state, WAITING | SENT | FAILED));
    Ok(reached.map_or(if owed { Told::Owed } else { Told::Refused }, Told::Reached))
}

/// All rows of a request, the oldest first: what its page shows of its deliveries.
pub async fn of_request(db: &Db, desk: PortalId, request: i64) -> Result<Vec<OutboxRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM desk_outbox o WHERE o.portal_id = $1 AND o.request_id = $2 ORDER BY o.id");
    db.rows(&sql, args![desk.0, request]).await?.iter().map(read).collect()
}

/// The same row says it in other words, sealed.
pub async fn reword(tx: &Tx, desk: PortalId, id: i64, payload: Vec<u8>) -> Result<(), StoreError> {
    let sql = "UPDATE desk_outbox SET payload_sealed = $3 WHERE portal_id = $1 AND id = $2";
    tx.execute(sql, args![desk.0, id, payload]).await?;
    Ok(())
}

/// Forgets what ended before, of every desk, in steps of `limit`.
pub async fn purge(db: &Db, before: i64, limit: i64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM desk_outbox WHERE id IN (SELECT id FROM desk_outbox WHERE done_at < $1 LIMIT $2)";
    db.execute(sql, args![before, limit]).await
}
