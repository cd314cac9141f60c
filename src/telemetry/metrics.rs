//! Names of the metrics others alert on (contract, "Metrics"), and the recorder behind `/metrics`.
//!
//! No label carries a guest, a token or free text; none is per portal.

use std::sync::OnceLock;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

pub const PORTAL_REQUESTS: &str = "fb24_portal_requests_total";
pub const PORTAL_REQUEST_SECONDS: &str = "fb24_portal_request_seconds";
pub const PORTAL_COMMANDS: &str = "fb24_portal_commands_total";
pub const RATE_BUCKET_TOKENS: &str = "fb24_rate_bucket_tokens";
pub const OPERATING_SECONDS: &str = "fb24_operating_seconds";
pub const INBOX_LAG: &str = "fb24_inbox_lag_seconds";
pub const OUTBOX_LAG: &str = "fb24_outbox_lag_seconds";
pub const OUTBOX_PENDING: &str = "fb24_outbox_pending";
pub const SYNC_LATENCY: &str = "fb24_sync_latency_seconds";
pub const PMS_LINK_UP: &str = "fb24_pms_link_up";
pub const PMS_LAST_RECORD: &str = "fb24_pms_last_record_timestamp_seconds";
pub const TOKEN_REFRESH: &str = "fb24_token_refresh_total";
pub const RECONCILIATION_DRIFT: &str = "fb24_reconciliation_drift";
pub const SUPPORT_REQUESTS: &str = "fb24_support_requests";
pub const SUPPORT_SLA_BREACHES: &str = "fb24_support_sla_breaches_total";
pub const STORE_ROWS: &str = "fb24_store_rows";

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the recorder once a process and answers the handle that renders `/metrics`.
pub fn recorder() -> Option<&'static PrometheusHandle> {
    RECORDER
        .get_or_init(|| {
            let handle = PrometheusBuilder::new()
                .set_buckets_for_metric(
                    Matcher::Suffix("_seconds".to_owned()),
                    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0],
                )
                .ok()?
                .install_recorder()
                .ok()?;
            describe();
            Some(handle)
        })
        .as_ref()
}

fn describe() {
    describe_counter!(PORTAL_REQUESTS, "HTTP requests to portals, by outcome");
    describe_histogram!(PORTAL_REQUEST_SECONDS, Unit::Seconds, "Time of HTTP requests to portals");
    describe_counter!(PORTAL_COMMANDS, "Commands to portals, those inside a batch too, by method and outcome");
    describe_gauge!(RATE_BUCKET_TOKENS, "Requests left in the bucket of the portal called last");
    describe_gauge!(
        OPERATING_SECONDS,
        Unit::Seconds,
        "Operating time of a method as the last answer of any portal said"
    );
    describe_gauge!(INBOX_LAG, Unit::Seconds, "Age of the oldest record not decided yet");
    describe_gauge!(OUTBOX_LAG, Unit::Seconds, "Age of the oldest change not delivered yet");
    describe_gauge!(OUTBOX_PENDING, "Subjects waiting for delivery");
    describe_histogram!(SYNC_LATENCY, Unit::Seconds, "From the PMS change seen to the CRM's confirmation");
    describe_gauge!(PMS_LINK_UP, "1 while every hotel link of this kind answers, else the share that does");
    describe_gauge!(PMS_LAST_RECORD, Unit::Seconds, "When the newest record of any hotel was received");
    describe_counter!(TOKEN_REFRESH, "Token refreshes, by outcome");
    describe_gauge!(RECONCILIATION_DRIFT, "What the last reconciliations of all hotels found");
    describe_gauge!(SUPPORT_REQUESTS, "Support requests, by state");
    describe_counter!(SUPPORT_SLA_BREACHES, "Support clocks that ran out");
    describe_gauge!(STORE_ROWS, "Rows, by table");
}
