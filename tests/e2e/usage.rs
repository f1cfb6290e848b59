//! What was used, by whom and for which customer, as `turnpike usage` tells it: it adds up to the audit.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Answer, Caller, chat},
    dev::Dev,
    eventually::eventually,
    ground::Key,
};

const DEAR: &str = "fake-openai/gpt-4o";
const CHEAP: &str = "fake-openai/gpt-4o-mini";

async fn asked_for(caller: &Caller, customer: &str, model: &str) -> Answer {
    let request = caller.post("/v1/chat/completions", &chat(model)).header(
        "x-turnpike-metadata",
        json!({"customer-id": customer}).to_string(),
    );
    Answer::of(request).await
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

/// Dollars as they are shown, in billionths.
fn nanos(value: &Value) -> i64 {
    let Some(text) = value.as_str() else { return 0 };
    let (whole, fraction) = text.trim_start_matches('-').split_once('.').unwrap();
    let size =
        whole.parse::<i64>().unwrap() * 1_000_000_000 + format!("{fraction:0<9}").parse::<i64>().unwrap();
    if text.starts_with('-') { -size } else { size }
}

/// Requests, refused, tokens in and out, cost and saving.
type Sum = [i64; 6];

fn of_report(row: &Value) -> Sum {
    let counts = ["requests", "refused", "tokens_input", "tokens_output"].map(|name| number(&row[name]));
    let [requests, refused, input, output] = counts;
    [
        requests,
        refused,
        input,
        output,
        nanos(&row["cost_usd"]),
        nanos(&row["saved_usd"]),
    ]
}

fn of_audit(row: &Value) -> Sum {
    [
        1,
        i64::from(row["outcome"] == "refused"),
        number(&row["input_tokens"]),
        number(&row["output_tokens"]),
        nanos(&row["cost_usd"]),
        nanos(&row["saved_usd"]),
    ]
}

fn add(sum: &mut Sum, other: Sum) {
    sum.iter_mut().zip(other).for_each(|(one, more)| *one += more);
}

/// The audit's rows, added up by team, model and customer.
fn added(rows: &[Value]) -> BTreeMap<[String; 3], Sum> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut sums = BTreeMap::new();
    for row in rows {
        let model = match row["model_served"].is_null() {
            true => &row["model_requested"],
            false => &row["model_served"],
        };
        let key = [&row["team"], model, &row["metadata"]["customer-id"]].map(text);
        add(sums.entry(key).or_default(), of_audit(row));
    }
    sums
}

const REPORT: [&str; 6] = [
    "usage",
    "report",
    "--by",
    "team,model,metadata:customer-id",
    "--from",
    "1h",
];

/// Sellers with an application that may use the cheap model alone, and is answered by it for the dear one.
async fn furnish(dev: &Dev) -> Key {
    for command in [
        "team create sellers".to_owned(),
        "virtual-account create shop --team sellers".to_owned(),
        format!("grant create --to team:sellers --role developer --model {CHEAP}"),
        format!("fallback create --from {DEAR} --to {CHEAP}"),
        format!("model update {CHEAP} --input-price 0.15 --output-price 0.60"),
        format!("model update {DEAR} --input-price 2.50 --output-price 10 --wait"),
    ] {
        dev.admin.words(&command).await;
    }
    dev.key("virtual-account:shop", &[]).await
}

/// Requests for two customers, and the id of the first.
async fn ask_for_customers(caller: &Caller) -> String {
    let mut first = None;
    for (customer, model, status) in [
        ("a", CHEAP, 200),
        ("a", DEAR, 200),
        ("b", DEAR, 200),
        ("b", "fake-openai/llama-3", 403),
    ] {
        let answer = asked_for(caller, customer, model).await;
        assert_eq!(answer.status, status, "{answer:?}");
        first.get_or_insert_with(|| answer.request_id().to_owned());
    }
    first.unwrap()
}

/// A new price is for what comes after it.
async fn a_price_changes(dev: &Dev, caller: &Caller, earlier: &str) {
    let before = nanos(&dev.audited(earlier).await["cost_usd"]);
    let dearer = format!("model update {CHEAP} --input-price 1.50 --output-price 6 --wait");
    dev.admin.words(&dearer).await;
    let later = asked_for(caller, "a", CHEAP).await;
    let row = dev.audited(later.request_id()).await;
    assert_eq!(nanos(&row["cost_usd"]), 10 * before, "{row}");
    assert!(before > 0);
    let kept = dev.audited(earlier).await;
    assert_eq!(nanos(&kept["cost_usd"]), before);
}

/// The report and the rows that it is of.
async fn counted(dev: &Dev) -> (Value, Vec<Value>) {
    eventually("all to be counted", async || {
        let rows = dev.audit(&[]).await;
        let report = dev.admin.json(&REPORT).await;
        match report["total"]["requests"] == json!(rows.len()) && rows.len() >= 5 {
            true => Ok((report, rows)),
            false => Err(report),
        }
    })
    .await
}

fn adds_up(report: &Value, rows: &[Value]) {
    let mut told = BTreeMap::new();
    let mut total = Sum::default();
    for row in report["rows"].as_array().unwrap() {
        let key = ["team", "model", "metadata:customer-id"];
        let key = key.map(|name| row[name].as_str().unwrap_or_default().to_owned());
        told.insert(key, of_report(row));
        add(&mut total, of_report(row));
    }
    assert_eq!(told, added(rows));
    assert_eq!(of_report(&report["total"]), total);
    assert_eq!(report["total"]["substituted"], 2);
    assert!(nanos(&report["total"]["saved_usd"]) > 0, "{report}");
}

#[tokio::test]
async fn usage_adds_up_to_the_audit_by_customer_and_shows_what_substitutes_saved() {
    let dev = Dev::start().await;
    let key = furnish(&dev).await;
    let caller = dev.caller(&key);
    let first = ask_for_customers(&caller).await;
    a_price_changes(&dev, &caller, &first).await;
    let (report, rows) = counted(&dev).await;
    adds_up(&report, &rows);

    dev.operator.run(&["usage", "rebuild"]).await;
    assert_eq!(dev.admin.json(&REPORT).await, report, "counted anew");
    let ended = dev.admin.run(&["usage", "rebuild"]).await;
    assert_eq!(ended.status, 1, "it is for operators");
}

#[tokio::test]
async fn usage_is_told_as_csv_by_the_greatest_and_to_operators_by_tenant() {
    let dev = Dev::start().await;
    let key = furnish(&dev).await;
    ask_for_customers(&dev.caller(&key)).await;
    eventually("four requests", async || {
        let report = dev.admin.json(&REPORT).await;
        match report["total"]["requests"] == 4 {
            true => Ok(()),
            false => Err(report),
        }
    })
    .await;
    let csv = "--output csv usage report --by metadata:customer-id";
    let csv = dev.admin.run(&csv.split(' ').collect::<Vec<_>>()).await;
    let lines: Vec<&str> = csv.printed.split("\r\n").collect();
    assert!(
        lines[0].starts_with("metadata:customer-id,requests,refused,"),
        "{lines:?}"
    );
    assert!(lines.iter().any(|line| line.starts_with("b,2,1,")), "{lines:?}");
    let top = dev.admin.words("usage top --order requests --limit 1").await;
    assert_eq!(top["rows"][0]["principal"], "virtual-account:shop");

    let by_tenant = dev.operator.words("usage report --by tenant").await;
    let rows = by_tenant["rows"].as_array().unwrap();
    assert!(
        rows.iter()
            .any(|row| row["tenant"] == "dev" && row["requests"] == 4),
        "{rows:?}"
    );
    let refused = dev
        .operator
        .run(&["usage", "report", "--by", "tenant,principal"])
        .await;
    assert_eq!(
        refused.status, 1,
        "who it was is not the operators' to read: {refused:?}"
    );
    let own = dev.admin.words("usage report --by tenant").await;
    assert_eq!(own["rows"].as_array().unwrap().len(), 1, "{own}");
}
