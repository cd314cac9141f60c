//! What is said of a task, both ways and in both dialects: comments of old boxes, the chat of new cards.

use fb24_sandbox::portal::{Fault, Step as Button};
use fidelio_bitrix24::bitrix::tasks::{signature, signed};

use super::tasks::{cloud, old_box, request};

const MARK: &str = "FB-2026-000123/7";

#[tokio::test]
async fn s42_a_message_whose_answer_was_lost_is_found_by_its_mark() {
    for (stand, tasks) in [cloud().await, old_box().await] {
        let id = tasks.add(&request(), "k").await.expect("a task");
        let talk = tasks.get(id).await.expect("read").expect("there").talk();
        let begun = stand.portal.now() * 1_000 - 60_000;
        assert_eq!(tasks.find_said(talk, MARK, begun).await, Ok(None));
        stand.portal.fault(Fault::after_commit("api/tasks.task.chat.message.send"));
        stand.portal.fault(Fault::after_commit("task.commentitem.add"));
        let lost = tasks.say(talk, "Не вижу броней", MARK).await.expect_err("the answer is lost");
        assert!(lost.outcome_unknown);
        // A specialist quotes it, and answers below.
        stand.portal.say_as(2, id, &format!("{}\nсмотрю", signed("Не вижу броней", MARK)));
        for n in 0..120 {
            stand.portal.say_as(2, id, &n.to_string());
        }
        let found = tasks.find_said(talk, MARK, begun).await.expect("read").expect("there");
        assert_eq!((found.id, found.author), (stand.portal.said(id)[0].id, Some(1)));
        assert_eq!(tasks.find_said(talk, "FB-2026-000123/8", begun).await, Ok(None), "it never came");
    }
}

#[tokio::test]
async fn s42_a_conversation_is_read_on_behind_the_last_message_and_whole() {
    for (stand, tasks) in [cloud().await, old_box().await] {
        let id = tasks.add(&request(), "k").await.expect("a task");
        let talk = tasks.get(id).await.expect("read").expect("there").talk();
        stand.portal.step_task_as(2, id, Button::Start).expect("started");
        tasks.say(talk, "one", MARK).await.expect("said");
        for n in 0..70 {
            stand.portal.say_as(2, id, &n.to_string());
        }
        let (mut after, mut read) = (0, vec![]);
        loop {
            let said = tasks.said_after(talk, after).await.expect("read");
            let Some(last) = said.last() else { break };
            after = last.id;
            read.extend(said);
        }
        assert_eq!(
            read.iter().map(|said| said.id).collect::<Vec<_>>(),
            stand.portal.said(id).iter().map(|s| s.id).collect::<Vec<_>>()
        );
        let people: Vec<_> = read.iter().filter(|said| said.author.is_some()).collect();
        assert_eq!((people.len(), signature(&people[0].text), people[0].author), (71, Some(MARK), Some(1)));
        assert!(people.iter().all(|said| said.at.is_some()));
    }
}

#[tokio::test]
async fn s42_without_rest_3_a_chat_takes_comments() {
    let (stand, tasks) =
        super::tasks::with(fb24_sandbox::portal::PortalOptions { scope: "task,im".into(), ..Default::default() }).await;
    let id = tasks.add(&request(), "k").await.expect("a task");
    let talk = tasks.get(id).await.expect("read").expect("there").talk();
    tasks.say(talk, "one", MARK).await.expect("said");
    let said = tasks.said_after(talk, 0).await.expect("read");
    assert_eq!(said.iter().map(|said| signature(&said.text)).collect::<Vec<_>>(), [Some(MARK)]);
    assert_eq!(stand.portal.requests_of("task.commentitem.add").len(), 1);
}
