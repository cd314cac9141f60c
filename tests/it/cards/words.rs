//! What specialists do in a card reaches the request.

use fb24_sandbox::kaiten::REVIEW;

use super::*;

on_both_engines! {
    s42_words_in_a_card_reach_the_customer_where_they_are_meant_for_him(db) {
        let bench = Bench::start(db).await;
        let number = bench.register().await;
        bench.says(number, "Клиенту: я сам клиент").await;
        bench.settle().await;
        let (card, told) = (bench.card().id, bench.card().comments.len());
        let left = bench.rows(number, Channel::Kaiten).await.len();
        let tasks = bench.rows(number, Channel::Task).await.len();
        bench.kaiten.say_as(SPECIALIST, card, "посмотрю в базе");
        bench.kaiten.say_as(SPECIALIST, card, "<p><strong>Клиенту:</strong> обновите страницу</p>");
        for _ in 0..2 {
            bench.settle().await;
        }
        let customer = bench.seen_by(number, Role::Submitter).await;
        assert_eq!(customer[customer.len() - 2..], ["say: Клиенту: я сам клиент", "say: обновите страницу"]);
        assert_eq!(bench.times(number, "note: посмотрю в базе").await, 1);
        assert_eq!(bench.rows(number, Channel::Kaiten).await.len(), left, "nothing is told where it came from");
        assert_eq!(bench.rows(number, Channel::Task).await.len(), tasks + 2, "the task is told both");
        assert_eq!(bench.card().comments.len(), told + 2);
    }

    s42_a_word_of_ours_by_hand_is_heard_and_one_behind_the_end_is_not_sent(db) {
        let bench = Bench::start(db).await;
        let number = bench.register().await;
        bench.settle().await;
        let card = bench.card().id;
        bench.kaiten.say_as(ME, card, "Клиенту: от руки");
        bench.kaiten.say_as(SPECIALIST, card, &format!("как будто наше\n\n({number}/1)"));
        bench.settle().await;
        assert_eq!(bench.times(number, "say: от руки").await, 1, "the token's own person");
        assert_eq!(bench.times(number, &format!("note: как будто наше\n\n({number}/1)")).await, 1);
        bench.does(number, Role::Submitter, Action::Withdraw(reason("само")), None).await;
        bench.settle().await;
        bench.kaiten.say_as(SPECIALIST, card, "Клиенту: поздно");
        bench.settle().await;
        assert_eq!(bench.times(number, "note: Клиенту: поздно").await, 1);
        let last = bench.card().comments.last().expect("said").text.clone();
        assert!(last.contains("закрыто"), "{last}");
        assert_eq!(bench.row(number).await.state, State::Closed);
    }

    e19_states_go_both_ways_and_come_to_rest(db) {
        let bench = Bench::start(db).await;
        let number = bench.register().await;
        bench.settle().await;
        let card = bench.card().id;
        let state = || async { bench.row(number).await.state };
        bench.kaiten.drag(card, REVIEW);
        bench.settle().await;
        assert_eq!(state().await, State::InProgress, "taken in the card");
        bench.kaiten.drag(card, DONE);
        bench.settle().await;
        assert_eq!((state().await, bench.card().moves.len()), (State::Answered, 3), "answered in the card, which is not moved");
        bench.does(number, Role::Submitter, Action::Dispute(reason("не помогло")), None).await;
        bench.settle().await;
        assert_eq!((bench.card().column, state().await), (WORK, State::InProgress));
        assert_eq!(bench.said(), ["не помогло"]);
        bench.kaiten.drag(card, DONE);
        bench.settle().await;
        assert_eq!((state().await, bench.times(number, "answer: ").await), (State::Answered, 2), "done once more");
        bench.does(number, Role::Submitter, Action::Confirm, None).await;
        bench.settle().await;
        assert_eq!(bench.card().moves, [QUEUE, REVIEW, DONE, WORK, DONE]);
        // At rest nothing is read and nothing written: two lists a visit.
        bench.settle().await;
        let before = bench.kaiten.request_count();
        bench.pass(70);
        bench.node(None).visit().await.expect("a visit");
        assert_eq!(bench.kaiten.request_count(), before + 2);
    }

    s44_an_answer_of_ours_that_nobody_read_is_no_persons(db) {
        let bench = Bench::start(db).await;
        let number = bench.register().await;
        bench.does(number, Role::Operator, Action::Take, None).await;
        bench.does(number, Role::Operator, Action::Answer, None).await;
        for _ in 0..8 {
            bench.node(None).deliver().await.expect("delivered");
        }
        assert_eq!(bench.card().column, DONE, "ours");
        bench.does(number, Role::Submitter, Action::Dispute(reason("нет")), None).await;
        bench.pass(70);
        bench.settle().await;
        assert_eq!((bench.row(number).await.state, bench.times(number, "answer: ").await), (State::InProgress, 1));
        assert_eq!(bench.card().column, WORK);
    }

    e19_columns_that_a_desk_named_stand_for_their_states(db) {
        let bench = Bench::start(db).await;
        let (mut settings, version) = bench.api.desk.settings(bench.desk).await.expect("settings");
        settings.kaiten_columns = [(State::InProgress, REVIEW), (State::Answered, REVIEW)].into();
        let wrong = bench.api.desk.save_settings(bench.desk, version, settings.clone(), 1).await.expect("checked");
        assert_eq!(wrong.expect_err("one column, two meanings").len(), 2);
        settings.kaiten_columns = [(State::WaitingForCustomer, REVIEW)].into();
        bench.api.desk.save_settings(bench.desk, version, settings, 1).await.expect("saved").expect("right");
        let number = bench.register().await;
        bench.does(number, Role::Operator, Action::Take, None).await;
        bench.does(number, Role::Operator, Action::Ask, Some("какой номер?")).await;
        bench.until_quiet(number).await;
        assert_eq!(bench.card().column, REVIEW);
        bench.says(number, "101").await;
        bench.until_quiet(number).await;
        assert_eq!(bench.card().moves, [QUEUE, WORK, REVIEW, WORK]);
        bench.settle().await;
        assert_eq!(bench.row(number).await.state, State::InProgress);
    }

    s42_a_node_that_dies_at_any_step_neither_loses_nor_doubles_a_word(db) {
        for dying in ["cards.listed", "cards.read", "cards.understood", "cards.written"] {
            let bench = Bench::start(db.another().await).await;
            let number = bench.register().await;
            bench.settle().await;
            let card = bench.card().id;
            bench.kaiten.say_as(SPECIALIST, card, "Клиенту: one");
            bench.kaiten.say_as(SPECIALIST, card, "two");
            bench.kaiten.drag(card, DONE);
            bench.pass(70);
            let died = bench.node(Some(dies_at(dying, 0))).visit().await;
            assert!(matches!(died, Err(CardError::Stopped(_))), "{dying}: {died:?}");
            assert!(matches!(bench.node(None).visit().await, Err(CardError::Elsewhere)), "{dying}: its lease stands");
            bench.settle().await;
            let times = (bench.times(number, "say: one").await, bench.times(number, "note: two").await, bench.times(number, "answer: ").await);
            assert_eq!((times, bench.row(number).await.state), ((1, 1, 1), State::Answered), "{dying}");
        }
    }

    s42_a_comment_is_found_where_lists_do_not_tell_of_comments(db) {
        let bench = Bench::start(db).await;
        let number = bench.register().await;
        bench.kaiten.lists_comments(false);
        bench.settle().await;
        bench.kaiten.say_as(SPECIALIST, bench.card().id, "Клиенту: one");
        for _ in 0..8 {
            bench.pass(90);
            bench.node(None).visit().await.expect("a visit");
        }
        assert_eq!(bench.times(number, "say: one").await, 1);
    }
}
