//! What a test stands on, whichever shape is under it: edges, administrators, and short ways to make and ask things.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use serde_json::Value;

use crate::{caller::Caller, cli::Cli, eventually::eventually};

/// Where one edge is.
#[derive(Debug, Clone)]
pub struct EdgeAt {
    /// Its region.
    pub region: String,
    /// Where clients connect.
    pub data: SocketAddr,
    /// Where `/readyz` and `/metrics` are.
    pub operations: SocketAddr,
}

/// A running installation with a tenant `dev`.
///
/// It has the providers `fake-openai` and `fake-anthropic` with listed models, and `fake-faults` with any model.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The edges.
    pub edges: Vec<EdgeAt>,
    /// The administrator of the tenant `dev`.
    pub admin: Cli,
    /// The administrator of the operators' tenant.
    pub operator: Cli,
}

/// A key, its public id, and whose it is.
#[derive(Debug, Clone)]
pub struct Key {
    /// `tp_…`
    pub text: String,
    /// The twelve characters in it that may be known.
    pub id: String,
    /// `virtual-account:…` or `user:…`
    pub owner: String,
}

impl EdgeAt {
    /// `http://host:port`
    pub fn url(&self) -> String {
        format!("http://{}", self.data)
    }
}

impl Ground {
    /// A caller of the first edge.
    pub fn caller(&self, key: &Key) -> Caller {
        Caller::new(&self.edges[0].url(), Some(&key.text))
    }

    /// A caller of each edge.
    pub fn callers(&self, key: &Key) -> Vec<Caller> {
        self.edges
            .iter()
            .map(|edge| Caller::new(&edge.url(), Some(&key.text)))
            .collect()
    }

    /// A virtual account with a key, which may do nothing yet.
    pub async fn application(&self, name: &str) -> Key {
        self.admin.json(&["virtual-account", "create", name]).await;
        self.key(&format!("virtual-account:{name}"), &[]).await
    }

    /// A virtual account with a key, which may use every model of the fakes.
    pub async fn granted(&self, name: &str) -> Key {
        let key = self.application(name).await;
        self.allow(&key.owner, "fake-*").await;
        key
    }

    /// Another key of a principal, known to every edge.
    pub async fn key(&self, owner: &str, narrowed: &[&str]) -> Key {
        let create = ["credential", "create", "--owner", owner, "--wait"];
        let made = self.admin.json(&[&create, narrowed].concat()).await;
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        Key {
            text: text(&made["key"]),
            id: text(&made["credential"]["id"]),
            owner: owner.to_owned(),
        }
    }

    /// Lets a subject use the models of a pattern, known to every edge.
    pub async fn allow(&self, subject: &str, models: &str) -> Value {
        let grant = [
            "grant",
            "create",
            "--to",
            subject,
            "--role",
            "developer",
            "--model",
            models,
            "--wait",
        ];
        self.admin.json(&grant).await
    }

    /// The audit's only row of a request of the tenant `dev`, as soon as it is there.
    pub async fn audited(&self, request: &str) -> Value {
        audited(&self.admin, request).await
    }

    /// The audit's rows of these requests, each of them once. Whoever could not be recognised belongs to no tenant, and
    /// the operators see those.
    pub async fn audited_all<'r>(
        &self,
        requests: impl IntoIterator<Item = &'r str>,
    ) -> BTreeMap<String, Value> {
        audited_all(&self.admin, Some(&self.operator), requests).await
    }

    /// The audit's rows by these filters, at this moment.
    pub async fn audit(&self, filters: &[&str]) -> Vec<Value> {
        let rows = self.admin.json(&[&["audit", "list"], filters].concat()).await;
        rows.as_array().expect("rows").clone()
    }
}

/// The only row of a request that this administrator can see, as soon as it is there.
pub async fn audited(cli: &Cli, request: &str) -> Value {
    eventually(&format!("an audit row of {request}"), async || {
        let rows = cli.json(&["audit", "list", "--request", request]).await;
        match rows.as_array().map(Vec::as_slice) {
            Some([row]) => Ok(row.clone()),
            _ => Err(rows),
        }
    })
    .await
}

/// The rows of these requests that an administrator, and another, can see; each of them once, as soon as all are there.
pub async fn audited_all<'r>(
    cli: &Cli,
    other: Option<&Cli>,
    requests: impl IntoIterator<Item = &'r str>,
) -> BTreeMap<String, Value> {
    let wanted: BTreeSet<&str> = requests.into_iter().collect();
    eventually("audit rows", async || {
        let mut rows = Vec::new();
        for cli in [Some(cli), other].into_iter().flatten() {
            rows.extend(
                cli.json(&["audit", "list"])
                    .await
                    .as_array()
                    .expect("rows")
                    .clone(),
            );
        }
        let id = |row: &Value| row["request_id"].as_str().unwrap_or_default().to_owned();
        rows.retain(|row| wanted.contains(id(row).as_str()));
        let count = rows.len();
        let found: BTreeMap<String, Value> = rows.into_iter().map(|row| (id(&row), row)).collect();
        assert_eq!(found.len(), count, "a request is audited twice");
        let missing: Vec<_> = wanted.iter().filter(|id| !found.contains_key(**id)).collect();
        if missing.is_empty() {
            Ok(found)
        } else {
            Err(format!("missing: {missing:?}"))
        }
    })
    .await
}
