//! Anomalies that a tenant's rules look for are told, and those that it turned off are not.

use serde_json::Value;
use turnpike_tests::{caller::Caller, dev::Dev, eventually::eventually};

async fn raised(dev: &Dev) -> Vec<(String, String)> {
    let alerts = dev.admin.json(&["alert", "list"]).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let alerts = alerts.as_array().unwrap().iter();
    alerts
        .map(|alert| (text(&alert["kind"]), text(&alert["evidence"]["subject"])))
        .collect()
}

/// The tenant's own: refusals sooner, refused keys sooner, strangers not at all.
async fn set_rules(dev: &Dev) {
    let rules = dev
        .admin
        .words("alert rule set refusals --threshold 6 --window 5m")
        .await;
    let rule = |name: &str| {
        rules
            .as_array()
            .unwrap()
            .iter()
            .find(|rule| rule["rule"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(
        (&rule("refusals")["threshold"], &rule("refusals")["chosen"]),
        (&6.into(), &true.into())
    );
    assert_eq!(rule("usage_spike")["chosen"], false);
    dev.admin
        .words("alert rule set refused_credential --threshold 3")
        .await;
    dev.admin
        .words("alert rule set failed_authentications --off true")
        .await;
    let refused = dev
        .admin
        .run(&["alert", "rule", "set", "usage_spike", "--window", "5m"])
        .await;
    assert_eq!(refused.status, 1, "{refused:?}");
}

#[tokio::test]
async fn who_tries_doors_and_keys_is_told_by_the_tenants_own_rules() {
    let dev = Dev::start().await;
    set_rules(&dev).await;
    let key = dev.application("nosy").await;
    let caller = dev.caller(&key);
    let revoked = dev.key(&key.owner, &[]).await;
    dev.admin
        .words(&format!("credential revoke {} --wait", revoked.id))
        .await;
    let dead = Caller::new(&dev.edges[0].url(), Some(&revoked.text));
    for _ in 0..6 {
        assert_eq!(caller.chat("fake-openai/gpt-4o").await.status, 403);
        assert_eq!(dead.chat("fake-openai/gpt-4o").await.status, 401);
    }
    let alerts = eventually("two alerts", async || match raised(&dev).await {
        alerts if alerts.len() < 2 => Err(alerts),
        alerts => Ok(alerts),
    })
    .await;
    assert_eq!(alerts.len(), 2, "{alerts:?}");
    // A further one shows that the same requests were looked at again, and nothing was told of them twice.
    let other = dev.key(&key.owner, &[]).await;
    dev.admin
        .words(&format!("credential revoke {} --wait", other.id))
        .await;
    let dead = Caller::new(&dev.edges[0].url(), Some(&other.text));
    for _ in 0..3 {
        assert_eq!(dead.chat("fake-openai/gpt-4o").await.status, 401);
    }
    let mut alerts = eventually("an alert of the other key", async || match raised(&dev).await {
        alerts if alerts.iter().all(|(_, subject)| *subject != other.id) => Err(alerts),
        alerts => Ok(alerts),
    })
    .await;
    alerts.sort();
    let mut told = [
        ("refusals", key.owner.as_str()),
        ("refused_credential", revoked.id.as_str()),
        ("refused_credential", other.id.as_str()),
    ];
    told.sort_unstable();
    assert_eq!(
        alerts,
        told.map(|(kind, subject)| (kind.to_owned(), subject.to_owned()))
    );
    dealt_with(&dev).await;
}

/// What becomes of the alert about refusals: seen, silenced and resolved.
async fn dealt_with(dev: &Dev) {
    let refusals = dev.admin.words("alert list --open").await;
    let refusals = refusals.as_array().unwrap().iter();
    let refusals = refusals
        .clone()
        .find(|alert| alert["kind"] == "refusals")
        .unwrap();
    assert_eq!(
        (&refusals["status"], &refusals["count"]),
        (&"open".into(), &6.into())
    );
    let audit = refusals["audit"][0].as_str().unwrap();
    assert_eq!(audit.split('/').count(), 3, "{audit}");
    let id = refusals["id"].as_str().unwrap();
    let acknowledged = dev.admin.json(&["alert", "ack", id, "--reason", "looking"]).await;
    assert_eq!(acknowledged["alert"]["status"], "acknowledged", "{acknowledged}");
    let silenced = dev.admin.json(&["alert", "silence", id, "--for", "2h"]).await;
    assert!(silenced["alert"]["silenced_until"].is_string(), "{silenced}");
    let resolved = dev
        .admin
        .json(&["alert", "resolve", id, "--reason", "a script"])
        .await;
    assert_eq!(resolved["alert"]["status"], "resolved", "{resolved}");
    let shown = dev.admin.json(&["alert", "get", id]).await;
    assert_eq!(
        (&shown["status"], &shown["resolution"]),
        (&"resolved".into(), &"a script".into())
    );
    assert!(
        shown["resolved_by"].as_str().unwrap().starts_with("user:"),
        "{shown}"
    );
    assert_eq!(shown["acknowledged_by"], shown["resolved_by"]);
    let open = dev.admin.words("alert list --open").await;
    assert_eq!(open.as_array().unwrap().len(), 2, "{open}");
    let again = dev.admin.run(&["alert", "ack", id]).await;
    assert_eq!(again.status, 1, "{again:?}");
}

#[tokio::test]
async fn a_rule_of_ones_own_is_checked_tried_on_the_past_and_raises_and_shadow_use_is_shown() {
    let dev = Dev::start().await;
    let bad = ["alert", "rule", "create", "busy", "--when", "request > 3"];
    let refused = dev.admin.run(&bad).await;
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(refused.complaint.contains("known are subject"), "{refused:?}");
    let key = dev.application("busy").await;
    dev.admin
        .words(&format!(
            "grant create --to {} --role developer --model fake-openai/gpt-* --wait",
            key.owner
        ))
        .await;
    let caller = dev.caller(&key);
    let mut requests = Vec::new();
    for _ in 0..5 {
        let answer = caller.chat("fake-openai/gpt-4o").await;
        assert_eq!(answer.status, 200);
        requests.push(answer.request_id().to_owned());
    }
    dev.audited_all(requests.iter().map(String::as_str)).await;
    let tried = "alert rule test --when 'requests >= 5' --by credential --since 1h";
    let would = eventually("an alert that would have been", async || {
        let would = dev.admin.words(tried).await;
        match would.as_array().is_some_and(|all| !all.is_empty()) {
            true => Ok(would),
            false => Err(would),
        }
    })
    .await;
    assert_eq!(would[0]["subject"], key.id.as_str(), "{would}");
    let create = "alert rule create busy --when 'requests >= 5' --by credential --suspend";
    dev.admin.words(create).await;
    let alerts = eventually("an alert", async || match raised(&dev).await {
        alerts if alerts.is_empty() => Err(alerts),
        alerts => Ok(alerts),
    })
    .await;
    assert_eq!(alerts, [("rule.busy".to_owned(), key.id.clone())]);
    let suspended = dev.admin.json(&["credential", "get", &key.id]).await;
    assert_eq!(suspended["status"], "suspended", "{suspended}");
    let shadow = dev.admin.words("usage shadow --since 1h").await;
    let shadow = shadow.as_array().unwrap();
    let model = shadow
        .iter()
        .find(|one| one["what"] == "ungranted_model")
        .unwrap();
    assert_eq!(
        (&model["value"], &model["requests"]),
        (&"fake-openai/gpt-4o".into(), &5.into())
    );
    let plot = dev.admin.words("usage plot --each day --by model").await;
    assert!(plot[0]["bar"].as_str().unwrap().starts_with('█'), "{plot}");
}
