//! The audit can be held to what the edges signed when they wrote it: whatever is changed in the database or in an export of
//! it shows.

use std::{fs, path::PathBuf};

use serde_json::Value;
use turnpike_tests::{
    caller::chat,
    eventually::eventually,
    place,
    process::{self, Process},
    production::Production,
};

const MODEL: &str = "fake-openai/gpt-4o";

/// What somebody with all rights does to the rows of the longest epoch, and how it is told.
const TAMPERING: [(&str, &str); 5] = [
    ("UPDATE turnpike.audit SET principal = 'user:somebody' WHERE id = (SELECT min(id) FROM epoch)", "is not the one that the edge signed"),
    ("DELETE FROM turnpike.audit WHERE id = (SELECT min(id) FROM epoch WHERE sequence > 1)", "are missing"),
    (
        "UPDATE turnpike.audit SET sequence = sequence + 1000 WHERE id IN (SELECT id FROM epoch WHERE sequence <= 2);
         UPDATE turnpike.audit SET sequence = 1003 - sequence WHERE id IN (SELECT id FROM epoch WHERE sequence <= 2)",
        "is not the one that the edge signed",
    ),
    (
        "DELETE FROM turnpike.audit WHERE id = (SELECT max(id) FROM epoch);
         DELETE FROM turnpike.audit_checkpoints AS said USING (SELECT * FROM epoch ORDER BY sequence DESC LIMIT 1) AS gone
            WHERE said.edge = gone.edge AND said.epoch = gone.epoch AND last >= gone.sequence",
        "are missing",
    ),
    (
        "UPDATE turnpike.audit_checkpoints SET after = before WHERE (edge, epoch) IN (SELECT edge, epoch FROM epoch)",
        "is not by the edge's key",
    ),
];

/// The rows of one epoch, aside, and the way back.
const ASIDE: &str = "CREATE TABLE rows AS SELECT * FROM turnpike.audit;
    CREATE TABLE said AS SELECT * FROM turnpike.audit_checkpoints;
    CREATE TABLE epoch AS SELECT * FROM turnpike.audit WHERE (edge, epoch) =
        (SELECT edge, epoch FROM turnpike.audit GROUP BY edge, epoch ORDER BY count(*) DESC LIMIT 1)";
const BACK: &str = "DELETE FROM turnpike.audit; DELETE FROM turnpike.audit_checkpoints;
    INSERT INTO turnpike.audit OVERRIDING SYSTEM VALUE SELECT * FROM rows;
    INSERT INTO turnpike.audit_checkpoints SELECT * FROM said";

async fn verify(production: &Production, more: &[&str]) -> (i32, Value) {
    let arguments = [&["--output", "json", "audit", "verify"], more].concat();
    let ended = production.operator.run(&arguments).await;
    let verdict = serde_json::from_str(&ended.printed).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    (ended.status, verdict)
}

async fn intact(production: &Production, more: &[&str]) -> Value {
    let (status, verdict) = verify(production, more).await;
    assert_eq!(
        (status, &verdict["intact"]),
        (0, &Value::Bool(true)),
        "{verdict:#}"
    );
    verdict
}

async fn told(production: &Production, more: &[&str], how: &str) {
    let (status, verdict) = verify(production, more).await;
    assert_eq!(
        (status, &verdict["intact"]),
        (1, &Value::Bool(false)),
        "{how}: {verdict:#}"
    );
    let problems = verdict["problems"].as_array().unwrap();
    assert!(
        problems
            .iter()
            .any(|problem| problem.as_str().unwrap().contains(how)),
        "{how}: {problems:#?}"
    );
}

/// Requests over a killed edge and a started one, all of them in the audit and signed.
async fn furnished() -> Production {
    let mut production = Production::with_one_edge(&[]).await;
    let key = production.granted("writer").await;
    let mut requests = Vec::new();
    for round in 0..2 {
        let caller = production.caller(&key);
        for number in 0..12 {
            let model = if number % 4 == 3 {
                "fake-openai/none"
            } else {
                MODEL
            };
            let answer = caller
                .post("/v1/chat/completions", &chat(model))
                .header("x-turnpike-metadata", r#"{"n": "1"}"#);
            requests.push(
                turnpike_tests::caller::Answer::of(answer)
                    .await
                    .request_id()
                    .to_owned(),
            );
        }
        if round == 0 {
            production.edge_processes[0].kill().await;
            production.restart_edge(0).await;
            eventually("service", async || {
                match production.caller(&key).chat(MODEL).await.status {
                    200 => Ok(()),
                    status => Err(status),
                }
            })
            .await;
        }
    }
    production.audited_all(requests.iter().map(String::as_str)).await;
    eventually("all to be signed", async || {
        let (_, verdict) = verify(&production, &[]).await;
        match (verdict["unproven"].as_u64(), verdict["records"].as_u64()) {
            (Some(0), Some(24..)) => Ok(()),
            _ => Err(verdict),
        }
    })
    .await;
    production
}

#[tokio::test]
async fn every_change_deletion_swap_and_cut_of_the_audit_shows() {
    let production = furnished().await;
    let whole = intact(&production, &[]).await;
    production.database.execute(ASIDE).await;
    for (tampering, how) in TAMPERING {
        production.database.execute(tampering).await;
        told(&production, &[], how).await;
        production.database.execute(BACK).await;
        assert_eq!(intact(&production, &[]).await, whole, "{tampering}");
    }
    let refused = production.admin.run(&["audit", "verify"]).await;
    assert_eq!(refused.status, 1, "it is for operators: {refused:?}");
}

#[tokio::test]
async fn an_export_is_held_to_its_proof_with_nobody_asked() {
    let production = furnished().await;
    let file = |name: &str| production.folder().join(name);
    let keep = |name: &str, text: &str| -> PathBuf {
        fs::write(file(name), text).unwrap();
        file(name)
    };
    let proof = production.operator.run(&["audit", "prove"]).await.printed;
    let rows = production.admin.run(&["audit", "export"]).await.printed;
    let count = rows.lines().count() as u64;
    assert!(count >= 24, "{rows}");
    let (proof_file, rows_file) = (keep("proof.jsonl", &proof), keep("rows.jsonl", &rows));
    let from = |proof: &PathBuf, rows: &PathBuf| {
        [
            "--proof",
            proof.to_str().unwrap(),
            "--rows",
            rows.to_str().unwrap(),
        ]
        .map(str::to_owned)
    };
    let words = from(&proof_file, &rows_file);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let verdict = intact(&production, &words).await;
    assert_eq!(verdict["rows"], count);
    let keys = verdict["keys"].as_object().unwrap();
    let (edge, key) = keys.iter().next().unwrap();
    let trusted = format!("{edge}={}", key[0].as_str().unwrap());
    intact(&production, &[words.as_slice(), &["--trust", &trusted]].concat()).await;
    let strange = [words.as_slice(), &["--trust", "edge=strange"]].concat();
    told(&production, &strange, "is not by the edge's key").await;

    // Of a row, of the hashes and of a signature one digit each.
    let turned = |text: &str, name: &str| {
        let at = text.find(name).unwrap() + name.len() + 10;
        let other = if &text[at..=at] == "0" { "1" } else { "0" };
        format!("{}{other}{}", &text[..at], &text[at + 1..])
    };
    for (name, how) in [
        ("\"hashes\":[\"", "is not the one that the edge signed"),
        ("\"signature\":\"", "is not by the edge's key"),
    ] {
        let other = keep("other.jsonl", &turned(&proof, name));
        told(&production, &["--proof", other.to_str().unwrap()], how).await;
    }
    let other = keep("other.jsonl", &turned(&rows, "\"record\":\""));
    let words = from(&proof_file, &other);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    told(&production, &words, "is not the one in the proof").await;

    let csv = production
        .admin
        .run(&["audit", "export", "--format", "csv", "--outcome", "refused"])
        .await
        .printed;
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("time,request_id,decision_id"), "{csv}");
    assert_eq!(lines.len(), 7, "a header and six refusals: {csv}");
    let tail = production
        .admin
        .run(&["audit", "tail", "--limit", "3"])
        .await
        .printed;
    assert_eq!(tail.lines().count(), 3);
}

#[tokio::test]
async fn who_follows_the_audit_sees_each_request_once_as_it_comes_in() {
    let production = Production::with_one_edge(&[]).await;
    let key = production.granted("writer").await;
    let caller = production.caller(&key);
    let before = caller.chat(MODEL).await.request_id().to_owned();
    production.audited(&before).await;
    let mut command = process::command(place::binary("turnpike"));
    let follow = ["audit", "tail", "-f", "--limit", "10"];
    let address = format!("http://{}", production.admin.control_plane());
    command.args(follow).env("TURNPIKE_CONTROL_PLANE", address);
    command.env("TURNPIKE_TOKEN", production.admin.token());
    let following = Process::spawn(production.folder(), "tail", command);
    let seen = || -> Vec<String> {
        let printed = following.printed();
        let rows = printed
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        rows.filter_map(|row| Some(row["request_id"].as_str()?.to_owned()))
            .collect()
    };
    let mut asked = vec![before];
    for _ in 0..3 {
        let id = caller.chat(MODEL).await.request_id().to_owned();
        eventually("the request to be shown", async || match seen().contains(&id) {
            true => Ok(()),
            false => Err(seen()),
        })
        .await;
        asked.push(id);
    }
    let seen: Vec<String> = seen().into_iter().filter(|id| asked.contains(id)).collect();
    assert_eq!(seen, asked, "each once, in order");
}
