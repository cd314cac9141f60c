//! What Kaiten answers, and what of it we know. Unknown members are ignored; of a card only its id must be there.

use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Card, CardChange, Comment, NewCard, text};
use crate::domain::support::card_moves::{Column, Stage};

/// Kaiten's longest title and description (facts A4).
const TITLE: usize = 1_024;
const DESCRIPTION: usize = 32_768;
/// `condition` of a card that was deleted [facts: INF]; 1 is live, 2 archived.
const DELETED: i64 = 3;

#[derive(Deserialize)]
pub(super) struct RawCard {
    id: i64,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    column_id: Option<i64>,
    #[serde(default)]
    state: Option<i64>,
    #[serde(default)]
    condition: Option<i64>,
    #[serde(default)]
    due_date: Option<String>,
    #[serde(default)]
    updated: Option<String>,
    #[serde(default)]
    last_moved_at: Option<String>,
    #[serde(default)]
    comment_last_added_at: Option<String>,
    #[serde(default)]
    comments_total: Option<i64>,
}

fn time(text: Option<&String>) -> Option<i64> {
    DateTime::parse_from_rfc3339(text?).ok().map(|at| at.timestamp_millis())
}

fn stage(kind: Option<i64>) -> Stage {
    match kind {
        Some(1) => Stage::Queue,
        Some(2) => Stage::InProgress,
        Some(3) => Stage::Done,
        _ => Stage::Unknown,
    }
}

impl From<RawCard> for Card {
    fn from(raw: RawCard) -> Self {
        let commented = time(raw.comment_last_added_at.as_ref());
        Self {
            id: raw.id,
            external_id: raw.external_id,
            title: raw.title.unwrap_or_default(),
            column: raw.column_id.unwrap_or_default(),
            stage: stage(raw.state),
            due: time(raw.due_date.as_ref()),
            moved_at: time(raw.last_moved_at.as_ref()),
            active_at: time(raw.updated.as_ref()).max(commented).unwrap_or_default(),
            tells_comments: commented.is_some() || raw.comments_total == Some(0),
            deleted: raw.condition == Some(DELETED),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct RawColumn {
    id: i64,
    #[serde(default, rename = "type")]
    kind: Option<i64>,
    #[serde(default)]
    sort_order: Option<f64>,
    #[serde(default)]
    subcolumns: Vec<RawColumn>,
}

/// As they stand on the board; cards lie in the parts of a column that is divided.
pub(super) fn columns(mut raw: Vec<RawColumn>) -> Vec<Column> {
    raw.sort_by(|a, b| a.sort_order.unwrap_or_default().total_cmp(&b.sort_order.unwrap_or_default()));
    let mut all = Vec::new();
    for column in raw {
        let whole = Column { id: column.id, stage: stage(column.kind) };
        let parts = columns(column.subcolumns);
        let known =
            |part: Column| if part.stage == Stage::Unknown { Column { stage: whole.stage, ..part } } else { part };
        if parts.is_empty() {
            all.push(whole);
        } else {
            all.extend(parts.into_iter().map(known));
        }
    }
    all
}

#[derive(Deserialize)]
pub(super) struct RawComment {
    id: i64,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    author_id: Option<i64>,
    #[serde(default)]
    author: Option<Whose>,
    #[serde(default)]
    created: Option<String>,
    #[serde(default)]
    deleted: Option<bool>,
}

/// Somebody, by his id.
#[derive(Deserialize)]
pub(super) struct Whose {
    pub id: i64,
}

/// In the order in which they were said; ids grow with it [facts: INF].
pub(super) fn comments(raw: Vec<RawComment>) -> Vec<Comment> {
    let said = raw.into_iter().filter(|raw| raw.deleted != Some(true)).map(|raw| Comment {
        id: raw.id,
        author: raw.author_id.or(raw.author.map(|author| author.id)),
        at: time(raw.created.as_ref()),
        text: text::plain(raw.text.as_deref().unwrap_or_default()),
    });
    let mut said: Vec<Comment> = said.collect();
    said.sort_by_key(|comment| comment.id);
    said
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn moment(ms: Option<i64>) -> Value {
    let at = ms.and_then(DateTime::from_timestamp_millis);
    at.map_or(Value::Null, |at| json!(at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)))
}

pub(super) fn timestamp(ms: i64) -> String {
    moment(Some(ms)).as_str().unwrap_or_default().to_owned()
}

pub(super) fn new_card(board: i64, new: &NewCard) -> Value {
    let mut body = json!({
        "board_id": board,
        "external_id": new.external_id,
        "title": cut(&new.title, TITLE),
        "description": cut(&new.description, DESCRIPTION),
        // Markdown (facts A4).
        "text_format_type_id": 1,
        "asap": new.urgent,
    });
    if let Some(body) = body.as_object_mut() {
        if let Some(column) = new.column {
            body.insert("column_id".to_owned(), json!(column));
        }
        if new.due.is_some() {
            body.insert("due_date".to_owned(), moment(new.due));
            body.insert("due_date_time_present".to_owned(), json!(true));
        }
    }
    body
}

pub(super) fn change(change: CardChange) -> Value {
    let mut body = serde_json::Map::new();
    if let Some(column) = change.column {
        body.insert("column_id".to_owned(), json!(column));
    }
    if let Some(due) = change.due {
        body.insert("due_date".to_owned(), moment(due));
        body.insert("due_date_time_present".to_owned(), json!(due.is_some()));
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e19_a_card_is_read_by_what_it_has() {
        let raw = json!({"id": 7, "column_id": 2, "state": 3, "updated": "2026-11-21T10:00:00.000Z", "extra": {},
            "comment_last_added_at": "2026-11-21T10:00:05.250Z", "external_id": null});
        let card: Card = serde_json::from_value::<RawCard>(raw).expect("a card").into();
        assert_eq!((card.active_at % 60_000, card.tells_comments, card.stage), (5_250, true, Stage::Done));
        let bare: Card = serde_json::from_value::<RawCard>(json!({"id": 7})).expect("a card").into();
        assert_eq!((bare.active_at, bare.tells_comments, bare.stage), (0, false, Stage::Unknown));
        assert!(serde_json::from_value::<RawCard>(json!({"title": "x"})).is_err());
    }

    #[test]
    fn e19_cards_lie_in_the_parts_of_a_divided_column() {
        let raw = json!([
            {"id": 3, "type": 3, "sort_order": 3.0},
            {"id": 1, "type": 1, "sort_order": 1.0},
            {"id": 2, "type": 2, "sort_order": 2.5, "subcolumns": [{"id": 22, "sort_order": 2}, {"id": 21, "type": 3, "sort_order": 1}]},
        ]);
        let read = columns(serde_json::from_value(raw).expect("columns"));
        let read: Vec<_> = read.into_iter().map(|column| (column.id, column.stage)).collect();
        assert_eq!(read, [(1, Stage::Queue), (21, Stage::Done), (22, Stage::InProgress), (3, Stage::Done)]);
    }
}
