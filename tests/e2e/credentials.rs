//! The life of credentials through the real command line, and what an edge then does with them.

use turnpike_tests::{caller::Caller, cli::Cli, dev::Dev, ground::Key};

const MODEL: &str = "fake-openai/gpt-4o";
const OTHER: &str = "fake-anthropic/claude-sonnet-5";

async fn status(dev: &Dev, key: &Key, model: &str) -> u16 {
    dev.caller(key).chat(model).await.status
}

async fn refused(cli: &Cli, line: &str, because: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ended = cli.run(&words).await;
    assert_eq!(ended.status, 1, "{line}: {ended:?}");
    assert!(ended.complaint.contains(because), "{line}: {}", ended.complaint);
}

/// A user with a key who may use every model.
async fn person(dev: &Dev, name: &str) -> Key {
    dev.admin.json(&["user", "create", name]).await;
    let key = dev.key(&format!("user:{name}"), &[]).await;
    dev.allow(&key.owner, "fake-*").await;
    key
}

#[tokio::test]
async fn a_narrowed_key_opens_less_and_can_never_be_widened_again() {
    let dev = Dev::start().await;
    let key = dev.granted("narrowing").await;
    assert_eq!(status(&dev, &key, MODEL).await, 200);
    let id = &key.id;
    dev.admin
        .words(&format!("credential narrow {id} --model fake-openai/* --wait"))
        .await;
    assert_eq!(status(&dev, &key, MODEL).await, 200);
    assert_eq!(status(&dev, &key, OTHER).await, 403);
    for wider in ["--model *", "--model fake-openai/* --model fake-anthropic/*"] {
        let line = format!("credential narrow {id} {wider}");
        refused(&dev.admin, &line, "can only be narrowed").await;
    }
    let line = format!("credential narrow {id} --network 192.0.2.0/24 --expires 30d --wait");
    let narrowed = dev.admin.words(&line).await["credential"].clone();
    assert_eq!(
        narrowed["scope"]["models"][0], "fake-openai/*",
        "what is not given stays"
    );
    assert_eq!(narrowed["scope"]["networks"][0], "192.0.2.0/24");
    assert_eq!(status(&dev, &key, MODEL).await, 403, "from another network");
    let line = format!("credential narrow {id} --expires 60d");
    refused(&dev.admin, &line, "can only be narrowed").await;
}

#[tokio::test]
async fn a_suspended_key_says_why_and_works_again_when_it_is_resumed() {
    let dev = Dev::start().await;
    let key = dev.granted("resting").await;
    let suspend = ["credential", "suspend", &key.id, "--reason", "on leave", "--wait"];
    dev.admin.json(&suspend).await;
    assert_eq!(status(&dev, &key, MODEL).await, 401);
    let shown = dev.admin.json(&["credential", "get", &key.id]).await;
    assert_eq!(
        (&shown["status"], &shown["suspended_reason"]),
        (&"suspended".into(), &"on leave".into())
    );
    dev.admin.json(&["credential", "resume", &key.id, "--wait"]).await;
    assert_eq!(status(&dev, &key, MODEL).await, 200);
}

#[tokio::test]
async fn revoking_all_of_a_team_kills_its_peoples_and_applications_keys_and_no_others() {
    let dev = Dev::start().await;
    let (inside, bystander) = (person(&dev, "ann").await, person(&dev, "ben").await);
    let (bot, other) = (dev.granted("team-bot").await, dev.granted("other-bot").await);
    dev.admin.words("team create leaky").await;
    for member in [&inside, &bot] {
        dev.admin
            .json(&["team", "add-member", "leaky", &member.owner])
            .await;
    }
    let line = "credential revoke-all --team leaky --reason leaked --wait";
    let answer = dev.admin.words(line).await;
    assert_eq!(answer["revoked"]["credentials"], 2, "{answer}");
    for (key, expected) in [(&inside, 401), (&bot, 401), (&bystander, 200), (&other, 200)] {
        assert_eq!(status(&dev, key, MODEL).await, expected, "{}", key.owner);
    }
    let shown = dev.admin.json(&["credential", "get", &bot.id]).await;
    assert_eq!(shown["revoked_reason"], "leaked");
    refused(&dev.admin, "credential revoke-all --team nobody", "was not found").await;
}

#[tokio::test]
async fn a_tenants_policy_is_shown_and_refuses_with_the_rule_that_it_is() {
    let dev = Dev::start().await;
    dev.admin.words("virtual-account create bound").await;
    let policy = "tenant update dev --max-lifetime 90d --expiry-required true --max-live 1 --warn-before 7d";
    dev.admin.words(policy).await;
    dev.admin.words("tenant update dev --warn-before none").await;
    let shown = dev.admin.words("tenant get dev").await["credential_policy"].clone();
    assert_eq!(
        (&shown["max_lifetime"], &shown["max_live"]),
        (&"90d".into(), &1.into())
    );
    assert!(shown["warn_before"].is_null(), "{shown}");
    let create = "credential create --owner virtual-account:bound";
    refused(&dev.admin, create, "demands an expiry").await;
    refused(&dev.admin, &format!("{create} --expires 100d"), "at most 90 days").await;
    dev.admin.words(&format!("{create} --expires 30d")).await;
    refused(&dev.admin, &format!("{create} --expires 30d"), "permits 1").await;
    dev.admin
        .words("tenant update dev --clear-credential-policy")
        .await;
    assert!(dev.admin.words("tenant get dev").await["credential_policy"].is_null());
    dev.admin.words(create).await;
}

#[tokio::test]
async fn a_longest_life_ends_older_keys_too() {
    let dev = Dev::start().await;
    let key = dev.granted("ancient").await;
    dev.admin
        .words("tenant update dev --max-lifetime 1h --wait")
        .await;
    assert_eq!(status(&dev, &key, MODEL).await, 200);
    // The administrator's key of the tenant ends with the others: the operators' does not.
    let line = "tenant update dev --max-lifetime 0s --wait";
    dev.operator.words(line).await;
    assert_eq!(status(&dev, &key, MODEL).await, 401);
    dev.operator
        .words("tenant update dev --max-lifetime none --wait")
        .await;
    assert_eq!(status(&dev, &key, MODEL).await, 200);
}

#[tokio::test]
async fn a_person_who_leaves_loses_every_key_and_what_they_made_lives_on() {
    let dev = Dev::start().await;
    let (ann, bob) = (person(&dev, "ann").await, person(&dev, "ben").await);
    let second = dev.key("user:ann", &[]).await;
    dev.admin
        .words("grant create --to user:ann --role admin --wait")
        .await;
    let as_ann = dev.admin.by(&ann.text);
    as_ann.words("virtual-account create left-behind").await;
    let made = as_ann
        .words("credential create --owner virtual-account:left-behind --wait")
        .await;
    dev.allow("virtual-account:left-behind", "fake-*").await;
    dev.admin.words("user update ann --deactivated true --wait").await;
    assert_eq!(status(&dev, &ann, MODEL).await, 401);
    assert_eq!(status(&dev, &second, MODEL).await, 401);
    assert_eq!(
        as_ann.run(&["team", "list"]).await.status,
        1,
        "nor the administration"
    );
    assert_eq!(status(&dev, &bob, MODEL).await, 200);
    let bot = Caller::new(&dev.edges[0].url(), made["key"].as_str());
    assert_eq!(bot.chat(MODEL).await.status, 200);
}

#[tokio::test]
async fn a_decoy_is_refused_like_any_wrong_key_and_recorded_as_what_it_is() {
    let dev = Dev::start().await;
    let decoy = dev.granted("honeypot").await;
    let decoy = dev.key(&decoy.owner, &["--decoy"]).await;
    let answer = dev.caller(&decoy).chat(MODEL).await;
    let nobody = Caller::new(&dev.edges[0].url(), Some("tp_va_mistyped"));
    let other = nobody.chat(MODEL).await;
    assert_eq!((answer.status, &answer.body), (401, &other.body));
    let row = dev.audited(answer.request_id()).await;
    assert_eq!(
        (&row["reason"], &row["credential"]),
        (&"credential_decoy".into(), &decoy.id.into())
    );
}

#[tokio::test]
async fn each_step_of_a_keys_life_is_in_the_log_with_who_did_it_and_why() {
    let dev = Dev::start().await;
    dev.admin.words("virtual-account create observed").await;
    let create = "credential create --owner virtual-account:observed --reason 'why it was create'";
    let made = dev.admin.words(create).await["credential"].clone();
    assert_eq!(made["reason"], "why it was create");
    let id = made["id"].as_str().unwrap();
    let shown = dev.admin.words(&format!("credential get {id}")).await;
    assert_eq!(shown["reason"], made["reason"]);
    let steps = [
        "narrow --expires 30d",
        "suspend",
        "resume",
        "rotate --overlap 1h",
        "revoke",
    ];
    for step in steps {
        let (verb, further) = step.split_once(' ').unwrap_or((step, ""));
        let line = format!("credential {verb} {id} {further} --reason 'why it was {verb}'");
        dev.admin.words(&line).await;
    }
    let log = dev.admin.words("log list").await;
    let about = log.as_array().unwrap().iter().filter(|entry| {
        let kind = entry["kind"].as_str().unwrap();
        kind.starts_with("credential.") && entry["payload"]["id"] == id
    });
    let told: Vec<_> = about
        .map(|entry| {
            let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            (
                word(&entry["kind"]),
                word(&entry["actor"]),
                word(&entry["payload"]["reason"]),
            )
        })
        .collect();
    let me = dev.admin.words("whoami").await["principal"]
        .as_str()
        .unwrap()
        .to_owned();
    let step = |kind: &str, reason: &str| (kind.to_owned(), me.clone(), reason.to_owned());
    assert_eq!(
        told,
        [
            step("credential.issued", "why it was create"),
            step("credential.narrowed", "why it was narrow"),
            step("credential.suspended", "why it was suspend"),
            step("credential.resumed", "why it was resume"),
            step("credential.rotated", "why it was rotate"),
            step("credential.revoked", "why it was revoke"),
        ]
    );
}
