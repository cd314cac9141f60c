//! Lists answer `{"items", "next"}`; `next` goes back as `after`.

use actix_web::HttpRequest;
use serde::Serialize;
use utoipa::ToSchema;

use super::input::At;
use super::refuse::invalid_at;
use crate::http::problem::Problem;

/// One page of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the next page begins: goes back as `after`. `null`: this is the last page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A list that is never long.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// What a list was asked for. Unknown parameters are refused, as unknown members of a body are.
#[derive(Debug, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub fn read(request: &HttpRequest, known: &[&str]) -> Result<Self, Problem> {
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
        for (index, (name, _)) in pairs.iter().enumerate() {
            let repeated = pairs.iter().take(index).any(|(earlier, _)| earlier == name);
            if repeated || !known.contains(&name.as_str()) {
                let name: String = name.chars().take(64).collect();
                return Err(invalid_at(At::Parameter(name), "unknown"));
            }
        }
        Ok(Self { pairs })
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).filter(|v| !v.is_empty())
    }

    /// A parameter that must be of a form, where it is given.
    pub fn parsed<T>(
        &self,
        name: &str,
        code: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(text) => parse(text).map(Some).ok_or_else(|| invalid_at(At::Parameter(name.to_owned()), code)),
        }
    }

    /// `limit`: 1 to 200, 50 where none was given.
    pub fn limit(&self) -> Result<i64, Problem> {
        let limit = self.parsed("limit", "range", |text| text.parse().ok().filter(|n| (1..=200).contains(n)))?;
        Ok(limit.unwrap_or(50))
    }
}
