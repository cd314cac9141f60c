//! REST v2 `tasks.task.*`.

use serde_json::json;

use super::status::Step;
use super::{Fields, Right, fields, list, not_allowed};
use crate::portal::error::{RestError, RestResult};
use crate::portal::php;
use crate::portal::rest::call::{Answer, Call};

fn task_id(call: &Call<'_>) -> RestResult<i64> {
    let id = call.params.int("taskId").or_else(|| call.params.int("id"));
    id.filter(|id| *id > 0).ok_or_else(|| RestError::bad("0", "wrong task id"))
}

fn given(call: &Call<'_>) -> Fields {
    call.params.map("fields").0.into_iter().map(|(name, value)| (name.to_ascii_uppercase(), value)).collect()
}

fn select(call: &Call<'_>) -> Vec<String> {
    call.params.get("select").map(php::elements).unwrap_or_default().into_iter().filter_map(php::text).collect()
}

fn answer(call: &Call<'_>, id: i64) -> RestResult<Answer> {
    let own = call.state.tasks.items.get(&id).ok_or_else(not_allowed)?;
    Ok(Answer::rows(json!({"task": fields::shown(call.state, id, own, &select(call))}), 1))
}

/// `tasks.task.add`.
pub fn add(call: &mut Call<'_>) -> RestResult<Answer> {
    let (fields, actor) = (given(call), call.actor());
    let id = super::add(call.state, &actor, fields)?;
    answer(call, id)
}

/// `tasks.task.get`.
pub fn get(call: &mut Call<'_>) -> RestResult<Answer> {
    let id = task_id(call)?;
    if super::right(call.state, call.user, id) < Right::Read {
        return Err(not_allowed());
    }
    answer(call, id)
}

/// `tasks.task.list`.
pub fn list(call: &mut Call<'_>) -> RestResult<Answer> {
    let filter = call.params.map("filter");
    let state = &*call.state;
    let seen = |id: i64| super::right(state, call.user, id) >= Right::Read;
    let rows = state.tasks.items.iter().map(|(id, fields)| (*id, fields));
    let mut rows: Vec<(i64, &Fields)> =
        rows.filter(|(id, fields)| seen(*id) && list::fits(*id, fields, &filter)).collect();
    list::sort(&mut rows, &call.params.map("order"));
    let (total, start) = (rows.len(), call.params.int("start").unwrap_or(0));
    let start = usize::try_from(start).unwrap_or(0);
    let select = select(call);
    let page = rows.into_iter().skip(start).take(50);
    let page: Vec<_> = page.map(|(id, own)| fields::shown(state, id, own, &select)).collect();
    let (rows, end) = (page.len(), start + page.len());
    let mut answer = Answer::rows(json!({ "tasks": page }), rows).total(total);
    answer.next = i64::try_from(end).ok().filter(|_| end < total);
    Ok(answer)
}

/// `tasks.task.update`.
pub fn update(call: &mut Call<'_>) -> RestResult<Answer> {
    let (id, fields, actor) = (task_id(call)?, given(call), call.actor());
    super::edit(call.state, &actor, id, fields)?;
    answer(call, id)
}

/// `tasks.task.delete`.
pub fn delete(call: &mut Call<'_>) -> RestResult<Answer> {
    let (id, actor) = (task_id(call)?, call.actor());
    super::delete(call.state, &actor, id)?;
    Ok(Answer::rows(json!({"task": true}), 1))
}

/// `tasks.task.start` and its like.
pub fn step(call: &mut Call<'_>) -> RestResult<Answer> {
    let (id, actor) = (task_id(call)?, call.actor());
    let step = Step::parse(call.method).ok_or_else(not_allowed)?;
    super::step(call.state, &actor, id, step)?;
    answer(call, id)
}

/// `tasks.task.delegate`.
pub fn delegate(call: &mut Call<'_>) -> RestResult<Answer> {
    let (id, actor) = (task_id(call)?, call.actor());
    let to = call
        .params
        .int("userId")
        .ok_or_else(|| RestError::bad("100", "Invalid value {} to match with parameter {userId}"))?;
    super::delegate(call.state, &actor, id, to)?;
    answer(call, id)
}
