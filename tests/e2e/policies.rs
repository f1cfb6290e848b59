//! Policy files: written out, edited, rehearsed and applied, as a reviewer and a pipeline do it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use turnpike_tests::{
    cli::{Cli, Ended},
    dev::Dev,
    place, process,
};

mod limits;
mod offers;

const MODEL: &str = "fake-openai/gpt-4o";
const OTHER: &str = "fake-openai/llama-3";

/// A folder of policy files, and who applies them.
struct Desk<'d> {
    dev: &'d Dev,
    cli: Cli,
}

impl<'d> Desk<'d> {
    fn of(dev: &'d Dev) -> Self {
        let cli = dev.admin.clone();
        Self { dev, cli }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dev.folder().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A file with these sections.
    fn policy(&self, sections: &str) -> PathBuf {
        self.file("policy.yaml", &format!("apiVersion: turnpike/v1\n{sections}"))
    }

    async fn exported(&self) -> String {
        let ended = self.cli.run(&["export"]).await;
        assert_eq!(ended.status, 0, "{ended:?}");
        ended.printed
    }

    async fn apply(&self, file: &Path, flags: &[&str]) -> Ended {
        let file = file.display().to_string();
        self.cli.run(&[&["apply", "-f", &file], flags].concat()).await
    }

    /// The same, as JSON and with this exit status.
    async fn applied(&self, file: &Path, flags: &[&str], status: i32) -> Value {
        let ended = self.apply(file, &[flags, &["--output", "json"]].concat()).await;
        assert_eq!(ended.status, status, "{ended:?}");
        serde_json::from_str(&ended.printed).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }

    async fn log(&self) -> Vec<Value> {
        let log = self.cli.words("log list").await;
        log.as_array().unwrap().clone()
    }
}

fn access<'f>(found: &'f Value, who: &str, gains: bool) -> Vec<&'f Value> {
    let all = found["access"].as_array().unwrap().iter();
    all.filter(|one| one["who"] == json!(who) && one["gains"] == json!(gains))
        .collect()
}

#[tokio::test]
async fn what_is_exported_edited_rehearsed_and_applied_is_what_is_exported_then() {
    let dev = Dev::start().await;
    let desk = Desk::of(&dev);
    let text = desk.exported().await;
    let unchanged = desk.file("exported.yaml", &text);
    let found = desk
        .applied(&unchanged, &["--dry-run", "--exit-code", "--prune"], 0)
        .await;
    assert_eq!(
        (&found["plan"]["steps"], &found["access"]),
        (&json!([]), &json!([])),
        "{found}"
    );

    let edited = text
        .replace(
            "virtual-accounts:\n",
            "virtual-accounts:\n- name: newcomer\n  tags:\n    customer: acme\n",
        )
        .replace(
            "grants:\n",
            "grants:\n- subject: virtual-account:newcomer\n  role: developer\n  effect: allow\n  selector:\n    resources:\n    \
             - kind: model\n      name: fake-openai/gpt-4o\n  reason: reviewed\n",
        );
    assert_ne!(edited, text);
    let file = desk.file("edited.yaml", &edited);
    let before = desk.log().await.len();
    let found = desk.applied(&file, &["--dry-run", "--exit-code"], 3).await;
    let steps = found["plan"]["steps"].as_array().unwrap();
    let told: Vec<_> = steps.iter().map(|step| (&step["verb"], &step["what"])).collect();
    let create = json!("create");
    assert_eq!(
        told,
        [(&create, &json!("virtual-account")), (&create, &json!("grant"))]
    );
    assert_eq!(steps[1]["events"][0]["kind"], json!("grant.created"));
    let gained = access(&found, "virtual-account:newcomer", true);
    assert!(
        gained.iter().any(|one| one["models"] == json!([MODEL])),
        "{found}"
    );
    assert_eq!(desk.log().await.len(), before, "a dry run writes nothing");

    let applied = desk.applied(&file, &["--yes", "--wait"], 0).await;
    assert!(applied["receipt"]["position"].is_u64(), "{applied}");
    let key = dev.key("virtual-account:newcomer", &[]).await;
    let caller = dev.caller(&key);
    assert_eq!(
        (caller.chat(MODEL).await.status, caller.chat(OTHER).await.status),
        (200, 403)
    );

    assert_is_what_is_exported(&desk, &file, &edited).await;
}

/// Once more there is nothing to do, and what is exported now is the file, but for the id that the grant got.
async fn assert_is_what_is_exported(desk: &Desk<'_>, file: &Path, edited: &str) {
    let again = desk.applied(file, &["--yes", "--prune"], 0).await;
    assert_eq!(again["plan"]["steps"], json!([]), "{again}");
    let now = desk.exported().await;
    let file = desk.file("now.yaml", &now);
    let again = desk
        .applied(&file, &["--dry-run", "--exit-code", "--prune"], 0)
        .await;
    assert_eq!(again["plan"]["unmanaged"], json!([]), "{again}");
    assert_eq!(desk.exported().await, now);
    let without_ids = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains("id: "));
        let mut lines: Vec<String> = lines.map(|line| line.replacen("- ", "  ", 1)).collect();
        lines.sort();
        lines
    };
    assert_eq!(without_ids(&now), without_ids(edited));
}

#[tokio::test]
async fn a_file_that_cannot_be_so_changes_nothing_and_the_line_and_the_reason_are_told() {
    let dev = Dev::start().await;
    let desk = Desk::of(&dev);
    let before = desk.log().await;
    for (sections, status, said) in [
        ("taems: []\n", 2, "line 2"),
        (
            "teams:\n- name: fresh\n  membres: []\n",
            2,
            "did you mean `members`?",
        ),
        (
            "teams: [{name: fresh}, {name: fresh}]\n",
            2,
            "team fresh stands twice",
        ),
        (
            "teams: [{name: fresh}]\ngrants: [{subject: 'team:nobody', role: developer}]\n",
            1,
            "create grant team:nobody as developer: team \"nobody\" was not found",
        ),
        (
            "teams: [{name: fresh}]\nproviders: [{name: p, kind: openai, base_url: 'https://p.example', secret-from-env: NOT_SET}]\n",
            2,
            "the variable NOT_SET, which is not set",
        ),
        (
            "teams: [{name: fresh}]\noffers: [{to: {all: {}}}]\n",
            1,
            "offered by the operators' own tenant alone",
        ),
        (
            "teams: [{name: fresh}]\nlimits:\n- {name: daily, budget: 12.5, per: day}\n",
            2,
            "limits[0].budget: invalid type: floating point `12.5`, expected u64 at line 4",
        ),
        (
            "teams: [{name: fresh}]\nlimits: [{name: daily, subject: 'user:nobody', budget: 5, per: day}]\n",
            1,
            "create limit daily: user \"nobody\" was not found",
        ),
    ] {
        let file = desk.policy(sections);
        let ended = desk.apply(&file, &["--yes"]).await;
        assert_eq!(ended.status, status, "{ended:?}");
        assert!(ended.complaint.contains(said), "{said}: {ended:?}");
    }
    let absent = dev.folder().join("absent.yaml");
    assert_eq!(desk.apply(&absent, &["--yes"]).await.status, 2);
    let file = desk.policy("teams: [{name: fresh}]\n");
    let ended = desk.apply(&file, &[]).await;
    assert_eq!(ended.status, 2, "nobody is there to be asked: {ended:?}");
    assert!(ended.complaint.contains("--yes"), "{ended:?}");
    assert_eq!(desk.log().await, before);
}

#[tokio::test]
async fn a_test_that_fails_refuses_the_whole_and_says_what_is_so_instead() {
    let dev = Dev::start().await;
    let key = dev.granted("bot").await;
    let desk = Desk::of(&dev);
    let before = desk.log().await;
    let with = |model: &str| {
        format!(
            "teams: [{{name: fresh}}]\ntests:\n\
             - may: {{principal: '{owner}', action: inference.chat, model: {model}}}\n\
             - may-not: {{principal: '{owner}', action: grants.write, resource: 'grant:*'}}\n",
            owner = key.owner
        )
    };
    let wrong = desk.policy(&with("fake-openai/none"));
    for flags in [&["--dry-run"][..], &["--yes"]] {
        let found = desk.applied(&wrong, flags, 1).await;
        let failed = found["plan"]["failed"].as_array().unwrap();
        assert_eq!(failed.len(), 1, "{found}");
        assert_eq!(failed[0]["why"], json!("there is no model fake-openai/none"));
    }
    let ended = desk.apply(&wrong, &["--yes"]).await;
    let said = format!("Test fails: may: {} inference.chat fake-openai/none", key.owner);
    assert!(ended.printed.contains(&said), "{ended:?}");
    assert_eq!(desk.log().await, before);

    let right = desk.policy(&with(MODEL));
    let applied = desk.applied(&right, &["--yes"], 0).await;
    assert_eq!(applied["plan"]["tests"], json!(2), "{applied}");
    assert_eq!(desk.log().await.len(), before.len() + 1);
}

#[tokio::test]
async fn a_plan_that_is_not_the_one_that_was_shown_or_fails_its_tests_is_refused_by_the_control_plane_itself()
{
    let dev = Dev::start().await;
    let desk = Desk::of(&dev);
    let before = desk.log().await;
    let text = "apiVersion: turnpike/v1\nteams: [{name: fresh}]\n";
    let failing =
        format!("{text}tests: [{{may: {{principal: user:nobody, action: x.y, resource: 'thing:z'}}}}]\n");
    for (text, digest, said) in [
        (text, "0123456789abcdef0123456789abcdef", "changed"),
        (&failing, "", "there is no user:nobody"),
    ] {
        let wanted = json!({"documents": [{"name": "policy.yaml", "text": text}]});
        let asked = json!({"wanted": wanted, "digest": digest}).to_string();
        let mut command = process::command(place::python().with_file_name("grpcurl"));
        command.args([
            "-plaintext",
            "-H",
            &format!("authorization: Bearer {}", dev.admin.token()),
        ]);
        let at = dev.admin.control_plane().to_string();
        command.args(["-d", &asked, &at, "turnpike.admin.v1.PolicyService/Apply"]);
        let ended = command.output().await.unwrap();
        let answer = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
        assert!(
            !ended.status.success() && answer.contains(said),
            "{said}: {answer}"
        );
        assert_eq!(desk.log().await, before);
    }
}

#[tokio::test]
async fn a_policy_is_applied_as_one_change_or_not_at_all_by_whoever_may_each_step() {
    let dev = Dev::start().await;
    let desk = Desk::of(&dev);
    dev.admin
        .words("role create half --action policies.read --action teams.write --action log.read")
        .await;
    let key = dev.application("pipeline").await;
    dev.admin
        .words("grant create --to virtual-account:pipeline --role half --wait")
        .await;
    let before = desk.log().await;
    let file = desk.policy(
        "teams: [{name: red}, {name: blue}]\ngrants:\n- subject: team:red\n  role: developer\n- subject: team:blue\n  role: viewer\n",
    );
    let pipeline = Desk {
        dev: &dev,
        cli: dev.admin.by(&key.text),
    };
    let ended = pipeline.apply(&file, &["--yes"]).await;
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(ended.complaint.contains("grants.write"), "{ended:?}");
    assert_eq!(
        desk.log().await,
        before,
        "the teams, which it may make, are not made either"
    );

    desk.applied(&file, &["--yes"], 0).await;
    let made = desk.log().await.split_off(before.len());
    let kinds: Vec<_> = made.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["team.created", "team.created", "grant.created", "grant.created"]
    );
    let one = &made[0]["correlation"];
    assert!(
        one.is_string() && made.iter().all(|event| event["correlation"] == *one),
        "{made:?}"
    );
    let positions: Vec<_> = made
        .iter()
        .map(|event| event["position"].as_u64().unwrap())
        .collect();
    assert!(
        positions.windows(2).all(|two| two[1] == two[0] + 1),
        "{positions:?}"
    );
}

#[tokio::test]
async fn a_replay_names_the_requests_that_would_have_gone_otherwise() {
    let dev = Dev::start().await;
    let desk = Desk::of(&dev);
    let key = dev.application("caller").await;
    dev.allow(&key.owner, "fake-openai/*").await;
    let caller = dev.caller(&key);
    let kept = caller.chat(OTHER).await;
    let lost = caller.chat(MODEL).await;
    let refused = caller.chat("fake-anthropic/claude-sonnet-5").await;
    assert_eq!((kept.status, lost.status, refused.status), (200, 200, 403));
    dev.audited_all([kept.request_id(), lost.request_id(), refused.request_id()])
        .await;

    let file = desk.policy(&format!(
        "grants:\n- {{subject: '{0}', role: developer, effect: deny, selector: {{resources: [{{kind: model, name: {MODEL}}}]}}}}\n\
         - {{subject: '{0}', role: developer, selector: {{resources: [{{kind: model, name: 'fake-anthropic/*'}}]}}}}\n",
        key.owner
    ));
    let found = desk.applied(&file, &["--dry-run", "--replay", "1h"], 0).await;
    let examples = found["replay"]["examples"].as_array().unwrap();
    let told: Vec<_> = examples
        .iter()
        .map(|one| {
            (
                one["request_id"].as_str().unwrap(),
                one["otherwise"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [(lost.request_id(), "refused"), (refused.request_id(), "allowed")]
    );
    assert_eq!(found["replay"]["judged"], json!(3), "{found}");
    let ended = desk.apply(&file, &["--dry-run", "--replay", "1h"]).await;
    for part in [
        "1 are allowed now and would be refused",
        lost.request_id(),
        &format!("{} loses", key.owner),
    ] {
        assert!(ended.printed.contains(part), "{part}: {}", ended.printed);
    }

    // The audit is not for everybody who may read policies.
    dev.admin.words("role create reader --action policies.read").await;
    dev.admin
        .words("grant create --to virtual-account:caller --role reader --wait")
        .await;
    let reader = Desk {
        dev: &dev,
        cli: dev.admin.by(&key.text),
    };
    assert_eq!(reader.apply(&file, &["--dry-run"]).await.status, 0);
    let ended = reader.apply(&file, &["--dry-run", "--replay", "1h"]).await;
    assert!(
        ended.status == 1 && ended.complaint.contains("audit.read"),
        "{ended:?}"
    );
}
