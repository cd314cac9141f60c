//! Field tables of deals, contacts and companies (facts §7.2), and the user fields added to them.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::entity::Entity;

/// How a field's value is stored, read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Free text, codes, money strings.
    Text,
    /// Whole number or id.
    Int,
    /// Amount.
    Num,
    /// `Y` or `N`.
    Flag,
    /// Calendar date, shown as midnight-ish in the server's zone.
    Date,
    /// Moment, kept as unix seconds.
    Time,
    /// User field `boolean`: 0 or 1.
    Bit,
    /// User field `enumeration`: id of a list item.
    Choice,
}

/// One item of an `enumeration`.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Id in the portal.
    pub id: i64,
    /// Shown text.
    pub value: String,
    /// External id.
    pub xml_id: String,
}

/// What makes a field a user field.
#[derive(Clone, Debug)]
pub struct UserField {
    /// Id in the portal.
    pub id: i64,
    /// `string`, `integer`, `date`, `money` …
    pub user_type: String,
    /// Must be filled in forms and through the API.
    pub mandatory: bool,
    /// As given to `userfield.add`: labels, settings, sort.
    pub given: serde_json::Map<String, Value>,
    /// Items of an enumeration.
    pub choices: Vec<Choice>,
}

/// One field.
#[derive(Clone, Debug)]
pub struct Field {
    /// `STAGE_ID`, `UF_CRM_FB24_HOTEL`.
    pub upper: String,
    /// `stageId`, `ufCrm_FB24_HOTEL`.
    pub camel: String,
    /// Value kind.
    pub kind: Kind,
    /// Holds a list.
    pub multiple: bool,
    /// Ignored when written.
    pub read_only: bool,
    /// Set for user fields.
    pub user: Option<UserField>,
    /// Type name shown by `crm.item.fields`.
    pub type_name: String,
    /// Kept in the equality index.
    pub indexed: bool,
    /// Extra fields the portal's admin made mandatory.
    pub required: bool,
    /// Gone, the slot stays so that stored cells keep their meaning.
    pub deleted: bool,
}

/// All fields of one entity; a field's place is its key inside records.
#[derive(Debug)]
pub struct Schema {
    /// Fields by place.
    pub fields: Vec<Field>,
    names: HashMap<String, u16>,
}

type Row = (&'static str, &'static str, &'static str, bool);

const COMMON: &[Row] = &[
    ("createdTime", "DATE_CREATE", "datetime", true),
    ("updatedTime", "DATE_MODIFY", "datetime", true),
    ("createdBy", "CREATED_BY_ID", "user", true),
    ("updatedBy", "MODIFY_BY_ID", "user", true),
    ("assignedById", "ASSIGNED_BY_ID", "user", false),
    ("opened", "OPENED", "boolean", false),
    ("comments", "COMMENTS", "text", false),
    ("sourceId", "SOURCE_ID", "crm_status", false),
    ("sourceDescription", "SOURCE_DESCRIPTION", "text", false),
    ("typeId", "TYPE_ID", "crm_status", false),
    ("originatorId", "ORIGINATOR_ID", "string", false),
    ("originId", "ORIGIN_ID", "string", false),
    ("observers", "OBSERVER_IDS", "user[]", false),
    ("utmSource", "UTM_SOURCE", "string", false),
    ("utmMedium", "UTM_MEDIUM", "string", false),
    ("utmCampaign", "UTM_CAMPAIGN", "string", false),
    ("utmContent", "UTM_CONTENT", "string", false),
    ("utmTerm", "UTM_TERM", "string", false),
    ("categoryId", "CATEGORY_ID", "crm_category", false),
    ("lastActivityBy", "LAST_ACTIVITY_BY", "user", true),
    ("lastActivityTime", "LAST_ACTIVITY_TIME", "datetime", true),
    ("companyId", "COMPANY_ID", "crm_company", false),
    ("contactIds", "CONTACT_IDS", "crm_contact[]", false),
];

const DEAL: &[Row] = &[
    ("title", "TITLE", "string", false),
    ("stageId", "STAGE_ID", "crm_status", false),
    ("previousStageId", "PREVIOUS_STAGE_ID", "crm_status", true),
    ("stageSemanticId", "STAGE_SEMANTIC_ID", "string", true),
    ("isNew", "IS_NEW", "boolean", true),
    ("isRecurring", "IS_RECURRING", "boolean", false),
    ("isReturnCustomer", "IS_RETURN_CUSTOMER", "boolean", false),
    ("isRepeatedApproach", "IS_REPEATED_APPROACH", "boolean", false),
    ("probability", "PROBABILITY", "integer", false),
    ("currencyId", "CURRENCY_ID", "crm_currency", false),
    ("opportunity", "OPPORTUNITY", "double", false),
    ("isManualOpportunity", "IS_MANUAL_OPPORTUNITY", "boolean", false),
    ("taxValue", "TAX_VALUE", "double", false),
    ("contactId", "CONTACT_ID", "crm_contact", false),
    ("quoteId", "QUOTE_ID", "crm_quote", false),
    ("leadId", "LEAD_ID", "crm_lead", false),
    ("begindate", "BEGINDATE", "date", false),
    ("closedate", "CLOSEDATE", "date", false),
    ("closed", "CLOSED", "boolean", true),
    ("movedTime", "MOVED_TIME", "datetime", true),
    ("movedBy", "MOVED_BY_ID", "user", true),
    ("additionalInfo", "ADDITIONAL_INFO", "string", false),
    ("locationId", "LOCATION_ID", "string", false),
    ("webformId", "WEBFORM_ID", "integer", false),
];

const CONTACT: &[Row] = &[
    ("name", "NAME", "string", false),
    ("lastName", "LAST_NAME", "string", false),
    ("secondName", "SECOND_NAME", "string", false),
    ("honorific", "HONORIFIC", "crm_status", false),
    ("birthdate", "BIRTHDATE", "date", false),
    ("post", "POST", "string", false),
    ("companyIds", "COMPANY_IDS", "crm_company[]", false),
    ("leadId", "LEAD_ID", "crm_lead", false),
    ("originVersion", "ORIGIN_VERSION", "string", false),
    ("export", "EXPORT", "boolean", false),
    ("hasPhone", "HAS_PHONE", "boolean", true),
    ("hasEmail", "HAS_EMAIL", "boolean", true),
    ("hasImol", "HAS_IMOL", "boolean", true),
    ("webformId", "WEBFORM_ID", "integer", false),
];

const COMPANY: &[Row] = &[
    ("title", "TITLE", "string", false),
    ("industry", "INDUSTRY", "crm_status", false),
    ("revenue", "REVENUE", "double", false),
    ("currencyId", "CURRENCY_ID", "crm_currency", false),
    ("employees", "EMPLOYEES", "crm_status", false),
    ("originVersion", "ORIGIN_VERSION", "string", false),
    ("isMyCompany", "IS_MY_COMPANY", "boolean", false),
    ("leadId", "LEAD_ID", "crm_lead", false),
    ("hasPhone", "HAS_PHONE", "boolean", true),
    ("hasEmail", "HAS_EMAIL", "boolean", true),
    ("hasImol", "HAS_IMOL", "boolean", true),
    ("webformId", "WEBFORM_ID", "integer", false),
];

impl Schema {
    /// The fields a fresh portal has.
    pub fn new(entity: Entity) -> Self {
        let own = match entity {
            Entity::Deal => DEAL,
            Entity::Contact => CONTACT,
            Entity::Company => COMPANY,
        };
        let mut schema = Self { fields: Vec::new(), names: HashMap::new() };
        for (camel, upper, type_name, read_only) in own.iter().chain(COMMON) {
            if entity == Entity::Company && *camel == "companyId" {
                continue;
            }
            if entity == Entity::Contact && *camel == "contactIds" {
                continue;
            }
            schema.push(Field {
                upper: (*upper).to_owned(),
                camel: (*camel).to_owned(),
                kind: kind_of(type_name),
                multiple: type_name.ends_with("[]"),
                read_only: *read_only,
                user: None,
                type_name: type_name.trim_end_matches("[]").to_owned(),
                indexed: *upper == "ORIGIN_ID",
                required: false,
                deleted: false,
            });
        }
        schema
    }

    fn push(&mut self, field: Field) -> u16 {
        let key = u16::try_from(self.fields.len()).unwrap_or(u16::MAX);
        self.names.insert(field.upper.clone(), key);
        self.names.insert(field.camel.clone(), key);
        self.fields.push(field);
        key
    }

    /// Adds a user field; `upper` is its full name.
    pub fn add_user_field(&mut self, upper: &str, multiple: bool, user: UserField) -> u16 {
        let kind = match user.user_type.as_str() {
            "integer" | "employee" | "crm" => Kind::Int,
            "double" => Kind::Num,
            "boolean" => Kind::Bit,
            "date" => Kind::Date,
            "datetime" => Kind::Time,
            "enumeration" => Kind::Choice,
            _ => Kind::Text,
        };
        self.push(Field {
            upper: upper.to_owned(),
            camel: camel_user_field(upper),
            kind,
            multiple,
            read_only: false,
            type_name: user.user_type.clone(),
            required: user.mandatory,
            user: Some(user),
            // Look-ups by these are frequent in big portals; others are found by a scan.
            indexed: upper.ends_with("_RESERVATION") || upper.ends_with("_PROFILE"),
            deleted: false,
        })
    }

    /// Takes a field out of use.
    pub fn remove(&mut self, key: u16) {
        if let Some(field) = self.fields.get_mut(usize::from(key)) {
            field.deleted = true;
            self.names.remove(&field.upper);
            self.names.remove(&field.camel);
        }
    }

    /// A field's key by either spelling.
    pub fn key(&self, name: &str) -> Option<u16> {
        self.names.get(name).copied()
    }

    /// A field by key.
    pub fn field(&self, key: u16) -> Option<&Field> {
        self.fields.get(usize::from(key)).filter(|field| !field.deleted)
    }

    /// A field by key, to change it.
    pub fn field_mut(&mut self, key: u16) -> Option<&mut Field> {
        self.fields.get_mut(usize::from(key))
    }

    /// Live fields with their keys.
    pub fn live(&self) -> impl Iterator<Item = (u16, &Field)> {
        self.fields
            .iter()
            .enumerate()
            .filter(|(_, field)| !field.deleted)
            .map(|(index, field)| (u16::try_from(index).unwrap_or(u16::MAX), field))
    }

    /// `crm.item.fields`.
    pub fn describe(&self, original_names: bool) -> Value {
        let mut fields = serde_json::Map::new();
        fields.insert(
            "id".into(),
            json!({"type": "integer", "isRequired": false, "isReadOnly": true, "isImmutable": false,
                   "isMultiple": false, "isDynamic": false, "title": "ID", "upperName": "ID"}),
        );
        for (_, field) in self.live() {
            let name = if field.user.is_some() && original_names { &field.upper } else { &field.camel };
            let title = field
                .user
                .as_ref()
                .and_then(|user| user.given.get("EDIT_FORM_LABEL").or_else(|| user.given.get("LABEL")))
                .and_then(|label| label.as_str().or_else(|| label.get("ru").and_then(Value::as_str)))
                .unwrap_or(&field.upper);
            let mut described = json!({
                "type": field.type_name, "isRequired": field.required, "isReadOnly": field.read_only,
                "isImmutable": false, "isMultiple": field.multiple, "isDynamic": field.user.is_some(),
                "title": title, "upperName": field.upper,
            });
            if let (Some(user), Value::Object(map)) = (&field.user, &mut described) {
                map.insert("settings".into(), user.given.get("SETTINGS").cloned().unwrap_or(json!([])));
                if !user.choices.is_empty() {
                    let items: Vec<Value> = user
                        .choices
                        .iter()
                        .map(|choice| json!({"ID": choice.id.to_string(), "VALUE": choice.value}))
                        .collect();
                    map.insert("items".into(), Value::Array(items));
                }
            }
            fields.insert(name.clone(), described);
        }
        fields.insert(
            "fm".into(),
            json!({"type": "crm_multifield", "isRequired": false, "isReadOnly": false, "isImmutable": false,
                   "isMultiple": true, "isDynamic": false, "title": "FM", "upperName": "FM"}),
        );
        json!({ "fields": fields })
    }
}

fn kind_of(type_name: &str) -> Kind {
    match type_name {
        "integer" | "user" | "user[]" | "crm_company" | "crm_company[]" | "crm_contact" | "crm_contact[]"
        | "crm_quote" | "crm_lead" | "crm_category" => Kind::Int,
        "double" => Kind::Num,
        "boolean" => Kind::Flag,
        "date" => Kind::Date,
        "datetime" => Kind::Time,
        _ => Kind::Text,
    }
}

/// `UF_CRM_10_DIGIT` → `ufCrm10Digit`; a name that mixes digits and letters in one part keeps its tail: `ufCrm_10_DIGIT10`.
pub fn camel_user_field(upper: &str) -> String {
    let Some(tail) = upper.strip_prefix("UF_CRM_") else { return upper.to_owned() };
    let mixed = tail
        .split('_')
        .any(|part| part.chars().any(|c| c.is_ascii_digit()) && part.chars().any(|c| c.is_ascii_alphabetic()));
    if mixed {
        return format!("ufCrm_{tail}");
    }
    let mut camel = String::from("ufCrm");
    for part in tail.split('_') {
        let lower = part.to_ascii_lowercase();
        let mut letters = lower.chars();
        if let Some(first) = letters.next() {
            camel.push(first.to_ascii_uppercase());
            camel.push_str(letters.as_str());
        }
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::camel_user_field;

    #[test]
    fn user_field_names_convert_as_documented() {
        assert_eq!(camel_user_field("UF_CRM_10_DIGIT"), "ufCrm10Digit");
        assert_eq!(camel_user_field("UF_CRM_10_DIGIT10"), "ufCrm_10_DIGIT10");
        assert_eq!(camel_user_field("UF_CRM_FB24_HOTEL"), "ufCrm_FB24_HOTEL");
        assert_eq!(camel_user_field("UF_CRM_VIP_CODE"), "ufCrmVipCode");
    }
}
