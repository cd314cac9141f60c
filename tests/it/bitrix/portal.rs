//! The whole room against the emulated portal: its own PHP form reader, its limits, its habits.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use fb24_sandbox::portal::{Cost, Entity as Table, Fault, MultifieldMode, Portal, PortalClock, PortalOptions};
use fidelio_bitrix24::bitrix::crm::{self, Entity, items};
use fidelio_bitrix24::bitrix::multifield::{self, Edit, Kind, Way};
use fidelio_bitrix24::bitrix::{
    Call, Client, Error, FramePost, OAuthHosts, PortalAddress, PortalClient, PortalEvent, Priority, TokenSource, setup,
};
use fidelio_bitrix24::clock::Clock;
use fidelio_bitrix24::domain::PortalId;
use fidelio_bitrix24::net::Guard;
use fidelio_bitrix24::portal::allowance::PortalAllowance;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::scripted::Log;
use crate::support::db::{self, TestDb};

const LIVE: Priority = Priority::Live;

/// One pair, renewed at the portal's own OAuth host.
struct Pair {
    hosts: OAuthHosts,
    pair: tokio::sync::Mutex<(SecretString, SecretString)>,
}

#[async_trait]
impl TokenSource for Pair {
    async fn current(&self) -> Result<SecretString, Error> {
        Ok(self.pair.lock().await.0.clone())
    }
    async fn renewed(&self, stale: &SecretString) -> Result<SecretString, Error> {
        let mut pair = self.pair.lock().await;
        if pair.0.expose_secret() == stale.expose_secret() {
            let new = self.hosts.refresh(self.hosts.default_host()?, &pair.1).await?;
            *pair = (new.access_token, new.refresh_token);
        }
        Ok(pair.0.clone())
    }
    async fn moved(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }
}

pub struct Stand {
    pub portal: Portal,
    pub client: PortalClient,
    pub log: Arc<Log>,
    _db: TestDb,
}

/// A client of the portal with its admin's pair, on this database's allowance.
pub fn client_of(
    portal: &Portal,
    db: &fidelio_bitrix24::store::Db,
    clock: Clock,
    operating_seconds: u32,
) -> (PortalClient, Arc<Log>) {
    let hosts = OAuthHosts::new(
        vec![portal.oauth_url().parse().expect("a URL")],
        portal.client_id(),
        portal.client_secret().into(),
    )
    .expect("hosts");
    let tokens = portal.tokens(1);
    let guard = Guard::parse(&[format!("{}=127.0.0.0/8", portal.member_id())]).expect("a guard");
    let address = PortalAddress {
        member_id: portal.member_id(),
        client_endpoint: portal.client_endpoint().parse().expect("a URL"),
        ca_pem: None,
        burst: 50,
        per_second: 2,
        operating_seconds,
        request_cap: Duration::from_secs(5),
    };
    let pair =
        Pair { hosts: hosts.clone(), pair: tokio::sync::Mutex::new((tokens.access.into(), tokens.refresh.into())) };
    let allowance = PortalAllowance { db: db.clone(), portal: PortalId(1) };
    let log = Arc::new(Log::default());
    let client = Client::new(guard, hosts).portal(address, Arc::new(pair), Arc::new(allowance), log.clone(), clock);
    (client, log)
}

async fn stand_at(options: PortalOptions, clock: Clock, operating_seconds: u32) -> Stand {
    let portal = Portal::start(options);
    portal.set_installed();
    let db = db::sqlite().await;
    let (client, log) = client_of(&portal, &db.db, clock, operating_seconds);
    Stand { portal, client, log, _db: db }
}

pub async fn stand(options: PortalOptions) -> Stand {
    stand_at(options, Clock::system(), 480).await
}

fn fields(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("fields")
}

#[tokio::test]
async fn s1_any_text_of_a_guest_arrives_as_it_is_through_batches() {
    let stand = stand(PortalOptions::default()).await;
    let texts = [
        "Анна & Иван = 2",
        "100% + %41 %zz",
        "a[b]=c&d",
        "строка\nвторая\tтретья",
        "«кавычки» \"и\" 'ещё' \\",
        "🛎️ эмодзи",
        "$result[c0][item][id]",
        "см. $TOTAL[c1] руб.",
        "#hash?query",
        "  края  ",
        "&amp;<b>html</b>",
        "+7 (900) 123-45-67",
    ];
    let calls: Vec<_> = texts
        .iter()
        .map(|text| crm::item_add(Entity::Deal, fields(json!({"title": text, "originId": text}))))
        .collect();
    let results = stand.client.batch(LIVE, &calls).await.expect("results");
    for (text, result) in texts.iter().zip(&results) {
        let id = crm::made_id(result.as_ref().expect("added")).expect("an id");
        let record = stand.portal.record(Table::Deal, id).expect("there");
        assert_eq!((record.text("title").trim(), record.text("originId").as_str()), (text.trim(), *text));
    }
    assert_eq!(stand.portal.count(Table::Deal), texts.len());
    let methods: Vec<_> = stand.portal.requests().into_iter().map(|r| r.method).collect();
    assert_eq!(methods, ["batch", "crm.item.add", "crm.item.add", "batch"], "only the two with references go alone");
}

#[tokio::test]
async fn s1_a_list_of_contacts_is_read_by_chained_pages() {
    let stand = stand(PortalOptions::default()).await;
    for n in 0..1_260 {
        stand.portal.add_as(1, Table::Contact, &json!({"name": format!("N{n}")})).expect("added");
    }
    let mut pager = stand.client.list_all(Priority::Import, items(Entity::Contact, &["id", "name"], Map::new()));
    let mut names = vec![];
    while let Some(rows) = pager.next().await.expect("rows") {
        names.extend(rows.into_iter().map(|row| row["name"].as_str().expect("a name").to_owned()));
    }
    assert_eq!(names, (0..1_260).map(|n| format!("N{n}")).collect::<Vec<_>>());
    assert_eq!(stand.portal.requests().len(), 3, "1 + 10 + the rest of the pages");
}

#[tokio::test]
async fn s1_an_expired_token_costs_one_refresh_however_many_calls_meet_it() {
    let stand = stand(PortalOptions::default()).await;
    stand.portal.expire_tokens();
    let profile = setup::profile();
    let calls = (0..8).map(|_| stand.client.call(LIVE, &profile));
    for answer in futures_util::future::join_all(calls).await {
        assert!(answer.is_ok());
    }
    assert_eq!(stand.portal.requests_of("oauth/token").len(), 1);
    assert!(stand.portal.requests_of("oauth/token").iter().all(|r| r.verb == "POST"));
    stand.portal.revoke_tokens();
    let error = stand.client.call(LIVE, &profile).await.expect_err("the pair is dead");
    assert_eq!(error.class, fidelio_bitrix24::bitrix::Class::Reauthorise, "{error:?}");
}

#[tokio::test]
async fn s1_a_renamed_portal_is_followed_and_remembered() {
    let stand = stand(PortalOptions::default()).await;
    let domain = stand.portal.rename();
    assert!(stand.client.call(LIVE, &setup::profile()).await.is_ok());
    assert_eq!(stand.client.endpoint().host_str(), domain.split(':').next());
    let before = stand.portal.requests().len();
    assert!(stand.client.call(LIVE, &setup::profile()).await.is_ok());
    assert_eq!(stand.portal.requests().len(), before + 1, "straight to the new host");
}

#[tokio::test]
async fn s1_lost_answers_are_of_unknown_outcome_and_refusals_are_not() {
    let stand = stand(PortalOptions::default()).await;
    let add = crm::item_add(Entity::Deal, fields(json!({"title": "x"})));
    stand.portal.fault(Fault::after_commit("crm.item.add"));
    assert!(stand.client.call(LIVE, &add).await.expect_err("lost").outcome_unknown);
    assert_eq!(stand.portal.count(Table::Deal), 1, "it was carried out");
    stand.portal.fault(Fault::commit_later("crm.item.add", Duration::from_secs(30)));
    // The breaker after two silences is another test's concern.
    assert!(stand.client.call(LIVE, &setup::profile()).await.is_ok());
    assert!(stand.client.call(LIVE, &add).await.expect_err("given up").outcome_unknown);
    assert_eq!(stand.portal.count(Table::Deal), 1);
    stand.portal.commit_late();
    assert_eq!(stand.portal.count(Table::Deal), 2, "it was carried out after all");
    stand.portal.fault(Fault::error("crm.item.add", 400, "ERROR_CORE"));
    let results = stand.client.batch(LIVE, &[add.clone(), add.clone()]).await.expect("results");
    assert!(results[0].as_ref().is_err_and(|e| !e.outcome_unknown && e.code() == "error_core"));
    assert!(results[1].is_ok(), "its neighbour is untouched");
}

#[tokio::test]
async fn s1_a_hundred_calls_of_every_priority_are_never_rejected_by_the_bucket() {
    let start = DateTime::from_timestamp(1_763_730_000, 0).expect("a moment");
    let (clock, hand) = Clock::manual(start);
    let options = PortalOptions { clock: PortalClock::fixed(start), ..PortalOptions::default() };
    let stand = Arc::new(stand_at(options, clock.clone(), 480).await);
    let mut tasks = vec![];
    for priority in [Priority::Person, Priority::Live, Priority::Import, Priority::Reconciliation] {
        let stand = stand.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..25 {
                stand.client.call(priority, &setup::profile()).await.expect("an answer");
            }
        }));
    }
    let all = futures_util::future::join_all(tasks);
    tokio::pin!(all);
    let done = loop {
        tokio::select! {
            done = &mut all => break done,
            // Real I/O gets its turn, then time moves on for both sides.
            () = tokio::time::sleep(Duration::from_millis(2)) => {
                // Not much faster than it really passes: what a busy machine delays must not seem to arrive bunched.
                stand.portal.advance(Duration::from_millis(10));
                hand.advance(Duration::from_millis(10));
            }
        }
    };
    assert!(done.into_iter().all(|task| task.is_ok()));
    let counts = stand.portal.limits();
    assert_eq!((counts.bucket_rejections, counts.admitted), (0, 100));
    assert!(counts.peak <= 50.0 && counts.peak > 40.0, "the burst is used: {}", counts.peak);
    assert!(clock.now() - start >= chrono::TimeDelta::milliseconds((100 - 48) * 500), "and then the rate kept");
}

#[tokio::test]
async fn s1_a_method_is_paused_before_the_portal_bans_it() {
    let start = DateTime::from_timestamp(1_763_730_000, 0).expect("a moment");
    let (clock, hand) = Clock::manual(start);
    let mut options = PortalOptions { clock: PortalClock::fixed(start), ..PortalOptions::default() };
    options.limits.operating = Duration::from_secs(20);
    options.cost = Cost { operating_per_call: Duration::from_millis(500), ..Cost::default() };
    let stand = stand_at(options, clock, 20).await;
    let mut added = 0;
    let mut paused = 0;
    for round in 0..40 {
        let calls: Vec<_> =
            (0..7).map(|n| crm::item_add(Entity::Deal, fields(json!({"title": format!("{round}.{n}")})))).collect();
        for result in stand.client.batch(LIVE, &calls).await.expect("results") {
            match result {
                Ok(_) => added += 1,
                Err(error) => {
                    assert!(error.retry_after().is_some() && !error.outcome_unknown, "{error:?}");
                    paused += 1;
                }
            }
        }
        assert!(stand.client.call(Priority::Person, &setup::profile()).await.is_ok(), "another method goes on");
        stand.portal.advance(Duration::from_secs(30));
        hand.advance(Duration::from_secs(30));
    }
    assert_eq!(stand.portal.limits().operating_rejections, 0, "no request is rejected by a limit we could have known");
    assert!(paused > 0 && added >= 60, "20 minutes give room for {added}; {paused} were paused");
}

#[tokio::test]
async fn s1_phones_change_on_portals_of_either_habit() {
    for (mode, way) in [(MultifieldMode::Keyed, Way::Item), (MultifieldMode::AddOnly, Way::Old)] {
        let stand = stand(PortalOptions { multifields: mode, ..PortalOptions::default() }).await;
        let fm = multifield::for_add(&[
            (Kind::Phone, "WORK", "+7 900 1"),
            (Kind::Phone, "WORK", "+7 900 2"),
            (Kind::Email, "WORK", "old@x.ru"),
        ]);
        let added = stand
            .client
            .call(LIVE, &crm::item_add(Entity::Contact, fields(json!({"name": "A", "fm": fm}))))
            .await
            .expect("added");
        let id = crm::made_id(&added).expect("an id");
        let before = multifield::stored(crm::item_of(&added).expect("the record"));
        let [first, second, email] = before.as_slice() else { panic!("{before:?}") };
        let edits = [
            Edit::Change { id: first.id, kind: Kind::Phone, value_type: "MOBILE".into(), value: "+7 900 9".into() },
            Edit::Delete { id: second.id, kind: Kind::Phone },
            Edit::Change { id: email.id, kind: Kind::Email, value_type: "WORK".into(), value: "new@x.ru".into() },
            Edit::Add { kind: Kind::Email, value_type: "HOME".into(), value: "two@x.ru".into() },
        ];
        let read = async || {
            let got = stand.client.call(LIVE, &crm::item_get(Entity::Contact, id)).await.expect("got");
            multifield::stored(crm::item_of(&got).expect("the record"))
        };
        let write = multifield::update(Way::Unknown, Entity::Contact, id, &edits).expect("a command");
        stand.client.call(LIVE, &write).await.expect("written");
        let after = read().await;
        let found = if multifield::took(&edits, &after) { Way::Item } else { Way::Old };
        assert_eq!(found, way, "{mode:?}");
        if let Some(again) = multifield::update(found, Entity::Contact, id, &multifield::rest(&edits, &after)) {
            stand.client.call(LIVE, &again).await.expect("written");
        }
        assert!(multifield::took(&edits, &read().await));
        let record = stand.portal.record(Table::Contact, id).expect("there");
        assert_eq!(record.multi("PHONE"), ["+7 900 9"], "{mode:?}");
        let mut emails = record.multi("EMAIL");
        emails.sort();
        assert_eq!(emails, ["new@x.ru", "two@x.ru"], "{mode:?}: nothing doubled");
    }
}

#[tokio::test]
async fn s1_imports_travel_in_batches_and_are_read_row_by_row() {
    let stand = stand(PortalOptions::default()).await;
    let rows: Vec<_> = (0..40)
        .map(|n| {
            let mut row = fields(
                json!({"name": format!("N{n}"), "originatorId": "fidelio-bitrix24", "originId": format!("H:{n}")}),
            );
            row.extend(multifield::for_import(&[(Kind::Phone, "WORK", &format!("+7900{n:07}"))]));
            row
        })
        .collect();
    let calls: Vec<_> = rows.chunks(crm::IMPORT_ROWS).map(|rows| crm::batch_import(Entity::Contact, rows)).collect();
    let results = stand.client.batch(Priority::Import, &calls).await.expect("results");
    let ids: Vec<_> = results
        .iter()
        .flat_map(|r| crm::imported(r.as_ref().expect("imported"), 20))
        .map(|id| id.expect("an id"))
        .collect();
    assert_eq!((ids.len(), stand.portal.requests().len()), (40, 1));
    assert_eq!(stand.portal.record(Table::Contact, ids[39]).expect("there").multi("PHONE"), ["+79000000039"]);
    let find = crm::item_find(Entity::Contact, &["id"], json!({"originatorId": "fidelio-bitrix24", "originId": "H:7"}));
    let found = stand.client.call(LIVE, &find).await.expect("found");
    assert_eq!(crm::items_of(&found).len(), 1);
}

#[tokio::test]
async fn s1_a_task_of_rest_three_is_made_once_under_its_key() {
    let stand = stand(PortalOptions::default()).await;
    let add = Call::new(
        "tasks.task.add",
        json!({"fields": {"title": "[FB-2026-000001] x", "creatorId": 1, "responsibleId": 1}}),
    );
    let first = stand.client.call_v3(LIVE, &add, Some("k-1")).await.expect("made");
    let second = stand.client.call_v3(LIVE, &add, Some("k-1")).await.expect("repeated");
    assert_eq!((first.result, stand.portal.tasks().len()), (second.result, 1));
    let other = Call::new("tasks.task.add", json!({"fields": {"title": "y", "creatorId": 1, "responsibleId": 1}}));
    let error = stand.client.call_v3(LIVE, &other, Some("k-1")).await.expect_err("another body");
    assert!(error.code().ends_with("idempotencykeyreusedexception"), "{error:?}");
}

#[tokio::test]
async fn s1_set_up_commands_are_taken_by_the_portal() {
    let stand = stand(PortalOptions::default()).await;
    let made = stand
        .client
        .call(
            LIVE,
            &setup::category_add(
                json!({"name": "Проживания", "sort": 100, "originatorId": "fidelio-bitrix24", "originId": "stays"}),
            ),
        )
        .await;
    let category = made.expect("made").result["category"]["id"].as_i64().expect("an id");
    let stage =
        setup::NewStage {
            code: "FB24_IN_HOUSE", name: "Проживает", sort: 15, color: "#00ff00", semantics: None
        };
    let field = setup::NewField {
        name: "UF_CRM_FB24_HOTEL",
        kind: "string",
        multiple: false,
        label_ru: "Отель",
        label_en: "Hotel",
        sort: 100,
    };
    let calls = [
        setup::app_info(),
        setup::profile(),
        setup::scope(),
        setup::method_get("crm.item.batchImport"),
        setup::server_time(),
        setup::category_list(),
        setup::status_add(&setup::stage_dictionary(category), &stage),
        setup::status_list(&setup::stage_dictionary(category)),
        setup::userfield_add(Entity::Deal, &field),
        setup::userfield_list(Entity::Deal),
        setup::currency_list(),
        crm::item_fields(Entity::Deal),
        setup::event_bind("ONCRMDEALUPDATE", "http://127.0.0.1/bitrix/events"),
        setup::event_get(),
        setup::events(),
        setup::placement_bind("CRM_DEAL_DETAIL_TAB", "http://127.0.0.1/bitrix/widgets/deal-stay", "Проживание", "Stay"),
        setup::placement_get(),
        setup::placement_list(),
        setup::app_option_set(json!({"instance": "i"})),
        setup::app_option_get("instance"),
    ];
    let results = stand.client.batch(LIVE, &calls).await.expect("results");
    for (call, result) in calls.iter().zip(&results) {
        assert!(result.is_ok(), "{}: {result:?}", call.method);
    }
    let stages = &results[7].as_ref().expect("stages").result;
    assert!(stages.to_string().contains(&setup::stage_id(category, "FB24_IN_HOUSE")), "{stages}");
    assert_eq!(
        (stand.portal.bindings().len(), stand.portal.placements().len(), stand.portal.requests().len()),
        (1, 1, 2)
    );
    assert_eq!(stand.log.0.lock().expect("the log").len(), 2);
}

#[tokio::test]
async fn s1_frames_and_events_are_read_as_the_portal_writes_them() {
    let stand = stand(PortalOptions::default()).await;
    let form = stand.portal.frame_form(1, "CRM_DEAL_DETAIL_TAB", &json!({"ID": "8061"}));
    let frame = FramePost::parse(&form.query_string(), form.body_string().as_bytes()).expect("a frame");
    assert_eq!(
        (frame.domain.as_str(), frame.member_id.as_str(), frame.record_id()),
        (stand.portal.domain().as_str(), stand.portal.member_id().as_str(), Some(8061))
    );
    assert_eq!(frame.application_token.map(|t| t.expose_secret().to_owned()), Some(stand.portal.application_token()));
    let info = stand.client_info(&frame.auth_id.expect("a token")).await;
    assert_eq!((info.member_id, info.user_id, info.domain), (stand.portal.member_id(), 1, stand.portal.domain()));
    let pairs = stand.portal.event_body(
        "ONCRMCONTACTUPDATE",
        json!({"FIELDS": {"ID": 42}}),
        1,
        fb24_sandbox::portal::events::Tokens::Access,
    );
    let body = fb24_sandbox::portal::php::encode_form(&pairs);
    let event = PortalEvent::parse(body.as_bytes()).expect("an event");
    assert_eq!(event.crm().map(|hint| (hint.entity_type_id, hint.id)), Some((3, 42)));
    assert_eq!((event.auth.member_id, event.ts.is_some()), (stand.portal.member_id(), true));
}

impl Stand {
    async fn client_info(&self, token: &SecretString) -> fidelio_bitrix24::bitrix::AppInfo {
        let url = self.portal.oauth_url().parse().expect("a URL");
        let hosts =
            OAuthHosts::new(vec![url], self.portal.client_id(), self.portal.client_secret().into()).expect("hosts");
        hosts.app_info(hosts.default_host().expect("a host"), token).await.expect("known")
    }
}
