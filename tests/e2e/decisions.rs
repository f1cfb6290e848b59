//! Decisions as data: each file of `tests/decisions` is a tenant set up by commands, and questions with their verdicts.
//!
//! The pure function on the folded log, `explain`, and a live edge must all give the verdict that is written there.

use std::{
    collections::BTreeMap,
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Deserialize;
use serde_json::Value;
use turnpike_access::{
    authenticate::Caller as Principal,
    choose::{ModelRequest, choose},
    grant::AuthMethod,
    id::Timestamp,
    resolve::Unresolved,
    snapshot::Snapshot,
};
use turnpike_tests::{
    caller::{Answer, Caller, chat},
    cli::{Cli, words},
    ground::{Key, audited_all},
    place,
    production::{PROVIDER_SECRET, Production},
};

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    /// `turnpike` commands, without the name of the program. `{today}` and `{another-day}` stand for days of the week.
    state: Vec<String>,
    /// Commands of the operators, before those; `{tenant}` is the tenant of this file, `{provider}` the fake provider's URL.
    #[serde(default)]
    operators: Vec<String>,
    /// Keys by a name for the questions: the flags of `credential create`.
    keys: BTreeMap<String, String>,
    questions: Vec<Question>,
}

/// One question, from 127.0.0.1, with an API key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    key: String,
    action: String,
    model: String,
    /// `granted`, or why not, as the audit has it.
    verdict: String,
    /// What is served, where it is not what was asked for.
    served: Option<String>,
    /// What explain says that the nearest grant lacks, where that is of interest.
    lacks: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    reason: String,
    served: Option<String>,
}

/// What the question's file says.
fn written(question: &Question) -> Verdict {
    let granted = question.verdict == "granted";
    let served = granted.then(|| question.served.clone().unwrap_or_else(|| question.model.clone()));
    Verdict {
        reason: question.verdict.clone(),
        served,
    }
}

/// The pure function.
fn decided(snapshot: &Snapshot, key: &Key, question: &Question, now: Timestamp) -> Verdict {
    let credential = snapshot.credential(key.id.parse().unwrap()).unwrap();
    let tenant = snapshot.tenant(credential.tenant.as_str()).unwrap();
    let account = tenant.account(&credential.owner).unwrap();
    let caller = Principal {
        credential: Some(credential),
        ..Principal::of(tenant, account, AuthMethod::ApiKey)
    };
    let client = Some([127, 0, 0, 1].into());
    let request = ModelRequest {
        action: &question.action,
        requested: &question.model,
        provider: None,
        circumstances: caller.circumstances(now, client),
        accepts_fallback: true,
    };
    match choose(snapshot, &caller, &request) {
        Ok(choice) => Verdict {
            reason: choice.decision.reason.as_str().to_owned(),
            served: choice.decision.allowed().then(|| choice.model.id.to_string()),
        },
        Err(Unresolved::Unknown) => Verdict {
            reason: "model_unknown".to_owned(),
            served: None,
        },
        Err(Unresolved::Ambiguous) => Verdict {
            reason: "model_ambiguous".to_owned(),
            served: None,
        },
    }
}

/// `turnpike explain`.
async fn explained(admin: &Cli, key: &Key, question: &Question) -> Verdict {
    let explain = [
        "explain",
        "--as",
        &key.owner,
        "--credential",
        &key.id,
        "--client",
        "127.0.0.1",
        "--accept-fallback",
    ];
    let asked = ["--action", &question.action, "--model", &question.model];
    let answer = admin.json(&[&explain[..], &asked].concat()).await;
    let text = |field: &str| answer[field].as_str().map(str::to_owned);
    if let Some(lacks) = &question.lacks {
        assert_eq!(answer["considered"][0]["sentence"], lacks.as_str(), "{answer}");
    }
    let allowed = answer["allowed"].as_bool().unwrap();
    Verdict {
        reason: text("reason").unwrap(),
        served: text("model").filter(|_| allowed),
    }
}

/// A request to an edge; its record says what was decided.
async fn requested(production: &Production, key: &Key, question: &Question) -> Answer {
    let path = match question.action.as_str() {
        "inference.chat" => "/v1/chat/completions",
        "inference.messages" => "/v1/messages",
        "inference.embeddings" => "/v1/embeddings",
        "inference.responses" => "/v1/responses",
        other => panic!("no route is judged by {other}"),
    };
    let caller = Caller::new(&production.edges[0].url(), Some(&key.text));
    let answer = Answer::of(caller.post(path, &chat(&question.model))).await;
    let expected = match question.verdict.as_str() {
        "granted" => 200,
        "model_unknown" => 404,
        _ => 403,
    };
    assert_eq!(answer.status, expected, "{question:?}: {answer:?}");
    answer
}

/// What the edge decided, by its record.
fn enforced(row: &Value) -> Verdict {
    let text = |field: &str| row[field].as_str().map(str::to_owned);
    Verdict {
        reason: text("reason").unwrap(),
        served: text("model_served"),
    }
}

/// The days in UTC on which the test can run, should it pass midnight meanwhile; and one on which it can't.
fn days() -> (String, String) {
    let day = |ahead: u64| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let names = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];
        names[usize::try_from((since.as_secs() / 86_400 + ahead) % 7).unwrap()]
    };
    (format!("{},{}", day(0), day(1)), day(3).to_owned())
}

async fn set_up(production: &Production, tenant: &str, fixture: &Fixture) -> (Cli, BTreeMap<String, Key>) {
    let made = production
        .operator
        .json(&["tenant", "create", tenant, "--administrator", "admin"])
        .await;
    let admin = production.admin.by(made["key"].as_str().unwrap());
    production.catalogue(&admin).await;
    let provider = format!("http://{}/v1", production.provider);
    for command in &fixture.operators {
        let command = command
            .replace("{tenant}", tenant)
            .replace("{provider}", &provider);
        let secret = [("PROVIDER_SECRET", PROVIDER_SECRET)];
        production.operator.json_with(&words(&command), &secret).await;
    }
    let (today, another) = days();
    for command in &fixture.state {
        let command = command
            .replace("{today}", &today)
            .replace("{another-day}", &another);
        admin.words(&command).await;
    }
    let mut keys = BTreeMap::new();
    for (name, flags) in &fixture.keys {
        let made = admin.words(&format!("credential create {flags} --wait")).await;
        let text = |part: &Value| part.as_str().unwrap().to_owned();
        let credential = &made["credential"];
        let key = Key {
            text: text(&made["key"]),
            id: text(&credential["id"]),
            owner: text(&credential["owner"]),
        };
        keys.insert(name.clone(), key);
    }
    (admin, keys)
}

#[tokio::test]
async fn the_pure_function_explain_and_a_live_edge_agree_with_every_fixture() {
    let production = Production::with_one_edge(&[]).await;
    let mut files: Vec<_> = fs::read_dir(place::root().join("tests/decisions"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let mut asked = 0;
    for file in files {
        let tenant = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let fixture: Fixture = serde_norway::from_str(&fs::read_to_string(&file).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let (admin, keys) = set_up(&production, &tenant, &fixture).await;
        let mut snapshot = Snapshot::default();
        let events = production.database.events().await;
        events.iter().for_each(|event| snapshot.fold(event).unwrap());
        let now = events.last().unwrap().origin.time;
        let mut answers = Vec::new();
        for question in &fixture.questions {
            let (key, expected) = (&keys[&question.key], written(question));
            assert_eq!(
                decided(&snapshot, key, question, now),
                expected,
                "decide, {tenant}: {question:?}"
            );
            assert_eq!(
                explained(&admin, key, question).await,
                expected,
                "explain, {tenant}: {question:?}"
            );
            answers.push((question, requested(&production, key, question).await));
        }
        let rows = audited_all(
            &admin,
            None,
            answers.iter().map(|(_, answer)| answer.request_id()),
        )
        .await;
        for (question, answer) in &answers {
            assert_eq!(
                enforced(&rows[answer.request_id()]),
                written(question),
                "edge, {tenant}: {question:?}"
            );
        }
        asked += answers.len();
    }
    assert!(asked > 30, "only {asked} questions were found");
}
