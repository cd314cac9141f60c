//! Deals of groups: the mapping of a group is one of stays, for the one stay that all of the group add up to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FieldRule, Mapping, Owner, Template};
use crate::domain::crm::CrmEntity;
use crate::domain::fact::Fact;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupMapping {
    pub title: Template,
    /// Where its deal begins; none: where those of stays do. Its stage is people's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<i64>,
    /// Rules of deals, of the facts that a group has.
    pub fields: Vec<FieldRule>,
    /// The field of a stay's deal that names its group's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl GroupMapping {
    pub fn standard() -> Self {
        let rule = |(field, from): (&str, Fact)| FieldRule {
            entity: CrmEntity::Deal,
            field: field.to_owned(),
            from,
            owner: Owner::Pms,
            transforms: Vec::new(),
        };
        let fields = [
            ("UF_CRM_FB24_HOTEL", Fact::Hotel),
            ("UF_CRM_FB24_GROUP", Fact::Group),
            ("UF_CRM_FB24_ARRIVAL", Fact::Arrival),
            ("UF_CRM_FB24_DEPARTURE", Fact::Departure),
            ("opportunity", Fact::Total),
            ("begindate", Fact::Arrival),
            ("closedate", Fact::Departure),
        ];
        Self { title: Template::group(), pipeline: None, fields: fields.map(rule).into(), link: None }
    }
}

impl Mapping {
    /// By which a group's deal is written; `None`: groups have none.
    pub fn of_groups(&self) -> Option<Self> {
        let group = self.group.as_ref()?;
        Some(Self {
            format: self.format,
            deal_title: group.title.clone(),
            fields: group.fields.clone(),
            pipeline: group.pipeline.or(self.pipeline),
            stages: BTreeMap::new(),
            filters: self.filters.clone(),
            reopen_closed: self.reopen_closed,
            group: None,
        })
    }
}
