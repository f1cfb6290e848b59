//! A process whose tasks panic, each with a kind of secret in hand: `CANARY` is in all of them. What it prints is looked
//! through by a test.
#![expect(clippy::unwrap_used, clippy::panic, reason = "to panic is what it is for")]

use std::{fmt, hint::black_box, sync::Arc, time::Duration};

use turnpike_access::{
    credential::{KeyKind, PresentedKey, write_key},
    digest::Peppers,
};
use turnpike_proto::admin::v1;
use turnpike_runtime::{
    bus::nats::NatsSettings,
    identity::EdgeSigner,
    keyring::Keyring,
    secret::{Secret, SecretBytes},
    shutdown::Shutdown,
    task::Tasks,
    telemetry::{self, LogFormat},
    token::own::TokenSigner,
};

/// Panics as code does that unwraps what it should not, and as code does that tells what it holds.
fn panic_with<T: fmt::Debug + Send + 'static>(tasks: &Tasks, what: &str, make: impl Fn() -> T) {
    for shown in [false, true] {
        let (what, secret) = (what.to_owned(), make());
        tasks.spawn("panicking", async move {
            tracing::info!("about to panic with {what}");
            if shown {
                panic!("it holds {secret:#?}");
            }
            black_box(Err::<(), _>(secret)).unwrap();
        });
    }
}

fn messages(tasks: &Tasks, canary: &str) {
    let secret = || canary.to_owned();
    panic_with(tasks, "an answer with a key", || v1::SecretResponse {
        key: secret(),
        ..Default::default()
    });
    panic_with(tasks, "a provider's secret", || v1::CreateProviderRequest {
        secret: secret(),
        ..Default::default()
    });
    panic_with(tasks, "an issuer's client secret", || v1::Introspection {
        client_secret: secret(),
        ..Default::default()
    });
    panic_with(tasks, "a text with a key in it", || v1::ReportLeakRequest {
        text: secret(),
        ..Default::default()
    });
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let settings = telemetry::Settings {
        log: "trace".to_owned(),
        log_format: LogFormat::Text,
        otlp_endpoint: None,
        otlp_ca_file: None,
    };
    telemetry::init("panicking", &settings).unwrap();
    let canary = std::env::var("CANARY").unwrap();
    let folder = std::env::temp_dir().join(format!("panicking-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let tasks = Tasks::new(Shutdown::new());
    panic_with(&tasks, "a secret text", || Secret::new(canary.as_str()));
    panic_with(&tasks, "secret bytes", || SecretBytes::new(canary.as_bytes()));
    panic_with(&tasks, "a keyring", || {
        Keyring::parse(&Keyring::generate()).unwrap()
    });
    panic_with(&tasks, "peppers", || {
        let mut key = [0; 32];
        for (place, byte) in key.iter_mut().zip(canary.bytes()) {
            *place = byte;
        }
        Peppers::new([(1, key)])
    });
    panic_with(&tasks, "a key that signs tokens", || {
        TokenSigner::generate().unwrap()
    });
    panic_with(&tasks, "an edge's key", || {
        EdgeSigner::keep(&folder, Arc::from("edge")).unwrap()
    });
    panic_with(&tasks, "the bus's URL", || NatsSettings {
        url: Some(Secret::new(format!("nats://user:{canary}@127.0.0.1"))),
        ..NatsSettings::default()
    });
    let secret: String = canary.chars().filter(char::is_ascii_alphanumeric).collect();
    let key = write_key(
        KeyKind::VirtualAccount,
        "abcDEF123456".parse().unwrap(),
        &format!("{secret:0<43}"),
    );
    let key: &'static str = Box::leak(key.into_boxed_str());
    panic_with(&tasks, "a presented key", || PresentedKey::parse(key).unwrap());
    messages(&tasks, &canary);
    tasks.join(Duration::from_secs(30)).await.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}
