//! What is said of a task: comments on old boxes, messages of a chat since `tasks 25.700` (facts §8). Neither has a key of
//! its own, and a message sent through REST 3.0 not even an id: each of ours ends with a line that no other has.

use serde_json::{Value, json};

use super::Tasks;
use super::read::time;
use crate::bitrix::de;
use crate::bitrix::error::Error;

/// Where a task's conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    Comments { task: i64 },
    Chat { task: i64, chat: i64 },
}

impl super::Task {
    pub fn talk(&self) -> Talk {
        match self.chat {
            Some(chat) => Talk::Chat { task: self.id, chat },
            None => Talk::Comments { task: self.id },
        }
    }
}

/// One comment or message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub id: i64,
    /// `None`: the chat notes something by itself.
    pub author: Option<i64>,
    /// Milliseconds; `None`: not told.
    pub at: Option<i64>,
    pub text: String,
}

/// Messages of one piece; a chat gives no more.
const PIECE: usize = 50;
/// Nobody reads further back than this many pieces.
const PIECES: usize = 40;

/// A text that ends with its mark, in a line of its own.
pub fn signed(text: &str, mark: &str) -> String {
    format!("{}\n({mark})", text.trim_end())
}

/// The mark in the last line. What stands in brackets further up was quoted, or is somebody's wish to look like us.
pub fn signature(text: &str) -> Option<&str> {
    let last = text.trim_end().lines().next_back()?.trim();
    last.strip_prefix('(')?.strip_suffix(')').filter(|mark| !mark.is_empty())
}

/// Somebody's words among BB codes: a bracket of his opens none, neither a link nor a call to a person.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        out.push(letter);
        if letter == '[' && rest.peek().is_some_and(|next| next.is_alphabetic() || matches!(next, '/' | '*')) {
            out.push(' ');
        }
    }
    out
}

impl Tasks {
    /// Says something, signed with its mark. Whether it arrived, where no answer came, [`Self::find_said`] tells.
    pub async fn say(&self, talk: Talk, text: &str, mark: &str) -> Result<(), Error> {
        let text = signed(text, mark);
        if let Talk::Chat { task, .. } = talk {
            let fields = json!({"fields": {"taskId": task, "text": text}});
            if self.call_v3("tasks.task.chat.message.send", fields, mark).await?.is_some() {
                return Ok(());
            }
        }
        let (Talk::Comments { task } | Talk::Chat { task, .. }) = talk;
        // The order of the parameters counts (facts §3.1).
        self.call("task.commentitem.add", json!({"TASKID": task, "FIELDS": {"POST_MESSAGE": text}})).await.map(drop)
    }

    /// Tells a user in his notices; one of the same tag goes.
    pub async fn notify(&self, user: i64, text: &str, tag: &str) -> Result<(), Error> {
        let notice = json!({"USER_ID": user, "MESSAGE": text, "TAG": tag});
        self.call("im.notify.system.add", notice).await.map(drop)
    }

    /// What was said behind `after`, the oldest first; as much as one request brings. Empty: that was all.
    pub async fn said_after(&self, talk: Talk, after: i64) -> Result<Vec<Said>, Error> {
        let said = match talk {
            Talk::Comments { task } => self.comments(task, json!({"ID": "asc"}), json!({">ID": after})).await?,
            Talk::Chat { chat, .. } => self.messages(chat, json!({"FIRST_ID": after})).await?,
        };
        let mut said: Vec<Said> = said.into_iter().filter(|said| said.id > after).collect();
        said.sort_by_key(|said| said.id);
        Ok(said)
    }

    /// The message with this mark, if anybody sent it. Nothing older than `since` (ms) is looked at.
    pub async fn find_said(&self, talk: Talk, mark: &str, since: i64) -> Result<Option<Said>, Error> {
        let mut before: Option<i64> = None;
        for _ in 0..PIECES {
            let said = match (talk, before) {
                (Talk::Comments { task }, None) => {
                    self.comments(task, json!({"ID": "desc"}), json!({">ID": 0})).await?
                }
                (Talk::Comments { task }, Some(id)) => {
                    self.comments(task, json!({"ID": "desc"}), json!({"<ID": id})).await?
                }
                (Talk::Chat { chat, .. }, None) => self.messages(chat, json!({})).await?,
                (Talk::Chat { chat, .. }, Some(id)) => self.messages(chat, json!({"LAST_ID": id})).await?,
            };
            let first = said.iter().map(|said| said.id).min();
            let old = said.iter().any(|said| said.at.is_some_and(|at| at < since));
            if let Some(found) = said.into_iter().find(|said| signature(&said.text) == Some(mark)) {
                return Ok(Some(found));
            }
            // No progress is the end, too: a list that does not understand the bound tells the same again.
            if old || first.is_none() || first >= before.or(Some(i64::MAX)) {
                return Ok(None);
            }
            before = first;
        }
        Ok(None)
    }

    async fn comments(&self, task: i64, order: Value, filter: Value) -> Result<Vec<Said>, Error> {
        let params = json!({"TASKID": task, "ORDER": order, "FILTER": filter});
        let answer = self.call("task.commentitem.getlist", params).await?;
        let read = |row: &Value| {
            let id = row.get("ID").and_then(de::id)?;
            let text = row.get("POST_MESSAGE").and_then(de::text).unwrap_or_default();
            Some(Said { id, author: row.get("AUTHOR_ID").and_then(de::id), at: time(row.get("POST_DATE")), text })
        };
        Ok(de::elements(&answer.result).into_iter().filter_map(read).collect())
    }

    async fn messages(&self, chat: i64, bound: Value) -> Result<Vec<Said>, Error> {
        let mut params = json!({"DIALOG_ID": format!("chat{chat}"), "LIMIT": PIECE});
        if let (Some(params), Value::Object(bound)) = (params.as_object_mut(), bound) {
            params.extend(bound);
        }
        let answer = self.call("im.dialog.messages.get", params).await?;
        let rows = answer.result.get("messages").ok_or_else(|| Error::unreadable(200, "a chat without messages"))?;
        let read = |row: &Value| {
            let id = row.get("id").and_then(de::id)?;
            let text = row.get("text").and_then(de::text).unwrap_or_default();
            Some(Said { id, author: row.get("author_id").and_then(de::id), at: time(row.get("date")), text })
        };
        Ok(de::elements(rows).into_iter().filter_map(read).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s42_only_the_last_line_of_a_message_signs_it() {
        let ours = signed("Клиент пишет:\n(FB-2026-000001/8)\n", "FB-2026-000001/7");
        assert_eq!(signature(&ours), Some("FB-2026-000001/7"), "a forged mark inside is none");
        assert_eq!(signature(&format!("{}\r\n", ours.replace('\n', "\r\n"))), Some("FB-2026-000001/7"));
        for text in ["", "()", "(FB-2026-000001/7) indeed", "FB-2026-000001/7", "(FB-2026-000001/7)\nthanks"] {
            assert_eq!(signature(text), None, "{text:?}");
        }
    }

    #[test]
    fn s42_a_strangers_words_open_no_bb_code() {
        let text = "[USER=1]all[/USER] [url=http://x]y[/url] [*] a[0] [12] [";
        assert_eq!(plain(text), "[ USER=1]all[ /USER] [ url=http://x]y[ /url] [ *] a[0] [12] [");
    }
}
