//! Makes the calls: no retries, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use rand::seq::SliceRandom;

use super::{Delivery, Sent};
use crate::portal::php;
use crate::portal::state::Shared;

const AT_ONCE: usize = 8;
const KEPT: usize = 1000;

/// Runs until the portal stops.
pub async fn run(shared: Arc<Shared>, client: reqwest::Client) {
    loop {
        let ring = shared.bell.notified();
        while let Some(delivery) = take(&shared) {
            let (shared, client) = (Arc::clone(&shared), client.clone());
            actix_web::rt::spawn(async move {
                let status = post(&client, &delivery).await;
                {
                    let mut state = shared.lock();
                    let events = &mut state.events;
                    events.flying = events.flying.saturating_sub(1);
                    events.sent_count += 1;
                    events.sent.push_back(Sent {
                        url: delivery.url,
                        event: delivery.event,
                        status,
                        pairs: delivery.pairs,
                    });
                    if events.sent.len() > KEPT {
                        events.sent.pop_front();
                    }
                }
                shared.bell.notify_waiters();
            });
        }
        // The time-out only covers a ring that came between the check and the wait.
        let _ = tokio::time::timeout(Duration::from_millis(50), ring).await;
    }
}

fn take(shared: &Shared) -> Option<Delivery> {
    let mut state = shared.lock();
    let events = &mut state.events;
    if events.delivering.paused || events.flying >= AT_ONCE {
        return None;
    }
    if events.delivering.shuffled {
        events.waiting.make_contiguous().shuffle(&mut rand::rng());
    }
    let delivery = events.waiting.pop_front()?;
    events.flying += 1;
    Some(delivery)
}

async fn post(client: &reqwest::Client, delivery: &Delivery) -> Option<u16> {
    let answer = client
        .post(&delivery.url)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(php::encode_form(&delivery.pairs))
        .send()
        .await;
    answer.ok().map(|answer| answer.status().as_u16())
}
