//! One look at a portal: what it is, what stands, what lacks. Writes nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{plan, schema};
use crate::bitrix::crm::{self, Entity};
use crate::bitrix::{Answer, Call, Class, Error, PortalClient, Priority, de};
use crate::bitrix::{queue, setup};
use crate::domain::{CrmEntity, CrmSchema};
use crate::portal::{Installation, currencies};

/// What stands on the portal.
#[derive(Debug, Default)]
pub struct Survey {
    pub admin: bool,
    pub installed: bool,
    pub license: String,
    /// Days until the app's term ends, negative in the days of grace; the portal tells none where nothing is paid for.
    pub paid_days: Option<i64>,
    pub language: String,
    pub boxed: bool,
    pub enterprise: bool,
    pub scopes: Vec<String>,
    pub options: BTreeMap<String, String>,
    pub categories: Vec<Category>,
    /// For mappings; stages are not in it.
    pub schema: CrmSchema,
    /// Fields by upper-case name, each with its type and whether it is multiple.
    pub fields: BTreeMap<i32, BTreeMap<String, FieldSeen>>,
    /// `(event, handler)`
    pub events: Vec<(String, String)>,
    /// Events that the portal keeps in our queue.
    pub queued: Vec<String>,
    /// The plan lets us read that queue without losing it.
    pub can_queue: bool,
    /// `(placement, handler)`
    pub placements: Vec<(String, String)>,
    pub missing_methods: Vec<String>,
    pub can_import: bool,
    /// Empty: the portal does not say.
    pub currencies: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    pub id: i64,
    pub originator: String,
    pub origin: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSeen {
    pub kind: String,
    pub multiple: bool,
    pub required: bool,
    pub user: bool,
}

type Results = Vec<Result<Answer, Error>>;

fn calls() -> Vec<Call> {
    let mut calls = vec![
        setup::app_info(),
        setup::profile(),
        setup::scope(),
        Call::new("app.option.get", json!({})),
        setup::category_list(),
        setup::event_get(),
        setup::placement_get(),
        // Imports nothing; a missing right is refused before the list is looked at.
        crm::batch_import(Entity::Deal, &[]),
        setup::currency_list(),
        setup::feature(queue::FEATURE),
    ];
    calls.extend(Entity::ALL.map(crm::item_fields));
    calls.extend(plan::METHODS.iter().chain([&plan::IMPORT_METHOD]).map(|method| setup::method_get(method)));
    calls
}

impl Survey {
    /// One request. `Err` where the portal as a whole refuses or does not answer.
    pub async fn look(client: &PortalClient, report: &mut Installation) -> Result<Self, Error> {
        let mut results: Results = client.batch(Priority::Person, &calls()).await?;
        // What concerns the whole portal must not be mistaken for one missing thing.
        for result in &results {
            if let Err(error) = result
                && !matches!(error.class, Class::Permanent)
            {
                return Err(error.clone());
            }
        }
        let methods = results.split_off(13);
        let fields = results.split_off(10);
        let mut results = results.into_iter();
        let mut next = || results.next().unwrap_or_else(|| Err(Error::internal("an answer is missing")));
        let mut survey = Self::default();
        survey.read_app(next(), report);
        survey.read_user(next(), report);
        survey.read_scopes(next(), report);
        survey.read_options(next());
        survey.read_categories(next(), report);
        let events = next();
        survey.queued = events.as_ref().map(kept_for_us).unwrap_or_default();
        survey.events = pairs(events.as_ref().ok(), "event", report, events.as_ref().err(), "event.get");
        let placements = next();
        survey.placements =
            pairs(placements.as_ref().ok(), "placement", report, placements.as_ref().err(), "placement.get");
        let import = next();
        survey.currencies = next().map(|answer| currencies::read(&answer)).unwrap_or_default();
        // A box answers its edition; one that does not know the question is not to be trusted with the queue.
        let feature = next().ok().and_then(|answer| answer.result.get("value").and_then(de::text));
        survey.can_queue = feature.is_some_and(|value| !matches!(value.as_str(), "" | "N"));
        survey.read_methods(methods, report);
        survey.can_import =
            !survey.missing_methods.iter().any(|method| method == plan::IMPORT_METHOD) && may_import(&import);
        if !survey.can_import {
            report.lack(
                "import_right",
                "the right to import deals; records are added one by one, and robots see them",
                false,
            );
        }
        for (owner, answer) in Entity::ALL.into_iter().zip(fields) {
            survey.read_fields(owner, answer, report);
        }
        Ok(survey)
    }

    fn read_app(&mut self, answer: Result<Answer, Error>, report: &mut Installation) {
        let Ok(answer) = answer else {
            report.lack("app_info", "app.info", true);
            return;
        };
        let text = |key: &str| answer.result.get(key).and_then(de::text).unwrap_or_default();
        self.installed = answer.result.get("INSTALLED").and_then(de::flag).unwrap_or_default();
        self.license = text("LICENSE");
        self.paid_days = answer.result.get("DAYS").and_then(de::int);
        self.language = text("LANGUAGE_ID");
        self.boxed = self.license.ends_with("_selfhosted");
        self.enterprise = !self.boxed
            && ["LICENSE", "LICENSE_TYPE", "LICENSE_FAMILY"]
                .iter()
                .any(|key| text(key).split('_').any(|part| part.starts_with("ent")));
    }

    fn read_user(&mut self, answer: Result<Answer, Error>, report: &mut Installation) {
        self.admin = answer.ok().and_then(|a| a.result.get("ADMIN").and_then(de::flag)).unwrap_or_default();
        if !self.admin {
            report.lack("not_admin", "the user who installed the app is no portal admin any more", true);
        }
    }

    fn read_scopes(&mut self, answer: Result<Answer, Error>, report: &mut Installation) {
        let Ok(answer) = answer else { return };
        self.scopes = de::elements(&answer.result).into_iter().filter_map(de::text).collect();
        for scope in plan::SCOPES {
            if !self.scopes.iter().any(|own| own == scope) {
                report.lack("scope", *scope, true);
            }
        }
    }

    fn read_options(&mut self, answer: Result<Answer, Error>) {
        let Ok(answer) = answer else { return };
        self.options =
            de::entries(&answer.result).into_iter().filter_map(|(key, value)| Some((key, de::text(value)?))).collect();
    }

    fn read_categories(&mut self, answer: Result<Answer, Error>, report: &mut Installation) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                report.lack(lack_of(&error), format!("crm.category.list: {}", error.code()), true);
                return;
            }
        };
        self.schema.pipelines = schema::pipelines(&answer);
        let list = answer.result.get("categories").unwrap_or(&answer.result);
        self.categories = de::elements(list)
            .into_iter()
            .filter_map(|category| {
                let text = |key: &str| category.get(key).and_then(de::text).unwrap_or_default();
                Some(Category {
                    id: category.get("id").and_then(de::int)?,
                    originator: text("originatorId"),
                    origin: text("originId"),
                })
            })
            .collect();
    }

    fn read_methods(&mut self, results: Results, report: &mut Installation) {
        for (method, answer) in plan::METHODS.iter().chain([&plan::IMPORT_METHOD]).zip(results) {
            // A portal that cannot say is asked by doing.
            let Ok(answer) = answer else { continue };
            let has = |key: &str| answer.result.get(key).and_then(de::flag).unwrap_or(true);
            if has("isExisting") && has("isAvailable") {
                continue;
            }
            self.missing_methods.push((*method).to_owned());
            if *method != plan::IMPORT_METHOD {
                let code = if has("isExisting") { "method_denied" } else { "old_box" };
                report.lack(code, *method, true);
            }
        }
    }

    fn read_fields(&mut self, owner: Entity, answer: Result<Answer, Error>, report: &mut Installation) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                report.lack(lack_of(&error), format!("crm.item.fields ({}): {}", owner.word(), error.code()), true);
                return;
            }
        };
        if let Some(entity) = CrmEntity::from_type_id(owner.type_id()) {
            self.schema.fields.insert(entity, schema::fields(&answer));
        }
        let list = answer.result.get("fields").unwrap_or(&answer.result);
        let mut seen = BTreeMap::new();
        for (name, field) in de::entries(list) {
            let upper = field.get("upperName").and_then(de::text).filter(|text| !text.is_empty()).unwrap_or(name);
            let flag = |key: &str| field.get(key).and_then(de::flag).unwrap_or_default();
            seen.insert(
                upper.to_uppercase(),
                FieldSeen {
                    kind: field.get("type").and_then(de::text).unwrap_or_default(),
                    multiple: flag("isMultiple"),
                    required: flag("isRequired"),
                    user: flag("isDynamic"),
                },
            );
        }
        // Bitrix24 refuses a record without them, and nothing in Fidelio says what belongs there.
        for (name, field) in &seen {
            if field.required && field.user && !name.starts_with("UF_CRM_FB24_") {
                report.lack("required_field", format!("{}: {name}", owner.word()), false);
            }
        }
        for field in plan::FIELDS.iter().filter(|field| field.owner == owner) {
            if let Some(own) = seen.get(&field.full_name())
                && (own.kind != field.kind || own.multiple != field.multiple)
            {
                report.lack("field_type", format!("{}: {}", owner.word(), field.full_name()), true);
            }
        }
        self.fields.insert(owner.type_id(), seen);
    }

    pub fn has_field(&self, field: &plan::Field) -> bool {
        self.fields.get(&field.owner.type_id()).is_some_and(|seen| seen.contains_key(&field.full_name()))
    }

    /// Our own pipeline, by its mark. The oldest, should there be several.
    pub fn marked_pipeline(&self) -> Option<i64> {
        self.categories
            .iter()
            .filter(|c| c.originator == plan::ORIGINATOR && c.origin == plan::PIPELINE_ORIGIN)
            .map(|c| c.id)
            .min()
    }
}

fn lack_of(error: &Error) -> &'static str {
    match error.code() {
        "error_method_not_found" => "old_box",
        "insufficient_scope" => "scope",
        _ => "crm_rights",
    }
}

/// Refused for the right, or for what was (not) sent?
fn may_import(answer: &Result<Answer, Error>) -> bool {
    match answer {
        Ok(_) => true,
        Err(error) => !matches!(
            error.code(),
            "access_denied" | "error_method_not_found" | "insufficient_scope" | "invalid_credentials"
        ),
    }
}

/// Events bound to our queue; one under a connector's name is another queue.
fn kept_for_us(answer: &Answer) -> Vec<String> {
    let text = |item: &Value, key: &str| item.get(key).and_then(de::text).unwrap_or_default();
    de::elements(&answer.result)
        .into_iter()
        .filter(|item| text(item, "offline") == "1" && text(item, "connector_id").is_empty())
        .map(|item| text(item, "event").to_uppercase())
        .collect()
}

fn pairs(
    answer: Option<&Answer>,
    key: &str,
    report: &mut Installation,
    error: Option<&Error>,
    method: &str,
) -> Vec<(String, String)> {
    if let Some(error) = error {
        report.lack("method_denied", format!("{method}: {}", error.code()), true);
    }
    let Some(answer) = answer else { return vec![] };
    let text = |item: &Value, key: &str| item.get(key).and_then(de::text).unwrap_or_default();
    de::elements(&answer.result)
        .into_iter()
        // The pull queue's rows have no handler.
        .filter(|item| text(item, "offline") != "1")
        .map(|item| (text(item, key).to_uppercase(), text(item, "handler")))
        .collect()
}
