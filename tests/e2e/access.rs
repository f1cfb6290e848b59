//! Why, who and when: decisions that were made are explained, and access is told as it is and as it was.

use serde_json::{Value, json};
use turnpike_tests::{
    caller::{self, Answer, Caller},
    cli::Cli,
    dev::Dev,
    ground::Key,
};

mod granters;

const MODEL: &str = "fake-openai/gpt-4o";
const OTHER: &str = "fake-openai/llama-3";

async fn explained(cli: &Cli, answer: &Answer) -> Value {
    let decision = answer.header("x-turnpike-decision");
    assert!(decision.starts_with("dec_"), "{answer:?}");
    cli.words(&format!("explain {decision}")).await
}

async fn declining(dev: &Dev, key: &Key, model: &str) -> Answer {
    let caller: Caller = dev.caller(key);
    let request = caller.post("/v1/chat/completions", &caller::chat(model));
    Answer::of(request.header("x-turnpike-fallback", "none")).await
}

fn sentences(explained: &Value) -> Vec<&str> {
    let considered = explained["considered"].as_array().unwrap();
    considered
        .iter()
        .map(|one| one["sentence"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_decision_is_explained_by_the_state_that_made_it_whatever_was_granted_since() {
    let dev = Dev::start().await;
    let key = dev.application("outsider").await;
    dev.allow(&key.owner, OTHER).await;
    let refused = dev.caller(&key).chat(MODEL).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains(refused.header("x-turnpike-decision")));
    dev.allow(&key.owner, MODEL).await;
    let allowed = dev.caller(&key).chat(MODEL).await;
    assert_eq!(allowed.status, 200);

    let story = explained(&dev.admin, &refused).await;
    let told = (
        &story["verdict"],
        &story["allowed"],
        &story["reason"],
        &story["outcome"],
    );
    let expected = (
        &json!("same"),
        &json!(false),
        &json!("no_grant"),
        &json!("refused"),
    );
    assert_eq!(told, expected, "{story}");
    assert_eq!(
        story["position"].to_string(),
        refused.header("x-turnpike-position")
    );
    assert_eq!(sentences(&story), ["it is about other resources"], "{story}");
    let fallback = "no fallback rule speaks of this model and this caller";
    assert_eq!(
        (&story["fallback"], &story["fallbacks"]),
        (&json!(fallback), &json!([]))
    );
    assert_eq!(story["you_can_grant"], json!(true));
    let granters = story["who_can_grant"].as_array().unwrap();
    assert!(
        !granters.is_empty() && !granters.contains(&json!(key.owner)),
        "{story}"
    );

    let story = explained(&dev.admin, &allowed).await;
    assert_eq!(
        (&story["verdict"], &story["allowed"]),
        (&json!("same"), &json!(true)),
        "{story}"
    );
    assert_eq!(story["considered"].as_array().unwrap().len(), 2);
    assert_eq!(story["considered"][0]["matches"], json!(true));
}

#[tokio::test]
async fn of_a_fallback_it_is_told_whether_it_was_taken_declined_or_no_better() {
    let dev = Dev::start().await;
    let key = dev.application("saver").await;
    dev.allow(&key.owner, OTHER).await;
    let rule = |from: &str, to: &str| format!("fallback create --from {from} --to {to} --wait");
    dev.admin.words(&rule(MODEL, "fake-openai/gpt-4o-mini")).await;
    dev.admin.words(&rule(MODEL, OTHER)).await;

    let served = dev.caller(&key).chat(MODEL).await;
    assert_eq!((served.status, served.header("x-turnpike-model")), (200, OTHER));
    let story = explained(&dev.admin, &served).await;
    let told = (&story["verdict"], &story["served"], &story["fallback"]);
    let sentence = format!("{OTHER} was served in its place");
    assert_eq!(told, (&json!("same"), &json!(OTHER), &json!(sentence)), "{story}");
    let rules = story["fallbacks"].as_array().unwrap();
    assert!(
        rules[0].as_str().unwrap().contains("not allowed either"),
        "{story}"
    );
    assert!(rules[1].as_str().unwrap().ends_with("taken"), "{story}");
    // What stood in the way of the model that was asked for.
    assert_eq!(sentences(&story), ["it is about other resources"]);

    let declined = declining(&dev, &key, MODEL).await;
    assert_eq!(declined.status, 403);
    let story = explained(&dev.admin, &declined).await;
    assert_eq!(
        (&story["verdict"], &story["fallback"]),
        (&json!("same"), &json!("no fallback was taken"))
    );
    assert!(
        story["fallbacks"][1].as_str().unwrap().contains("declined"),
        "{story}"
    );
}

#[tokio::test]
async fn refusals_before_a_decision_are_explained_to_whom_they_belong() {
    let dev = Dev::start().await;
    let key = dev.granted("bot").await;
    let unknown = dev.caller(&key).chat("fake-openai/no-such-model").await;
    assert_eq!(unknown.status, 404);
    let story = explained(&dev.admin, &unknown).await;
    assert_eq!(
        (&story["verdict"], &story["reason"]),
        (&json!("not_evaluated"), &json!("model_unknown"))
    );
    assert!(
        story["story"].as_str().unwrap().contains("no model of that name"),
        "{story}"
    );

    let revoke = [
        "credential",
        "revoke",
        &key.id,
        "--reason",
        "was in a log",
        "--wait",
    ];
    dev.admin.json(&revoke).await;
    let revoked = dev.caller(&key).chat(MODEL).await;
    assert_eq!(revoked.status, 401);
    let story = explained(&dev.admin, &revoked).await;
    assert_eq!(story["reason"], json!("credential_revoked"));
    assert!(
        story["story"].as_str().unwrap().contains("was in a log"),
        "{story}"
    );

    // Whoever shows no credential belongs to no tenant: the operators see it, and nobody else.
    let nobody = Caller::new(&dev.edges[0].url(), None).chat(MODEL).await;
    assert_eq!(nobody.status, 401);
    let story = explained(&dev.operator, &nobody).await;
    assert_eq!(story["reason"], json!("credential_missing"));
    let ended = dev
        .admin
        .run(&["explain", nobody.header("x-turnpike-decision")])
        .await;
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(ended.complaint.contains("waiting up to"), "{ended:?}");
    assert!(
        ended.complaint.contains("only operators see the record"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn ones_own_decision_is_explained_to_oneself_and_another_ones_to_nobody_without_the_right() {
    let dev = Dev::start().await;
    let (own, other) = (dev.application("own").await, dev.application("other").await);
    let refused = dev.caller(&own).chat(MODEL).await;
    assert_eq!(refused.status, 403);
    let story = explained(&dev.admin.by(&own.text), &refused).await;
    assert_eq!(
        (&story["verdict"], &story["you_can_grant"]),
        (&json!("same"), &json!(false)),
        "{story}"
    );

    let decision = refused.header("x-turnpike-decision");
    let ended = dev.admin.by(&other.text).run(&["explain", decision]).await;
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(ended.complaint.starts_with("turnpike: refused"), "{ended:?}");
    // A developer may ask what would be, and not what others did.
    let grant = format!("grant create --to {} --role developer --wait", other.owner);
    dev.admin.words(&grant).await;
    let ended = dev.admin.by(&other.text).run(&["explain", decision]).await;
    assert!(
        ended.status == 1 && ended.complaint.contains("audit.read"),
        "{ended:?}"
    );

    // Another tenant's decision reads like one that never was.
    let made = dev
        .operator
        .words("tenant create rival --administrator eve")
        .await;
    let rival = dev.operator.by(made["key"].as_str().unwrap());
    let (theirs, none) = (
        rival.run(&["explain", decision]).await,
        rival.run(&["explain", "dec_000000000000000000000000"]).await,
    );
    assert_eq!((theirs.status, none.status), (1, 1));
    let text = |complaint: &str| {
        complaint
            .replace(decision, "ID")
            .replace("dec_000000000000000000000000", "ID")
    };
    assert_eq!(text(&theirs.complaint), text(&none.complaint));
}

#[tokio::test]
async fn with_hidden_models_an_explanation_tells_no_more_than_the_refusal() {
    let dev = Dev::start().await;
    dev.admin
        .words("tenant update dev --hide-models true --wait")
        .await;
    let key = dev.application("outsider").await;
    let hidden = dev.caller(&key).chat(MODEL).await;
    let absent = dev.caller(&key).chat("fake-openai/no-such-model").await;
    assert_eq!((hidden.status, absent.status), (404, 404));
    for answer in [&hidden, &absent] {
        dev.audited(answer.request_id()).await;
    }
    let own = dev.admin.by(&key.text);
    let mut stories = [explained(&own, &hidden).await, explained(&own, &absent).await];
    for story in &mut stories {
        for differs in ["decision_id", "request_id", "time", "model"] {
            story[differs].take();
        }
    }
    assert_eq!(stories[0], stories[1]);
    let story = explained(&dev.admin, &hidden).await;
    assert_eq!(story["reason"], json!("no_grant"), "{story}");
}

fn row<'r>(rows: &'r Value, subject: &str) -> Option<&'r Value> {
    rows.as_array()
        .unwrap()
        .iter()
        .find(|row| row["subject"] == json!(subject))
}

/// `virtual-account:late` has the model since it joined a team, `virtual-account:early` from one network alone.
async fn furnish(admin: &Cli) -> (String, u64) {
    admin.words("team create night").await;
    admin.words("virtual-account create early").await;
    let granted = admin
        .words(
            "grant create --to team:night --role developer --model fake-openai/gpt-4o --reason late --wait",
        )
        .await;
    let joined = admin
        .words("virtual-account create late --team night --wait")
        .await;
    admin.words("alias set best fake-openai/gpt-4o").await;
    let narrow = "grant create --to virtual-account:early --role developer --model fake-openai/gpt-4o --network 10.0.0.0/8";
    admin.words(narrow).await;
    let grant = granted["grant"]["id"].as_str().unwrap().to_owned();
    (grant, joined["receipt"]["position"].as_u64().unwrap())
}

#[tokio::test]
async fn who_may_use_a_model_is_told_with_what_gave_it_now_and_at_any_moment_of_the_past() {
    let dev = Dev::start().await;
    let admin = &dev.admin;
    let (grant, joined) = furnish(admin).await;

    let who = admin
        .words("access who --model best --action inference.chat")
        .await;
    let late = row(&who, "virtual-account:late").unwrap();
    assert_eq!(
        (&late["access"], &late["grant"], &late["through"]),
        (&json!("yes"), &json!(grant), &json!("team:night"))
    );
    assert_eq!(
        (&late["position"], &late["grants"][0]["event"]),
        (&json!(joined), &json!("team joined")),
        "{late}"
    );
    let early = row(&who, "virtual-account:early").unwrap();
    assert_eq!(
        (&early["access"], &early["conditions"]),
        (&json!("under conditions"), &json!(["from 10.0.0.0/8"]))
    );

    // The same by the state at the head, and as it was.
    let deleted = admin.words(&format!("grant delete {grant} --wait")).await;
    let head = deleted["receipt"]["position"].as_u64().unwrap();
    let now = admin.words("access who --model best").await;
    assert_eq!(
        now,
        admin
            .words(&format!("access who --model best --position {head}"))
            .await
    );
    assert_eq!(now, admin.words("access who --model best --at 0s").await);
    assert!(row(&now, "virtual-account:late").is_none(), "{now}");
    let then = format!("access who --model fake-openai/gpt-4o --position {joined}");
    let then = admin.words(&then).await;
    assert_eq!(
        row(&then, "virtual-account:late").unwrap()["grant"],
        json!(grant),
        "{then}"
    );
    assert!(row(&then, "virtual-account:early").is_none(), "{then}");
    let ended = admin
        .run(&["access", "who", "--model", "best", "--position", "999999"])
        .await;
    assert!(
        ended.status == 1 && ended.complaint.contains("not there yet"),
        "{ended:?}"
    );

    // What is judged at a past position is judged by what was granted then.
    let check = format!("check --as virtual-account:late --action inference.chat --model {MODEL}");
    let ended = admin.run(&check.split(' ').collect::<Vec<_>>()).await;
    assert_eq!(ended.status, 1);
    let checked = admin.words(&format!("{check} --position {joined}")).await;
    assert_eq!(checked["allowed"], json!(true), "{checked}");
}

#[tokio::test]
async fn what_somebody_may_do_is_told_model_by_model_and_in_administration() {
    let dev = Dev::start().await;
    let admin = &dev.admin;
    let key = dev.granted("bot").await;
    let what = admin
        .words(&format!("access what --principal {}", key.owner))
        .await;
    let of_model = what
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["resource"] == json!(MODEL));
    let says = |row: &Value, action: &str| row["actions"].as_array().unwrap().contains(&json!(action));
    assert!(says(of_model.unwrap(), "inference.chat"), "{what}");
    let unlisted = what
        .as_array()
        .unwrap()
        .iter()
        .any(|row| row["resource"] == json!("fake-faults/*") && says(row, "inference.chat"));
    assert!(
        unlisted,
        "what an open catalogue does not list is told too: {what}"
    );

    admin.words("user create carol").await;
    admin.words("grant create --to user:carol --role admin").await;
    let what = admin.words("access what --principal user:carol").await;
    let grants = what
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["resource"] == json!("grant:*"))
        .unwrap();
    assert!(
        grants["actions"]
            .as_array()
            .unwrap()
            .contains(&json!("grants.write")),
        "{what}"
    );
    admin.words("user update carol --deactivated true --wait").await;
    assert_eq!(admin.words("access what --principal user:carol").await, json!([]));

    // A key that may not read access learns nothing of anybody.
    let ended = admin
        .by(&key.text)
        .run(&["access", "who", "--model", MODEL])
        .await;
    assert!(
        ended.status == 1 && ended.complaint.contains("access.read"),
        "{ended:?}"
    );
}
