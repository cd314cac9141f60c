//! Reads a request: bytes → XML → what is asked for. Lenient like the real server: no namespace, no schema.

use encoding_rs::Encoding;
use quick_xml::events::{BytesStart, Event};

use super::answer::Refusal;

/// An element of a request. Requests are small, so a tree is the simplest reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Node>,
    pub text: String,
}

impl Node {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|c| c.name == name)
    }

    pub fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|c| c.text.trim()).filter(|t| !t.is_empty())
    }
}

/// The declared encoding, else a byte order mark's, else UTF-8.
pub fn decode(bytes: &[u8]) -> String {
    let head = String::from_utf8_lossy(bytes.get(..bytes.len().min(200)).unwrap_or_default()).into_owned();
    let declared = head
        .split_once("encoding=")
        .and_then(|(_, rest)| rest.get(1..)?.split(['"', '\'']).next().map(str::to_owned))
        .and_then(|label| Encoding::for_label(label.as_bytes()));
    let (text, _, _) = declared.unwrap_or(encoding_rs::UTF_8).decode(bytes);
    text.into_owned()
}

fn start(tag: &BytesStart<'_>) -> Result<Node, Refusal> {
    let mut node = Node { name: tag.local_name().as_ref().to_owned(), ..Node::default() };
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|_| Refusal::invalid("Malformed attribute"))?;
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Explicit1_0)
            .map_err(|_| Refusal::invalid("Malformed attribute value"))?;
        node.attributes.push((attribute.key.local_name().as_ref().to_owned(), value.into_owned()));
    }
    Ok(node)
}

fn predefined(entity: &str) -> Result<char, Refusal> {
    match entity {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(Refusal::invalid("Undefined entity")),
    }
}

/// Parses one document. What is not XML is `IR` (facts §2.6).
pub fn parse(text: &str) -> Result<Node, Refusal> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut open: Vec<Node> = Vec::new();
    let malformed = || Refusal::invalid("Request is not well-formed XML");
    loop {
        match reader.read_event().map_err(|_| malformed())? {
            Event::Start(tag) => open.push(start(&tag)?),
            Event::Empty(tag) => {
                let node = start(&tag)?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(node),
                    None => return Ok(node),
                }
            }
            Event::End(_) => {
                let node = open.pop().ok_or_else(malformed)?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(node),
                    None => return Ok(node),
                }
            }
            Event::Text(t) => {
                if let Some(node) = open.last_mut() {
                    node.text.push_str(&t.xml10_content());
                }
            }
            Event::CData(t) => {
                if let Some(node) = open.last_mut() {
                    node.text.push_str(&t.xml10_content());
                }
            }
            Event::GeneralRef(r) => {
                let Some(node) = open.last_mut() else { continue };
                match r.resolve_char_ref() {
                    Ok(Some(c)) => node.text.push(c),
                    Ok(None) => node.text.push(predefined(&r.xml10_content())?),
                    Err(_) => return Err(malformed()),
                }
            }
            Event::DocType(_) => return Err(Refusal::invalid("Document type is not allowed")),
            Event::Eof => return Err(malformed()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

/// `<conditions>`: one simple condition and at most one link to the rest (facts §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions {
    pub name: String,
    pub operation: String,
    pub value: String,
    pub link: Option<(Link, Box<Conditions>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    And,
    Or,
    /// "This and not the rest".
    Not,
}

impl Conditions {
    /// The condition and everything linked to it, in order.
    pub fn chain(&self) -> Vec<&Conditions> {
        let mut all = vec![self];
        let mut next = self.link.as_ref();
        while let Some((_, rest)) = next {
            all.push(rest);
            next = rest.link.as_ref();
        }
        all
    }

    fn read(container: &Node, depth: usize) -> Result<Option<Self>, Refusal> {
        if depth > 200 {
            return Err(Refusal::invalid("Conditions are nested too deeply"));
        }
        let Some(simple) = container.children.iter().find(|c| c.name == "condition") else { return Ok(None) };
        let missing =
            |what: &str| Refusal::invalid(&format!("Missing mandatory attribute {what} for the condition element"));
        let mut read = Self {
            name: simple.attribute("name").ok_or_else(|| missing("name"))?.trim().to_owned(),
            operation: simple.attribute("operation").ok_or_else(|| missing("operation"))?.to_owned(),
            value: simple.text.trim().to_owned(),
            link: None,
        };
        if container.children.iter().filter(|c| c.name == "condition").count() > 1 {
            return Err(Refusal::invalid("Only one simple condition per level is allowed"));
        }
        if let Some(link) = container.child("link") {
            let operator = match link.attribute("operator") {
                Some("AND") => Link::And,
                Some("OR") => Link::Or,
                Some("NOT") => Link::Not,
                _ => return Err(Refusal::invalid("Unknown link operator")),
            };
            if let Some(inner) = link.child("condition")
                && let Some(rest) = Self::read(inner, depth + 1)?
            {
                read.link = Some((operator, Box::new(rest)));
            }
        }
        Ok(Some(read))
    }
}

/// A `<field>`: an empty one is asked for, one with text is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
}

impl Field {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Query,
    Insert,
    Update,
    Command,
}

/// One thing asked for inside a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub kind: Kind,
    /// `ReqType`; for a command the command's own name (`cancel`, `post` …).
    pub what: String,
    pub name: Option<String>,
    pub conditions: Option<Conditions>,
    pub fields: Vec<Field>,
    pub node: Node,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub version: String,
    pub id: String,
    pub user: String,
    pub password: String,
    pub vendor: Option<String>,
    pub operations: Vec<Operation>,
}

impl Request {
    /// Versions from 1.1.0 on know `ReservationState` (facts §5.2).
    pub fn knows_state(&self) -> bool {
        self.version.as_str() >= "1.1.0"
    }
}

fn operation(node: &Node) -> Result<Operation, Refusal> {
    let kind = match node.name.as_str() {
        "query" => Kind::Query,
        "insert" => Kind::Insert,
        "update" => Kind::Update,
        "command" => Kind::Command,
        other => return Err(Refusal::invalid(&format!("Unsupported request element <{other}>"))),
    };
    let what = if kind == Kind::Command {
        node.children.first().map(|c| c.name.clone())
    } else {
        node.attribute("ReqType").map(str::to_owned)
    };
    let fields = node.child("fields").map(|fields| {
        let named = fields.children.iter().filter(|f| f.name == "field");
        named
            .filter_map(|f| {
                let name = f.attribute("name")?.trim().to_owned();
                Some(Field { name, attributes: f.attributes.clone(), text: f.text.clone() })
            })
            .collect()
    });
    Ok(Operation {
        kind,
        what: what.ok_or_else(|| Refusal::invalid("Missing mandatory attribute ReqType"))?,
        name: node.attribute("Name").map(str::to_owned),
        conditions: node.child("conditions").map(|c| Conditions::read(c, 0)).transpose()?.flatten(),
        fields: fields.unwrap_or_default(),
        node: node.clone(),
    })
}

/// The message inside a document.
pub fn read(root: &Node) -> Result<Request, Refusal> {
    if root.name != "fidelio" {
        return Err(Refusal::invalid("Root element fidelio is expected"));
    }
    let version = root.attribute("Version").ok_or_else(|| Refusal::invalid("Missing mandatory attribute Version"))?;
    if !["1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4", "1.0.5", "1.0.6", "1.0.7", "1.1.0"].contains(&version) {
        return Err(Refusal::invalid("Unsupported version"));
    }
    let request = root.child("request").ok_or_else(|| Refusal::invalid("Element request is expected"))?;
    let id = request.attribute("ID").unwrap_or_default().to_owned();
    let with_id = |mut refusal: Refusal| {
        refusal.id.clone_from(&id);
        refusal
    };
    let operations = request.children.iter().map(operation).collect::<Result<Vec<_>, _>>().map_err(with_id)?;
    let (Some(first), Some(user), Some(password)) =
        (operations.first(), request.attribute("UserName"), request.attribute("Password"))
    else {
        return Err(with_id(Refusal::invalid("UserName, Password and a request are mandatory")));
    };
    if operations.iter().any(|o| o.kind != first.kind) {
        return Err(with_id(Refusal::invalid("Only one kind of request per message is allowed")));
    }
    Ok(Request {
        version: version.to_owned(),
        id: id.clone(),
        user: user.to_owned(),
        password: password.to_owned(),
        vendor: request.attribute("Vendor").map(str::to_owned),
        operations,
    })
}
