use super::*;

/// Thousands of records in fifty-command batches: the equipment must not be what a product test waits for.
#[tokio::test]
async fn takes_imports_in_bulk_and_finds_by_mark() {
    let portal =
        started(PortalOptions { limits: LimitOptions { enforced: false, ..Default::default() }, ..Default::default() });
    let client = Client::new(&portal, 1);
    for name in ["FB24_HOTEL", "FB24_RESERVATION", "FB24_STATUS", "FB24_ROOM", "FB24_RATE"] {
        client.call("crm.deal.userfield.add", json!({"fields": {"FIELD_NAME": name, "USER_TYPE_ID": "string"}})).await;
    }
    let total = std::env::var("SANDBOX_VOLUME").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000_usize);
    let begun = std::time::Instant::now();
    let mut number = 0;
    while number < total {
        let mut cmd = Vec::new();
        while cmd.len() < 50 && number < total {
            let rows: Vec<Value> = (number..(number + 20).min(total))
                .map(|n| {
                    json!({"title": format!("Иванов Иван, 21.11.2026 — {n}"), "originatorId": "fidelio-bitrix24",
                        "originId": format!("GRAND:{n}"), "opportunity": "12345.50", "currencyId": "RUB",
                        "isManualOpportunity": "Y", "begindate": "2026-11-21", "closedate": "2026-11-25",
                        "UF_CRM_FB24_HOTEL": "GRAND", "UF_CRM_FB24_RESERVATION": n.to_string(),
                        "UF_CRM_FB24_STATUS": "confirmed", "UF_CRM_FB24_ROOM": "101", "UF_CRM_FB24_RATE": "BAR"})
                })
                .collect();
            number += rows.len();
            let params = json!({"entityTypeId": 2, "useOriginalUfNames": "Y", "data": rows});
            cmd.push(format!("crm.item.batchImport?{}", php::encode_form(&php::form_pairs(&params))));
        }
        let result = client.call("batch", json!({ "cmd": cmd })).await;
        assert_eq!(result["result_error"], json!([]));
    }
    let imported = begun.elapsed();
    assert_eq!(portal.count(Entity::Deal), total);
    let marks: Vec<String> = (0..50).map(|n| format!("GRAND:{n}")).collect();
    let list = json!({"entityTypeId": 2, "filter": {"=originatorId": "fidelio-bitrix24", "@originId": marks}, "select": ["id", "originId"]});
    for _ in 0..20 {
        assert_eq!(client.call("crm.item.list", list.clone()).await["items"].as_array().map(Vec::len), Some(50));
    }
    println!("{total} records: import {imported:?}, with 20 look-ups {:?}", begun.elapsed());
}
