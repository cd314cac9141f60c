use super::*;

async fn field(client: &Client, entity: &str, name: &str, kind: &str, multiple: &str) {
    let fields = json!({"FIELD_NAME": name, "USER_TYPE_ID": kind, "MULTIPLE": multiple});
    client.call(&format!("crm.{entity}.userfield.add"), json!({ "fields": fields })).await;
}

#[tokio::test]
async fn user_fields_keep_their_names_only_when_asked() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    field(&client, "deal", "FB24_HOTEL", "string", "N").await;
    field(&client, "deal", "FB24_ARRIVAL", "date", "N").await;
    let given = json!({"entityTypeId": 2, "useOriginalUfNames": "Y", "fields": {
        "title": "Stay", "UF_CRM_FB24_HOTEL": "GRAND", "UF_CRM_FB24_ARRIVAL": "2026-11-21", "begindate": "2026-11-20T23:30:00Z",
        "nonsense": 1, "stageSemanticId": "S",
    }});
    let item = client.call("crm.item.add", given).await["item"].clone();
    assert_eq!(item["UF_CRM_FB24_HOTEL"], "GRAND");
    assert_eq!(item["UF_CRM_FB24_ARRIVAL"], "2026-11-21T03:00:00+03:00");
    assert_eq!(item["begindate"], "2026-11-21T03:00:00+03:00", "a moment is a date of the server's zone");
    assert_eq!(item["stageSemanticId"], "P", "read-only");
    let plain = client.call("crm.item.get", json!({"entityTypeId": 2, "id": item["id"]})).await["item"].clone();
    assert_eq!(plain["ufCrm_FB24_HOTEL"], "GRAND");
    assert!(plain.get("UF_CRM_FB24_HOTEL").is_none());
    assert_eq!(
        client
            .refused(
                "crm.item.add",
                json!({"entityTypeId": 2, "useOriginalUfNames": "Y", "fields": {"UF_CRM_FB24_ARRIVAL": "soon"}})
            )
            .await,
        (400, "CRM_FIELD_ERROR_VALUE_NOT_VALID".into())
    );
    portal.require_field(Entity::Deal, "UF_CRM_FB24_HOTEL", true);
    assert_eq!(
        client.refused("crm.item.add", json!({"entityTypeId": 2, "fields": {"title": "x"}})).await,
        (400, "CRM_FIELD_ERROR_REQUIRED".into())
    );
}

#[tokio::test]
async fn an_unchanged_update_saves_and_tells_nothing() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    client.call("event.bind", json!({"event": "OnCrmDealUpdate", "handler": "http://127.0.0.1:9/none"})).await;
    let id =
        client.call("crm.item.add", json!({"entityTypeId": 2, "fields": {"title": "a"}})).await["item"]["id"].clone();
    let update = |title: &'static str| {
        client.call("crm.item.update", json!({"entityTypeId": 2, "id": id, "fields": {"title": title}}))
    };
    update("a").await;
    update("b").await;
    assert!(portal.events_settled().await);
    assert_eq!(portal.sent_events().len(), 1);
}

#[tokio::test]
async fn stages_belong_to_their_pipeline_and_a_move_is_its_own_event() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    for event in ["ONCRMDEALUPDATE", "ONCRMDEALMOVETOCATEGORY"] {
        client.call("event.bind", json!({"event": event, "handler": "http://127.0.0.1:9/none"})).await;
    }
    let category = client.call("crm.category.add", json!({"entityTypeId": 2, "fields": {"name": "Stays", "originatorId": "fidelio-bitrix24", "originId": "stays"}})).await;
    let id = category["category"]["id"].as_i64().unwrap();
    let entity = format!("DEAL_STAGE_{id}");
    let add = |code: &str, sort: i64, semantics: &str| json!({"fields": {"ENTITY_ID": entity, "STATUS_ID": code, "NAME": code, "SORT": sort, "SEMANTICS": semantics}});
    client.call("crm.status.add", add("FB24_OFFER", 5, "")).await;
    assert_eq!(client.refused("crm.status.add", add("FB24_OFFER", 5, "")).await.1, "Duplicate STATUS_ID.");
    assert_eq!(client.refused("crm.status.add", add("FB24_LATE", 500, "")).await.0, 400);
    let stages =
        client.call("crm.status.list", json!({"filter": {"ENTITY_ID": entity}, "order": {"SORT": "ASC"}})).await;
    assert_eq!(stages[0]["STATUS_ID"], json!(format!("C{id}:FB24_OFFER")));
    assert_eq!(stages[0]["EXTRA"]["SEMANTICS"], "process");
    let new = stages.as_array().unwrap().iter().find(|s| s["STATUS_ID"] == json!(format!("C{id}:NEW"))).unwrap();
    assert_eq!(
        client.refused("crm.status.delete", json!({"id": new["ID"]})).await.0,
        400,
        "a system stage needs FORCED"
    );
    client.call("crm.status.delete", json!({"id": new["ID"], "params": {"FORCED": "Y"}})).await;

    let deal =
        client.call("crm.item.add", json!({"entityTypeId": 2, "fields": {"title": "x"}})).await["item"]["id"].clone();
    let update = |fields: Value| json!({"entityTypeId": 2, "id": deal, "fields": fields});
    assert_eq!(
        client.refused("crm.item.update", update(json!({"stageId": format!("C{id}:WON")}))).await.1,
        "CRM_FIELD_ERROR_VALUE_NOT_VALID"
    );
    let moved = client.call("crm.item.update", update(json!({"categoryId": id}))).await;
    assert_eq!(moved["item"]["stageId"], json!(format!("C{id}:FB24_OFFER")));
    let won = client.call("crm.item.update", update(json!({"stageId": format!("C{id}:WON")}))).await;
    assert_eq!((&won["item"]["stageSemanticId"], &won["item"]["closed"]), (&json!("S"), &json!("Y")));
    assert!(portal.events_settled().await);
    let mut names: Vec<String> = portal.sent_events().into_iter().map(|sent| sent.event).collect();
    names.sort();
    assert_eq!(names, ["ONCRMDEALMOVETOCATEGORY", "ONCRMDEALUPDATE"]);
}

#[tokio::test]
async fn lists_filter_page_and_scan() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    for n in 0..120 {
        let fields = json!({"title": format!("Deal {n}"), "originatorId": "sys", "originId": format!("H:{n}"), "opportunity": n});
        portal.add_as(1, Entity::Deal, &fields).unwrap();
    }
    let list = |params: Value| {
        let mut params = params;
        params["entityTypeId"] = json!(2);
        let client = &client;
        async move { client.raw("crm.item.list", params).await.unwrap().1 }
    };
    let page = list(json!({"select": ["id"], "order": {"id": "DESC"}, "start": 50})).await;
    assert_eq!((&page["total"], &page["next"]), (&json!(120), &json!(100)));
    assert_eq!(page["result"]["items"][0], json!({"id": 70}));
    let fast = list(json!({"filter": {">id": 100}, "order": {"id": "ASC"}, "start": -1})).await;
    assert_eq!(fast["result"]["items"].as_array().map(Vec::len), Some(20));
    assert!(fast.get("next").is_none());
    let mark = list(
        json!({"filter": {"=originatorId": "sys", "@originId": ["H:7", "H:9", "none"]}, "select": ["id", "originId"]}),
    )
    .await;
    assert_eq!(mark["result"]["items"], json!([{"id": 8, "originId": "H:7"}, {"id": 10, "originId": "H:9"}]));
    let or = list(json!({"filter": {"0": {"logic": "OR", "0": {"originId": "H:1"}, "1": {">=opportunity": 119}}}, "select": ["id"]})).await;
    assert_eq!(or["result"]["items"], json!([{"id": 2}, {"id": 120}]));
    let like = list(json!({"filter": {"%title": "deal 11"}, "select": ["id"]})).await;
    assert_eq!(like["total"], 11);
    assert_eq!(
        client.refused("crm.item.list", json!({"entityTypeId": 2, "filter": {"nope": 1}})).await,
        (400, "INVALID_ARG_VALUE".into())
    );
}

#[tokio::test]
async fn import_takes_twenty_and_guards_dates_rights_and_robots() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    portal.add_robot(Robot {
        entity: Entity::Contact,
        on_add: true,
        on_update: true,
        stage: None,
        set: serde_json::Map::new(),
    });
    let import = |data: Value| client.raw("crm.item.batchImport", json!({"entityTypeId": 3, "data": data}));
    let people: Vec<Value> = (0..21)
        .map(|n| json!({"name": format!("G{n}"), "PHONE": [{"VALUE": "+7 900 1", "VALUE_TYPE": "WORK"}]}))
        .collect();
    assert_eq!(import(json!(people)).await.unwrap().1["error"], "MAX_IMPORT_BATCH_SIZE_EXCEEDED");
    let mut twenty = people[..20].to_vec();
    twenty[3] = json!({"name": "Bad", "birthdate": "soon"});
    let items = import(json!(twenty)).await.unwrap().1["result"]["items"].clone();
    assert_eq!(items[3]["error"], "CRM_FIELD_ERROR_VALUE_NOT_VALID");
    assert!(items[4]["item"]["id"].is_number());
    assert_eq!(portal.count(Entity::Contact), 19);
    assert_eq!(portal.record(Entity::Contact, 1).unwrap().multi("PHONE"), ["+7 900 1"]);
    assert_eq!(portal.robot_runs(), 0);
    let old = import(json!([{"name": "Old", "createdTime": "2001-01-01T00:00:00+03:00"}])).await.unwrap().1;
    assert_eq!(old["result"]["items"][0]["error"], "CRM_FIELD_ERROR_VALUE_NOT_VALID", "older than what exists");
    portal.configure(|options| options.import_right = false);
    assert_eq!(import(json!([{"name": "x"}])).await.unwrap().1["error"], "ACCESS_DENIED");
    client.call("crm.item.add", json!({"entityTypeId": 3, "fields": {"name": "y"}})).await;
    assert_eq!(portal.robot_runs(), 1);
}

#[tokio::test]
async fn people_see_what_their_rights_allow() {
    let portal = started(PortalOptions::default());
    let own = portal.add_as(1, Entity::Deal, &json!({"title": "mine", "assignedById": 2})).unwrap();
    let other = portal.add_as(1, Entity::Deal, &json!({"title": "not mine"})).unwrap();
    let (manager, guest) = (Client::new(&portal, 2), Client::new(&portal, 3));
    let get = |id: i64| json!({"entityTypeId": 2, "id": id});
    manager.call("crm.item.get", get(own)).await;
    assert_eq!(manager.refused("crm.item.get", get(other)).await, (400, "ACCESS_DENIED".into()));
    assert_eq!(guest.refused("crm.item.get", get(own)).await, (403, "allowed_only_intranet_user".into()));
    let list = manager.call("crm.item.list", json!({"entityTypeId": 2, "select": ["id"]})).await;
    assert_eq!(list["items"], json!([{"id": own}]));
    assert_eq!(
        manager.refused("crm.category.add", json!({"entityTypeId": 2, "fields": {"name": "x"}})).await.1,
        "ACCESS_DENIED"
    );
}

#[tokio::test]
async fn duplicates_are_found_by_normalised_values() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    let fm = json!([{"typeId": "PHONE", "valueType": "WORK", "value": "8 (900) 123-45-67"}, {"typeId": "EMAIL", "value": "A@b.ru"}]);
    let id =
        client.call("crm.item.add", json!({"entityTypeId": 3, "fields": {"name": "I", "fm": fm}})).await["item"]["id"]
            .clone();
    let find = |kind: &str, value: &str| json!({"type": kind, "values": [value]});
    assert_eq!(client.call("crm.duplicate.findbycomm", find("PHONE", "+79001234567")).await, json!({"CONTACT": [id]}));
    assert_eq!(client.call("crm.duplicate.findbycomm", find("EMAIL", "a@B.ru")).await, json!({"CONTACT": [id]}));
    assert_eq!(client.call("crm.duplicate.findbycomm", find("EMAIL", "x@b.ru")).await, json!([]));
}
