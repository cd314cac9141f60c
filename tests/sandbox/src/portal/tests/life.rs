use super::*;

#[tokio::test]
async fn events_wait_for_the_end_of_the_installation() {
    let portal = Portal::start(PortalOptions::default());
    portal.begin_install();
    let client = Client::new(&portal, 1);
    client.call("event.bind", json!({"event": "ONCRMDEALADD", "handler": "http://127.0.0.1:9/none"})).await;
    client.call("event.bind", json!({"event": "ONAPPINSTALL", "handler": "http://127.0.0.1:9/none"})).await;
    let add = || portal.add_as(2, Entity::Deal, &json!({"title": "x"}));
    add().unwrap();
    assert!(portal.install_finish(2).is_err(), "only an admin finishes");
    portal.install_finish(1).unwrap();
    add().unwrap();
    assert!(portal.events_settled().await);
    let sent = portal.sent_events();
    assert_eq!(sent.len(), 2);
    let pairs = &sent.iter().find(|sent| sent.event == "ONCRMDEALADD").unwrap().pairs;
    let get = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    assert_eq!(get("data[FIELDS][ID]").as_deref(), Some("2"));
    assert_eq!(get("auth[member_id]"), Some(portal.member_id()));
    assert_eq!(get("auth[application_token]"), Some(portal.application_token()));
    assert!(get("auth[access_token]").is_some() && get("auth[refresh_token]").is_none());
    let install = &sent.iter().find(|sent| sent.event == "ONAPPINSTALL").unwrap().pairs;
    assert!(install.iter().any(|(key, _)| key == "auth[refresh_token]"));
}

#[tokio::test]
async fn uninstall_revokes_first_and_tells_then() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    client.call("event.bind", json!({"event": "ONAPPUNINSTALL", "handler": "http://127.0.0.1:9/none"})).await;
    client.call("app.option.set", json!({"options": {"instance": "a"}})).await;
    portal.uninstall(false);
    assert!(portal.events_settled().await);
    let sent = portal.sent_events();
    assert!(sent[0].pairs.iter().all(|(key, _)| key != "auth[access_token]"));
    assert!(sent[0].pairs.contains(&("data[CLEAN]".into(), "0".into())));
    assert_eq!(portal.app_options().len(), 1, "options stay without CLEAN");
    let token = portal.application_token();
    portal.begin_install();
    assert_ne!(portal.application_token(), token);
}

#[tokio::test]
async fn frames_carry_the_fields_of_their_edition() {
    let portal = started(PortalOptions::default());
    let form = portal.frame_form(2, "CRM_DEAL_DETAIL_TAB", &json!({"ID": "7"}));
    assert_eq!(form.field("DOMAIN"), Some(portal.domain().as_str()));
    assert_eq!(form.field("PLACEMENT_OPTIONS"), Some("{\"ID\":\"7\"}"));
    assert!(form.field("APPLICATION_TOKEN").is_some());
    portal.configure(|options| options.edition = Edition::Box);
    let form = portal.frame_form(2, "DEFAULT", &json!([]));
    assert!(form.field("APPLICATION_TOKEN").is_none() && form.field("SERVER_ENDPOINT").is_none());
    let client = Client::new(&portal, 1);
    assert_eq!(client.call("app.info", json!({})).await["LICENSE"], "ru_selfhosted");
    assert_eq!(client.call("feature.get", json!({"CODE": "rest_offline_extended"})).await["value"], "ru_selfhosted");
    portal.configure(|options| options.edition = Edition::Free);
    assert_eq!(client.refused("profile", json!({})).await, (403, "ACCESS_DENIED".into()));
}

#[tokio::test]
async fn offline_rows_collapse_and_hide_the_apps_own_changes() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    client.call("event.bind", json!({"event": "ONCRMDEALUPDATE", "event_type": "offline"})).await;
    let id = portal.add_as(1, Entity::Deal, &json!({"title": "x"})).unwrap();
    for title in ["a", "b", "c"] {
        portal.edit_as(2, Entity::Deal, id, &json!({ "title": title })).unwrap();
    }
    client.call("crm.item.update", json!({"entityTypeId": 2, "id": id, "fields": {"title": "own"}})).await;
    let rows = client.call("event.offline.get", json!({"clear": 0})).await;
    assert_eq!(rows["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(rows["events"][0]["EVENT_DATA"]["FIELDS"]["ID"], json!(id.to_string()));
    let again = client.call("event.offline.get", json!({"clear": 0})).await;
    assert_eq!(again["events"], json!([]), "reserved rows are not given twice");
    // They are seen by looking, without `!`; a later change is a row of its own until both are cleared by their ids.
    portal.edit_as(2, Entity::Deal, id, &json!({"title": "d"})).unwrap();
    let reserved = json!({"filter": {">=PROCESS_ID": "0"}});
    let seen = client.call("event.offline.list", reserved.clone()).await;
    assert_eq!((seen.as_array().map(Vec::len), &seen[0]["PROCESS_ID"]), (Some(1), &rows["process_id"]));
    let negated = client.refused("event.offline.list", json!({"filter": {"!PROCESS_ID": ""}})).await;
    assert_eq!(negated, (400, "ERROR_ARGUMENT".into()));
    let clear = json!({"process_id": rows["process_id"], "id": [seen[0]["ID"]]});
    client.call("event.offline.clear", clear).await;
    assert_eq!(client.call("event.offline.list", reserved).await, json!([]));
    assert_eq!(portal.queued(), 1, "the later one");
    portal.configure(|options| options.offline_extended = false);
    assert_eq!(client.refused("event.offline.get", json!({"clear": 0})).await, (403, "WRONG_LICENSE".into()));
    assert_eq!(client.call("feature.get", json!({"CODE": "rest_offline_extended"})).await["value"], "N");
}

#[tokio::test]
async fn placements_bind_once_and_unbind_twice() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    let bind = json!({"PLACEMENT": "CRM_DEAL_DETAIL_TAB", "HANDLER": "http://127.0.0.1:9/tab", "TITLE": "Stay"});
    client.call("placement.bind", bind.clone()).await;
    assert_eq!(client.refused("placement.bind", bind).await, (400, "ERROR_CORE".into()));
    let list = client.call("placement.get", json!({})).await;
    assert_eq!((&list[0]["options"], &list[0]["langAll"]), (&json!([]), &json!([])));
    let count = client.call("placement.unbind", json!({"PLACEMENT": "CRM_DEAL_DETAIL_TAB"})).await;
    assert_eq!(count, json!({"count": 2}));
}
