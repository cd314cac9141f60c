//! One message: who asks, what is carried out, and the text around the rows.

use super::answer::{Refusal, TAIL, escape, head, open};
use super::knobs::{EmptySpelling, Knobs, Licence};
use super::request::{Kind, Request};
use super::state::HotelState;
use super::{Answered, query, writes};

/// Prepared parts of an `OK` answer.
pub struct Prepared {
    pub request: Request,
    pub knobs: Knobs,
    pub parts: Vec<(Option<String>, Kind, Answered)>,
}

impl Prepared {
    pub fn keys(&self) -> usize {
        self.parts.iter().map(|(_, _, a)| a.keys().len()).sum()
    }

    pub fn rows(&self) -> usize {
        self.parts.iter().map(|(_, _, a)| a.count()).sum()
    }
}

fn log_in(state: &HotelState, request: &Request) -> Result<(), Refusal> {
    if request.user != state.user || request.password != state.password {
        return Err(Refusal::new("IC", "Invalid credentials"));
    }
    if state.knobs.licences.contains(&Licence::Crs) && request.vendor.is_none() {
        return Err(Refusal::invalid("Missing mandatory attribute Vendor"));
    }
    if state.vendor.is_some() && state.vendor != request.vendor {
        return Err(Refusal::denied("Vendor is not licensed"));
    }
    Ok(())
}

/// Carries a message out. Changes are atomic: one failure, and none is applied (facts §2.3).
pub fn carry_out(state: &mut HotelState, request: &Request) -> Result<Vec<(Option<String>, Kind, Answered)>, Refusal> {
    log_in(state, request)?;
    let mut parts = Vec::new();
    let changes = request.operations.iter().any(|o| o.kind != Kind::Query);
    if !changes {
        for operation in &request.operations {
            let answered = query::prepare(state, request, operation)?;
            if answered.count() == 0 && state.knobs.empty == EmptySpelling::NotFound {
                return Err(Refusal::new("NG", "Guest not found"));
            }
            parts.push((operation.name.clone(), operation.kind, answered));
        }
        return Ok(parts);
    }
    let mut copy = state.clone();
    for operation in &request.operations {
        parts.push((operation.name.clone(), operation.kind, writes::apply(&mut copy, request, operation)?));
    }
    *state = copy;
    Ok(parts)
}

fn element(kind: Kind) -> &'static str {
    match kind {
        Kind::Query | Kind::Command => "queryResponse",
        Kind::Insert => "insertResponse",
        Kind::Update => "updateResponse",
    }
}

/// The text before the rows, the rows that are already there, the text after.
pub fn frame(prepared: &Prepared, index: usize) -> (String, String) {
    let Some((name, kind, answered)) = prepared.parts.get(index) else { return Default::default() };
    if *kind == Kind::Command {
        return Default::default();
    }
    if answered.count() == 0 {
        let nothing = match prepared.knobs.empty {
            EmptySpelling::Nothing => return Default::default(),
            EmptySpelling::EmptyRow => "<row><fields></fields></row>",
            EmptySpelling::Rows | EmptySpelling::NotFound => "",
        };
        return (format!("{}<rows>{nothing}</rows>", start(name.as_deref(), *kind)), end(*kind));
    }
    (format!("{}<rows>{}", start(name.as_deref(), *kind), answered.text()), format!("</rows>{}", end(*kind)))
}

fn start(name: Option<&str>, kind: Kind) -> String {
    let name = name.map(|n| format!(" Name=\"{}\"", escape(n))).unwrap_or_default();
    format!("<{}{name}>", element(kind))
}

fn end(kind: Kind) -> String {
    format!("</{}>\n", element(kind))
}

/// The whole answer at once.
pub fn whole(state: &HotelState, prepared: &Prepared) -> String {
    let mut out = head(&prepared.knobs, &prepared.request.version);
    out.push_str(&open(&prepared.knobs, &prepared.request.id));
    for (index, (_, _, answered)) in prepared.parts.iter().enumerate() {
        let (before, after) = frame(prepared, index);
        out.push_str(&before);
        query::write_rows(state, answered, answered.keys(), &mut out);
        out.push_str(&after);
    }
    out.push_str(TAIL);
    out
}
