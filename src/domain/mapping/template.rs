//! A text with `{fact}` placeholders.

use serde::{Deserialize, Serialize};

use crate::domain::fact::Fact;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Fact(Fact),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("the placeholder {0:?} is not known")]
    Unknown(String),
    #[error("a {{ is not closed")]
    Open,
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(TemplateError::Open)?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Fact(Fact::by_name(name).ok_or_else(|| TemplateError::Unknown(name.to_owned()))?));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { text: text.to_owned(), parts })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn facts(&self) -> impl Iterator<Item = Fact> {
        self.parts.iter().filter_map(|part| match part {
            Part::Fact(fact) => Some(*fact),
            Part::Text(_) => None,
        })
    }

    /// Fills in; what is not known leaves no gap at the ends.
    pub fn fill(&self, value: impl Fn(Fact) -> String) -> String {
        let filled: String = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Fact(fact) => value(*fact),
            })
            .collect();
        filled.trim_matches(|c: char| c.is_whitespace() || matches!(c, '·' | ',' | '–' | ':')).to_owned()
    }

    /// Name of the group.
    pub(super) fn group() -> Self {
        Self { text: "{group}".to_owned(), parts: vec![Part::Fact(Fact::Group)] }
    }

    /// Guest, dates and number of the booking.
    pub(super) fn standard() -> Self {
        let parts = vec![
            Part::Fact(Fact::Guest),
            Part::Text(" · ".to_owned()),
            Part::Fact(Fact::Arrival),
            Part::Text(" – ".to_owned()),
            Part::Fact(Fact::Departure),
            Part::Text(" · №".to_owned()),
            Part::Fact(Fact::Number),
        ];
        Self { text: "{guest} · {arrival} – {departure} · №{number}".to_owned(), parts }
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateError;
    fn try_from(text: String) -> Result<Self, TemplateError> {
        Self::parse(&text)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_the_standard_title_is_what_it_says() {
        let (standard, read) = (Template::standard(), Template::parse(Template::standard().text()).unwrap());
        let values = |fact| if fact == Fact::Guest { "Anna".to_owned() } else { "x".to_owned() };
        assert_eq!(standard.fill(values), read.fill(values));
        assert_eq!(read.fill(values), "Anna · x – x · №x");
        assert_eq!(Template::parse("{nobody}"), Err(TemplateError::Unknown("nobody".into())));
        assert_eq!(Template::parse("{guest"), Err(TemplateError::Open));
    }
}
