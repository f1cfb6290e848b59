//! The README's worked examples of issuers: its own commands, run by a shell against real processes, and then tokens as such
//! issuers give them. What stands in for all issuers is one real identity provider.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;
use turnpike_tests::{
    caller::{Answer, Caller},
    dev::Dev,
    eventually::eventually,
    idp::{CLIENT_SECRET, Idp, OPAQUE_AUDIENCE},
    place, process,
};

const PRODUCTION: &str = "fake-openai/gpt-4o";
const STAGING: &str = "fake-openai/llama-3";

fn readme() -> String {
    fs::read_to_string(place::root().join("README.md")).unwrap()
}

/// The blocks of commands in a section.
fn blocks(readme: &str, heading: &str) -> Vec<String> {
    let (_, after) = readme.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = after.split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// The block with this command in it.
fn block_with<'b>(blocks: &'b [String], command: &str) -> &'b str {
    let mut found = blocks.iter().filter(|block| block.contains(command));
    let block = found
        .next()
        .unwrap_or_else(|| panic!("no {command} in the README"));
    assert_eq!(found.next(), None, "{command} is twice in the README");
    block
}

/// The commands of `turnpike` in a text, each as one line of single spaces.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| line.starts_with("turnpike ")).collect()
}

/// Somebody who follows the README, with nothing but a shell.
struct Reader {
    dev: Dev,
    idp: Idp,
    folder: TempDir,
}

impl Reader {
    async fn start() -> Self {
        let (dev, idp) = tokio::join!(Dev::start(), Idp::start());
        let folder = tempfile::tempdir().unwrap();
        let reader = Self { dev, idp, folder };
        // The keys of the cluster's API server.
        let jwks = Caller::new(&reader.idp.url(), None).request(reqwest::Method::GET, "/jwks");
        let jwks = Answer::of(jwks).await;
        assert_eq!(jwks.status, 200, "{jwks:?}");
        reader.program(
            "kubectl",
            &format!(
                "test \"$*\" = 'get --raw /openid/v1/jwks'\ncat <<'EOF'\n{}\nEOF\n",
                jwks.text()
            ),
        );
        reader
    }

    fn bin(&self) -> std::path::PathBuf {
        self.folder.path().join("bin")
    }

    fn program(&self, name: &str, script: &str) {
        fs::create_dir_all(self.bin()).unwrap();
        let file = self.bin().join(name);
        fs::write(&file, format!("#!/bin/sh\nset -e\n{script}")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
    }

    /// Runs a block; what differs from the README are the issuers' addresses, and what the provider in their place calls
    /// things.
    async fn run(&self, block: &str, differing: &[(&str, &str)]) -> String {
        let mut script = block.to_owned();
        for (theirs, ours) in differing {
            assert!(script.contains(theirs), "{theirs} is not in {block}");
            script = script.replace(theirs, ours);
        }
        let turnpike = place::binary("turnpike");
        let path = format!(
            "{}:{}",
            self.bin().display(),
            turnpike.parent().map(Path::display).unwrap()
        );
        let rest = std::env::var("PATH").unwrap();
        let mut command = process::command("bash");
        command
            .args(["-e", "-u", "-o", "pipefail", "-c", &script])
            .current_dir(self.folder.path())
            .env("PATH", format!("{path}:{rest}"))
            .env(
                "TURNPIKE_CONTROL_PLANE",
                &self.dev.environment["TURNPIKE_CONTROL_PLANE"],
            )
            .env("TURNPIKE_TOKEN", &self.dev.environment["TURNPIKE_TOKEN"]);
        let ended = command.output().await.unwrap();
        let told = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
        assert!(ended.status.success(), "{script}\n{told}");
        told
    }

    async fn status(&self, bearer: &str, model: &str) -> u16 {
        Caller::new(&self.dev.edges[0].url(), Some(bearer))
            .chat(model)
            .await
            .status
    }

    async fn served(&self, bearer: &str) {
        eventually("a token that is served", async || {
            match self.status(bearer, PRODUCTION).await {
                200 => Ok(()),
                status => Err(status),
            }
        })
        .await;
    }

    /// A token with these claims, of the provider in the issuer's place or of somebody else.
    async fn token(&self, claims: Value) -> String {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let mut all = json!({"iss": self.idp.url(), "iat": now, "exp": now + 600, "jti": "README"});
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        self.idp.sign(&all, &json!({})).await
    }
}

async fn an_identity_provider(reader: &Reader, blocks: &[String]) -> String {
    let url = reader.idp.url();
    let block = block_with(blocks, "issuer create okta");
    reader
        .run(block, &[("https://acme.okta.com/oauth2/default", &url)])
        .await;
    let claims = |iat: u64| {
        json!({
            "aud": "api://turnpike", "sub": "00u1", "email": "ann@acme.example", "email_verified": true,
            "groups": ["engineers"], "jti": "8f14e45f", "iat": iat,
        })
    };
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let token = reader.token(claims(now)).await;
    reader.served(&token).await;
    let old = reader.token(claims(now - 7200)).await;
    assert_eq!(reader.status(&old, PRODUCTION).await, 403, "older than an hour");
    let key = reader.dev.secret("dev/user:bob");
    assert_eq!(
        reader.status(&key, PRODUCTION).await,
        403,
        "production asks for tokens"
    );
    assert_eq!(reader.status(&key, STAGING).await, 200);
    token
}

async fn static_keys_and_a_key_url(reader: &Reader, blocks: &[String]) {
    reader.run(block_with(blocks, "issuer create cluster"), &[]).await;
    let cluster = "https://kubernetes.default.svc.cluster.local";
    let account = "system:serviceaccount:shop:checkout";
    let token = json!({"iss": cluster, "aud": ["turnpike"], "sub": account});
    reader.served(&reader.token(token).await).await;
    let other = json!({"iss": cluster, "aud": ["turnpike"], "sub": "system:serviceaccount:shop:other"});
    assert_eq!(reader.status(&reader.token(other).await, PRODUCTION).await, 401);

    let (url, keys) = (reader.idp.url(), format!("{}/jwks", reader.idp.url()));
    let differing = [
        ("https://mesh.acme.example/jwks", keys.as_str()),
        ("https://mesh.acme.example", url.as_str()),
    ];
    reader
        .run(block_with(blocks, "issuer create mesh"), &differing)
        .await;
    let token = json!({"aud": "models.acme.example", "sub": "invoices"});
    reader.served(&reader.token(token).await).await;
}

async fn workloads(reader: &Reader, blocks: &[String]) {
    let url = reader.idp.url();
    let github = "https://token.actions.githubusercontent.com";
    reader
        .run(block_with(blocks, "issuer create github"), &[(github, &url)])
        .await;
    let job = |repository: &str| {
        json!({
            "aud": "https://acme.example/turnpike", "sub": format!("repo:{repository}:ref:refs/heads/main"),
            "repository": repository, "ref": "refs/heads/main",
        })
    };
    reader.served(&reader.token(job("acme/shop")).await).await;
    let foreign = reader.token(job("mallory/shop")).await;
    assert_eq!(reader.status(&foreign, PRODUCTION).await, 401);

    let google = block_with(blocks, "issuer create google");
    reader.run(google, &[("https://accounts.google.com", &url)]).await;
    let token =
        json!({"aud": "https://batch.acme.example", "sub": "103547991597142817347", "email_verified": true});
    reader.served(&reader.token(token).await).await;
}

async fn introspection(reader: &Reader, blocks: &[String]) {
    let (url, asked) = (reader.idp.url(), reader.idp.introspection_url());
    let (audience, secret) = (
        format!("--audience {OPAQUE_AUDIENCE} --claim sub"),
        format!("SSO_CLIENT_SECRET={CLIENT_SECRET}"),
    );
    let differing = [
        ("https://sso.acme.example/introspect", asked.as_str()),
        ("https://sso.acme.example", url.as_str()),
        ("--audience turnpike --claim username", audience.as_str()),
        ("SSO_CLIENT_SECRET=...", secret.as_str()),
    ];
    reader
        .run(block_with(blocks, "issuer create sso"), &differing)
        .await;
    let token = reader.idp.person_token("alice", OPAQUE_AUDIENCE).await;
    reader.served(&token).await;
}

#[tokio::test]
async fn every_example_of_an_issuer_in_the_readme_is_run_and_lets_in_whom_it_says() {
    let reader = Reader::start().await;
    let blocks = blocks(&readme(), "Choosing how callers prove who they are");
    let token = an_identity_provider(&reader, &blocks).await;
    static_keys_and_a_key_url(&reader, &blocks).await;
    workloads(&reader, &blocks).await;
    introspection(&reader, &blocks).await;
    assert_eq!(reader.status(&token, PRODUCTION).await, 200);
    reader
        .run(block_with(&blocks, "token revoke --issuer okta"), &[])
        .await;
    assert_eq!(reader.status(&token, PRODUCTION).await, 401, "it was in a log");
}

#[tokio::test]
async fn the_help_tells_how_to_choose_and_its_examples_are_those_of_the_readme() {
    let help = async |line: &str| {
        let mut command = process::command(place::binary("turnpike"));
        let ended = command
            .args(line.split(' '))
            .env("COLUMNS", "500")
            .output()
            .await
            .unwrap();
        assert!(ended.status.success(), "{line}");
        String::from_utf8(ended.stdout).unwrap()
    };
    for noun in ["issuer", "credential"] {
        let help = help(&format!("{noun} --help")).await;
        assert!(help.contains("How to choose"), "{help}");
    }
    let examples = help("issuer create --help").await;
    let (_, examples) = examples.split_once("Examples:").unwrap();
    let readme: Vec<String> = blocks(&readme(), "Choosing how callers prove who they are")
        .iter()
        .flat_map(|block| commands(block))
        .collect();
    let examples = commands(examples);
    for kind in [
        "--jwks-file",
        "--jwks-url",
        "--introspection-url",
        "okta",
        "github",
        "google",
    ] {
        assert!(
            examples.iter().any(|command| command.contains(kind)),
            "{kind}: {examples:#?}"
        );
    }
    for command in examples {
        assert!(
            readme.contains(&command),
            "not in the README: {command}\n{readme:#?}"
        );
    }
}
