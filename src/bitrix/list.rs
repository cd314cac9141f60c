//! Fast listing (facts §3.4): `start=-1`, ascending ids, each page asked for what lies beyond the last one; pages of a long
//! list are chained inside one batch by reference to the page before.

use serde_json::{Map, Value, json};

use super::batch::{COMMANDS, answers, key};
use super::call::{Api, Call, Priority, Timing};
use super::client::PortalClient;
use super::de;
use super::encode::{command, travels_alone};
use super::error::Error;
use super::send::Request;

/// The portal's page size.
pub const PAGE: usize = 50;

/// What is listed. Methods differ in where the rows stand and how the id is spelt.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    pub method: String,
    /// `entityTypeId`, `select`, `filter` …; order, start and the id's lower bound are added here.
    pub params: Map<String, Value>,
    /// The key of `result` that holds the rows; `None`: `result` itself.
    pub container: Option<String>,
    /// The id in an answer's row.
    pub id: String,
    /// The id in a filter and an order.
    pub filter_id: String,
}

/// Reads a list piece by piece, so that memory holds one request's rows at a time.
#[derive(Debug)]
pub struct Pager {
    client: PortalClient,
    priority: Priority,
    listing: Listing,
    after: i64,
    pages: usize,
    done: bool,
}

impl Pager {
    pub(super) fn new(client: PortalClient, priority: Priority, listing: Listing) -> Self {
        Self { client, priority, listing, after: 0, pages: 1, done: false }
    }

    /// Goes on behind this id, as after a restart.
    #[must_use]
    pub fn after(mut self, id: i64) -> Self {
        self.after = id;
        self
    }

    /// The last id that was handed out.
    pub fn position(&self) -> i64 {
        self.after
    }

    /// The next rows, by ascending id: one request's worth. `None`: that was all.
    pub async fn next(&mut self) -> Result<Option<Vec<Value>>, Error> {
        if self.done {
            return Ok(None);
        }
        self.client.recall().await?;
        let pages = self.affordable()?;
        let commands: Vec<Call> = (0..pages).map(|i| self.page(i)).collect();
        let request = self.request(&commands);
        let held = self.client.reserve(commands.iter().map(Call::load));
        let json = self.client.exchange(self.priority, &request).await?;
        let answers = answers(pages, json);
        let mut rows = vec![];
        let method = self.listing.method.clone();
        let mut learned: Vec<(&str, usize, Timing)> = vec![];
        for (i, answer) in answers.into_iter().enumerate() {
            let answer = match answer {
                Ok(answer) => answer,
                Err(mut error) => {
                    self.client.learn(&std::mem::take(&mut learned), &held).await;
                    self.client.if_banned(&method, &mut error).await;
                    if i == 0 {
                        return Err(error);
                    }
                    break;
                }
            };
            learned.push((&method, 1, answer.timing));
            let page = self.rows(answer.result)?;
            let Some((first, last)) = self.bounds(&page)? else {
                self.done = true;
                break;
            };
            // A reference that the portal could not follow lists something else: what lies behind is asked for anew.
            if first <= self.after && i > 0 {
                break;
            }
            if first <= self.after {
                return Err(Error::unreadable(200, "the list does not go on behind the last id"));
            }
            self.after = last;
            self.done = page.len() < PAGE;
            rows.extend(page);
            if self.done {
                break;
            }
        }
        self.client.learn(&learned, &held).await;
        self.pages = match pages {
            1 => 10,
            _ => COMMANDS,
        };
        Ok((!rows.is_empty()).then_some(rows))
    }

    /// As many pages as are worth asking for at once and fit under the method's limit.
    fn affordable(&self) -> Result<usize, Error> {
        self.client.admit(&self.listing.method, 0, 1)?;
        let wanted = match travels_alone(&self.page(0)) {
            true => 1,
            false => self.pages,
        };
        let fit = (1_usize..).take(wanted.saturating_sub(1));
        Ok(1 + fit.take_while(|n| self.client.admit(&self.listing.method, *n, 1).is_ok()).count())
    }

    fn page(&self, i: usize) -> Call {
        let Listing { method, params, container, id, filter_id } = &self.listing;
        let mut params = params.clone();
        let bound = match i.checked_sub(1) {
            None => json!(self.after),
            Some(before) => {
                let container = container.as_deref().map(|name| format!("[{name}]")).unwrap_or_default();
                json!(format!("$result[{}]{container}[{}][{id}]", key(before), PAGE - 1))
            }
        };
        let filter = params.entry("filter").or_insert_with(|| json!({}));
        if !filter.is_object() {
            *filter = json!({});
        }
        if let Some(filter) = filter.as_object_mut() {
            filter.insert(format!(">{filter_id}"), bound);
        }
        params.insert("order".into(), json!({ filter_id.as_str(): "ASC" }));
        params.insert("start".into(), json!(-1));
        Call::new(method.clone(), Value::Object(params))
    }

    fn request<'a>(&self, commands: &'a [Call]) -> Request<'a> {
        let calls: Vec<&Call> = commands.iter().collect();
        if let [only] = calls.as_slice() {
            return Request { api: Api::V2, method: &only.method, params: only.params.clone(), key: None, calls };
        }
        // Halted at the first error: without its page the references behind it lead nowhere.
        let list: Map<_, _> =
            calls.iter().enumerate().map(|(i, call)| (key(i), Value::String(command(call)))).collect();
        Request { api: Api::V2, method: "batch", params: json!({"halt": 1, "cmd": list}), key: None, calls }
    }

    fn rows(&self, mut result: Value) -> Result<Vec<Value>, Error> {
        let rows = match &self.listing.container {
            Some(name) => result.get_mut(name).map(Value::take),
            None => Some(result),
        };
        match rows {
            Some(Value::Array(rows)) => Ok(rows),
            Some(Value::Object(map)) => Ok(map.into_iter().map(|(_, row)| row).collect()),
            _ => Err(Error::unreadable(200, "the list has no rows where they should be")),
        }
    }

    /// The first and last id of a page, which must ascend.
    fn bounds(&self, page: &[Value]) -> Result<Option<(i64, i64)>, Error> {
        let mut bounds: Option<(i64, i64)> = None;
        for row in page {
            let id = row
                .get(&self.listing.id)
                .and_then(de::id)
                .ok_or_else(|| Error::unreadable(200, "a row of the list has no id"))?;
            bounds = match bounds {
                None => Some((id, id)),
                Some((first, last)) if id > last => Some((first, id)),
                Some(_) => return Err(Error::unreadable(200, "the list is not sorted by id")),
            };
        }
        Ok(bounds)
    }
}
