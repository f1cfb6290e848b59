//! The audit reaches where a tenant wants it too: every row of it and none of another's, over refusals of the receiver and deaths
//! of control planes.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{KeyValue, any_value::Value as Any},
    logs::v1::LogRecord,
};
use prost::Message as _;
use serde_json::Value;
use sha2::Sha256;
use turnpike_tests::{
    caller::Caller,
    cli::Cli,
    eventually::eventually,
    ground::Key,
    production::{Plan, Production},
    receiver::Receiver,
    syslog::SyslogReceiver,
};

/// 32 bytes in base64.
const SECRET: &str = "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// Rows by edge, epoch and sequence.
type Rows = BTreeMap<(String, u64, u64), Value>;

fn id(row: &Value) -> (String, u64, u64) {
    let number = |name: &str| row[name].as_u64().unwrap();
    let edge = row["edge"].as_str().unwrap().to_owned();
    (edge, number("epoch"), number("sequence"))
}

/// What was posted and taken, each message's signature verified; a row that came twice is the same.
fn taken(receiver: &Receiver) -> Rows {
    let mut rows = Rows::new();
    for (path, headers, body) in receiver.posted() {
        let header = |name: &str| headers[name].to_str().unwrap();
        assert_eq!(
            (path.as_str(), header("content-type")),
            ("/rows", "application/x-ndjson")
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(&[1; 32]).unwrap();
        let (message, time) = (header("webhook-id"), header("webhook-timestamp"));
        mac.update(format!("{message}.{time}.{body}").as_bytes());
        let signature = header("webhook-signature").strip_prefix("v1,").unwrap();
        mac.verify_slice(&STANDARD.decode(signature).unwrap()).unwrap();
        let lines: Vec<Value> = body
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let ((edge, epoch, first), (_, _, last)) = (id(&lines[0]), id(lines.last().unwrap()));
        assert_eq!(message, format!("{edge}.{epoch}.{first}-{last}"));
        for line in lines {
            let before = rows.insert(id(&line), line.clone());
            assert!(before.is_none_or(|before| before == line));
        }
    }
    rows
}

/// What the audit itself shows of a tenant.
async fn stored(admin: &Cli) -> Rows {
    let rows = admin.words("audit list").await;
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| (id(row), row.clone())).collect()
}

async fn all_taken(receiver: &Receiver, admin: &Cli, least: usize) {
    all_are(async || taken(receiver), admin, least).await;
}

/// Waits until what was taken is what the audit shows, and at least so many rows.
async fn all_are(taken: impl AsyncFn() -> Rows, admin: &Cli, least: usize) {
    eventually("every row of the tenant, and no other", async || {
        let (taken, stored) = (taken().await, stored(admin).await);
        match taken == stored && taken.len() >= least {
            true => Ok(()),
            false => Err((taken.len(), stored.len())),
        }
    })
    .await;
}

async fn one_edge() -> Production {
    Production::start_as(Plan {
        regions: vec!["eu"],
        ..Plan::default()
    })
    .await
}

async fn set(production: &Production, receiver: &Receiver) {
    let url = format!("http://{}/rows", receiver.http);
    let set = ["audit", "sink", "set", "siem", "--webhook", &url];
    let refused = production.admin.run(&set).await;
    assert_eq!(refused.status, 1, "unsigned: {refused:?}");
    let set = [&set[..], &["--secret-from-env", "SINK_SECRET"]].concat();
    let set = production.admin.json_with(&set, &[("SINK_SECRET", SECRET)]).await;
    assert_eq!(set["sink"]["has_secret"], true, "{set}");
    assert!(!set.to_string().contains(SECRET));
}

/// Calls that make rows of the tenant, of another one, and of nobody.
async fn call(production: &Production, key: &Key, rival: &str, times: usize) {
    let caller = production.caller(key);
    let edge = production.edges[0].url();
    let (rival, nobody) = (Caller::new(&edge, Some(rival)), Caller::new(&edge, None));
    let mut requests = Vec::new();
    for number in 0..times {
        let model = ["fake-openai/gpt-4o", "fake-openai/none"][number % 2];
        requests.push(caller.chat(model).await.request_id().to_owned());
        assert_eq!(rival.chat("nobody/nothing").await.status, 404);
        assert_eq!(nobody.chat(model).await.status, 401);
    }
    production.audited_all(requests.iter().map(String::as_str)).await;
}

async fn rival(production: &Production) -> String {
    let made = production
        .operator
        .words("tenant create rival --administrator admin --wait")
        .await;
    made["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_row_of_a_tenant_and_none_of_anothers_reaches_its_webhook_over_refusals_and_kills() {
    let receiver = Receiver::start().await;
    let mut production = one_edge().await;
    let key = production.granted("writer").await;
    let rival = rival(&production).await;
    // Before there is a sink: it gets what is stored too.
    call(&production, &key, &rival, 4).await;
    set(&production, &receiver).await;
    all_taken(&receiver, &production.admin, 4).await;

    let _further = production.start_further_control_plane().await;
    for round in 1..=2 {
        receiver.refuse(true);
        let refused = receiver.refused();
        call(&production, &key, &rival, 6).await;
        eventually("a refusal", async || match receiver.refused() {
            count if count > refused => Ok(()),
            count => Err(count),
        })
        .await;
        production.control_plane.kill().await;
        receiver.refuse(false);
        production.restart_control_plane().await;
        all_taken(&receiver, &production.admin, 4 + round * 6).await;
    }
}

async fn nothing_waits(production: &Production) {
    eventually("nothing waits", async || {
        let sinks = production.admin.words("audit sink list").await;
        let sink = &sinks[0];
        match (
            sink["waiting"].as_u64(),
            &sink["error"],
            sink["taken"].is_string(),
        ) {
            (Some(0), Value::Null, true) => Ok(()),
            _ => Err(sinks),
        }
    })
    .await;
}

/// A metric of the tenant's sink; what there is where there is none.
async fn metric(production: &Production, name: &str) -> Result<f64, String> {
    let url = format!("http://{}/metrics", production.operations);
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| {
        line.starts_with(name) && line.contains("sink=\"siem\"") && line.contains("tenant=\"dev\"")
    });
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    value.ok_or(text)
}

#[tokio::test]
async fn how_far_behind_a_sink_is_and_why_is_listed_and_in_the_metrics() {
    let receiver = Receiver::start().await;
    let production = one_edge().await;
    let key = production.granted("writer").await;
    let rival = rival(&production).await;
    receiver.refuse(true);
    set(&production, &receiver).await;
    call(&production, &key, &rival, 3).await;
    let behind = eventually("the refusal in the list", async || {
        let sinks = production.admin.words("audit sink list").await;
        match sinks[0]["error"].as_str() {
            Some("the server answered 503 Service Unavailable") => Ok(sinks[0].clone()),
            _ => Err(sinks),
        }
    })
    .await;
    assert!(behind["waiting"].as_u64() >= Some(3), "{behind}");
    assert!(
        behind["oldest"].is_string() && behind["again"].is_string(),
        "{behind}"
    );
    assert_eq!(behind["taken"], Value::Null, "{behind}");
    eventually("refusals and what waits, in the metrics", async || {
        let refusals = metric(&production, "turnpike_audit_sink_refusals").await?;
        let waiting = metric(&production, "turnpike_audit_sink_waiting").await?;
        let age = metric(&production, "turnpike_audit_sink_age").await?;
        match refusals >= 1.0 && waiting >= 1.0 && age > 0.0 {
            true => Ok(()),
            false => Err(format!("{refusals} {waiting} {age}")),
        }
    })
    .await;

    receiver.refuse(false);
    // Set again it is tried at once, and goes on where it was.
    let url = format!("http://{}/rows", receiver.http);
    let again = [
        "audit",
        "sink",
        "set",
        "siem",
        "--webhook",
        &url,
        "--since",
        "30d",
    ];
    production.admin.json(&again).await;
    all_taken(&receiver, &production.admin, 3).await;
    nothing_waits(&production).await;
    production.admin.words("audit sink delete siem").await;
    assert_eq!(
        production.admin.words("audit sink list").await,
        Value::Array(Vec::new())
    );
}

fn named(one: &KeyValue) -> (&str, &Any) {
    (&one.key, one.value.as_ref().unwrap().value.as_ref().unwrap())
}

/// The attributes of a record, each once.
fn attributes(record: &LogRecord) -> BTreeMap<&str, &Any> {
    let all = record.attributes.iter();
    let named: BTreeMap<&str, &Any> = all.map(named).collect();
    assert_eq!(named.len(), record.attributes.len(), "{record:?}");
    named
}

/// What came as OTLP, each row as the audit shows it where what it says fits that.
fn logged(receiver: &Receiver, stored: &Rows) -> Rows {
    let mut rows = Rows::new();
    for (path, headers, body) in receiver.posted_bytes() {
        assert_eq!(
            (path.as_str(), &headers["content-type"]),
            ("/v1/logs", &"application/x-protobuf".parse().unwrap())
        );
        assert_eq!(
            (&headers["api-key"], &headers["x-org"]),
            (&"k e y".parse().unwrap(), &"acme".parse().unwrap())
        );
        let request = ExportLogsServiceRequest::decode(body).unwrap();
        let scopes = request.resource_logs.iter().flat_map(|one| &one.scope_logs);
        for record in scopes.flat_map(|one| &one.log_records) {
            let named = attributes(record);
            let text = |key: &str| match named.get(key) {
                Some(Any::StringValue(text)) => Value::from(text.as_str()),
                None => Value::Null,
                other => panic!("{key}: {other:?}"),
            };
            let number = |key: &str| match named.get(key) {
                Some(Any::IntValue(number)) => Value::from(*number),
                None => Value::Null,
                other => panic!("{key}: {other:?}"),
            };
            let id = (
                text("turnpike.edge").as_str().unwrap().to_owned(),
                number("turnpike.epoch").as_u64().unwrap(),
                number("turnpike.sequence").as_u64().unwrap(),
            );
            let Some(row) = stored.get(&id) else {
                panic!("not a row of the tenant: {record:?}");
            };
            for (key, name) in [
                ("turnpike.principal", "principal"),
                ("turnpike.tenant", "tenant"),
                ("turnpike.request_id", "request_id"),
                ("turnpike.reason", "reason"),
                ("gen_ai.request.model", "model_requested"),
                ("user_agent.original", "user_agent"),
            ] {
                assert_eq!(text(key), row[name], "{record:?}");
            }
            assert_eq!(number("http.response.status_code"), row["status"]);
            assert_eq!(number("gen_ai.usage.output_tokens"), row["output_tokens"]);
            let severity = if row["outcome"] == "refused" {
                "WARN"
            } else {
                "INFO"
            };
            assert_eq!(
                (record.severity_text.as_str(), record.event_name.as_str()),
                (severity, "turnpike.audit")
            );
            rows.insert(id, row.clone());
        }
    }
    rows
}

#[tokio::test]
async fn every_row_of_a_tenant_reaches_an_otlp_receiver_with_the_headers_that_it_wants() {
    let receiver = Receiver::start().await;
    let mut production = one_edge().await;
    let key = production.granted("writer").await;
    let rival = rival(&production).await;
    let url = format!("http://{}/v1/logs", receiver.http);
    let set = [
        "audit",
        "sink",
        "set",
        "lake",
        "--otlp",
        &url,
        "--secret-from-env",
        "LAKE_HEADERS",
    ];
    let headers = "api-key: k e y\nx-org: acme";
    let set = production
        .admin
        .json_with(&set, &[("LAKE_HEADERS", headers)])
        .await;
    assert!(!set.to_string().contains("k e y"), "{set}");
    call(&production, &key, &rival, 4).await;
    receiver.refuse(true);
    call(&production, &key, &rival, 2).await;
    production.control_plane.kill().await;
    receiver.refuse(false);
    production.restart_control_plane().await;
    let taken = async || logged(&receiver, &stored(&production.admin).await);
    all_are(taken, &production.admin, 6).await;
}

#[tokio::test]
async fn every_row_of_a_tenant_reaches_a_strict_receiver_of_syslog_over_tls() {
    let receiver = SyslogReceiver::start().await;
    let mut production = one_edge().await;
    let key = production.granted("writer").await;
    let rival = rival(&production).await;
    let authority = production.folder().join("siem.pem");
    std::fs::write(&authority, &receiver.authority).unwrap();
    let url = format!("tls://{}", receiver.address);
    let set = ["audit", "sink", "set", "siem", "--syslog", &url];
    production.admin.json(&set).await;
    call(&production, &key, &rival, 3).await;
    eventually("a certificate that nobody trusts is refused", async || {
        let sinks = production.admin.words("audit sink list").await;
        match sinks[0]["error"].as_str() {
            Some(error) if error.contains("invalid peer certificate") => Ok(()),
            _ => Err(sinks),
        }
    })
    .await;
    receiver.break_off(true);
    let set = [&set[..], &["--syslog-ca", authority.to_str().unwrap()]].concat();
    production.admin.json(&set).await;
    eventually("a connection that is broken off", async || {
        match receiver.broken() {
            0 => Err(0),
            some => Ok(some),
        }
    })
    .await;
    receiver.break_off(false);
    production.control_plane.kill().await;
    production.restart_control_plane().await;
    let taken = async || {
        let mut rows = Rows::new();
        for message in receiver.messages() {
            let row: Value = serde_json::from_str(&message.text).unwrap();
            let severity = if row["outcome"] == "refused" { 4 } else { 6 };
            assert_eq!(message.priority, (13, severity));
            assert_eq!(Value::from(message.time), row["time"]);
            let epoch = row["epoch"].to_string();
            assert_eq!(
                message.names,
                [row["edge"].as_str().unwrap(), "turnpike", &epoch, "audit"]
            );
            rows.insert(id(&row), row);
        }
        rows
    };
    all_are(taken, &production.admin, 3).await;
}
