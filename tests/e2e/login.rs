//! People log in with a real identity provider, in a browser or by a code, administer as their groups allow, and log out.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::{Value, json};
use turnpike_tests::{
    dev::Dev,
    eventually::eventually,
    idp::{Idp, JWT_AUDIENCE},
    machine::Machine,
};

/// A tenant that trusts an identity provider, and the machine of somebody who has no key.
struct Stage {
    dev: Dev,
    idp: Idp,
    machine: Machine,
}

impl Stage {
    async fn start() -> Self {
        let (dev, idp) = tokio::join!(Dev::start(), Idp::start());
        let create = format!(
            "issuer create corp --url {} --audience {JWT_AUDIENCE} --claim email --principal email --just-in-time \
             --groups-claim groups --wait",
            idp.url()
        );
        dev.admin.words(&create).await;
        let machine = Machine::of(dev.admin.control_plane());
        Self { dev, idp, machine }
    }

    /// Logs in there; what is printed of it.
    async fn log_in(&self, further: &str) -> Value {
        let (printed, _) = self.machine.log_in(&self.idp, further).await;
        serde_json::from_str(&printed).unwrap()
    }

    /// What a command prints, or else what it complains of.
    async fn ask(&self, line: &str) -> Result<Value, String> {
        let ended = self.machine.turnpike(line).output().await.unwrap();
        match ended.status.success() {
            true => Ok(serde_json::from_slice(&ended.stdout).unwrap_or_default()),
            false => Err(String::from_utf8_lossy(&ended.stderr).into_owned()),
        }
    }

    /// Who is asking, as soon as the issuer's keys are known.
    async fn whoami(&self) -> Value {
        eventually("who is asking", async || self.ask("whoami").await).await
    }
}

#[tokio::test]
async fn a_person_logs_in_with_a_browser_is_known_is_renewed_and_logs_out() {
    let stage = Stage::start().await;
    let told = stage.log_in("").await;
    assert_eq!(
        (&told["issuer"], &told["renewed_by_itself"]),
        (&json!(stage.idp.url()), &json!(true))
    );
    let mode = fs::metadata(stage.machine.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let me = stage.whoami().await;
    let known = ["tenant", "principal", "method", "issuer", "groups"].map(|field| me[field].clone());
    let expected = [
        json!("dev"),
        json!("user:alice@example.test"),
        json!("jwt"),
        json!("corp"),
        json!(["corp/engineers", "corp/on-call"]),
    ];
    assert_eq!(known, expected, "{me}");

    let ended = stage.machine.let_time_pass();
    assert_eq!(stage.whoami().await["principal"], me["principal"]);
    let renewed = stage.machine.kept();
    assert_ne!(renewed["bearer"], ended["bearer"]);
    let mode = fs::metadata(stage.machine.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    stage.ask("logout").await.unwrap();
    assert!(!stage.machine.file().exists());
    assert_eq!(stage.idp.calls("/token/revocation").await, 1);
    stage.ask("whoami").await.unwrap_err();
    // Whoever had copied the file has nothing that lasts.
    fs::write(stage.machine.file(), renewed.to_string()).unwrap();
    fs::set_permissions(stage.machine.file(), fs::Permissions::from_mode(0o600)).unwrap();
    stage.machine.let_time_pass();
    let refused = stage.ask("whoami").await.unwrap_err();
    assert!(refused.contains("the login has ended"), "{refused}");
}

#[tokio::test]
async fn a_person_logs_in_with_a_browser_on_another_machine() {
    let stage = Stage::start().await;
    stage.log_in("--device").await;
    let mode = fs::metadata(stage.machine.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(stage.whoami().await["principal"], "user:alice@example.test");
}

#[tokio::test]
async fn a_group_administers_until_the_next_token_without_it() {
    let stage = Stage::start().await;
    stage
        .dev
        .admin
        .words("grant create --to group:corp/admins --role admin --wait")
        .await;
    stage.log_in("").await;
    stage.whoami().await;
    let refused = stage.ask("team create early").await.unwrap_err();
    assert!(refused.contains("refused"), "{refused}");

    stage.idp.regroup("alice", &["admins"]).await;
    stage.machine.let_time_pass();
    assert_eq!(stage.whoami().await["groups"], json!(["corp/admins"]));
    stage.ask("team create by-alice").await.unwrap();

    stage.idp.regroup("alice", &["engineers"]).await;
    stage.machine.let_time_pass();
    let refused = stage.ask("team create late").await.unwrap_err();
    assert!(refused.contains("refused"), "{refused}");
    assert_eq!(stage.whoami().await["groups"], json!(["corp/engineers"]));
    let teams = stage.dev.admin.words("team list").await.to_string();
    assert!(teams.contains("by-alice") && !teams.contains("late"), "{teams}");
}
