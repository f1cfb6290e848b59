//! What a fresh installation is given, by the command line.

use std::{net::SocketAddr, path::Path};

use super::PROVIDER_SECRET;
use crate::cli::Cli;

/// The operators' first administrator by the one-time token, and the tenant `dev` with its own.
pub(super) async fn administrators(folder: &Path, control_plane: SocketAddr) -> (Cli, Cli) {
    let nobody = Cli::new(control_plane, "");
    let token = folder.join("control-plane/bootstrap.token");
    let token = token.to_str().expect("a path");
    let made = nobody.json(&["bootstrap", "--bootstrap-token-file", token]).await;
    let operator = nobody.by(made["key"].as_str().expect("a key"));
    let made = operator
        .json(&["tenant", "create", "dev", "--administrator", "admin"])
        .await;
    let admin = nobody.by(made["key"].as_str().expect("a key"));
    (operator, admin)
}

/// The fake provider in three roles, and its models.
pub(super) async fn catalogue(admin: &Cli, address: SocketAddr) {
    provider(
        admin,
        "fake-openai",
        "openai",
        &format!("http://{address}/v1"),
        "closed",
    )
    .await;
    provider(
        admin,
        "fake-anthropic",
        "anthropic",
        &format!("http://{address}"),
        "closed",
    )
    .await;
    provider(
        admin,
        "fake-faults",
        "openai",
        &format!("http://{address}/v1"),
        "open",
    )
    .await;
    for (id, family, environment) in [
        ("fake-openai/gpt-4o", "gpt-4", "production"),
        ("fake-openai/gpt-4o-mini", "gpt-4", "production"),
        ("fake-openai/llama-3", "llama", "staging"),
        ("fake-openai/text-embedding-3-small", "embedding", "production"),
        ("fake-anthropic/claude-sonnet-5", "claude", "production"),
    ] {
        admin
            .json(&[
                "model",
                "create",
                id,
                "--family",
                family,
                "--environment",
                environment,
            ])
            .await;
    }
    admin.json(&["team", "create", "payments"]).await;
}

/// A provider with the fake provider's secret.
pub(super) async fn provider(admin: &Cli, name: &str, kind: &str, url: &str, catalogue: &str) {
    let create = [
        "provider",
        "create",
        name,
        "--kind",
        kind,
        "--base-url",
        url,
        "--catalogue",
        catalogue,
    ];
    let create = [&create[..], &["--secret-from-env", "PROVIDER_SECRET", "--wait"]].concat();
    admin
        .json_with(&create, &[("PROVIDER_SECRET", PROVIDER_SECRET)])
        .await;
}
