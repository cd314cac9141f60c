//! The portal's own fields, pipelines and stages, as it last told them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::crm::CrmEntity;
use super::mapping::shape::Shape;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CrmSchema {
    /// By the names that records are written with.
    pub fields: BTreeMap<CrmEntity, BTreeMap<String, CrmField>>,
    pub pipelines: Vec<CrmPipeline>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CrmField {
    pub title: String,
    /// The portal's word: `string`, `date`, `enumeration` …
    pub kind: String,
    pub multiple: bool,
    pub read_only: bool,
    /// Made by people or by an application, not the portal's own.
    pub user: bool,
    pub max_length: Option<usize>,
    /// Items of a list: id and text.
    pub items: Vec<(String, String)>,
    /// Records of the CRM that may stand in it: `DEAL`, `LEAD` … Only of one kind they stand there by their bare ids.
    pub binds: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CrmPipeline {
    pub id: i64,
    pub name: String,
    pub stages: Vec<CrmStage>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CrmStage {
    /// Full `STATUS_ID`.
    pub id: String,
    pub name: String,
}

impl CrmSchema {
    pub fn field(&self, entity: CrmEntity, name: &str) -> Option<&CrmField> {
        self.fields.get(&entity)?.get(name)
    }

    /// Whether a deal's field may name another deal.
    pub fn may_name_a_deal(&self, name: &str) -> bool {
        let named = |field: &CrmField| {
            let takes = match field.kind.as_str() {
                "crm" => field.binds == ["DEAL"],
                kind => kind == "string" && field.max_length.is_none_or(|most| most >= 20),
            };
            takes && field.user && !field.read_only && !field.multiple
        };
        // Those of ours hold what the contract says.
        !name.starts_with("UF_CRM_FB24_") && self.field(CrmEntity::Deal, name).is_some_and(named)
    }

    pub fn pipeline(&self, id: i64) -> Option<&CrmPipeline> {
        self.pipelines.iter().find(|pipeline| pipeline.id == id)
    }
}

impl CrmField {
    /// What a hotel's value must be to stand here; `None`: none does.
    pub fn takes(&self, name: &str) -> Option<Shape> {
        match (name, self.kind.as_str()) {
            // The amount and its currency are two fields of the portal and one value of the hotel.
            ("opportunity", _) => Some(Shape::Money),
            ("PHONE", _) => Some(Shape::Phones),
            ("EMAIL", _) => Some(Shape::Emails),
            (_, "string" | "text" | "url") => Some(Shape::Text),
            (_, "integer") => Some(Shape::Integer),
            (_, "double") => Some(Shape::Number),
            (_, "date") => Some(Shape::Date),
            (_, "money") => Some(Shape::Money),
            (_, "enumeration") => Some(Shape::Choice),
            _ => None,
        }
    }
}
