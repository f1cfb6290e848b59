//! The real `turnpike` command, as an administrator or a script calls it.

use std::net::SocketAddr;

use serde_json::Value;

use crate::{place, process};

/// Somebody who administers: a control plane, and a key for it.
#[derive(Debug, Clone)]
pub struct Cli {
    control_plane: SocketAddr,
    token: String,
    tenant: Option<String>,
}

/// How one command ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The exit status.
    pub status: i32,
    /// What it printed.
    pub printed: String,
    /// What it complained of.
    pub complaint: String,
}

impl Cli {
    /// For whoever has this key.
    pub fn new(control_plane: SocketAddr, token: &str) -> Self {
        Self {
            control_plane,
            token: token.to_owned(),
            tenant: None,
        }
    }

    /// The same, acting in another tenant.
    pub fn within(&self, tenant: &str) -> Self {
        Self {
            tenant: Some(tenant.to_owned()),
            ..self.clone()
        }
    }

    /// The same control plane, another caller.
    pub fn by(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            tenant: None,
            ..self.clone()
        }
    }

    /// Where the control plane serves administration.
    pub fn control_plane(&self) -> SocketAddr {
        self.control_plane
    }

    /// The key that it presents.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Runs a command, whatever becomes of it.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[]).await
    }

    /// The same with further environment variables.
    pub async fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        let mut command = process::command(place::binary("turnpike"));
        command.args(arguments).envs(environment.iter().copied());
        command.env("TURNPIKE_CONTROL_PLANE", format!("http://{}", self.control_plane));
        if !self.token.is_empty() {
            command.env("TURNPIKE_TOKEN", &self.token);
        }
        if let Some(tenant) = &self.tenant {
            command.env("TURNPIKE_TENANT", tenant);
        }
        let output = command.output().await.expect("the turnpike binary");
        Ended {
            status: output.status.code().unwrap_or(-1),
            printed: String::from_utf8_lossy(&output.stdout).into_owned(),
            complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a command that must succeed, and returns its JSON.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        self.json_with(arguments, &[]).await
    }

    /// The same with further environment variables.
    pub async fn json_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Value {
        let with_output = [&["--output", "json"], arguments].concat();
        let ended = self.run_with(&with_output, environment).await;
        assert_eq!(ended.status, 0, "turnpike {}: {ended:?}", arguments.join(" "));
        serde_json::from_str(&ended.printed).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }

    /// The same, from one line of words; those between single quotes are one.
    pub async fn words(&self, line: &str) -> Value {
        self.json(&words(line)).await
    }
}

/// The words of a line; what is between single quotes is one.
pub fn words(line: &str) -> Vec<&str> {
    let pieces = line.split('\'').enumerate();
    pieces
        .flat_map(|(index, piece)| match index % 2 {
            0 => piece.split_whitespace().collect(),
            _ => vec![piece],
        })
        .collect()
}
