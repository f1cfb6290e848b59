//! Turnpike's own tokens: given for keys and for other issuers' tokens, verified by third parties, used for administration,
//! and dead with what they were given for.

use std::{net::SocketAddr, sync::Arc};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use turnpike_access::{
    id::{Name, Principal, Timestamp},
    issuer::TokenKey,
    token::GivenFor,
};
use turnpike_runtime::{
    clock,
    token::own::{OwnClaims, TokenSigner, jwks},
};
use turnpike_tests::{
    caller::{Answer, Caller},
    cli::Cli,
    eventually::eventually,
    production::Production,
};

const IDP: &str = "https://idp.example";

/// The control plane's HTTP listener.
struct Http(Caller, reqwest::Client, String);

impl Http {
    fn of(address: SocketAddr) -> Self {
        let base = format!("http://{address}");
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self(Caller::new(&base, None), client, base)
    }

    async fn get(&self, path: &str) -> Value {
        Answer::of(self.0.request(reqwest::Method::GET, path))
            .await
            .json()
    }

    async fn ask(&self, form: &[(&str, &str)]) -> Value {
        let url = format!("{}/oauth/token", self.2);
        let words = form
            .iter()
            .map(|(name, value)| format!("{name}={}", value.replace(':', "%3A").replace(' ', "+")));
        let body = words.collect::<Vec<_>>().join("&");
        let request = self.1.post(url).body(body);
        Answer::of(request.header("content-type", "application/x-www-form-urlencoded"))
            .await
            .json()
    }

    /// A token for a key, as soon as there is a key to sign with.
    async fn token(&self, key: &str, more: &[(&str, &str)]) -> String {
        let form = [
            &[("grant_type", "client_credentials"), ("client_secret", key)],
            more,
        ]
        .concat();
        eventually("a token", async || {
            let answer = self.ask(&form).await;
            answer["access_token"].as_str().map(str::to_owned).ok_or(answer)
        })
        .await
    }
}

async fn refused(cli: &Cli, line: &str) -> bool {
    cli.run(&line.split_whitespace().collect::<Vec<_>>()).await.status == 1
}

/// What somebody else makes of a token, with nothing but what is published.
async fn verified_by(http: &Http, audience: &str, token: &str) -> Value {
    let metadata = http.get("/.well-known/oauth-authorization-server").await;
    let keys = http.get("/.well-known/jwks.json").await;
    let id = decode_header(token).unwrap().kid.unwrap();
    let all = keys["keys"].as_array().unwrap();
    let key = all.iter().find(|key| key["kid"] == json!(id)).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&[audience]);
    validation.set_issuer(&[metadata["issuer"].as_str().unwrap()]);
    let key = DecodingKey::from_ed_components(key["x"].as_str().unwrap()).unwrap();
    decode::<Value>(token, &key, &validation).unwrap().claims
}

#[tokio::test]
async fn a_token_for_a_key_administers_is_narrowed_is_verified_by_others_and_dies_with_the_key() {
    let production = Production::with_one_edge(&[]).await;
    let http = Http::of(production.operations);
    let key = production.application("ci").await;
    production
        .admin
        .words("grant create --to virtual-account:ci --role viewer")
        .await;

    let token = http
        .token(&key.text, &[("client_id", "ci"), ("expires_in", "3600")])
        .await;
    let bot = production.admin.by(&token);
    let me = bot.words("whoami").await;
    assert_eq!(
        (&me["principal"], &me["method"], &me["issuer"], &me["credential"]),
        (
            &json!("virtual-account:ci"),
            &json!("turnpike_token"),
            &json!("turnpike"),
            &json!(key.id)
        )
    );
    bot.words("grant list").await;
    assert!(
        refused(&bot, "team create sneaky").await,
        "a viewer changes nothing"
    );

    let narrow = http.token(&key.text, &[("scope", "action:models.read")]).await;
    let narrow = production.admin.by(&narrow);
    narrow.words("model list").await;
    assert!(refused(&narrow, "grant list").await, "the scope did not narrow");

    let audience = "models.example";
    let theirs = http.token(&key.text, &[("audience", audience)]).await;
    let claims = verified_by(&http, audience, &theirs).await;
    assert_eq!(claims["sub"], "virtual-account:ci");
    assert_eq!(claims["turnpike"]["tenant"], "dev");
    assert!(
        refused(&production.admin.by(&theirs), "whoami").await,
        "it was meant for somebody else"
    );

    let form = [
        ("grant_type", "client_credentials"),
        ("client_secret", key.text.as_str()),
        ("expires_in", "3601"),
    ];
    assert_eq!(http.ask(&form).await["error"], "invalid_request");
    production
        .admin
        .json(&["credential", "revoke", &key.id, "--reason", "leaked"])
        .await;
    assert!(refused(&bot, "whoami").await, "the token outlived its key");
    assert_eq!(http.ask(&form[..2]).await["error"], "invalid_client");
}

#[tokio::test]
async fn keys_are_rotated_while_old_tokens_are_believed_until_their_key_is_removed() {
    let production = Production::with_one_edge(&[]).await;
    let http = Http::of(production.operations);
    let key = production.application("ci").await;
    let old = http.token(&key.text, &[]).await;
    let first = decode_header(&old).unwrap().kid.unwrap();
    let made = production.operator.words("token-key rotate --wait").await;
    assert_eq!(
        made["signs"], false,
        "it signs before anybody can know it: {made}"
    );
    let published = http.get("/.well-known/jwks.json").await;
    assert_eq!(published["keys"].as_array().unwrap().len(), 2);
    production.admin.by(&old).words("whoami").await;
    assert!(
        refused(&production.admin, "token-key list").await,
        "for operators alone"
    );

    production
        .operator
        .json(&["token-key", "remove", "--wait", "--", &first])
        .await;
    assert!(refused(&production.admin.by(&old), "whoami").await);
    let new = http.token(&key.text, &[]).await;
    assert_eq!(json!(decode_header(&new).unwrap().kid), made["id"]);
    production.admin.by(&new).words("whoami").await;
}

/// A token of the tenant's issuer, which has static keys, for a user in these groups.
fn jwt(signer: &TokenSigner, email: &str, group: &str) -> String {
    let second = clock::now().as_micros().div_euclid(1_000_000);
    let issued = Timestamp::from_micros(second * 1_000_000);
    let name = |text: &str| text.parse::<Name>().unwrap();
    signer.sign(&OwnClaims {
        issuer: Arc::from(IDP),
        principal: Principal::User(name("whoever")),
        audiences: vec![Arc::from("api://turnpike")],
        expires: issued.plus_seconds(300),
        issued,
        id: Arc::from(group),
        client_id: Arc::from(email),
        tenant: name("elsewhere"),
        groups: Vec::new(),
        scope: None,
        given_for: GivenFor::Credential("abcDEF123456".parse().unwrap()),
    })
}

/// Makes the issuer of those tokens.
async fn trust(admin: &Cli, signer: &TokenSigner) {
    let key = TokenKey {
        id: Arc::from(signer.key_id()),
        issuer: Arc::from(IDP),
        public_key: Arc::from(signer.public_key()),
        created: Timestamp::from_micros(0),
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, jwks(&[key]).to_string()).unwrap();
    let create = format!(
        "issuer create okta --url {IDP} --jwks-file {} --algorithm EdDSA --audience api://turnpike --claim client_id \
         --principal email --just-in-time --groups-claim jti",
        file.display()
    );
    admin.words(&create).await;
}

#[tokio::test]
async fn an_issuer_s_groups_administer_until_they_are_left_and_its_users_are_recorded() {
    let production = Production::with_one_edge(&[]).await;
    let admin = &production.admin;
    let signer = TokenSigner::generate().unwrap();
    trust(admin, &signer).await;
    admin
        .words("grant create --to group:okta/admins --role admin")
        .await;

    let dora = admin.by(&jwt(&signer, "dora@acme.example", "admins"));
    let me = dora.words("whoami").await;
    assert_eq!(
        (&me["principal"], &me["method"], &me["groups"]),
        (
            &json!("user:dora@acme.example"),
            &json!("jwt"),
            &json!(["okta/admins"])
        )
    );
    dora.words("team create by-dora").await;
    admin.words("user get dora@acme.example").await;
    let left = admin.by(&jwt(&signer, "dora@acme.example", "staff"));
    left.words("whoami").await;
    assert!(refused(&left, "team create sneaky").await, "the group was left");

    let http = Http::of(production.operations);
    let form = |subject: &str| {
        json!([
            ["grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"],
            ["subject_token", subject],
            ["subject_token_type", "urn:ietf:params:oauth:token-type:jwt"]
        ])
    };
    let asked = form(&jwt(&signer, "erin@acme.example", "admins"));
    let pairs: Vec<(&str, &str)> = asked
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
        .collect();
    let own = eventually("a token", async || {
        let answer = http.ask(&pairs).await;
        answer["access_token"].as_str().map(str::to_owned).ok_or(answer)
    })
    .await;
    let erin = admin.by(&own);
    assert_eq!(erin.words("whoami").await["principal"], "user:erin@acme.example");
    erin.words("team create by-erin").await;
    admin
        .words("user update erin@acme.example --deactivated true")
        .await;
    assert!(refused(&erin, "whoami").await, "the token outlived its user");
}

#[tokio::test]
async fn tokens_are_dead_at_every_edge_when_what_ends_them_has_returned() {
    let production = Production::start().await;
    let (admin, signer) = (&production.admin, TokenSigner::generate().unwrap());
    trust(admin, &signer).await;
    production.allow("group:okta/engineers", "fake-*").await;
    let key = production.granted("ci").await;
    let own = Http::of(production.operations).token(&key.text, &[]).await;
    let foreign = jwt(&signer, "dora@acme.example", "engineers");
    let statuses = async |bearer: &str| {
        let mut all = Vec::new();
        for edge in &production.edges {
            let caller = Caller::new(&edge.url(), Some(bearer));
            all.push(caller.chat("fake-openai/gpt-4o").await.status);
        }
        all
    };
    for token in [&own, &foreign] {
        eventually("a token that every edge takes", async || {
            let found = statuses(token).await;
            if found == [200, 200] { Ok(()) } else { Err(found) }
        })
        .await;
    }
    admin
        .words("token revoke --issuer okta --subject user:whoever --reason stolen --wait")
        .await;
    assert_eq!(statuses(&foreign).await, [401, 401]);
    assert_eq!(statuses(&own).await, [200, 200], "another's");
    let suspend = ["credential", "suspend", &key.id, "--reason", "on leave", "--wait"];
    admin.json(&suspend).await;
    assert_eq!(statuses(&own).await, [401, 401]);
}
