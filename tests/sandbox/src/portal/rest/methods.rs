//! The table of REST v2 methods.

use super::call::{Answer, Call};
use crate::portal::crm::{categories, import, item, legacy, statuses, userfields};
use crate::portal::error::{RestError, RestResult};
use crate::portal::events::{offline_rpc as offline, rpc as events};
use crate::portal::state::State;
use crate::portal::tasks::{disk, rpc as tasks, talk};
use crate::portal::{placements, system};

type Method = fn(&mut Call<'_>) -> RestResult<Answer>;

/// Every method by its lower-case name.
const METHODS: &[(&str, Method)] = &[
    ("app.info", system::app_info),
    ("app.option.get", system::app_option_get),
    ("app.option.set", system::app_option_set),
    ("user.option.get", system::user_option_get),
    ("user.option.set", system::user_option_set),
    ("profile", system::profile),
    ("user.admin", system::user_admin),
    ("user.current", system::user_current),
    ("user.get", system::user_get),
    ("scope", system::scope),
    ("methods", system::methods),
    ("method.get", system::method_get),
    ("feature.get", system::feature_get),
    ("server.time", system::server_time),
    ("event.bind", events::bind),
    ("event.unbind", events::unbind),
    ("event.get", events::get),
    ("event.test", events::test),
    ("events", events::names),
    ("event.offline.get", offline::get),
    ("event.offline.list", offline::list),
    ("event.offline.clear", |call| offline::finish(call, false)),
    ("event.offline.error", |call| offline::finish(call, true)),
    ("placement.bind", placements::bind),
    ("placement.unbind", placements::unbind),
    ("placement.get", placements::get),
    ("placement.list", placements::list),
    ("crm.item.add", item::add),
    ("crm.item.get", item::get),
    ("crm.item.list", item::list),
    ("crm.item.update", item::update),
    ("crm.item.delete", item::delete),
    ("crm.item.fields", item::describe),
    ("crm.item.import", import::one),
    ("crm.item.batchimport", import::batch),
    ("crm.contact.get", legacy::get),
    ("crm.contact.update", legacy::update),
    ("crm.company.get", legacy::get),
    ("crm.company.update", legacy::update),
    ("crm.deal.contact.items.get", legacy::deal_contacts),
    ("crm.deal.contact.items.set", legacy::set_deal_contacts),
    ("crm.deal.contact.items.delete", legacy::clear_deal_contacts),
    ("crm.duplicate.findbycomm", legacy::duplicates),
    ("crm.timeline.comment.add", legacy::comment),
    ("crm.timeline.comment.list", legacy::comments),
    ("crm.currency.list", legacy::currencies),
    ("crm.currency.base.get", legacy::base_currency),
    ("crm.category.list", categories::list),
    ("crm.category.get", categories::get),
    ("crm.category.add", categories::add),
    ("crm.category.update", categories::update),
    ("crm.category.delete", categories::delete),
    ("crm.category.fields", categories::describe),
    ("crm.status.list", statuses::list),
    ("crm.status.get", statuses::get),
    ("crm.status.add", statuses::add),
    ("crm.status.update", statuses::update),
    ("crm.status.delete", statuses::delete),
    ("crm.deal.userfield.add", userfields::add),
    ("crm.deal.userfield.list", userfields::list),
    ("crm.deal.userfield.get", userfields::get),
    ("crm.deal.userfield.update", userfields::update),
    ("crm.deal.userfield.delete", userfields::delete),
    ("crm.contact.userfield.add", userfields::add),
    ("crm.contact.userfield.list", userfields::list),
    ("crm.contact.userfield.get", userfields::get),
    ("crm.contact.userfield.update", userfields::update),
    ("crm.contact.userfield.delete", userfields::delete),
    ("crm.company.userfield.add", userfields::add),
    ("crm.company.userfield.list", userfields::list),
    ("crm.company.userfield.get", userfields::get),
    ("crm.company.userfield.update", userfields::update),
    ("crm.company.userfield.delete", userfields::delete),
    ("im.notify.system.add", system::notify),
    ("im.notify.personal.add", system::notify),
    ("tasks.task.add", tasks::add),
    ("tasks.task.get", tasks::get),
    ("tasks.task.list", tasks::list),
    ("tasks.task.update", tasks::update),
    ("tasks.task.delete", tasks::delete),
    ("tasks.task.start", tasks::step),
    ("tasks.task.pause", tasks::step),
    ("tasks.task.defer", tasks::step),
    ("tasks.task.complete", tasks::step),
    ("tasks.task.renew", tasks::step),
    ("tasks.task.approve", tasks::step),
    ("tasks.task.disapprove", tasks::step),
    ("tasks.task.delegate", tasks::delegate),
    ("tasks.task.files.attach", disk::attach),
    ("task.commentitem.add", talk::add),
    ("task.commentitem.getlist", talk::list),
    ("im.dialog.messages.get", talk::messages),
    ("disk.storage.getforapp", disk::storage),
    ("disk.storage.uploadfile", disk::upload),
    ("disk.folder.uploadfile", disk::upload),
];

/// Names of all methods this portal has.
pub fn names(state: &State) -> Vec<String> {
    METHODS.iter().map(|(name, _)| (*name).to_owned()).filter(|name| !state.missing.contains(name)).collect()
}

/// Whether this portal has a method.
pub fn exists(state: &State, method: &str) -> bool {
    METHODS.iter().any(|(name, _)| *name == method) && !state.missing.iter().any(|missing| missing == method)
}

/// Runs a method.
pub fn call(call: &mut Call<'_>, method: &str) -> RestResult<Answer> {
    let (name, run) = METHODS
        .iter()
        .find(|(name, _)| *name == method)
        .ok_or_else(|| RestError::new(404, "ERROR_METHOD_NOT_FOUND", "Method not found!"))?;
    call.method = name;
    run(call)
}
