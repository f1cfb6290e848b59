//! People log in with a real identity provider, in a browser or by a code, administer as their groups allow, and log out.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use turnpike_tests::{
    dev::Dev,
    eventually::eventually,
    idp::{Idp, JWT_AUDIENCE, NATIVE_CLIENT},
    place, process,
};

/// A tenant that trusts an identity provider, and the machine of somebody who has no key.
struct Stage {
    dev: Dev,
    idp: Idp,
    home: TempDir,
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
        let home = tempfile::tempdir().unwrap();
        Self { dev, idp, home }
    }

    /// `turnpike` on that machine.
    fn turnpike(&self, line: &str) -> tokio::process::Command {
        let mut command = process::command(place::binary("turnpike"));
        let control_plane = format!("http://{}", self.dev.admin.control_plane());
        command
            .args(line.split_whitespace())
            .env("TURNPIKE_CONFIG_DIR", self.home.path())
            .env("TURNPIKE_CONTROL_PLANE", control_plane)
            .env("TURNPIKE_OUTPUT", "json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Logs in, and follows the last URL that is shown as a person's browser does.
    async fn log_in(&self, further: &str) -> Value {
        let line = format!(
            "login --issuer {} --client-id {NATIVE_CLIENT} --no-browser --resource {JWT_AUDIENCE} {further}",
            self.idp.url()
        );
        let mut command = self.turnpike(&line);
        // What has no value of its own stands in one word.
        let mut child = command
            .args(["--scope", "openid offline_access models"])
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (mut shown, mut told) = (String::new(), String::new());
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.trim().starts_with("http") {
                line.trim().clone_into(&mut shown);
            }
            told.push_str(&line);
            if line.starts_with("Waiting") {
                break;
            }
        }
        assert!(!shown.is_empty(), "no URL was shown: {told}");
        let page = self.idp.browse_through(&shown).await;
        let ended = child.wait_with_output().await.unwrap();
        let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(ended.status.success(), "{told}{printed}{page}");
        serde_json::from_str(&printed).unwrap()
    }

    /// What a command prints, or else what it complains of.
    async fn ask(&self, line: &str) -> Result<Value, String> {
        let ended = self.turnpike(line).output().await.unwrap();
        match ended.status.success() {
            true => Ok(serde_json::from_slice(&ended.stdout).unwrap_or_default()),
            false => Err(String::from_utf8_lossy(&ended.stderr).into_owned()),
        }
    }

    /// Who is asking, as soon as the issuer's keys are known.
    async fn whoami(&self) -> Value {
        eventually("who is asking", async || self.ask("whoami").await).await
    }

    fn file(&self) -> PathBuf {
        self.home.path().join("login.json")
    }

    fn kept(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.file()).unwrap()).unwrap()
    }

    /// As if the token had ended in the meantime.
    fn let_time_pass(&self) -> Value {
        let mut kept = self.kept();
        kept["expires_us"] = json!(1);
        fs::write(self.file(), kept.to_string()).unwrap();
        kept
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
    let mode = fs::metadata(stage.file()).unwrap().permissions().mode();
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

    let ended = stage.let_time_pass();
    assert_eq!(stage.whoami().await["principal"], me["principal"]);
    let renewed = stage.kept();
    assert_ne!(renewed["bearer"], ended["bearer"]);
    let mode = fs::metadata(stage.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    stage.ask("logout").await.unwrap();
    assert!(!stage.file().exists());
    assert_eq!(stage.idp.calls("/token/revocation").await, 1);
    stage.ask("whoami").await.unwrap_err();
    // Whoever had copied the file has nothing that lasts.
    fs::write(stage.file(), renewed.to_string()).unwrap();
    fs::set_permissions(stage.file(), fs::Permissions::from_mode(0o600)).unwrap();
    stage.let_time_pass();
    let refused = stage.ask("whoami").await.unwrap_err();
    assert!(refused.contains("the login has ended"), "{refused}");
}

#[tokio::test]
async fn a_person_logs_in_with_a_browser_on_another_machine() {
    let stage = Stage::start().await;
    stage.log_in("--device").await;
    let mode = fs::metadata(stage.file()).unwrap().permissions().mode();
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
    stage.let_time_pass();
    assert_eq!(stage.whoami().await["groups"], json!(["corp/admins"]));
    stage.ask("team create by-alice").await.unwrap();

    stage.idp.regroup("alice", &["engineers"]).await;
    stage.let_time_pass();
    let refused = stage.ask("team create late").await.unwrap_err();
    assert!(refused.contains("refused"), "{refused}");
    assert_eq!(stage.whoami().await["groups"], json!(["corp/engineers"]));
    let teams = stage.dev.admin.words("team list").await.to_string();
    assert!(teams.contains("by-alice") && !teams.contains("late"), "{teams}");
}
