//! Tasks against the emulated portal, in both dialects.

use std::time::Duration;

use fb24_sandbox::portal::{Edition, Fault, PortalOptions, Step as Button};
use fidelio_bitrix24::bitrix::Priority;
use fidelio_bitrix24::bitrix::tasks::{Step, TaskChange, TaskFields, TaskPriority, TaskStatus, Tasks};
use serde_json::json;

use super::portal::{Stand, stand};

const LIVE: Priority = Priority::Live;
const NUMBER: &str = "FB-2026-000123";
const XML_ID: &str = "fidelio-bitrix24:FB-2026-000123";

pub async fn cloud() -> (Stand, Tasks) {
    with(PortalOptions::default()).await
}

/// A box before `tasks 25.700`.
pub async fn old_box() -> (Stand, Tasks) {
    with(PortalOptions { edition: Edition::Box, ..PortalOptions::default() }).await
}

pub async fn with(options: PortalOptions) -> (Stand, Tasks) {
    let stand = stand(options).await;
    let tasks = Tasks::probe(stand.client.clone(), LIVE).await.expect("a dialect");
    (stand, tasks)
}

pub fn request() -> TaskFields {
    TaskFields {
        title: format!("[{NUMBER}] Нет броней"),
        description: "[b]Отель[/b] GRAND".into(),
        xml_id: XML_ID.into(),
        creator: 1,
        responsible: 2,
        priority: TaskPriority::High,
        deadline: chrono::DateTime::from_timestamp(1_763_730_000, 0),
        control: true,
        tags: vec!["Fidelio".into()],
        crm: vec!["CO_5".into()],
        ..TaskFields::default()
    }
}

#[tokio::test]
async fn s39_a_request_becomes_the_same_task_in_both_dialects() {
    for (stand, tasks) in [cloud().await, old_box().await] {
        let wanted = request();
        let id = tasks.add(&wanted, NUMBER).await.expect("a task");
        if let Some(rest) = tasks.after_birth(&wanted) {
            tasks.update(id, &rest).await.expect("its tags");
        }
        let (_, fields) = stand.portal.tasks().remove(0);
        assert_eq!((&fields["TITLE"], &fields["XML_ID"]), (&json!(wanted.title), &json!(XML_ID)));
        assert_eq!((&fields["TASK_CONTROL"], &fields["PRIORITY"]), (&json!("Y"), &json!("2")));
        assert_eq!((&fields["TAGS"], &fields["UF_CRM_TASK"]), (&json!(["Fidelio"]), &json!(["CO_5"])));
        let task = tasks.get(id).await.expect("read").expect("there");
        assert_eq!(
            (task.title.as_str(), task.status, task.responsible),
            (wanted.title.as_str(), TaskStatus::Waiting, Some(2))
        );
        assert_eq!(task.deadline, wanted.deadline.map(|at| at.timestamp_millis()));
        assert_eq!(task.chat.is_some(), tasks.has_v3(), "an old card has no chat");
        let adding = if tasks.has_v3() { "api/tasks.task.add" } else { "tasks.task.add" };
        assert_eq!(stand.portal.requests_of(adding).len(), 1);
    }
}

#[tokio::test]
async fn s39_rest_3_is_left_where_the_portal_turns_out_to_lack_it() {
    let (stand, _) = old_box().await;
    let wrong = Tasks::new(stand.client.clone(), LIVE, true);
    wrong.add(&request(), NUMBER).await.expect("a task");
    assert!(!wrong.has_v3() && stand.portal.tasks().len() == 1);
    let (stand, narrow) = with(PortalOptions { scope: "task,im".into(), ..PortalOptions::default() }).await;
    assert!(!narrow.has_v3(), "the scope was not granted");
    narrow.add(&request(), NUMBER).await.expect("a task");
    assert!(stand.portal.requests_of("api/tasks.task.add").is_empty());
}

#[tokio::test]
async fn s37_a_task_is_found_again_by_its_number_and_no_other_is_taken_for_it() {
    for (stand, tasks) in [cloud().await, old_box().await] {
        let other = json!({"TITLE": format!("[{NUMBER}] Нет броней"), "RESPONSIBLE_ID": "2", "XML_ID": "elsewhere:1"});
        stand.portal.add_task_as(1, &other).expect("somebody's copy");
        assert_eq!(tasks.find(NUMBER, XML_ID).await.expect("a list"), []);
        stand.portal.fault(Fault::after_commit("api/tasks.task.add"));
        stand.portal.fault(Fault::after_commit("tasks.task.add"));
        let lost = tasks.add(&request(), NUMBER).await.expect_err("the answer is lost");
        assert!(lost.outcome_unknown);
        stand.portal.clear_faults();
        let found = tasks.find(NUMBER, XML_ID).await.expect("a list");
        assert_eq!(found.iter().map(|task| task.id).collect::<Vec<_>>(), [2]);
        assert_eq!(tasks.find("FB-2026-00012", "x").await.expect("a list"), [], "a part of a number is no number");
    }
}

#[tokio::test]
async fn s39_the_same_key_makes_one_task_and_another_body_is_looked_up() {
    let (stand, tasks) = cloud().await;
    stand.portal.fault(Fault::after_commit("api/tasks.task.add"));
    tasks.add(&request(), NUMBER).await.expect_err("the answer is lost");
    assert_eq!(tasks.add(&request(), NUMBER).await, Ok(1));
    let later = TaskFields { deadline: None, ..request() };
    let reused = tasks.add(&later, NUMBER).await.expect_err("the key was used");
    assert!(reused.outcome_unknown, "the first one succeeded");
    assert_eq!(stand.portal.tasks().len(), 1);
}

#[tokio::test]
async fn s44_statuses_move_by_buttons_and_are_refused_where_there_is_none() {
    for (stand, tasks) in [cloud().await, old_box().await] {
        let id = tasks.add(&request(), NUMBER).await.expect("a task");
        stand.portal.step_task_as(2, id, Button::Complete).expect("completed");
        let done = tasks.get(id).await.expect("read").expect("there");
        assert_eq!((done.status, done.closed_by, done.status_changed_by), (TaskStatus::Supposed, Some(2), Some(2)));
        tasks.step(id, Step::Renew).await.expect("renewed");
        assert_eq!(tasks.get(id).await.expect("read").expect("there").status, TaskStatus::Waiting);
        let refused = tasks.step(id, Step::Approve).await.expect_err("nothing to approve");
        assert!(!refused.outcome_unknown && refused.code() == "1048582");
        stand.portal.step_task_as(2, id, Button::Complete).expect("completed");
        tasks.step(id, Step::Approve).await.expect("approved");
        assert_eq!(tasks.get(id).await.expect("read").expect("there").status, TaskStatus::Completed);
        let people = TaskChange { responsible: Some(5), deadline: Some(None), ..TaskChange::default() };
        tasks.update(id, &people).await.expect("changed");
        let task = tasks.get(id).await.expect("read").expect("there");
        assert_eq!((task.responsible, task.deadline), (Some(5), None));
        assert_eq!(tasks.people(&[5]).await.expect("people")["5"], "Ольга Стойкина");
        stand.portal.delete_task_as(1, id).expect("deleted");
        assert_eq!(tasks.get(id).await, Ok(None));
    }
}

#[tokio::test]
async fn s39_what_changed_last_is_listed_first_whether_fields_or_words() {
    for (stand, tasks) in [cloud().await, old_box().await] {
        for n in 1..=3 {
            let fields = TaskFields { title: format!("[FB-2026-00000{n}] x"), xml_id: n.to_string(), ..request() };
            tasks.add(&fields, &n.to_string()).await.expect("a task");
        }
        stand.portal.add_task_as(1, &json!({"TITLE": "[XX] foreign", "RESPONSIBLE_ID": "2"})).expect("a task");
        stand.portal.advance(Duration::from_secs(60));
        stand.portal.say_as(2, 1, "hello");
        let latest = tasks.latest("[FB-", 0).await.expect("a list");
        assert_eq!(latest.iter().map(|task| task.id).collect::<Vec<_>>(), [1, 3, 2]);
        assert!(latest[0].active_at > latest[0].changed_at, "words change no field");
        assert_eq!(tasks.latest("[FB-", 50).await, Ok(vec![]));
    }
}
