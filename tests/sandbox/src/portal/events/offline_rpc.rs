//! `event.offline.*` (facts §6.4).

use serde_json::{Value, json};

use super::offline::Row;
use crate::portal::clock;
use crate::portal::error::{RestError, RestResult};
use crate::portal::options::Edition;
use crate::portal::php::{self, Params};
use crate::portal::rest::call::{Answer, Call};
use crate::portal::tokens;

const PAGE: usize = 50;

fn right(call: &Call<'_>) -> RestResult<()> {
    call.need_app()?;
    if call.admin() { Ok(()) } else { Err(RestError::forbidden("Access denied!")) }
}

/// One condition: `>=ID` and its like. Negation is refused.
fn fits(row: &Row, key: &str, wanted: &Value, fields: &[&str]) -> RestResult<bool> {
    let at = key.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(key.len());
    let (op, field) = key.split_at(at);
    let field = field.to_ascii_uppercase();
    if !fields.contains(&field.as_str()) {
        return Err(RestError::bad("ERROR_ARGUMENT", "Filter field not allowed"));
    }
    let own = match field.as_str() {
        "ID" => format!("{:020}", row.id),
        "TIMESTAMP_X" => clock::iso(row.at),
        "EVENT_NAME" => row.event.clone(),
        "MESSAGE_ID" => row.message_id.clone(),
        "PROCESS_ID" => row.process_id.clone(),
        _ => i64::from(row.error).to_string(),
    };
    let text = php::text(wanted).unwrap_or_default();
    let wanted = match field.as_str() {
        "ID" => format!("{:020}", text.trim().parse::<i64>().unwrap_or_default()),
        "EVENT_NAME" => text.to_ascii_uppercase(),
        _ => text,
    };
    Ok(match op {
        "" | "=" => own == wanted,
        ">" => own > wanted,
        "<" => own < wanted,
        ">=" => own >= wanted,
        "<=" => own <= wanted,
        "%" => own.contains(&wanted),
        _ => return Err(RestError::bad("ERROR_ARGUMENT", "Filter operation not allowed")),
    })
}

fn passes(row: &Row, filter: &Params, fields: &[&str]) -> RestResult<bool> {
    for (key, wanted) in filter.0.iter() {
        if !fits(row, key, wanted, fields)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `event.offline.get`.
pub fn get(call: &mut Call<'_>) -> RestResult<Answer> {
    right(call)?;
    let clear = call.params.get("clear").is_none_or(php::truthy);
    if !clear && call.state.options.edition != Edition::Box && !call.state.options.offline_extended {
        let text = "This feature is not enabled for the current license: extended offline events handling";
        return Err(RestError::new(403, "WRONG_LICENSE", text));
    }
    let limit = usize::try_from(call.params.int("limit").unwrap_or(50)).unwrap_or_default();
    if limit == 0 {
        return Err(RestError::bad("ERROR_ARGUMENT", "Value must be positive integer"));
    }
    let connector = call.params.text("auth_connector").unwrap_or_default();
    let asked = call.params.text("process_id");
    let errors = call.params.flag("error");
    let filter = call.params.map("filter");
    let rows = &mut call.state.events.queue.rows;
    let own = asked.clone().unwrap_or_default();
    let mut chosen = Vec::new();
    for row in rows.iter().filter(|row| row.connector == connector && row.error == errors && row.process_id == own) {
        if passes(row, &filter, &["ID", "TIMESTAMP_X", "EVENT_NAME", "MESSAGE_ID"])? {
            chosen.push((row.at, row.id));
        }
    }
    chosen.sort_unstable();
    chosen.truncate(limit);
    let ids: Vec<i64> = chosen.into_iter().map(|(_, id)| id).collect();
    let shown: Vec<Value> = ids.iter().filter_map(|id| rows.iter().find(|row| row.id == *id)).map(Row::show).collect();
    let process = asked.clone().unwrap_or_else(|| tokens::hex(1));
    if clear {
        // A named process goes as a whole.
        rows.retain(|row| if asked.is_some() { row.process_id != process } else { !ids.contains(&row.id) });
    } else {
        rows.iter_mut().filter(|row| ids.contains(&row.id)).for_each(|row| row.process_id.clone_from(&process));
    }
    let told = (!clear || asked.is_some()).then_some(process);
    Ok(Answer::new(json!({"process_id": told, "events": shown})))
}

/// `event.offline.clear` and `event.offline.error`.
pub fn finish(call: &mut Call<'_>, failed: bool) -> RestResult<Answer> {
    right(call)?;
    let process = call
        .params
        .text("process_id")
        .ok_or_else(|| RestError::argument("PROCESS_ID", "Argument 'PROCESS_ID' is null or empty"))?;
    let wanted = |name: &str| -> Option<Vec<String>> {
        call.params.get(name).map(|list| php::elements(list).into_iter().filter_map(php::text).collect())
    };
    let (ids, messages) = (wanted("id"), wanted("message_id"));
    let fits = |row: &Row| {
        row.process_id == process
            && ids.as_ref().is_none_or(|ids| ids.contains(&row.id.to_string()))
            && messages.as_ref().is_none_or(|messages| messages.contains(&row.message_id))
    };
    let rows = &mut call.state.events.queue.rows;
    if failed {
        rows.iter_mut().filter(|row| fits(row)).for_each(|row| row.error = true);
    } else {
        rows.retain(|row| !fits(row));
    }
    Ok(Answer::new(true))
}

/// `event.offline.list`: looks, reserves nothing.
pub fn list(call: &mut Call<'_>) -> RestResult<Answer> {
    right(call)?;
    let connector = call.params.text("auth_connector").unwrap_or_default();
    let (filter, start) = (call.params.map("filter"), call.params.int("start").unwrap_or_default());
    let fields = ["ID", "TIMESTAMP_X", "EVENT_NAME", "MESSAGE_ID", "PROCESS_ID", "ERROR"];
    let mut found = Vec::new();
    for row in call.state.events.queue.rows.iter().filter(|row| row.connector == connector) {
        if passes(row, &filter, &fields)? {
            let mut shown = row.show();
            if let Value::Object(map) = &mut shown {
                map.insert("PROCESS_ID".into(), json!(row.process_id));
                map.insert("ERROR".into(), json!(if row.error { "1" } else { "0" }));
            }
            found.push(shown);
        }
    }
    let (total, start) = (found.len(), usize::try_from(start).unwrap_or_default());
    let page: Vec<Value> = found.into_iter().skip(start).take(PAGE).collect();
    let mut answer = Answer::new(page).total(total);
    answer.next = (start + PAGE < total).then(|| i64::try_from(start + PAGE).unwrap_or_default());
    Ok(answer)
}
