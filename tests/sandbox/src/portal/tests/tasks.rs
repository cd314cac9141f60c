use std::time::Duration;

use super::*;
use crate::portal::tasks::{Right, status};

async fn v3(client: &Client, method: &str, key: Option<&str>, mut params: Value) -> (u16, Value) {
    params["auth"] = json!(client.token);
    let mut request = client.http.post(format!("{}api/{method}", client.base)).json(&params);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

fn boxed() -> Portal {
    started(PortalOptions { edition: Edition::Box, ..PortalOptions::default() })
}

async fn made(client: &Client, title: &str) -> i64 {
    let fields = json!({"TITLE": title, "RESPONSIBLE_ID": 2, "XML_ID": format!("x:{title}")});
    let task = client.call("tasks.task.add", json!({ "fields": fields })).await;
    task["task"]["id"].as_str().expect("an id as text").parse().expect("a number")
}

#[tokio::test]
async fn a_task_is_written_in_upper_case_and_read_in_camel_case_as_selected() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    let fields = json!({"TITLE": "T", "RESPONSIBLE_ID": 2, "DEADLINE": "2026-11-23T09:00:00+00:00", "TAGS": ["a", "b"],
        "UF_CRM_TASK": ["CO_5"], "XML_ID": "x", "TASK_CONTROL": "Y"});
    let made = client.call("tasks.task.add", json!({ "fields": fields })).await;
    assert_eq!((&made["task"]["id"], &made["task"]["responsibleId"]), (&json!("1"), &json!(2.to_string())));
    assert_eq!(made["task"]["deadline"], "2026-11-23T12:00:00+03:00", "by the server's clock");
    assert!(made["task"].get("ufCrmTask").is_none() && made["task"].get("chatId").is_none());
    let select = json!(["ID", "UF_MAIL_MESSAGE", "CHAT_ID", "TAGS", "xmlId"]);
    let read = client.call("tasks.task.get", json!({"taskId": 1, "select": select})).await;
    let read = &read["task"];
    assert_eq!(
        (&read["ufCrmTask"], &read["ufMailMessage"]),
        (&json!(["CO_5"]), &json!(false)),
        "one selects all three"
    );
    assert_eq!((&read["chatId"], &read["xmlId"], read.get("title")), (&json!(1001), &json!("x"), None));
    assert_eq!(read["tags"]["1"]["title"], "a");
    for (fields, code) in [(json!({"RESPONSIBLE_ID": 2}), "100"), (json!({"TITLE": "T", "RESPONSIBLE_ID": 77}), "100")]
    {
        assert_eq!(client.refused("tasks.task.add", json!({ "fields": fields })).await, (400, code.into()));
    }
    assert_eq!(client.refused("tasks.task.get", json!({"taskId": 0})).await, (400, "0".into()));
    assert_eq!(client.refused("tasks.task.complete", json!({"taskId": 9})).await, (400, "1048582".into()));
    let stranger = Client::new(&portal, 5);
    assert_eq!(stranger.refused("tasks.task.get", json!({"taskId": 1})).await, (400, "1048582".into()));
}

#[tokio::test]
async fn a_list_knows_patterns_of_titles_and_nothing_of_external_ids() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    for title in ["[FB-1] one", "[FB-2] two", "see FB-1"] {
        made(&client, title).await;
    }
    let found = async |filter: Value, order: Value| {
        let list = client.call("tasks.task.list", json!({"filter": filter, "order": order, "select": ["ID"]})).await;
        let rows = list["tasks"].as_array().expect("rows");
        rows.iter().map(|row| row["id"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(json!({"TITLE": "%fb-1%"}), json!({"ID": "asc"})).await, ["1", "3"]);
    assert_eq!(found(json!({"TITLE": "[FB-_] %"}), json!({})).await, ["2", "1"], "the newest first");
    assert!(found(json!({"TITLE": "FB-1"}), json!({})).await.is_empty(), "a pattern is of the whole title");
    assert_eq!(found(json!({"XML_ID": "x:[FB-1] one"}), json!({})).await.len(), 3, "unknown filters filter nothing");
    assert_eq!(found(json!({"REAL_STATUS": [2], ">ID": 1, "!ID": 3}), json!({})).await, ["2"]);
    assert!(found(json!({">=CHANGED_DATE": "2100-01-01T00:00:00+00:00"}), json!({})).await.is_empty());
}

#[test]
fn a_status_moves_only_along_its_buttons() {
    use Step::{Approve, Complete, Defer, Disapprove, Pause, Renew, Start};
    let all = [Start, Pause, Defer, Complete, Renew, Approve, Disapprove];
    let moves = |from: i64, control: bool, right: Right| {
        all.into_iter().filter_map(|step| Some((step, step.to(from, control, right)?))).collect::<Vec<_>>()
    };
    let worker = Right::Do;
    assert_eq!(moves(status::WAITING, true, worker), [(Start, 3), (Defer, 6), (Complete, 4)]);
    assert_eq!(moves(status::IN_PROGRESS, false, worker), [(Pause, 2), (Defer, 6), (Complete, 5)]);
    assert_eq!(moves(status::IN_PROGRESS, true, Right::Own), [(Pause, 2), (Defer, 6), (Complete, 5)]);
    assert_eq!(moves(status::CONTROL, true, worker), [(Renew, 2)]);
    assert_eq!(moves(status::CONTROL, true, Right::Own), [(Renew, 2), (Approve, 5), (Disapprove, 2)]);
    assert_eq!(moves(status::COMPLETED, true, worker), [(Renew, 2)]);
    assert_eq!(moves(status::DEFERRED, false, worker), [(Start, 3), (Complete, 5), (Renew, 2)]);
    assert!(moves(status::WAITING, false, Right::Read).is_empty());
}

#[tokio::test]
async fn an_assignee_completes_under_control_and_the_creator_approves() {
    let portal = started(PortalOptions::default());
    let (creator, assignee) = (Client::new(&portal, 1), Client::new(&portal, 2));
    let fields = json!({"TITLE": "T", "RESPONSIBLE_ID": 2, "TASK_CONTROL": "Y"});
    creator.call("tasks.task.add", json!({ "fields": fields })).await;
    let id = json!({"taskId": 1});
    let done = assignee.call("tasks.task.complete", id.clone()).await;
    assert_eq!((&done["task"]["status"], &done["task"]["closedBy"]), (&json!("4"), &json!("2")));
    assert_eq!(assignee.refused("tasks.task.approve", id.clone()).await.1, "1048582");
    assert_eq!(creator.call("tasks.task.approve", id.clone()).await["task"]["status"], "5");
    let renewed = creator.call("tasks.task.renew", id.clone()).await;
    assert_eq!((&renewed["task"]["status"], &renewed["task"]["closedDate"]), (&json!("2"), &Value::Null));
    let handed = creator.call("tasks.task.delegate", json!({"taskId": 1, "userId": 5})).await;
    assert_eq!(handed["task"]["responsibleId"], "5");
    let notes = portal.said(1);
    assert_eq!(notes.iter().map(|said| said.author).collect::<Vec<_>>(), [0, 0, 0], "the chat notes it by itself");
}

#[tokio::test]
async fn the_old_card_has_comments_by_position_and_the_new_one_a_chat() {
    for portal in [boxed(), started(PortalOptions::default())] {
        let client = Client::new(&portal, 1);
        let task = made(&client, "T").await;
        let id = client.call("task.commentitem.add", json!({"TASKID": task, "FIELDS": {"POST_MESSAGE": "one"}})).await;
        assert_eq!(id, portal.said(task)[0].id);
        let turned = json!({"FIELDS": {"POST_MESSAGE": "two"}, "TASKID": task});
        assert_eq!(client.refused("task.commentitem.add", turned).await.1, "ERROR_CORE", "the order counts");
        let chat =
            portal.said(task).len() == 1 && v3(&client, "tasks.task.get", None, json!({"id": task})).await.0 == 200;
        let list = json!({"TASKID": task, "ORDER": {"ID": "asc"}, "FILTER": {">ID": 0}});
        let comments = client.call("task.commentitem.getlist", list).await;
        let dialog = client.raw("im.dialog.messages.get", json!({"DIALOG_ID": format!("chat{}", 1000 + task)})).await;
        let (status, dialog) = dialog.expect("an answer");
        if chat {
            assert_eq!((comments, status), (json!([]), 200));
            assert_eq!(dialog["result"]["messages"][0]["text"], "one");
            let sent = json!({"fields": {"taskId": task, "text": "two"}});
            assert_eq!(
                v3(&client, "tasks.task.chat.message.send", None, sent).await.1["result"],
                json!({"result": true})
            );
        } else {
            assert_eq!((comments[0]["POST_MESSAGE"].as_str(), status), (Some("one"), 400));
            assert_eq!(v3(&client, "tasks.task.get", None, json!({"id": task})).await.0, 404);
        }
    }
}

#[tokio::test]
async fn a_chat_is_read_in_pieces_from_either_end() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    let task = made(&client, "T").await;
    let ids: Vec<i64> = (0..45).map(|n| portal.say_as(2, task, &n.to_string())).collect();
    let read = async |more: Value| {
        let mut params = json!({"DIALOG_ID": format!("chat{}", 1000 + task)});
        params.as_object_mut().expect("a map").extend(more.as_object().cloned().unwrap_or_default());
        let messages = client.call("im.dialog.messages.get", params).await["messages"].clone();
        let messages = messages.as_array().cloned().unwrap_or_default();
        messages.iter().filter_map(|message| message["id"].as_i64()).collect::<Vec<_>>()
    };
    let falling = |ids: &[i64]| ids.iter().rev().copied().collect::<Vec<_>>();
    assert_eq!(read(json!({})).await, falling(&ids[25..]));
    assert_eq!(read(json!({"LAST_ID": ids[25], "LIMIT": 50})).await, falling(&ids[..25]));
    assert_eq!(read(json!({"FIRST_ID": 0})).await, falling(&ids[..20]));
    assert_eq!(read(json!({"FIRST_ID": ids[43]})).await, [ids[44]]);
}

#[tokio::test]
async fn v3_has_its_own_names_and_refuses_strangers() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    let fields = json!({"title": "T", "creatorId": 1, "responsibleId": 2, "needsControl": true, "priority": "high", "xmlId": "x",
        "crmItemIds": ["CO_5"]});
    let (_, made) = v3(&client, "tasks.task.add", None, json!({ "fields": fields })).await;
    assert_eq!((&made["result"]["item"]["id"], &made["result"]["item"]["status"]), (&json!(1), &json!("pending")));
    let old = &portal.tasks()[0].1;
    assert_eq!(
        (&old["TASK_CONTROL"], &old["PRIORITY"], &old["UF_CRM_TASK"]),
        (&json!("Y"), &json!("2"), &json!(["CO_5"]))
    );
    let (status, wrong) = v3(&client, "tasks.task.update", None, json!({"id": 1, "fields": {"TITLE": "x"}})).await;
    assert_eq!(
        (status, &wrong["error"]["code"]),
        (400, &json!("BITRIX_REST_V3_EXCEPTION_UNKNOWNDTOPROPERTYEXCEPTION"))
    );
    let (_, read) = v3(&client, "tasks.task.get", None, json!({"id": 1, "select": ["chat.id", "status"]})).await;
    assert_eq!(read["result"]["item"]["chat"]["id"], 1001);
    assert!(read["result"]["item"].get("title").is_none());
    let narrow = started(PortalOptions { scope: "task,im".into(), ..PortalOptions::default() });
    assert_eq!(v3(&Client::new(&narrow, 1), "tasks.task.get", None, json!({"id": 1})).await.0, 403);
}

#[tokio::test]
async fn a_repeat_that_meets_its_twin_under_way_runs_too() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    portal.fault(Fault::commit_later("api/tasks.task.add", Duration::from_secs(30)));
    let fields = json!({"fields": {"title": "T", "creatorId": 1, "responsibleId": 2}});
    let mut body = fields.clone();
    body["auth"] = json!(client.token);
    let cut = client
        .http
        .post(format!("{}api/tasks.task.add", client.base))
        .header("Idempotency-Key", "k")
        .json(&body)
        .send();
    assert!(cut.await.is_err());
    assert_eq!(v3(&client, "tasks.task.add", Some("k"), fields.clone()).await.0, 200);
    portal.commit_late();
    assert_eq!(portal.tasks().len(), 2, "both ran");
    assert_eq!(v3(&client, "tasks.task.add", Some("k"), fields).await.1["result"]["item"]["id"], 1, "and are kept now");
}

#[tokio::test]
async fn task_events_have_their_own_shape() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    portal.delivering(|delivering| delivering.paused = true);
    for event in ["ONTASKADD", "ONTASKUPDATE", "ONTASKDELETE", "ONTASKCOMMENTADD"] {
        client.call("event.bind", json!({"event": event, "handler": "http://127.0.0.1:9/x"})).await;
    }
    let task = made(&client, "T").await;
    portal.step_task_as(2, task, Step::Start).expect("started");
    let message = portal.say_as(2, task, "hello");
    portal.delete_task_as(1, task).expect("deleted");
    let state = portal.shared.lock();
    let told: Vec<Vec<(String, String)>> = state.events.waiting.iter().map(|delivery| delivery.pairs.clone()).collect();
    let of = |at: usize, key: &str| {
        told[at].iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let after = "data[FIELDS_AFTER][ID]";
    assert_eq!((of(0, "event"), of(0, "data[FIELDS_BEFORE]"), of(0, after)), ("ONTASKADD", "undefined", "1"));
    assert_eq!((of(1, "event"), of(1, "data[FIELDS_BEFORE][ID]"), of(1, after)), ("ONTASKUPDATE", "1", "1"));
    assert_eq!((of(2, "event"), of(2, after)), ("ONTASKCOMMENTADD", "0"));
    assert_eq!(of(2, "data[FIELDS_AFTER][MESSAGE_ID]"), message.to_string());
    assert_eq!((of(3, "event"), of(3, "data[FIELDS_AFTER]")), ("ONTASKDELETE", "undefined"));
}

#[tokio::test]
async fn a_file_is_uploaded_and_hung_on_a_task() {
    let portal = started(PortalOptions::default());
    let client = Client::new(&portal, 1);
    let task = made(&client, "T").await;
    let storage = client.call("disk.storage.getforapp", json!({})).await;
    let upload = json!({"id": storage["ROOT_OBJECT_ID"], "data": {"NAME": "a.png"}, "fileContent": ["a.png", "AAEC"],
        "generateUniqueName": true});
    let first = client.call("disk.folder.uploadfile", upload.clone()).await;
    let second = client.call("disk.folder.uploadfile", upload).await;
    assert_eq!((&first["NAME"], &second["NAME"]), (&json!("a.png"), &json!("a (1).png")));
    let hung = client.call("tasks.task.files.attach", json!({"taskId": task, "fileId": first["ID"]})).await;
    let select = json!({"taskId": task, "select": ["UF_TASK_WEBDAV_FILES"]});
    let read = client.call("tasks.task.get", select).await;
    assert_eq!(read["task"]["ufTaskWebdavFiles"], json!([hung["attachmentId"]]));
    assert_eq!(portal.files()[0].1.content, [0, 1, 2]);
}
