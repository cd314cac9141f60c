//! Mappings: saved as versions, checked against the portal's fields, switched on and back.

use fidelio_bitrix24::domain::crm_schema::{CrmField, CrmPipeline, CrmSchema};
use fidelio_bitrix24::domain::mapping::shape::Shape;
use fidelio_bitrix24::domain::{CrmEntity, Mapping, PortalId};
use fidelio_bitrix24::http::auth::Role;
use fidelio_bitrix24::portal::Pipeline;
use fidelio_bitrix24::store::crm_schemas;
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::api::{Api, Caller};

/// The fields of the standard mapping, as a portal has them after set-up.
async fn set_up(api: &Api, portal: PortalId) {
    let mut schema = CrmSchema::default();
    for entity in CrmEntity::ALL {
        for rule in Mapping::standard().rules(entity) {
            let kind = match rule.gives().expect("fits").shape {
                Shape::Integer => "integer",
                Shape::Date => "date",
                Shape::Money => "money",
                _ => "string",
            };
            let field = CrmField { kind: kind.into(), ..CrmField::default() };
            schema.fields.entry(entity).or_default().insert(rule.field.clone(), field);
        }
    }
    schema.pipelines = vec![CrmPipeline { id: 3, name: "Stays".into(), stages: vec![] }];
    crm_schemas::save(&api.db, portal, &schema, 1_000).await.unwrap();
    let pipeline = Pipeline { category_id: 3, own: true };
    api.directory.update_settings(portal, |settings| settings.pipeline = Some(pipeline.clone())).await.unwrap();
}

async fn hotel(admin: &Caller<'_>) {
    let hotel = json!({"code": "GRAND", "name": "Grand", "timezone": "Europe/Moscow", "currency": "RUB",
        "sources": [{"kind": "demo", "via": "direct"}]});
    let made = admin.post("/api/v1/hotels", &hotel).await;
    assert_eq!(made.status, 201, "{made:?}");
}

const PATH: &str = "/api/v1/mapping?hotel=GRAND";

on_both_engines! {
    s1_a_saved_mapping_is_a_version_until_it_is_switched_on_and_back(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        let admin = api.admin(portal).await;
        hotel(&admin).await;
        let mut shown = admin.get(PATH).await.body;
        assert_eq!((&shown["version"], &shown["latest"], &shown["active"]), (&json!(0), &json!(0), &json!(true)));
        let early = admin.put(PATH, &shown).await;
        assert_eq!((early.status, early.body["code"].as_str()), (409, Some("schema_unread")));
        set_up(&api, portal).await;
        shown["mapping"]["deal_title"] = json!("{number}");
        let saved = admin.put(PATH, &shown).await;
        assert_eq!((saved.status, &saved.body["version"], &saved.body["active"]), (200, &json!(1), &json!(false)), "{saved:?}");
        assert_eq!(admin.get(PATH).await.body["version"], 0, "saving changes nothing");
        // Whoever edited the version before has lost the race, and nothing of the other's.
        let late = admin.put(PATH, &shown).await;
        assert_eq!((late.status, late.body["code"].as_str()), (409, Some("mapping_changed")));

        let on = admin.post("/api/v1/mapping/versions/1/activate", &json!({"hotel": "GRAND"})).await;
        assert_eq!((on.status, &on.body["active"]), (200, &json!(true)), "{on:?}");
        let now = admin.get(PATH).await.body;
        assert_eq!((&now["version"], &now["mapping"]["deal_title"]), (&json!(1), &json!("{number}")));
        assert_eq!(admin.post("/api/v1/mapping/versions/0/activate", &json!({"hotel": "GRAND"})).await.status, 200);
        assert_eq!(admin.get(PATH).await.body["version"], 0, "back in one call");
        let lines = admin.get("/api/v1/mapping/versions?hotel=GRAND").await.body["items"].clone();
        assert_eq!((&lines[0]["version"], &lines[0]["active"], &lines[1]["version"], &lines[1]["active"]),
            (&json!(1), &json!(false), &json!(0), &json!(true)));
        assert_eq!(admin.get(&format!("{PATH}&version=1")).await.body["mapping"]["deal_title"], "{number}");
        assert_eq!(admin.get(&format!("{PATH}&version=7")).await.status, 404);
        assert_eq!(admin.post("/api/v1/mapping/versions/7/activate", &json!({"hotel": "GRAND"})).await.status, 404);
    }

    s1_what_does_not_fit_the_portal_is_pointed_at_in_both_languages(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        set_up(&api, portal).await;
        let admin = api.admin(portal).await;
        hotel(&admin).await;
        let mut body = admin.get(PATH).await.body;
        body["mapping"]["fields"][6]["field"] = json!("UF_CRM_GONE");
        body["mapping"]["fields"][3]["from"] = json!("room");
        let refused = admin.put(PATH, &body).await;
        assert_eq!(refused.errors(), [("/mapping/fields/3/from", "shape_date"), ("/mapping/fields/6/field", "field_unknown")]);
        assert_eq!((refused.status, refused.problem()), (422, "validation"));
        assert!(refused.body["errors"][1]["detail"].as_str().unwrap().starts_with("На портале нет такого поля"));
        assert_eq!(admin.get(PATH).await.body["latest"], 0);
        // A field that goes after the save keeps its version from being switched on.
        let body = admin.get(PATH).await.body;
        assert_eq!(admin.put(PATH, &body).await.status, 200);
        let (mut schema, _) = crm_schemas::load(&api.db, portal).await.unwrap().unwrap();
        schema.fields.get_mut(&CrmEntity::Deal).unwrap().remove("UF_CRM_FB24_RATE");
        crm_schemas::save(&api.db, portal, &schema, 2_000).await.unwrap();
        let refused = admin.post("/api/v1/mapping/versions/1/activate", &json!({"hotel": "GRAND"})).await;
        assert_eq!(refused.errors(), [("/mapping/fields/8/field", "field_unknown")]);
    }

    s1_hostile_mappings_are_refused_and_only_those_who_may_change_them(db) {
        let api = Api::start(db).await;
        let portal = api.portal("m1").await;
        set_up(&api, portal).await;
        let admin = api.admin(portal).await;
        hotel(&admin).await;
        let body = admin.get(PATH).await.body;
        let with = |change: &dyn Fn(&mut Value)| {
            let mut body = body.clone();
            change(&mut body["mapping"]);
            body
        };
        let long = admin.put(PATH, &with(&|mapping| mapping["deal_title"] = json!("x".repeat(1 << 20)))).await;
        assert_eq!((long.status, long.problem()), (413, "too-large"));
        let deep = admin.put(PATH, &with(&|mapping| {
            mapping["filters"] = (0..40).fold(json!(1), |inner, _| json!([inner]));
        })).await;
        assert_eq!((deep.status, deep.body["code"].as_str()), (400, Some("depth")));
        let many = admin.put(PATH, &with(&|mapping| mapping["fields"] = json!(vec![1; 2_000]))).await;
        assert_eq!(many.errors(), [("/mapping/fields", "too_many")]);
        let strange = admin.put(PATH, &with(&|mapping| mapping["__proto__"] = json!({}))).await;
        assert_eq!(strange.errors(), [("/mapping/__proto__", "unknown")]);
        assert_eq!(admin.put("/api/v1/mapping", &body).await.errors(), [("?hotel", "required")]);
        for role in [Role::Viewer, Role::FrontDesk] {
            let other = api.with_role(portal, role).await;
            assert_eq!((other.get(PATH).await.status, other.put(PATH, &body).await.status), (200, 403));
        }
        let stranger = api.portal("m2").await;
        assert_eq!(api.admin(stranger).await.put(PATH, &body).await.status, 404);
    }
}
