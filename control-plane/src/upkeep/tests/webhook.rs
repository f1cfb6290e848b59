//! A new key on its way to the tenant's webhook: sealed, until it is taken, and to nowhere inside.

use std::sync::Mutex;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use turnpike_runtime::{shutdown::Shutdown, task::Tasks, token::fetch::FetchError};

use super::*;

/// Somebody who gets keys: what is answered by path, and what was posted where.
#[derive(Default)]
struct Receiver {
    answers: Mutex<HashMap<&'static str, Response>>,
    posted: Mutex<Vec<(String, String)>>,
}

impl Receiver {
    /// Starts to listen, and says where.
    async fn start() -> (Arc<Self>, String) {
        let this = Arc::new(Self::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(Self::take).with_state(this.clone());
        Tasks::new(Shutdown::new()).spawn("receiver", async move {
            axum::serve(listener, router).await.unwrap();
        });
        (this, url)
    }

    async fn take(State(this): State<Arc<Self>>, uri: Uri, body: String) -> Response {
        let path = uri.path().to_owned();
        let answer = this.answers.lock().unwrap().remove(path.as_str());
        this.posted.lock().unwrap().push((path, body));
        answer.unwrap_or_else(|| StatusCode::ACCEPTED.into_response())
    }

    /// What the next one who posts there is answered; others are told that their key is taken.
    fn answers(&self, path: &'static str, answer: Response) {
        self.answers.lock().unwrap().insert(path, answer);
    }

    fn posted(&self) -> Vec<(String, String)> {
        self.posted.lock().unwrap().clone()
    }
}

/// Keys are rotated by themselves and posted there, sealed to this key.
fn posting(url: &str, secret: &crypto_box::SecretKey) -> CredentialPolicy {
    let mut policy = rotating(3_600);
    if let Some(automatic) = &mut policy.automatic_rotation {
        automatic.delivery = Delivery::Webhook {
            url: url.into(),
            public_key: STANDARD.encode(secret.public_key().as_bytes()).into(),
        };
    }
    policy
}

fn secret() -> crypto_box::SecretKey {
    crypto_box::SecretKey::generate(&mut crypto_box::aead::OsRng)
}

async fn held_keys(core: &Core) -> usize {
    core.store.held_keys(None).await.unwrap().len()
}

#[tokio::test]
async fn a_new_key_is_posted_sealed_to_the_tenants_key_until_it_is_taken() {
    let (receiver, url) = Receiver::start().await;
    receiver.answers("/keys", StatusCode::SERVICE_UNAVAILABLE.into_response());
    let (secret, folder) = (secret(), tempfile::tempdir().unwrap());
    let policy = posting(&format!("{url}/keys"), &secret);
    let core = core(folder.path(), policy, "virtual-account:bot").await;
    let upkeep = upkeep(&core, &keyring()).await;
    let now = clock::now();
    upkeep.pass(now).await;
    assert_eq!(held_keys(&core).await, 1, "not taken: still held");
    assert_eq!(core.handed_over().await, [], "nor handed over");
    upkeep.pass(now.plus_seconds(30)).await;
    assert_eq!(held_keys(&core).await, 0, "taken");
    upkeep.pass(now.plus_seconds(60)).await;
    let posted = receiver.posted();
    assert_eq!(posted.len(), 2, "posted twice, as the first was not taken");
    for (_, body) in posted {
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&body["credential"], &body["tenant"], &body["owner"]),
            (&KEY.into(), &"platform".into(), &"virtual-account:bot".into())
        );
        let sealed = STANDARD.decode(body["sealed"].as_str().unwrap()).unwrap();
        let opened = String::from_utf8(secret.unseal(&sealed).unwrap()).unwrap();
        let presented = PresentedKey::parse(&opened).unwrap();
        assert!(upkeep.peppers.verify(&held(&core, KEY).digest, &presented));
    }
    let told = format!(r#"{{"by":"webhook","id":"{KEY}"}}"#);
    assert_eq!(core.handed_over().await, [("system".to_owned(), told)]);
}

#[tokio::test]
async fn a_webhook_that_answers_elsewhere_gets_nothing_there() {
    let (receiver, url) = Receiver::start().await;
    let elsewhere = [("location", format!("{url}/elsewhere"))];
    receiver.answers(
        "/keys",
        (StatusCode::TEMPORARY_REDIRECT, elsewhere).into_response(),
    );
    let folder = tempfile::tempdir().unwrap();
    let policy = posting(&format!("{url}/keys"), &secret());
    let core = core(folder.path(), policy, "virtual-account:bot").await;
    upkeep(&core, &keyring()).await.pass(clock::now()).await;
    let paths: Vec<String> = receiver.posted().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/keys"]);
    assert_eq!((held_keys(&core).await, core.handed_over().await.len()), (1, 0));
}

#[tokio::test]
async fn what_a_webhook_goes_on_to_say_is_not_listened_to() {
    let (receiver, url) = Receiver::start().await;
    let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 64 * 1024]));
    receiver.answers("/keys", axum::body::Body::from_stream(endless).into_response());
    let folder = tempfile::tempdir().unwrap();
    let policy = posting(&format!("{url}/keys"), &secret());
    let core = core(folder.path(), policy, "virtual-account:bot").await;
    upkeep(&core, &keyring()).await.pass(clock::now()).await;
    assert_eq!((held_keys(&core).await, core.handed_over().await.len()), (0, 1));
}

#[tokio::test]
async fn a_webhook_inside_is_not_posted_to_unless_its_network_is_allowed() {
    for url in [
        "https://10.1.2.3/keys",
        "https://169.254.169.254/keys",
        "https://[fe80::1]/keys",
        "https://127.0.0.1/keys",
        "http://127.0.0.1:7071/leaks",
        "http://localhost/keys",
        "http://keys.example/keys",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let core = core(folder.path(), posting(url, &secret()), "virtual-account:bot").await;
        let upkeep = Upkeep {
            fetcher: Fetcher::new(Vec::new(), Vec::new()).unwrap(),
            ..upkeep(&core, &keyring()).await
        };
        let refused = upkeep.fetcher.post_json(url, String::new()).await.unwrap_err();
        assert_eq!(refused, FetchError::Refused, "{url}");
        upkeep.pass(clock::now()).await;
        assert_eq!(
            (held_keys(&core).await, core.handed_over().await.len()),
            (1, 0),
            "{url}"
        );
    }
    // Nobody listens there, but it is tried.
    let allowed = Fetcher::new(vec!["127.0.0.0/8".parse().unwrap()], Vec::new()).unwrap();
    let tried = allowed.post_json("https://127.0.0.1:1/keys", String::new()).await;
    assert_eq!(tried, Err(FetchError::Unreachable));
}
