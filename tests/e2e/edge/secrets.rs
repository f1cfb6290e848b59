//! Secrets stay where they belong: the client's key at the edge, the provider's secret between edge and provider.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use reqwest::Method;
use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Answer, Caller, chat},
    eventually::eventually,
    idp::{CLIENT_SECRET, INTROSPECTION_CLIENT, Idp, JWT_AUDIENCE, OPAQUE_AUDIENCE},
    production::{PROVIDER_SECRET, Production},
};

const PATH: &str = "/v1/chat/completions";

#[tokio::test]
async fn the_provider_sees_its_own_secret_and_nothing_of_the_clients_identity() {
    let production = Production::with_one_edge(&[]).await;
    let key = production.granted("discreet").await;
    let caller = production.caller(&key);
    let body =
        json!({"model": "fake-faults/echo-request", "messages": [], "unknown_field": {"kept": [1, 2.50]}});
    let request = caller.post(&format!("{PATH}?kept=1"), &body);
    let request = request
        .header("x-api-key", &key.text)
        .header("api-key", &key.text)
        .header("cookie", "session=1");
    let request = request
        .header("x-turnpike-metadata", r#"{"a": "b"}"#)
        .header("x-turnpike-made-up", "1");
    let request = request.header("openai-beta", "kept").header("x-custom", "kept");
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = answer.echo();
    assert_eq!(
        seen["headers"]["authorization"],
        json!([format!("Bearer {PROVIDER_SECRET}")])
    );
    let headers = seen["headers"].as_object().unwrap();
    let ours = |name: &&String| {
        name.starts_with("x-turnpike-") || ["x-api-key", "api-key", "cookie"].contains(&name.as_str())
    };
    assert_eq!(headers.keys().find(ours), None, "{headers:?}");
    assert!(
        !seen.to_string().contains(&key.text),
        "the client's key went to the provider"
    );
    assert_eq!(
        (&headers["openai-beta"], &headers["x-custom"]),
        (&json!(["kept"]), &json!(["kept"]))
    );
    assert_eq!(seen["query"], "kept=1", "query strings pass");
    let sent = body
        .to_string()
        .replace("fake-faults/echo-request", "echo-request");
    assert_eq!(seen["raw_body"], sent, "the client's bytes, but for the model");
}

/// What was said with the secrets in hand, and the secrets.
#[derive(Default)]
struct Told {
    /// By edges; all of it is in the audit.
    answers: Vec<Answer>,
    /// By the control plane and the command line.
    others: Vec<String>,
    secrets: Vec<String>,
}

impl Told {
    /// All that a caller can do with a bearer text, right and wrong, at every edge and at the control plane.
    async fn present(&mut self, production: &Production, text: &str) {
        let cut = &text[..text.len() - 1];
        for edge in &production.edges {
            let caller = Caller::new(&edge.url(), Some(text));
            self.answers.push(caller.stream("fake-openai/gpt-4o").await);
            for model in [
                "fake-openai/gpt-4o",
                "fake-faults/fault-close",
                "fake-faults/fault-status-401",
                "fake-openai/nothing",
            ] {
                self.answers.push(caller.chat(model).await);
            }
            let nobody = Caller::new(&edge.url(), None);
            let request = nobody.post(PATH, &chat("x")).header("x-api-key", cut);
            self.answers.push(Answer::of(request).await);
        }
        for shown in [text, cut] {
            let cli = production.admin.by(shown);
            for line in ["whoami", "grant list", "team create sneaky"] {
                let words: Vec<_> = line.split(' ').collect();
                self.others.push(format!("{:?}", cli.run(&words).await));
            }
        }
    }

    /// The control plane's HTTP listener, and what it answers to this form.
    async fn ask_for_token(&mut self, production: &Production, form: &str) -> Option<String> {
        let base = format!("http://{}", production.operations);
        let request = Caller::new(&base, None).request(Method::POST, "/oauth/token");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = Answer::of(request.body(form.to_owned())).await;
        let token = serde_json::from_slice::<Value>(&answer.body).ok()?["access_token"]
            .as_str()
            .map(str::to_owned);
        if token.is_none() {
            self.others.push(format!("{answer:?}"));
        }
        token
    }

    /// The same, once it gives one.
    async fn token(&mut self, production: &Production, form: &str) -> String {
        let token = eventually("a token", async || {
            self.ask_for_token(production, form).await.ok_or(())
        })
        .await;
        let cut = form.trim_end_matches(|last: char| last != '_' && last != '.');
        self.ask_for_token(production, &format!("{cut}x")).await;
        token
    }

    /// Reports a key in the ways there are.
    async fn report(&mut self, production: &Production, key: &str) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("build.log");
        fs::write(&file, format!("curl -H 'authorization: Bearer {key}'")).unwrap();
        for further in [&["--dry-run"][..], &["--wait"], &[]] {
            let report = ["credential", "report-leak", "--file", file.to_str().unwrap()];
            let ended = production.admin.run(&[&report[..], further].concat()).await;
            self.others.push(format!("{ended:?}"));
        }
        let scanner = Caller::new(&format!("http://{}", production.operations), None);
        let body = json!([{"token": key, "type": "turnpike_key", "url": format!("https://git.example/?{key}"), "source": "content"}]);
        let paste = scanner.request(Method::POST, "/leaks").body(format!("x{key}y"));
        for request in [scanner.post("/leaks", &body), paste] {
            self.others.push(format!("{:?}", Answer::of(request).await));
        }
    }

    /// What operators and administrators can look at.
    async fn look(&mut self, production: &Production) {
        let operations = production.edges.iter().map(|edge| edge.operations);
        for address in operations.chain([production.operations]) {
            let caller = Caller::new(&format!("http://{address}"), None);
            let metrics = Answer::of(caller.request(Method::GET, "/metrics")).await;
            assert_eq!(metrics.status, 200, "{metrics:?}");
            self.others.push(metrics.text());
        }
        for line in [
            "log list",
            "audit list",
            "alert list",
            "issuer list",
            "credential list",
        ] {
            self.others.push(production.admin.words(line).await.to_string());
        }
    }
}

/// An issuer of JWTs and one that is asked about opaque tokens, who both know alice; a JWT and an opaque token of hers.
async fn trust(production: &Production, idp: &Idp) -> [String; 2] {
    let (admin, url) = (&production.admin, idp.url());
    let jwts =
        format!("issuer create idp --url {url} --audience {JWT_AUDIENCE} --groups-claim groups --wait");
    admin.words(&jwts).await;
    let asked = format!(
        "issuer create sso --url {url} --audience {OPAQUE_AUDIENCE} --introspection-url {} --client-id \
         {INTROSPECTION_CLIENT} --client-secret-from-env SSO_SECRET --wait",
        idp.introspection_url()
    );
    let asked: Vec<_> = asked.split_whitespace().collect();
    admin.json_with(&asked, &[("SSO_SECRET", CLIENT_SECRET)]).await;
    let alice = "user create carol --subject idp/alice --subject sso/alice --wait";
    admin.words(alice).await;
    production.allow("user:carol", "fake-*").await;
    let tokens = [
        idp.person_token("alice", JWT_AUDIENCE).await,
        idp.person_token("alice", OPAQUE_AUDIENCE).await,
    ];
    for (token, edge) in tokens
        .iter()
        .flat_map(|token| production.edges.iter().map(move |edge| (token, edge)))
    {
        eventually("a token that is served", async || {
            let answer = Caller::new(&edge.url(), Some(token))
                .chat("fake-openai/gpt-4o")
                .await;
            if answer.status == 200 { Ok(()) } else { Err(answer) }
        })
        .await;
    }
    tokens
}

#[tokio::test]
async fn no_secret_is_in_any_log_metric_database_spool_or_answer() {
    let (mut production, idp) = tokio::join!(Production::start(), Idp::start());
    let (key, narrow) = (
        production.granted("canary").await,
        production.application("narrow").await,
    );
    let leaked = production.granted("leaked").await;
    let mut told = Told::default();
    let [jwt, opaque] = trust(&production, &idp).await;
    let exchange = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token_type=\
                    urn:ietf:params:oauth:token-type:jwt&subject_token=";
    let for_jwt = told.token(&production, &format!("{exchange}{jwt}")).await;
    let form = format!("grant_type=client_credentials&client_secret={}", key.text);
    let for_key = told.token(&production, &form).await;
    for text in [&key.text, &leaked.text, &jwt, &opaque, &for_jwt, &for_key] {
        told.present(&production, text).await;
    }
    told.answers
        .push(production.caller(&narrow).chat("fake-openai/gpt-4o").await);
    // Whoever is to be asked about it is away, and whoever asks says so.
    idp.leave();
    told.present(&production, "opaque-canary-that-nobody-knows-4e7a")
        .await;
    let rotate = ["credential", "rotate", &key.id, "--overlap", "1h", "--wait"];
    let rotated = production.admin.json(&rotate).await["key"]
        .as_str()
        .unwrap()
        .to_owned();
    for text in [&key.text, &rotated] {
        told.present(&production, text).await;
    }
    told.report(&production, &leaked.text).await;
    let revoke = ["credential", "revoke", &narrow.id, "--wait"];
    production.admin.json(&revoke).await;
    production
        .audited_all(told.answers.iter().map(Answer::request_id))
        .await;
    told.look(&production).await;
    for token in [&jwt, &opaque, &for_jwt, &for_key] {
        told.secrets.push(last_part(token).to_owned());
    }
    told.secrets.push("opaque-canary-that-nobody".to_owned());
    let keys = [&key.text, &narrow.text, &leaked.text, &rotated];
    told.secrets
        .extend(canaries(&production, &keys.map(String::as_str)));
    assert_nowhere(&mut production, &told).await;
}

/// What makes a token worth something, but for its last bytes, which were cut from it here and there.
fn last_part(token: &str) -> &str {
    let part = token.rsplit('.').next().unwrap();
    &part[..part.len() - 2]
}

async fn assert_nowhere(production: &mut Production, told: &Told) {
    // What is in memory is brought down to the disk.
    for edge in &mut production.edge_processes {
        edge.terminate().await;
    }
    production.control_plane.terminate().await;
    let dump = production.database.dump().await.into_bytes();
    let mut places = vec![("the database".to_owned(), dump)];
    let answers = told.answers.iter().map(|answer| format!("{answer:?}"));
    let answers = answers.chain(told.others.iter().cloned());
    places.extend(answers.map(|answer| (format!("the answer {answer}"), answer.into_bytes())));
    files_of(production.folder(), &mut places);
    for name in ["edge-eu.log", "edge-us.log", "control-plane.log", "the database"] {
        let mut found = places.iter().filter(|(place, _)| place.ends_with(name));
        assert!(found.any(|(_, bytes)| !bytes.is_empty()), "{name} is empty");
    }
    let mut leaks = Vec::new();
    for secret in &told.secrets {
        let holds = |bytes: &[u8]| memchr::memmem::find(bytes, secret.as_bytes()).is_some();
        let found = places.iter().filter(|(_, bytes)| holds(bytes));
        leaks.extend(found.map(|(place, _)| format!("{secret} is in {place}")));
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
}

/// What must be nowhere: the secret parts of keys, the secrets of the provider and of the client that asks about
/// tokens, the keyring and the one-time token.
fn canaries(production: &Production, keys: &[&str]) -> Vec<String> {
    let administrators = [production.admin.token(), production.operator.token()];
    let keys = keys.iter().chain(&administrators);
    let mut canaries: Vec<String> = keys
        .map(|key| key.split('_').nth(3).unwrap().to_owned())
        .collect();
    let others = [PROVIDER_SECRET, CLIENT_SECRET, production.keyring()];
    canaries.extend(others.map(str::to_owned));
    let token = fs::read_to_string(production.folder().join("control-plane/bootstrap.token")).unwrap();
    canaries.push(token.trim().to_owned());
    canaries
}

/// Every file below a folder, but for those whose purpose is to hold a secret: they are for their owner alone.
fn files_of(folder: &Path, places: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_of(&path, places);
        } else if ["bootstrap.token", "identity.key"]
            .iter()
            .any(|name| path.ends_with(name))
        {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        } else {
            places.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
        }
    }
}
