//! The machine of somebody who has no key, and logs in at an identity provider.

use std::{fs, net::SocketAddr, path::PathBuf, process::Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::{
    idp::{Idp, JWT_AUDIENCE, NATIVE_CLIENT},
    place, process,
};

/// A home with what `turnpike login` leaves in it.
#[derive(Debug)]
pub struct Machine {
    control_plane: SocketAddr,
    home: TempDir,
}

impl Machine {
    /// One that knows where a control plane is.
    pub fn of(control_plane: SocketAddr) -> Self {
        Self {
            control_plane,
            home: tempfile::tempdir().expect("a folder"),
        }
    }

    /// `turnpike` on it, from a line of words.
    pub fn turnpike(&self, line: &str) -> Command {
        let mut command = process::command(place::binary("turnpike"));
        command
            .args(line.split_whitespace())
            .env("TURNPIKE_CONFIG_DIR", self.home.path())
            .env("TURNPIKE_CONTROL_PLANE", format!("http://{}", self.control_plane))
            .env("TURNPIKE_OUTPUT", "json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Logs in with further flags, and follows the last URL that is shown as a person's browser does. What was printed, and
    /// what was said meanwhile.
    pub async fn log_in(&self, idp: &Idp, further: &str) -> (String, String) {
        let line = format!(
            "login --issuer {} --client-id {NATIVE_CLIENT} --no-browser --resource {JWT_AUDIENCE} {further}",
            idp.url()
        );
        let mut command = self.turnpike(&line);
        // What has no value of its own stands in one word.
        let child = command.args(["--scope", "openid offline_access models"]).spawn();
        let mut child = child.expect("turnpike");
        let mut lines = BufReader::new(child.stderr.take().expect("its errors")).lines();
        let (mut shown, mut said) = (String::new(), String::new());
        while let Some(line) = lines.next_line().await.expect("a line") {
            if line.trim().starts_with("http") {
                line.trim().clone_into(&mut shown);
            }
            said.push_str(&line);
            if line.starts_with("Waiting") {
                break;
            }
        }
        assert!(!shown.is_empty(), "no URL was shown: {said}");
        let page = idp.browse_through(&shown).await;
        let ended = child.wait_with_output().await.expect("its end");
        let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(ended.status.success(), "{said}{printed}{page}");
        (printed, said)
    }

    /// The file that a login leaves.
    pub fn file(&self) -> PathBuf {
        self.home.path().join("login.json")
    }

    /// What is in it.
    pub fn kept(&self) -> Value {
        let text = fs::read_to_string(self.file()).expect("login.json");
        serde_json::from_str(&text).expect("JSON")
    }

    /// As if the token had ended in the meantime. What was kept before.
    pub fn let_time_pass(&self) -> Value {
        let mut kept = self.kept();
        kept["expires_us"] = 1.into();
        fs::write(self.file(), kept.to_string()).expect("login.json");
        kept
    }
}
