//! Turnpike and an identity provider, and short ways to make and present tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Answer, Caller},
    dev::Dev,
    eventually::eventually,
    idp::{CLIENT_SECRET, INTROSPECTION_CLIENT, Idp, JWT_AUDIENCE, OPAQUE_AUDIENCE},
};

pub(super) const MODEL: &str = "fake-openai/gpt-4o";

pub(super) struct Stage {
    pub(super) dev: Dev,
    pub(super) idp: Idp,
}

impl Stage {
    /// Turnpike and an identity provider that do not know each other.
    pub(super) async fn start() -> Self {
        let (dev, idp) = tokio::join!(Dev::start(), Idp::start());
        Self { dev, idp }
    }

    /// The identity provider is the issuer `idp`, whose keys are known; alice of there is `carol` here.
    pub(super) async fn trusting() -> Self {
        let stage = Self::start().await;
        stage.trust(&stage.idp.url()).await;
        stage
            .dev
            .admin
            .words("user create carol --subject idp/alice --wait")
            .await;
        // Kept on disk as soon as they are held.
        let kept = stage.dev.folder().join("state/edge/issuers");
        eventually("the keys", async || {
            let files = std::fs::read_dir(&kept).into_iter().flatten().count();
            if files > 0 { Ok(()) } else { Err(files) }
        })
        .await;
        stage
    }

    async fn trust(&self, url: &str) {
        let create = format!(
            "issuer create idp --url {url} --audience {JWT_AUDIENCE} --algorithm RS256 --algorithm ES256 --algorithm EdDSA \
             --groups-claim groups --wait"
        );
        self.dev.admin.words(&create).await;
    }

    /// The identity provider is the issuer `sso`, which is asked about each token.
    pub(super) async fn asking(&self) {
        let create = format!(
            "issuer create sso --url {} --audience {OPAQUE_AUDIENCE} --introspection-url {} --client-id \
             {INTROSPECTION_CLIENT} --client-secret-from-env SSO_SECRET --wait",
            self.idp.url(),
            self.idp.introspection_url()
        );
        let create: Vec<_> = create.split_whitespace().collect();
        self.dev
            .admin
            .json_with(&create, &[("SSO_SECRET", CLIENT_SECRET)])
            .await;
    }

    pub(super) fn caller(&self, token: &str) -> Caller {
        Caller::new(&self.dev.edges[0].url(), Some(token))
    }

    pub(super) async fn ask(&self, token: &str) -> Answer {
        self.caller(token).chat(MODEL).await
    }

    pub(super) async fn status(&self, token: &str) -> u16 {
        self.ask(token).await.status
    }

    /// A token of alice with these claims besides or instead.
    pub(super) async fn signed(&self, claims: Value, header: Value) -> String {
        let now = seconds();
        let mut all = json!({
            "iss": self.idp.url(), "aud": JWT_AUDIENCE, "sub": "alice", "iat": now, "exp": now + 600, "jti": "one",
        });
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        self.idp.sign(&all, &header).await
    }

    /// What the audit says of a refused request.
    pub(super) async fn reason(&self, answer: &Answer) -> String {
        let row = self.dev.audited_all([answer.request_id()]).await;
        row[answer.request_id()]["reason"].as_str().unwrap().to_owned()
    }

    pub(super) async fn assert_refused(&self, token: &str, reason: &str) {
        let answer = self.ask(token).await;
        let challenge = answer.header("www-authenticate");
        assert_eq!(
            (answer.status, challenge),
            (401, "Bearer"),
            "{reason}: {answer:?}"
        );
        assert_eq!(self.reason(&answer).await, reason);
    }
}

/// Since the epoch.
pub(super) fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
