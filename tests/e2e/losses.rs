//! What is lost of the audit is told in the audit itself, and as an alert.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Answer, chat},
    eventually::eventually,
    production::Production,
};

/// Requests of two kilobytes of metadata each: more than the spool holds.
const REQUESTS: usize = 150;

fn number(value: &Value) -> usize {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

#[tokio::test]
async fn what_a_full_spool_drops_is_counted_in_the_audit_and_told_as_one_alert() {
    let production =
        Production::with_one_edge(&["--spool-max-bytes", "128KiB", "--spool-full", "drop"]).await;
    let key = production.granted("writer").await;
    let caller = production.caller(&key);
    let around = production.to_control_plane.cut().unwrap();
    let metadata: serde_json::Map<String, Value> = (0..8)
        .map(|number| (number.to_string(), json!("x".repeat(240))))
        .collect();
    let metadata = Value::Object(metadata).to_string();
    let mut asked = BTreeSet::new();
    for _ in 0..REQUESTS {
        let request = caller.post("/v1/chat/completions", &chat("fake-openai/gpt-4o"));
        let answer = Answer::of(request.header("x-turnpike-metadata", &metadata)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        asked.insert(answer.request_id().to_owned());
    }
    production.to_control_plane.connect(around);

    // Every request has its row, or is among those that a row counts.
    let (rows, lost) = eventually("every request to be accounted for", async || {
        let rows = production.audit(&[]).await;
        let of_requests = rows
            .iter()
            .filter(|row| asked.contains(row["request_id"].as_str().unwrap_or_default()));
        let kept = of_requests.count();
        let losses = rows.iter().filter(|row| row["reason"] == "records_dropped");
        let lost: usize = losses.map(|row| number(&row["metadata"]["records"])).sum();
        match kept + lost == REQUESTS {
            true => Ok((rows, lost)),
            false => Err((kept, lost)),
        }
    })
    .await;
    assert!(lost > 0, "nothing was dropped");
    let alerts = eventually("an alert", async || {
        let alerts = production.admin.json(&["alert", "list"]).await;
        match alerts.as_array().unwrap().is_empty() {
            true => Err(()),
            false => Ok(alerts),
        }
    })
    .await;
    let alerts = alerts.as_array().unwrap();
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!(alerts[0]["kind"], "audit_gap");
    // A row about rows is no request.
    let report = production.admin.words("usage report").await;
    let about = rows.iter().filter(|row| row["action"] == "audit.lost").count();
    assert_eq!(report["total"]["requests"], json!(rows.len() - about));
}

/// The spool's files, in the order in which they were begun, of the run of a lane that has the most.
fn segments(spool: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(spool).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: &Path| -> Option<(u64, u64)> {
        let (epoch, number) = path
            .file_name()?
            .to_str()?
            .strip_suffix(".seg")?
            .split_once('-')?;
        Some((epoch.parse().ok()?, number.parse().ok()?))
    };
    let mut all: Vec<_> = entries.filter_map(|path| Some((of(&path)?, path))).collect();
    all.sort();
    let length = |epoch: u64| all.iter().filter(|((of, _), _)| *of == epoch).count();
    let longest = all
        .iter()
        .map(|((epoch, _), _)| *epoch)
        .max_by_key(|epoch| length(*epoch))
        .unwrap();
    all.into_iter()
        .filter(|((epoch, _), _)| *epoch == longest)
        .map(|(_, path)| path)
        .collect()
}

/// Turns a bit in the middle of one segment, and ends another within a frame: another lane's, where there is one.
fn damage(spool: &Path, files: &[PathBuf]) -> bool {
    let turned = &files[1];
    let mut bytes = fs::read(turned).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    fs::write(turned, bytes).unwrap();
    let torn = fs::read_dir(spool).unwrap().map(|entry| entry.unwrap().path());
    let torn = torn.filter(|path| path.extension().is_some_and(|kind| kind == "seg"));
    let torn = torn.filter(|path| !files.contains(path)).max();
    if let Some(torn) = &torn {
        let mut bytes = fs::read(torn).unwrap();
        bytes.extend([77, 0, 0]);
        fs::write(torn, bytes).unwrap();
    }
    torn.is_some()
}

#[tokio::test]
async fn what_a_crash_or_a_bad_disk_did_to_a_spool_is_told_in_the_audit_and_the_rest_is_there() {
    let mut production = Production::with_one_edge(&["--spool-max-bytes", "1MiB"]).await;
    let key = production.granted("writer").await;
    let caller = production.caller(&key);
    let around = production.to_control_plane.cut().unwrap();
    let metadata: serde_json::Map<String, Value> = (0..8)
        .map(|number| (number.to_string(), json!("x".repeat(240))))
        .collect();
    let metadata = Value::Object(metadata).to_string();
    let spool = production.folder().join("edge-eu/spool");
    let mut asked = BTreeSet::new();
    let mut files = Vec::new();
    while files.len() < 3 {
        let request = caller.post("/v1/chat/completions", &chat("fake-openai/gpt-4o"));
        let answer = Answer::of(request.header("x-turnpike-metadata", &metadata)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        asked.insert(answer.request_id().to_owned());
        files = segments(&spool);
    }
    production.edge_processes[0].kill().await;
    let torn = damage(&spool, &files);
    production.to_control_plane.connect(around);
    production.restart_edge(0).await;

    let reasons = eventually("what was found to be told", async || {
        let rows = production
            .operator
            .json(&["audit", "list", "--action", "audit.lost"])
            .await;
        let rows = rows.as_array().unwrap();
        let reasons: BTreeSet<String> = rows
            .iter()
            .map(|row| row["reason"].as_str().unwrap().to_owned())
            .collect();
        match reasons.contains("spool_damaged") && (!torn || reasons.contains("spool_torn")) {
            true => Ok(reasons),
            false => Err(reasons),
        }
    })
    .await;
    assert!(!reasons.contains("records_dropped"), "{reasons:?}");
    the_rest_is_there(&production, &spool, &asked).await;
}

/// What stood before the damage is there, the damaged segment is kept, and somebody is told.
async fn the_rest_is_there(production: &Production, spool: &Path, asked: &BTreeSet<String>) {
    let known = |rows: &[Value]| -> BTreeSet<String> {
        rows.iter()
            .filter_map(|row| Some(row["request_id"].as_str()?.to_owned()))
            .collect()
    };
    // What stood before the damage is there; how much was lost nobody can say, so it is not said.
    let kept = eventually("the records before the damage", async || {
        let kept = known(&production.audit(&[]).await);
        match kept.intersection(asked).count() {
            0 => Err(kept.len()),
            count => Ok(count),
        }
    })
    .await;
    assert!(kept < asked.len(), "{kept} of {}", asked.len());
    let damaged = fs::read_dir(spool).unwrap().map(|entry| entry.unwrap().path());
    let damaged = damaged.filter(|path| path.extension().is_some_and(|kind| kind == "damaged"));
    assert!(damaged.count() >= 1, "what is damaged is kept for a person");
    eventually("an alert", async || {
        let alerts = production.operator.json(&["alert", "list"]).await;
        match alerts
            .as_array()
            .unwrap()
            .iter()
            .any(|alert| alert["kind"] == "audit_gap")
        {
            true => Ok(()),
            false => Err(alerts),
        }
    })
    .await;
}
