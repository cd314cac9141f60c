//! Tags and texts → the header of the answer and its rows.

use super::decode::GARBLED;
use super::{Limits, XmlError, local};

/// One `field` of a row, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Field {
    pub name: String,
    pub text: String,
    /// Every attribute but `name`.
    pub attributes: Vec<(String, String)>,
}

impl Field {
    /// An attribute, whatever the case of its name (facts §2.4). Empty counts as missing.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Row {
    pub fields: Vec<Field>,
}

impl Row {
    /// Some bytes of it did not belong to the declared encoding.
    pub fn is_garbled(&self) -> bool {
        let broken = |text: &str| text.contains(GARBLED);
        self.fields.iter().any(|field| broken(&field.text) || field.attributes.iter().any(|(_, value)| broken(value)))
    }
}

/// What an answer consists of, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// `response`: comes first.
    Head { id: String, status: String, message: String },
    /// A `queryResponse` (or the answer to a write) begins.
    Block { name: String },
    /// A row of the latest block. Rows without fields mean "nothing" (facts §2.5) and are left out.
    Row(Row),
}

/// Builds items from a stream of tags.
pub struct Assembler {
    limits: Limits,
    /// Open elements, as written.
    stack: Vec<String>,
    seen_head: bool,
    closed: bool,
    row: Option<Row>,
    field: Option<Field>,
    /// Bytes of the row that is being built.
    size: usize,
}

impl Assembler {
    pub fn new(limits: Limits) -> Self {
        Self { limits, stack: Vec::new(), seen_head: false, closed: false, row: None, field: None, size: 0 }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub fn held(&self) -> usize {
        self.size
    }

    pub fn open(&mut self, name: &str, attributes: Vec<(String, String)>, out: &mut Vec<Item>) -> Result<(), XmlError> {
        if self.closed {
            return Err(XmlError::Malformed("text behind the end"));
        }
        if self.stack.len() >= self.limits.depth {
            return Err(XmlError::TooBig("depth"));
        }
        let bytes = attributes.iter().map(|(key, value)| key.len() + value.len() + 48).sum::<usize>();
        let tag = local(name);
        let is = |word: &str| tag.eq_ignore_ascii_case(word);
        let depth = self.stack.len();
        if depth == 0 {
            if !is("fidelio") {
                return Err(XmlError::NotTheInterface);
            }
        } else if depth == 1 && is("response") {
            if self.seen_head {
                return Err(XmlError::Malformed("two responses"));
            }
            self.seen_head = true;
            out.push(head(attributes));
        } else if depth == 2 && ["queryResponse", "updateResponse", "insertResponse"].into_iter().any(is) {
            let name = attributes.into_iter().find(|(key, _)| key.eq_ignore_ascii_case("name"));
            out.push(Item::Block { name: name.map(|(_, value)| value).unwrap_or_default() });
        } else if self.row.is_none() && is("row") {
            self.row = Some(Row::default());
            self.size = 0;
        } else if self.row.is_some() && self.field.is_none() && is("field") {
            self.grow(bytes)?;
            self.field = Some(field(attributes));
        }
        self.stack.push(name.to_owned());
        Ok(())
    }

    pub fn close(&mut self, name: &str, out: &mut Vec<Item>) -> Result<(), XmlError> {
        if self.stack.pop().is_none_or(|open| open != name.trim_end()) {
            return Err(XmlError::Malformed("tags that do not match"));
        }
        let tag = local(name.trim_end());
        if self.stack.is_empty() {
            self.closed = true;
        } else if tag.eq_ignore_ascii_case("field") {
            if let (Some(row), Some(field)) = (self.row.as_mut(), self.field.take())
                && !field.name.is_empty()
            {
                row.fields.push(field);
            }
        } else if tag.eq_ignore_ascii_case("row") {
            if let Some(row) = self.row.take().filter(|row| !row.fields.is_empty()) {
                out.push(Item::Row(row));
            }
            self.size = 0;
        }
        Ok(())
    }

    pub fn text(&mut self, text: &str) -> Result<(), XmlError> {
        if self.stack.is_empty() {
            // Blanks around the root are nothing; anything else before it is no answer of the interface.
            return match (text.trim().is_empty(), self.closed) {
                (true, _) => Ok(()),
                (false, true) => Err(XmlError::Malformed("text behind the end")),
                (false, false) => Err(XmlError::NotTheInterface),
            };
        }
        if self.field.is_some() {
            self.grow(text.len())?;
        }
        if let Some(field) = self.field.as_mut() {
            if field.text.len() + text.len() > self.limits.text {
                return Err(XmlError::TooBig("text"));
            }
            field.text.push_str(text);
        }
        Ok(())
    }

    pub fn finish(&self, nothing_came: bool) -> Result<(), XmlError> {
        match (nothing_came, self.closed, self.stack.is_empty()) {
            (true, ..) => Err(XmlError::Empty),
            (_, false, true) => Err(XmlError::Empty),
            (_, false, false) => Err(XmlError::Truncated),
            (_, true, _) if !self.seen_head => Err(XmlError::NotTheInterface),
            _ => Ok(()),
        }
    }

    fn grow(&mut self, bytes: usize) -> Result<(), XmlError> {
        self.size = self.size.saturating_add(bytes).saturating_add(48);
        if self.size > self.limits.row {
            return Err(XmlError::TooBig("row"));
        }
        Ok(())
    }
}

fn head(attributes: Vec<(String, String)>) -> Item {
    let (mut id, mut status, mut message) = (String::new(), String::new(), String::new());
    for (key, value) in attributes {
        match key.to_ascii_lowercase().as_str() {
            "id" => id = value.trim().to_owned(),
            "status" => status = value.trim().to_owned(),
            // Parsers disagree about line breaks in attributes, so blanks are collapsed here (facts §10.12).
            "message" => message = value.split_whitespace().collect::<Vec<_>>().join(" "),
            _ => {}
        }
    }
    Item::Head { id, status, message }
}

fn field(attributes: Vec<(String, String)>) -> Field {
    let mut field = Field::default();
    for (key, value) in attributes {
        if field.name.is_empty() && key.eq_ignore_ascii_case("name") {
            field.name = value.trim().to_owned();
        } else {
            field.attributes.push((key, value));
        }
    }
    field
}
