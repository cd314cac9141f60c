//! What the portal has for a mapping to name: its fields, pipelines and stages, read by the set-up and kept. Whoever edits
//! a mapping is answered from what is kept: nobody waits for a portal.

use std::collections::BTreeMap;

use serde_json::Value;

use super::survey::Survey;
use super::{Halt, Work};
use crate::bitrix::crm::{self, Entity};
use crate::bitrix::{Answer, COMMANDS, Call, Class, Error, Priority, de, setup};
use crate::domain::CrmEntity;
use crate::domain::crm_schema::{CrmField, CrmPipeline, CrmStage};
use crate::store::crm_schemas;

/// Longer lists are not chosen from.
const ITEMS: usize = 1_000;

pub(super) struct StageSeen {
    pub row: i64,
    /// Without `C<n>:`.
    pub id: String,
    pub sort: i64,
}

impl Work<'_> {
    /// Stages of one pipeline; those of all others come in the same request.
    pub(super) async fn list_stages(&mut self, survey: &Survey, category: i64) -> Result<Vec<StageSeen>, Halt> {
        let mut pipelines = survey.schema.pipelines.clone();
        pipelines.retain(|pipeline| pipeline.id != category);
        let own = survey.schema.pipeline(category).map(|pipeline| pipeline.name.clone()).unwrap_or_default();
        pipelines.insert(0, CrmPipeline { id: category, name: own, stages: Vec::new() });
        pipelines.truncate(COMMANDS);
        let list = |pipeline: &CrmPipeline| setup::status_list(&setup::stage_dictionary(pipeline.id));
        let mut answers = self.ask(&pipelines.iter().map(list).collect::<Vec<_>>()).await?.into_iter();
        let mut seen = Vec::new();
        for pipeline in &mut pipelines {
            let answer = match answers.next() {
                Some(Err(error)) if pipeline.id == category => return Err(error.into()),
                Some(Ok(answer)) => answer,
                _ => continue,
            };
            pipeline.stages = stages(pipeline.id, &answer);
            if pipeline.id == category {
                seen = rows(category, &answer);
            }
        }
        self.schema.pipelines = pipelines;
        Ok(seen)
    }

    /// Keeps what was seen. `made`: fields of ours have come since.
    pub(super) async fn keep_schema(&mut self, survey: &Survey, made: bool) -> Result<(), Halt> {
        self.schema.fields.clone_from(&survey.schema.fields);
        if made {
            for (entity, answer) in CrmEntity::ALL.into_iter().zip(self.ask(&Entity::ALL.map(crm::item_fields)).await?)
            {
                if let Ok(answer) = answer {
                    self.schema.fields.insert(entity, fields(&answer));
                }
            }
        }
        crm_schemas::save(self.directory.db(), self.portal, &self.schema, self.now()).await?;
        Ok(())
    }

    async fn ask(&self, calls: &[Call]) -> Result<Vec<Result<Answer, Error>>, Halt> {
        let answers = self.client.batch(Priority::Person, calls).await?;
        match answers.iter().find_map(|answer| answer.as_ref().err().filter(|error| error.class != Class::Permanent)) {
            Some(error) => Err(error.clone().into()),
            None => Ok(answers),
        }
    }
}

pub(super) fn fields(answer: &Answer) -> BTreeMap<String, CrmField> {
    let mut fields = BTreeMap::new();
    for (name, field) in de::entries(answer.result.get("fields").unwrap_or(&answer.result)) {
        let read = field_of(field);
        if name == "fm" {
            for (name, title) in [("PHONE", "Phone"), ("EMAIL", "E-mail")] {
                fields.insert(name.to_owned(), CrmField { title: title.to_owned(), ..read.clone() });
            }
        } else {
            fields.insert(name, read);
        }
    }
    fields
}

fn field_of(field: &Value) -> CrmField {
    let text = |key: &str| field.get(key).and_then(de::text).unwrap_or_default();
    let flag = |key: &str| field.get(key).and_then(de::flag).unwrap_or_default();
    let items = field.get("items").map(de::elements).unwrap_or_default();
    let item = |item: &Value| {
        let text = |key: &str| item.get(key).and_then(de::text);
        Some((text("ID")?, text("VALUE").unwrap_or_default()))
    };
    let kind = text("type");
    let max = field.get("settings").and_then(|settings| settings.get("MAX_LENGTH")).and_then(de::int);
    CrmField {
        title: text("title"),
        multiple: flag("isMultiple"),
        read_only: flag("isReadOnly") || flag("isImmutable"),
        user: flag("isDynamic"),
        // Zero is "any length".
        max_length: max.and_then(|max| usize::try_from(max).ok()).filter(|max| *max > 0),
        items: items.into_iter().filter_map(item).take(ITEMS).collect(),
        binds: if kind == "crm" { bound(field) } else { Vec::new() },
        kind,
    }
}

fn bound(field: &Value) -> Vec<String> {
    let settings = field.get("settings").map(de::entries).unwrap_or_default();
    let is_on = |(kind, on): (String, &Value)| de::flag(on).unwrap_or_default().then_some(kind);
    settings.into_iter().filter_map(is_on).collect()
}

pub(super) fn pipelines(answer: &Answer) -> Vec<CrmPipeline> {
    let list = answer.result.get("categories").unwrap_or(&answer.result);
    let read = |category: &Value| {
        let name = category.get("name").and_then(de::text).unwrap_or_default();
        Some(CrmPipeline { id: category.get("id").and_then(de::int)?, name, stages: Vec::new() })
    };
    de::elements(list).into_iter().filter_map(read).collect()
}

fn rows(category: i64, answer: &Answer) -> Vec<StageSeen> {
    let prefix = setup::stage_id(category, "");
    let read = |row: &Value| {
        let id = row.get("STATUS_ID").and_then(de::text)?;
        Some(StageSeen {
            row: row.get("ID").and_then(de::id)?,
            id: id.strip_prefix(prefix.as_str()).unwrap_or(&id).to_owned(),
            sort: row.get("SORT").and_then(de::int).unwrap_or_default(),
        })
    };
    de::elements(&answer.result).into_iter().filter_map(read).collect()
}

fn stages(category: i64, answer: &Answer) -> Vec<CrmStage> {
    let prefix = setup::stage_id(category, "");
    let read = |row: &Value| {
        let id = row.get("STATUS_ID").and_then(de::text)?;
        let id = id.strip_prefix(prefix.as_str()).unwrap_or(&id);
        Some(CrmStage {
            id: setup::stage_id(category, id),
            name: row.get("NAME").and_then(de::text).unwrap_or_default(),
        })
    };
    de::elements(&answer.result).into_iter().filter_map(read).collect()
}
