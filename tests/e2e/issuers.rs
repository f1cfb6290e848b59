//! Issuers and token revocations by an administrator's hands: what is kept, what is refused, and what is never shown.

use std::fs;

use serde_json::{Value, json};
use turnpike_tests::{cli::Cli, dev::Dev};

/// A key of RFC 7517, appendix A.1, and its private half of appendix A.2.
const PUBLIC: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "alg": "ES256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;
const PRIVATE: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}]}"#;
const SECRET: &str = "hunter2-of-the-authorization-server";

/// What an administrator writes, and what the complaint holds. In `team payments` and `virtual-account bot`.
const REFUSED: &[(&str, &str)] = &[
    (
        "create turnpike --url https://a.example --audience a",
        "Turnpike's own",
    ),
    ("create okta --url https://a.example --audience a", "already"),
    ("create b --url http://b.example --audience a", "https://"),
    (
        "create b --url http://localhost:@b.example1 --audience a",
        "https://",
    ),
    (
        "create b --url https://b.example --audience a --jwks-url http://b.example/keys",
        "https://",
    ),
    (
        "create b --url https://b.example --audience a --leeway 61s",
        "at most 60",
    ),
    (
        "create b --url https://b.example --audience a --algorithm none",
        "algorithm",
    ),
    (
        "create b --url https://b.example --audience a --algorithm HS256",
        "algorithm",
    ),
    (
        "create b --url https://b.example --audience a --principal anybody",
        "virtual-account:NAME",
    ),
    (
        "create b --url https://b.example --audience a --principal virtual-account:bot",
        "required claims",
    ),
    (
        "create b --url https://b.example --audience a --principal user:nobody --require a=b",
        "nobody",
    ),
    (
        "create b --url https://b.example --audience a --principal virtual-account-name --just-in-time",
        "users",
    ),
    (
        "create b --url https://b.example --audience a --just-in-time --just-in-time-team nowhere",
        "nowhere",
    ),
    (
        "create b --url https://acme.okta.example --audience api://turnpike",
        "in use already",
    ),
    (
        "create b --url https://b.example --audience a --introspection-url https://b.example/i --client-id t",
        "client_secret",
    ),
    ("update nothing --leeway 1s", "nothing"),
    ("update okta --url http://b.example", "https://"),
    ("delete nothing", "nothing"),
];

async fn ended(admin: &Cli, line: &str) -> (i32, String) {
    let ended = admin.run(&line.split_whitespace().collect::<Vec<_>>()).await;
    (ended.status, ended.complaint)
}

async fn issuer(admin: &Cli, name: &str) -> Value {
    admin.json(&["issuer", "get", name]).await
}

/// What the update makes of the issuer.
fn changed() -> Value {
    json!({
        "verification": "jwks_url", "jwks_url": "https://acme.okta.example/keys", "algorithms": ["ES256", "EdDSA"],
        "principal": "subject", "claim": "sub", "just_in_time": false, "just_in_time_teams": [], "groups_claims": [],
        "leeway": "0s", "access_tokens_only": true, "accept_sender_constrained": true,
    })
}

fn merge(into: &mut Value, changed: &Value) {
    for (field, value) in changed.as_object().unwrap() {
        into[field] = value.clone();
    }
}

#[tokio::test]
async fn an_issuer_is_made_shown_changed_and_deleted_and_what_is_wrong_with_it_is_refused() {
    let dev = Dev::start().await;
    let admin = &dev.admin;
    admin.words("virtual-account create bot").await;
    let made = admin
        .words(
            "issuer create okta --url https://acme.okta.example --audience api://turnpike --audience other \
             --claim email --principal email --just-in-time --just-in-time-team payments --groups-claim groups \
             --groups-claim /realm_access/roles --require org=acme --require org=bolt --require /a/b=c --wait",
        )
        .await;
    let mut expected = json!({
        "name": "okta", "url": "https://acme.okta.example", "verification": "discovery",
        "jwks_url": null, "jwks": null, "introspection_url": null, "client_id": null,
        "audiences": ["api://turnpike", "other"], "algorithms": ["RS256"], "claim": "email", "principal": "email",
        "just_in_time": true, "just_in_time_teams": ["payments"], "groups_claims": ["groups", "/realm_access/roles"],
        "required": ["/a/b=c", "org=acme", "org=bolt"], "leeway": "30s", "access_tokens_only": false,
        "accept_sender_constrained": false,
        "created": made["issuer"]["created"],
    });
    assert_eq!(made["issuer"], expected);
    assert_eq!(issuer(admin, "okta").await, expected);
    for (line, complaint) in REFUSED {
        let (status, told) = ended(admin, &format!("issuer {line}")).await;
        assert_eq!(status, 1, "{line}: {told}");
        assert!(told.contains(complaint), "{line}: {told}");
    }
    assert_eq!(
        admin.words("issuer list").await,
        json!([expected]),
        "a refused command changes nothing"
    );

    admin
        .words(
            "issuer update okta --jwks-url https://acme.okta.example/keys --algorithm ES256 --algorithm EdDSA \
             --principal subject --claim sub --no-just-in-time --no-groups --leeway 0s --access-tokens-only true \
             --accept-sender-constrained true --wait",
        )
        .await;
    merge(&mut expected, &changed());
    assert_eq!(issuer(admin, "okta").await, expected);

    admin
        .words("grant create --to group:okta/engineers --role developer")
        .await;
    admin.words("issuer delete okta --wait").await;
    assert_eq!(ended(admin, "issuer get okta").await.0, 1);
    let left = admin.words("grant list --to group:okta/engineers").await;
    assert_eq!(
        left,
        json!([]),
        "whoever gets the name next vouches for other groups"
    );
}

#[tokio::test]
async fn keys_are_taken_from_a_file_if_they_are_public() {
    let dev = Dev::start().await;
    let files = tempfile::tempdir().unwrap();
    let create = async |name: &str, keys: &str| {
        let file = files.path().join("keys");
        fs::write(&file, keys).unwrap();
        let line = [
            "issuer",
            "create",
            name,
            "--url",
            "https://k8s.example",
            "--audience",
            name,
        ];
        let keys = ["--jwks-file", file.to_str().unwrap(), "--algorithm", "ES256"];
        dev.admin.run(&[&line[..], &keys].concat()).await
    };
    assert_eq!(create("cluster", PUBLIC).await.status, 0);
    assert_eq!(issuer(&dev.admin, "cluster").await["jwks"], PUBLIC);
    let symmetric = r#"{"keys": [{"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"}]}"#;
    for (keys, complaint) in [
        (PRIVATE, "private or symmetric"),
        (symmetric, "private or symmetric"),
        ("{}", "JSON Web Key Set"),
        ("<html>", "JSON Web Key Set"),
    ] {
        let ended = create("other", keys).await;
        assert_eq!(ended.status, 1, "{ended:?}");
        assert!(ended.complaint.contains(complaint), "{ended:?}");
        assert!(!ended.complaint.contains("870MB6gf"), "{ended:?}");
    }
}

#[tokio::test]
async fn the_secret_for_introspection_is_shown_nowhere_and_stays_with_its_url() {
    let dev = Dev::start().await;
    let admin = &dev.admin;
    let create = "issuer create sso --url https://sso.example --audience turnpike --introspection-url \
                  https://sso.example/ask --client-id turnpike --client-secret-from-env SECRET --claim username \
                  --principal name --wait";
    let words: Vec<&str> = create.split_whitespace().collect();
    let made = admin.json_with(&words, &[("SECRET", SECRET)]).await;
    assert_eq!(made["issuer"]["introspection_url"], "https://sso.example/ask");
    assert_eq!(made["issuer"]["algorithms"], json!([]));
    let (status, told) = ended(
        admin,
        "issuer update sso --introspection-url https://elsewhere.example/ask",
    )
    .await;
    assert_eq!(status, 1, "{told}");
    assert!(told.contains("client_secret"), "{told}");
    admin.words("issuer update sso --client-id other").await;
    let shown = issuer(admin, "sso").await;
    assert_eq!(
        (&shown["client_id"], &shown["introspection_url"]),
        (&json!("other"), &json!("https://sso.example/ask"))
    );
    let log = admin.words("log list").await.to_string();
    assert!(log.contains("issuer.updated") && !log.contains("sealed"), "{log}");
    for text in [made.to_string(), shown.to_string(), log] {
        assert!(!text.contains(SECRET), "{text}");
    }
    let folder = dev.stop().await;
    let mut looked_at = 0;
    let mut folders = vec![folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            looked_at += 1;
            let bytes = fs::read(&path).unwrap_or_default();
            let found = memchr::memmem::find(&bytes, SECRET.as_bytes());
            assert!(found.is_none(), "{} holds the secret", path.display());
        }
    }
    assert!(looked_at > 3, "only {looked_at} files were found");
}

#[tokio::test]
async fn tokens_are_revoked_by_id_by_subject_and_all_and_never_those_of_the_future() {
    let dev = Dev::start().await;
    let admin = &dev.admin;
    admin
        .words("issuer create okta --url https://acme.okta.example --audience a")
        .await;
    for line in [
        "token revoke --issuer okta --id abc --reason stolen --wait",
        "token revoke --issuer okta --subject 00u1 --issued-before 1h --wait",
        "token revoke --issuer turnpike --all --wait",
    ] {
        assert_eq!(ended(admin, line).await.0, 0, "{line}");
    }
    for (line, complaint) in [
        ("token revoke --issuer nothing --all", "nothing"),
        (
            "token revoke --issuer okta --all --issued-before 2100-01-01T00:00:00Z",
            "future",
        ),
    ] {
        let (status, told) = ended(admin, line).await;
        assert_eq!(status, 1, "{line}: {told}");
        assert!(told.contains(complaint), "{line}: {told}");
    }
    let log = admin.words("log list").await;
    let revoked: Vec<&Value> = log
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "token.revoked")
        .collect();
    assert_eq!(revoked.len(), 3, "{log}");
    assert!(revoked[0].to_string().contains("stolen"), "{log}");
}

#[tokio::test]
async fn viewers_see_issuers_and_only_those_with_the_right_change_them_or_revoke_tokens() {
    let dev = Dev::start().await;
    dev.admin
        .words("issuer create okta --url https://acme.okta.example --audience a")
        .await;
    let viewer = dev.application("viewer").await;
    dev.admin
        .words("grant create --to virtual-account:viewer --role viewer --wait")
        .await;
    let viewer = dev.admin.by(&viewer.text);
    assert_eq!(ended(&viewer, "issuer get okta").await.0, 0);
    assert_eq!(ended(&viewer, "issuer list").await.0, 0);
    for line in [
        "issuer create b --url https://b.example --audience a",
        "issuer update okta --leeway 1s",
        "issuer delete okta",
        "token revoke --issuer okta --all",
    ] {
        let (status, told) = ended(&viewer, line).await;
        assert_eq!(status, 1, "{line}: {told}");
        assert!(told.contains("refused"), "{line}: {told}");
    }
    let stranger = dev.admin.by(&dev.application("stranger").await.text);
    assert_eq!(ended(&stranger, "issuer get okta").await.0, 1);
}

#[tokio::test]
async fn the_conditions_of_a_grant_come_back_as_they_were_given() {
    let dev = Dev::start().await;
    let made = dev
        .admin
        .words(
            "grant create --to group:okta/engineers --role developer --method jwt:okta --method turnpike_token \
             --max-token-age 1h --network 10.0.0.0/8",
        )
        .await;
    let grant = dev
        .admin
        .json(&["grant", "get", made["grant"]["id"].as_str().unwrap()])
        .await;
    assert_eq!(grant["subject"], "group:okta/engineers");
    assert_eq!(grant["methods"], json!(["jwt:okta", "turnpike_token"]));
    assert_eq!(grant["max_token_age"], "3600s");
    assert_eq!(grant["networks"], json!(["10.0.0.0/8"]));
    let (status, told) = ended(
        &dev.admin,
        "grant create --to user:a --role developer --method api_key:okta",
    )
    .await;
    assert_eq!(status, 1, "{told}");
    assert!(told.contains("method"), "{told}");
}
