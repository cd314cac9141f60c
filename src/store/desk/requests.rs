//! Requests themselves. `revision` moves with every change: of two nodes that decided on the same one, one is told to look
//! again.

use crate::domain::PortalId;
use crate::domain::support::history::Head;
use crate::domain::support::life::Resolution;
use crate::domain::support::silence::Silence;
use crate::domain::support::{Clocks, Kind, Priority, Rating, Release, RequestNumber, Scope, State, Times};
use crate::store::bulk::Via;
use crate::store::{Db, Row, StoreError, Tx, args};

#[derive(Debug, Clone, PartialEq)]
pub struct RequestRow {
    pub id: i64,
    /// The tenant whose desk owns it.
    pub desk: PortalId,
    /// The portal it is about, where one is known.
    pub customer: Option<PortalId>,
    /// Under whose request key its words are sealed.
    pub key_portal: PortalId,
    pub number: RequestNumber,
    pub kind: Kind,
    pub scope: Scope,
    pub priority: Priority,
    pub state: State,
    pub resolution: Option<Resolution>,
    /// `app`, `form`, `mail`, `phone`, `crm_form`.
    pub channel: String,
    pub app_version: String,
    /// `ru` or `en`: of the submitter.
    pub language: String,
    /// User of the customer's portal.
    pub submitter: Option<i64>,
    /// User of the support portal.
    pub assigned: Option<i64>,
    pub parent: Option<RequestNumber>,
    pub content: Vec<u8>,
    pub clocks: Clocks,
    /// Clocks that were told of, as `first_answer:warned`, separated by commas.
    pub told: String,
    /// When its clocks must be looked at again.
    pub look_at: Option<i64>,
    /// While it is the customer's turn.
    pub silence: Option<Silence>,
    /// Since then it has no words any more.
    pub erased_at: Option<i64>,
    /// What the customer thinks of it, once it is closed.
    pub rating: Option<Rating>,
    pub times: Times,
    /// Which release fixes it, and since when that one runs.
    pub fixed_in: Option<Release>,
    pub live_at: Option<i64>,
    pub revision: i64,
    pub head: Head,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What a request can be found by, as keyed hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hashes {
    pub phone: Option<String>,
    pub email: Option<String>,
    pub login: Option<String>,
}

pub(super) const COLUMNS: &str = "id, portal_id, customer_id, key_portal, number, kind, scope, priority, state, resolution, \
     channel, app_version, language, submitter_id, assigned_id, parent, content_sealed, clocks, breaches, look_at, silence, \
     erased_at, rating, times, fixed_in, live_at, revision, head_place, head_hash, created_at, updated_at";

pub(super) fn read(row: &Row) -> Result<RequestRow, StoreError> {
    fn word<T>(row: &Row, column: &'static str, parse: fn(&str) -> Option<T>) -> Result<T, StoreError> {
        parse(&row.get::<String>(column)?).ok_or(StoreError::Corrupt(column))
    }
    let number = |text: String| text.parse::<RequestNumber>().map_err(|_| StoreError::Corrupt("desk_request.number"));
    let place: i64 = row.get("head_place")?;
    let hash: Vec<u8> = row.get("head_hash")?;
    let head = Head {
        place: u64::try_from(place).map_err(|_| StoreError::Corrupt("desk_request.head_place"))?,
        hash: hash.try_into().map_err(|_| StoreError::Corrupt("desk_request.head_hash"))?,
    };
    let resolution = row.get::<Option<String>>("resolution")?;
    Ok(RequestRow {
        id: row.get("id")?,
        desk: PortalId(row.get("portal_id")?),
        customer: row.get::<Option<i64>>("customer_id")?.map(PortalId),
        key_portal: PortalId(row.get("key_portal")?),
        number: number(row.get("number")?)?,
        kind: word(row, "kind", Kind::parse)?,
        scope: word(row, "scope", Scope::parse)?,
        priority: word(row, "priority", Priority::parse)?,
        state: word(row, "state", State::parse)?,
        resolution: resolution.as_deref().and_then(Resolution::parse),
        channel: row.get("channel")?,
        app_version: row.get("app_version")?,
        language: row.get("language")?,
        submitter: row.get("submitter_id")?,
        assigned: row.get("assigned_id")?,
        parent: row.get::<Option<String>>("parent")?.map(number).transpose()?,
        content: row.get("content_sealed")?,
        clocks: serde_json::from_str(&row.get::<String>("clocks")?)
            .map_err(|_| StoreError::Corrupt("desk_request.clocks"))?,
        told: row.get("breaches")?,
        look_at: row.get("look_at")?,
        silence: row
            .get::<Option<String>>("silence")?
            .map(|text| serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("desk_request.silence")))
            .transpose()?,
        erased_at: row.get("erased_at")?,
        rating: row.get::<Option<i32>>("rating")?.and_then(|score| Rating::new(score.into())),
        times: match row.get::<Option<String>>("times")? {
            Some(text) => serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("desk_request.times"))?,
            None => Times::default(),
        },
        fixed_in: row
            .get::<Option<String>>("fixed_in")?
            .map(|text| text.parse().map_err(|_| StoreError::Corrupt("desk_request.fixed_in")))
            .transpose()?,
        live_at: row.get("live_at")?,
        revision: row.get("revision")?,
        head,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn clocks(clocks: &Clocks) -> Result<String, StoreError> {
    serde_json::to_string(clocks).map_err(|_| StoreError::Corrupt("desk_request.clocks"))
}

fn times(times: &Times) -> Result<String, StoreError> {
    serde_json::to_string(times).map_err(|_| StoreError::Corrupt("desk_request.times"))
}

fn silence(silence: Option<&Silence>) -> Result<Option<String>, StoreError> {
    let text = silence.map(serde_json::to_string).transpose();
    text.map_err(|_| StoreError::Corrupt("desk_request.silence"))
}

fn place(head: &Head) -> i64 {
    i64::try_from(head.place).unwrap_or(i64::MAX)
}

/// Writes a new request and answers its id; `None`: the same submission was registered before.
pub async fn insert(
    tx: &Tx,
    desk: PortalId,
    row: &RequestRow,
    hashes: &Hashes,
    once: Option<&str>,
) -> Result<Option<i64>, StoreError> {
    let rows = tx
        .rows(
            "INSERT INTO desk_request (portal_id, customer_id, key_portal, number, kind, scope, priority, state, channel,
                app_version, language, submitter_id, assigned_id, parent, content_sealed, phone_hash, email_hash, login_hash,
                clocks, look_at, once_hash, head_place, head_hash, created_at, updated_at, times)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
                $24, $24, $25)
             ON CONFLICT DO NOTHING RETURNING id",
            args![
                desk.0,
                row.customer.map(|portal| portal.0),
                row.key_portal.0,
                row.number.to_string(),
                row.kind.word(),
                row.scope.word(),
                row.priority.word(),
                row.state.word(),
                row.channel.as_str(),
                row.app_version.as_str(),
                row.language.as_str(),
                row.submitter,
                row.assigned,
                row.parent.map(|parent| parent.to_string()),
                row.content.clone(),
                hashes.phone.clone(),
                hashes.email.clone(),
                hashes.login.clone(),
                clocks(&row.clocks)?,
                row.look_at,
                once,
                place(&row.head),
                row.head.hash.to_vec(),
                row.created_at,
                times(&row.times)?
            ],
        )
        .await?;
    rows.first().map(|row| row.get("id")).transpose()
}

/// What an action made of it, if nobody changed it since it was read; `false`: somebody did, nothing was written.
pub async fn save(tx: &Tx, desk: PortalId, row: &RequestRow, now: i64) -> Result<bool, StoreError> {
    let saved = tx
        .execute(
            "UPDATE desk_request SET state = $4, resolution = $5, assigned_id = $6, clocks = $7, breaches = $8, look_at = $9,
                head_place = $10, head_hash = $11, kind = $12, scope = $13, priority = $14, updated_at = $15,
                silence = $16, closed_at = CASE WHEN $17 THEN COALESCE(closed_at, $15) END,
                rating = $18, times = $19, fixed_in = $20, live_at = $21, revision = revision + 1
             WHERE portal_id = $1 AND id = $2 AND revision = $3",
            args![
                desk.0,
                row.id,
                row.revision,
                row.state.word(),
                row.resolution.map(Resolution::word),
                row.assigned,
                clocks(&row.clocks)?,
                row.told.as_str(),
                row.look_at,
                place(&row.head),
                row.head.hash.to_vec(),
                row.kind.word(),
                row.scope.word(),
                row.priority.word(),
                now,
                silence(row.silence.as_ref())?,
                row.state == State::Closed,
                row.rating.map(|rating| i32::from(rating.score())),
                times(&row.times)?,
                row.fixed_in.map(|release| release.to_string()),
                row.live_at
            ],
        )
        .await?;
    Ok(saved > 0)
}

/// A request of this desk.
pub async fn of_desk(db: &Db, desk: PortalId, number: RequestNumber) -> Result<Option<RequestRow>, StoreError> {
    one(db, &format!("SELECT {COLUMNS} FROM desk_request WHERE number = $2 AND portal_id = $1"), desk, number).await
}

/// A request about this portal, whichever desk works it.
pub async fn of_customer(db: &Db, customer: PortalId, number: RequestNumber) -> Result<Option<RequestRow>, StoreError> {
    one(db, &format!("SELECT {COLUMNS} FROM desk_request WHERE number = $2 AND customer_id = $1"), customer, number)
        .await
}

async fn one(db: &Db, sql: &str, portal: PortalId, number: RequestNumber) -> Result<Option<RequestRow>, StoreError> {
    db.rows(sql, args![portal.0, number.to_string()]).await?.first().map(read).transpose()
}

pub async fn by_id(via: impl Into<Via<'_>>, desk: PortalId, id: i64) -> Result<Option<RequestRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM desk_request WHERE id = $2 AND portal_id = $1");
    via.into().rows(&sql, args![desk.0, id]).await?.first().map(read).transpose()
}

/// What a submission became that was registered before.
pub async fn by_once(db: &Db, desk: PortalId, once: &str) -> Result<Option<RequestRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM desk_request WHERE portal_id = $1 AND once_hash = $2");
    db.rows(&sql, args![desk.0, once]).await?.first().map(read).transpose()
}

/// Open requests that each user of the desk has.
pub async fn loads(tx: &Tx, desk: PortalId) -> Result<Vec<(i64, u32)>, StoreError> {
    let rows = tx
        .rows(
            "SELECT assigned_id, COUNT(*) AS n FROM desk_request
             WHERE portal_id = $1 AND state <> 'closed' AND assigned_id IS NOT NULL GROUP BY assigned_id",
            args![desk.0],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.get("assigned_id")?, u32::try_from(row.get::<i64>("n")?).unwrap_or(u32::MAX))))
        .collect()
}

/// Requests of all desks whose clocks must be looked at: `(desk, id)`, the longest due first.
pub async fn to_look(db: &Db, now: i64, limit: i64) -> Result<Vec<(PortalId, i64)>, StoreError> {
    let rows = db
        .rows(
            "SELECT portal_id, id FROM desk_request WHERE look_at IS NOT NULL AND look_at <= $1 ORDER BY look_at LIMIT $2",
            args![now, limit],
        )
        .await?;
    rows.iter().map(|row| Ok((PortalId(row.get("portal_id")?), row.get("id")?))).collect()
}

/// Its clocks are not looked at before this moment.
pub async fn look_again(db: &Db, desk: PortalId, id: i64, at: i64) -> Result<(), StoreError> {
    db.execute("UPDATE desk_request SET look_at = $3 WHERE portal_id = $1 AND id = $2", args![desk.0, id, at]).await?;
    Ok(())
}

/// How long silence may last has changed: whoever is silent is looked at.
pub async fn wake_silent(db: &Db, desk: PortalId, now: i64) -> Result<(), StoreError> {
    let sql = "UPDATE desk_request SET look_at = $2 WHERE portal_id = $1 AND silence IS NOT NULL AND erased_at IS NULL";
    db.execute(sql, args![desk.0, now]).await?;
    Ok(())
}

/// Releases that fix requests, none of which was told to run yet.
pub async fn releases_ahead(db: &Db) -> Result<Vec<Release>, StoreError> {
    let sql = "SELECT DISTINCT fixed_in FROM desk_request WHERE fixed_in IS NOT NULL AND live_at IS NULL";
    let read =
        |row: &Row| row.get::<String>("fixed_in")?.parse().map_err(|_| StoreError::Corrupt("desk_request.fixed_in"));
    db.rows(sql, args![]).await?.iter().map(read).collect()
}

/// What a release fixes and nobody was told of, as far as it has words.
pub async fn fixed_in(db: &Db, release: Release, limit: i64) -> Result<Vec<(PortalId, i64)>, StoreError> {
    let sql = "SELECT portal_id, id FROM desk_request
         WHERE fixed_in = $1 AND live_at IS NULL AND erased_at IS NULL ORDER BY id LIMIT $2";
    let rows = db.rows(sql, args![release.to_string(), limit]).await?;
    rows.iter().map(|row| Ok((PortalId(row.get("portal_id")?), row.get("id")?))).collect()
}

/// Desks that have closed requests with their words.
pub async fn desks_to_erase(db: &Db) -> Result<Vec<PortalId>, StoreError> {
    let sql = "SELECT DISTINCT portal_id FROM desk_request WHERE erased_at IS NULL AND closed_at IS NOT NULL";
    db.rows(sql, vec![]).await?.iter().map(|row| Ok(PortalId(row.get("portal_id")?))).collect()
}

/// Requests of a desk that were closed before and still have their words, the longest closed first.
pub async fn to_erase(db: &Db, desk: PortalId, closed_before: i64, limit: i64) -> Result<Vec<RequestRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM desk_request WHERE portal_id = $1 AND closed_at < $2 AND erased_at IS NULL
         ORDER BY closed_at LIMIT $3"
    );
    db.rows(&sql, args![desk.0, closed_before, limit]).await?.iter().map(read).collect()
}

/// Requests of a desk that one of these hashes finds and that have their words, the oldest first.
pub async fn of_person(db: &Db, desk: PortalId, hashes: &Hashes, limit: i64) -> Result<Vec<RequestRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM desk_request
         WHERE portal_id = $1 AND erased_at IS NULL AND (phone_hash = $2 OR email_hash = $3 OR login_hash = $4)
         ORDER BY created_at, id LIMIT $5"
    );
    let values = args![desk.0, hashes.phone.clone(), hashes.email.clone(), hashes.login.clone(), limit];
    db.rows(&sql, values).await?.iter().map(read).collect()
}

/// Its words and what it is found by go; `false`: somebody changed it since it was read.
pub async fn erase(tx: &Tx, row: &RequestRow, now: i64) -> Result<bool, StoreError> {
    let sql = "UPDATE desk_request SET content_sealed = $4, phone_hash = NULL, email_hash = NULL, login_hash = NULL,
            look_at = NULL, erased_at = $5, head_place = $6, head_hash = $7, revision = revision + 1
         WHERE portal_id = $1 AND id = $2 AND revision = $3";
    let (place, hash) = (place(&row.head), row.head.hash.to_vec());
    let erased = tx.execute(sql, args![row.desk.0, row.id, row.revision, Vec::<u8>::new(), now, place, hash]).await?;
    Ok(erased > 0)
}

/// How many requests of all desks stand in each state.
pub async fn by_state(db: &Db) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = db.rows("SELECT state, COUNT(*) AS n FROM desk_request GROUP BY state", vec![]).await?;
    rows.iter().map(|row| Ok((row.get("state")?, row.get("n")?))).collect()
}

/// Whose turn it was last in a queue; nobody else takes a turn in it before the transaction ends.
pub async fn last_turn(tx: &Tx, desk: PortalId, queue: &str) -> Result<Option<i64>, StoreError> {
    let sql = "INSERT INTO desk_turn (portal_id, queue, user_id) VALUES ($1, $2, 0)
         ON CONFLICT (portal_id, queue) DO UPDATE SET user_id = desk_turn.user_id RETURNING user_id";
    let rows = tx.rows(sql, args![desk.0, queue]).await?;
    let user: Option<i64> = rows.first().map(|row| row.get("user_id")).transpose()?;
    Ok(user.filter(|user| *user > 0))
}

pub async fn set_turn(tx: &Tx, desk: PortalId, queue: &str, user: i64) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO desk_turn (portal_id, queue, user_id) VALUES ($1, $2, $3)
         ON CONFLICT (portal_id, queue) DO UPDATE SET user_id = excluded.user_id",
        args![desk.0, queue, user],
    )
    .await?;
    Ok(())
}
