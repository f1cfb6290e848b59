//! A review of access beside its use, and the narrower policy that it proposes, as a reviewer works with them.

use serde_json::{Value, json};
use turnpike_tests::{cli::Cli, dev::Dev, ground::Key};

const MODEL: &str = "fake-openai/gpt-4o";
const OTHER: &str = "fake-openai/llama-3";

/// A tenant with somebody who uses half of what they have, and somebody who uses nothing, and when that was settled.
struct Reviewed {
    dev: Dev,
    busy: Key,
    idle: Key,
    since: String,
}

impl Reviewed {
    async fn furnished() -> Self {
        let dev = Dev::start().await;
        dev.admin.words("team create crew").await;
        let idle = dev.granted("idle").await;
        let own = ["virtual-account", "update", "idle", "--owner", "team:crew"];
        dev.admin.json(&own).await;
        let busy = dev.granted("busy").await;
        let first = dev.caller(&busy).chat(MODEL).await;
        assert_eq!(first.status, 200);
        let row = dev.audited(first.request_id()).await;
        let since = row["time"].as_str().unwrap().to_owned();
        Self {
            dev,
            busy,
            idle,
            since,
        }
    }

    /// Answers that were given to the busy one, all of them in the audit.
    async fn requested(&self) {
        let caller = self.dev.caller(&self.busy);
        let (served, refused) = (
            caller.chat(OTHER).await,
            self.dev.caller(&self.idle).chat("fake-openai/none").await,
        );
        assert_eq!((served.status, refused.status), (200, 404));
        self.dev
            .audited_all([served.request_id(), refused.request_id()])
            .await;
    }

    async fn review(&self, cli: &Cli, flags: &[&str]) -> Vec<Value> {
        let asked = ["access", "review", "--unused-for", &self.since];
        let rows = cli.json(&[&asked, flags].concat()).await;
        rows.as_array().unwrap().clone()
    }
}

fn of<'r>(rows: &'r [Value], subject: &str, role: &str) -> &'r Value {
    let mut of_subject = rows.iter().filter(|row| row["subject"] == json!(subject));
    of_subject
        .find(|row| row["role"] == json!(role))
        .unwrap_or_else(|| panic!("{subject} as {role}: {rows:?}"))
}

#[tokio::test]
async fn a_review_tells_who_may_do_what_by_which_grant_and_when_it_was_last_used() {
    let stage = Reviewed::furnished().await;
    stage.requested().await;
    let admin = &stage.dev.admin;
    let rows = stage.review(admin, &[]).await;
    let busy = of(&rows, &stage.busy.owner, "developer");
    assert!(busy["last_used"].as_str().is_some(), "{busy}");
    assert_eq!(busy["used_actions"], json!(["inference.chat"]), "{busy}");
    assert_eq!(busy["on"], json!(["fake-*"]));
    assert_eq!(busy["findings"], json!(["wider_than_use", "no_owner"]));
    let idle = of(&rows, &stage.idle.owner, "developer");
    assert_eq!((&idle["last_used"], &idle["uses"]), (&Value::Null, &json!(0)));
    assert_eq!(idle["findings"], json!(["unused"]));
    assert_eq!(idle["owner"], json!("team:crew"));
    let boss = of(&rows, "user:admin", "admin");
    let standing = json!("standing_privilege");
    assert!(boss["findings"].as_array().unwrap().contains(&standing), "{boss}");

    let unused = stage.review(admin, &["--only", "unused"]).await;
    assert!(
        unused
            .iter()
            .all(|row| row["findings"].as_array().unwrap().contains(&json!("unused")))
    );
    let csv = admin
        .run(&[
            "access",
            "review",
            "--unused-for",
            &stage.since,
            "--output",
            "csv",
        ])
        .await;
    assert_eq!(csv.status, 0, "{csv:?}");
    assert!(
        csv.printed.starts_with("subject,owner,through,grant,role,on,"),
        "{csv:?}"
    );
    assert_eq!(csv.printed.lines().count(), rows.len() + 1);
    let table = admin.run(&["access", "review", "--without-use"]).await;
    assert!(
        table.status == 0 && table.printed.contains("standing_privilege"),
        "{table:?}"
    );
    assert!(!table.printed.contains("unused"), "{table:?}");
}

#[tokio::test]
async fn what_a_review_proposes_narrows_and_no_recorded_request_would_have_gone_otherwise() {
    let stage = Reviewed::furnished().await;
    stage.requested().await;
    let (dev, admin) = (&stage.dev, &stage.dev.admin);
    let file = dev.folder().join("narrower.yaml").display().to_string();
    stage.review(admin, &["--propose", &file]).await;
    let text = std::fs::read_to_string(&file).unwrap();
    let told = format!("{} as developer; nobody used it", stage.idle.owner);
    assert!(
        text.starts_with("# Proposed by") && text.contains(&told),
        "{text}"
    );

    let rehearse = [
        "apply",
        "-f",
        &file,
        "--prune",
        "--dry-run",
        "--replay",
        &stage.since,
    ];
    let found = admin.json(&rehearse).await;
    assert!(found["replay"]["judged"].as_u64().unwrap() >= 2, "{found}");
    assert_eq!(found["replay"]["otherwise"], json!([]), "{found}");
    let changes = found["access"].as_array().unwrap();
    assert!(changes.iter().all(|one| one["gains"] == json!(false)), "{found}");
    let loses = |who: &str| changes.iter().any(|one| one["who"] == json!(who));
    assert!(loses(&stage.idle.owner) && loses(&stage.busy.owner), "{found}");

    admin
        .json(&["apply", "-f", &file, "--prune", "--yes", "--wait"])
        .await;
    let embeddings = json!({"model": "fake-openai/text-embedding-3-small", "input": "a"});
    let busy = dev.caller(&stage.busy);
    assert_eq!(busy.chat(OTHER).await.status, 200);
    let asked = turnpike_tests::caller::Answer::of(busy.post("/v1/embeddings", &embeddings)).await;
    assert_eq!(asked.status, 403, "{asked:?}");
    assert_eq!(dev.caller(&stage.idle).chat(MODEL).await.status, 403);
    // Whoever administers still does.
    admin.words("team create another").await;
}

#[tokio::test]
async fn a_review_is_for_the_tenants_own_people_who_may_read_its_audit_and_its_log() {
    let dev = Dev::start().await;
    let ended = dev.operator.within("dev").run(&["access", "review"]).await;
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(ended.complaint.contains("access.read"), "{ended:?}");
    let key = dev.application("looker").await;
    dev.admin
        .words("grant create --to virtual-account:looker --role viewer --wait")
        .await;
    let looker = dev.admin.by(&key.text);
    let ended = looker.run(&["access", "review"]).await;
    assert!(
        ended.status == 1 && ended.complaint.contains("audit.read"),
        "{ended:?}"
    );
    let ended = looker.run(&["access", "review", "--without-use"]).await;
    assert_eq!(ended.status, 0, "{ended:?}");
}
