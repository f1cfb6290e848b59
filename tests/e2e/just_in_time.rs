//! Access for some time: asked for, decided by somebody else, in force at the edge, and over by itself.

use serde_json::{Value, json};
use turnpike_tests::{cli::Cli, dev::Dev, eventually::eventually, ground::Key};

const MODEL: &str = "fake-openai/gpt-4o";

async fn refused(cli: &Cli, arguments: &[&str], because: &str) {
    let ended = cli.run(arguments).await;
    assert_eq!(ended.status, 1, "{arguments:?}: {ended:?}");
    assert!(
        ended.complaint.contains(because),
        "{arguments:?}: {}",
        ended.complaint
    );
}

/// A user with a key.
async fn person(dev: &Dev, name: &str) -> Key {
    dev.admin.json(&["user", "create", name]).await;
    dev.key(&format!("user:{name}"), &[]).await
}

/// What somebody may ask for, or decide about.
async fn let_in(dev: &Dev, who: &Key, role: &str) {
    let grant = format!(
        "grant create --to {} --role {role} --resource role:developer --wait",
        who.owner
    );
    dev.admin.words(&grant).await;
}

async fn roles(dev: &Dev) {
    for (role, action) in [("requester", "access.request"), ("approver", "access.approve")] {
        dev.admin
            .words(&format!("role create {role} --action {action}"))
            .await;
    }
}

async fn ask(cli: &Cli, duration: &str) -> String {
    let ask = [
        "access",
        "request",
        "--role",
        "developer",
        "--model",
        "fake-openai/gpt-4*",
        "--for",
        duration,
    ];
    let asked = cli.json(&[&ask[..], &["--reason", "incident 42"]].concat()).await;
    assert_eq!(asked["request"]["status"], "open");
    asked["request"]["id"].as_str().unwrap().to_owned()
}

async fn status(dev: &Dev, key: &Key) -> u16 {
    dev.caller(key).chat(MODEL).await.status
}

#[tokio::test]
async fn access_is_asked_for_approved_by_somebody_else_and_ends_by_itself() {
    let dev = Dev::start().await;
    let alice = person(&dev, "alice-jit").await;
    let her = dev.admin.by(&alice.text);
    assert_eq!(status(&dev, &alice).await, 403);
    refused(&her, &["access", "requests"], "access.request").await;
    roles(&dev).await;
    let_in(&dev, &alice, "requester").await;

    let id = ask(&her, "1h").await;
    assert_eq!(status(&dev, &alice).await, 403, "asking gives nothing");
    let approve = ["access", "approve", &id, "--for", "3s", "--wait"];
    refused(&her, &approve, "access.approve").await;
    // Not even with the right to approve, nor with another key.
    let_in(&dev, &alice, "approver").await;
    dev.admin
        .words("grant create --to user:alice-jit --role admin --resource grant:* --wait")
        .await;
    let other = dev.key(&alice.owner, &[]).await;
    for key in [&alice, &other] {
        refused(&dev.admin.by(&key.text), &approve, "of their own").await;
    }

    let approved = dev.admin.json(&approve).await["request"].clone();
    assert_eq!(approved["status"], "approved");
    assert_eq!(approved["decided_by"], "user:admin", "{approved}");
    let grant = dev
        .admin
        .json(&["grant", "get", approved["grant"].as_str().unwrap()])
        .await;
    assert_eq!(
        (&grant["subject"], &grant["reason"]),
        (&json!("user:alice-jit"), &json!("incident 42"))
    );
    let mut served = 0;
    eventually("the access to end by itself", async || {
        match status(&dev, &alice).await {
            200 => {
                served += 1;
                Err("still served")
            }
            403 => Ok(()),
            other => panic!("{other}"),
        }
    })
    .await;
    assert!(served > 0, "it was never served");
    let seen = her.json(&["access", "requests", "--all"]).await;
    assert_eq!(
        (&seen[0]["id"], &seen[0]["status"]),
        (&json!(id), &json!("expired"))
    );
    let log = dev.admin.json(&["log", "list"]).await;
    let kinds: Vec<&Value> = log.as_array().unwrap().iter().map(|one| &one["kind"]).collect();
    for kind in ["access.requested", "access.approved"] {
        assert!(
            kinds
                .iter()
                .any(|one| one.as_str().is_some_and(|one| one.starts_with(kind))),
            "{kind}: {kinds:?}"
        );
    }
}

#[tokio::test]
async fn requests_are_refused_withdrawn_and_seen_by_those_whom_they_concern() {
    let dev = Dev::start().await;
    let [alice, bob, lead] = [
        person(&dev, "alice-jit").await,
        person(&dev, "bob-jit").await,
        person(&dev, "lead-jit").await,
    ];
    roles(&dev).await;
    for who in [&alice, &bob] {
        let_in(&dev, who, "requester").await;
    }
    let_in(&dev, &lead, "approver").await;
    let [hers, his, leads] = [&alice, &bob, &lead].map(|key| dev.admin.by(&key.text));
    let (first, second) = (ask(&hers, "1h").await, ask(&his, "1h").await);
    let seen = async |cli: &Cli| {
        let requests = cli.json(&["access", "requests"]).await;
        requests.as_array().unwrap().len()
    };
    assert_eq!(
        (seen(&hers).await, seen(&his).await, seen(&leads).await),
        (1, 1, 2)
    );
    refused(&his, &["access", "withdraw", &first], "was not found").await;
    // Deciding is not granting: an approver needs both.
    refused(&leads, &["access", "approve", &first], "grants.write").await;
    let no = leads
        .json(&["access", "refuse", &first, "--reason", "use staging"])
        .await;
    assert_eq!(no["request"]["decision_reason"], "use staging");
    let gone = his.json(&["access", "withdraw", &second]).await;
    assert_eq!(gone["request"]["status"], "withdrawn");
    for id in [&first, &second] {
        refused(&dev.admin, &["access", "approve", id], "can no longer be decided").await;
    }
    assert_eq!(seen(&leads).await, 0);

    let tenant = ["tenant", "update", "dev", "--max-access", "30m"];
    assert_eq!(dev.admin.json(&tenant).await["tenant"]["max_access"], "30m");
    let too_long = [
        "access",
        "request",
        "--role",
        "developer",
        "--for",
        "1h",
        "--reason",
        "why not",
    ];
    refused(&hers, &too_long, "30 minutes").await;
    let third = ask(&hers, "30m").await;
    dev.admin.words("user update alice-jit --deactivated true").await;
    refused(&dev.admin, &["access", "approve", &third], "withdrawn").await;
}
