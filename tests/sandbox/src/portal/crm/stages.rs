//! Pipelines, their stages and the other dictionaries (facts §7.5).

use std::collections::BTreeMap;

/// A deal pipeline.
#[derive(Clone, Debug)]
pub struct Category {
    /// 0 is the portal's default pipeline.
    pub id: i64,
    /// Shown name.
    pub name: String,
    /// Order.
    pub sort: i64,
    /// External ids.
    pub origin_id: String,
    /// External system.
    pub originator_id: String,
    /// When made.
    pub created: i64,
}

/// A dictionary entry; for deals a stage.
#[derive(Clone, Debug)]
pub struct Status {
    /// Row id.
    pub id: i64,
    /// `DEAL_STAGE`, `DEAL_STAGE_5`, `SOURCE` …
    pub entity_id: String,
    /// Full id with `C<n>:` where the pipeline is not the default one.
    pub status_id: String,
    /// Shown name.
    pub name: String,
    /// Order.
    pub sort: i64,
    /// Hex colour.
    pub color: String,
    /// `S`, `F` or empty.
    pub semantics: String,
    /// May not be deleted plainly.
    pub system: bool,
    /// Pipeline of a stage.
    pub category_id: Option<i64>,
}

/// All dictionaries.
#[derive(Debug)]
pub struct Stages {
    /// Pipelines by id.
    pub categories: BTreeMap<i64, Category>,
    /// Entries in creation order.
    pub statuses: Vec<Status>,
    next_category: i64,
    next_status: i64,
}

const DEFAULT: [(&str, &str, &str, bool, &str); 8] = [
    ("NEW", "Новая", "", true, "#39A8EF"),
    ("PREPARATION", "Подготовка документов", "", false, "#2FC6F6"),
    ("PREPAYMENT_INVOICE", "Cчёт на предоплату", "", false, "#55D0E0"),
    ("EXECUTING", "В работе", "", false, "#47E4C2"),
    ("FINAL_INVOICE", "Финальный счёт", "", false, "#FFA900"),
    ("WON", "Сделка успешна", "S", true, "#7BD500"),
    ("LOSE", "Сделка провалена", "F", true, "#FF5752"),
    ("APOLOGY", "Анализ причины провала", "F", false, "#FF5752"),
];

const WORDS: [(&str, &str, &str); 13] = [
    ("DEAL_TYPE", "SALE", "Продажа"),
    ("DEAL_TYPE", "SERVICE", "Услуга"),
    ("SOURCE", "CALL", "Звонок"),
    ("SOURCE", "WEB", "Веб-сайт"),
    ("SOURCE", "OTHER", "Другое"),
    ("CONTACT_TYPE", "CLIENT", "Клиенты"),
    ("CONTACT_TYPE", "OTHER", "Другое"),
    ("COMPANY_TYPE", "CUSTOMER", "Клиент"),
    ("COMPANY_TYPE", "PARTNER", "Партнёр"),
    ("HONORIFIC", "HNR_RU_1", "г-н"),
    ("HONORIFIC", "HNR_RU_2", "г-жа"),
    ("INDUSTRY", "SERVICES", "Услуги"),
    ("EMPLOYEES", "EMPLOYEES_1", "менее 50"),
];

impl Default for Stages {
    fn default() -> Self {
        let mut stages = Self { categories: BTreeMap::new(), statuses: Vec::new(), next_category: 1, next_status: 101 };
        stages.open(Category {
            id: 0,
            name: "Общая".into(),
            sort: 300,
            origin_id: String::new(),
            originator_id: String::new(),
            created: 0,
        });
        for (index, (entity, id, name)) in WORDS.iter().enumerate() {
            let sort = 10 * i64::try_from(index + 1).unwrap_or(1);
            stages.add(entity, id, name, sort, "", "", false);
        }
        stages
    }
}

impl Stages {
    fn open(&mut self, category: Category) {
        let id = category.id;
        self.categories.insert(id, category);
        let (entity, prefix) = (stage_entity(id), prefix(id));
        for (index, (stage, name, semantics, system, color)) in DEFAULT.iter().enumerate() {
            let sort = 10 * i64::try_from(index + 1).unwrap_or(1);
            self.add(&entity, &format!("{prefix}{stage}"), name, sort, color, semantics, *system);
        }
    }

    /// A new pipeline with the eight stages every new pipeline gets.
    pub fn add_category(&mut self, name: &str, sort: i64, origin: (&str, &str), now: i64) -> i64 {
        let id = self.next_category;
        self.next_category += 1;
        self.open(Category {
            id,
            name: name.to_owned(),
            sort,
            origin_id: origin.1.to_owned(),
            originator_id: origin.0.to_owned(),
            created: now,
        });
        id
    }

    /// Takes a pipeline and its stages away.
    pub fn remove_category(&mut self, id: i64) {
        self.categories.remove(&id);
        let entity = stage_entity(id);
        self.statuses.retain(|status| status.entity_id != entity);
    }

    /// A new dictionary entry; the id is complete already.
    #[expect(clippy::too_many_arguments, reason = "one line of a table")]
    pub fn add(
        &mut self,
        entity: &str,
        id: &str,
        name: &str,
        sort: i64,
        color: &str,
        semantics: &str,
        system: bool,
    ) -> i64 {
        let row = self.next_status;
        self.next_status += 2;
        self.statuses.push(Status {
            id: row,
            entity_id: entity.to_owned(),
            status_id: id.to_owned(),
            name: name.to_owned(),
            sort,
            color: color.to_owned(),
            semantics: semantics.to_owned(),
            system,
            category_id: category_of(entity),
        });
        row
    }

    /// Entries of one dictionary by sort.
    pub fn of(&self, entity: &str) -> Vec<&Status> {
        let mut found: Vec<&Status> = self.statuses.iter().filter(|status| status.entity_id == entity).collect();
        found.sort_by_key(|status| (status.sort, status.id));
        found
    }

    /// Stages of a pipeline by sort.
    pub fn stages(&self, category: i64) -> Vec<&Status> {
        self.of(&stage_entity(category))
    }

    /// A stage of a pipeline by its full id.
    pub fn stage(&self, category: i64, id: &str) -> Option<&Status> {
        let entity = stage_entity(category);
        self.statuses.iter().find(|status| status.entity_id == entity && status.status_id == id)
    }
}

/// `DEAL_STAGE` or `DEAL_STAGE_<id>`.
pub fn stage_entity(category: i64) -> String {
    if category == 0 { "DEAL_STAGE".into() } else { format!("DEAL_STAGE_{category}") }
}

/// Empty or `C<id>:`.
pub fn prefix(category: i64) -> String {
    if category == 0 { String::new() } else { format!("C{category}:") }
}

/// The pipeline a dictionary belongs to.
pub fn category_of(entity: &str) -> Option<i64> {
    if entity == "DEAL_STAGE" {
        return Some(0);
    }
    entity.strip_prefix("DEAL_STAGE_")?.parse().ok()
}
