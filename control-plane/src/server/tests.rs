//! A whole control plane, started and stopped as a process would.

use std::{path::Path, sync::Arc, time::Duration};

use tempfile::tempdir;
use tokio::time::timeout;
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use turnpike_runtime::{bus::nats::NatsSettings, keyring::Keyring, secret::Secret, shutdown::Shutdown};

use super::{ControlPlane, StartError};
use crate::{
    execute::Authority,
    fixture::{create_team, name},
    settings::Settings,
};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn settings(folder: &Path) -> Settings {
    Settings {
        database_url: Secret::new(format!("sqlite://{}", folder.join("turnpike.db").display())),
        nats: NatsSettings::default(),
        keyring: Arc::new(Keyring::parse(&Keyring::generate()).unwrap()),
        data_dir: folder.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        edges: Default::default(),
        operations_listen: "127.0.0.1:0".parse().unwrap(),
        public_url: None,
        issuer_networks: Vec::new(),
        issuer_keys_max_age: Default::default(),
        webhook_networks: Vec::new(),
        mail: None,
        bootstrap_token: None,
        tls: None,
        allow_plaintext: false,
        migrate: true,
    }
}

async fn health(address: std::net::SocketAddr) -> Result<(), tonic::Status> {
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    let mut client = HealthClient::new(channel.connect().await.unwrap());
    client.check(HealthCheckRequest::default()).await.map(drop)
}

#[tokio::test]
async fn it_serves_stops_and_finds_its_state_again() {
    let folder = tempdir().unwrap();
    let settings = settings(folder.path());
    let shutdown = Shutdown::new();
    let first = ControlPlane::start(settings.clone(), None, shutdown.clone())
        .await
        .unwrap();
    health(first.grpc).await.unwrap();
    let token = std::fs::read_to_string(folder.path().join(crate::bootstrap::TOKEN_FILE)).unwrap();
    assert!(first.bootstrap.accepts(token.trim()));
    let tenant = turnpike_access::command::Command::CreateTenant(Default::default());
    let commands = vec![tenant, create_team("ops")];
    let asked = first.executor.execute(
        Authority::System("test"),
        name("acme"),
        Arc::from("test"),
        commands,
    );
    let done = asked.await.unwrap();
    shutdown.trigger("test");
    timeout(PATIENCE, first.join()).await.unwrap();

    let shutdown = Shutdown::new();
    let second = ControlPlane::start(settings, None, shutdown.clone())
        .await
        .unwrap();
    assert_eq!(second.executor.snapshot().head(), done.snapshot.head());
    shutdown.trigger("test");
    timeout(PATIENCE, second.join()).await.unwrap();
}

#[tokio::test]
async fn plaintext_beyond_loopback_is_refused_unless_it_is_meant() {
    let folder = tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.listen = "0.0.0.0:0".parse().unwrap();
    let refused = ControlPlane::start(settings.clone(), None, Shutdown::new())
        .await
        .err()
        .unwrap();
    assert!(
        refused.to_string().starts_with("TURNPIKE_LISTEN: plaintext"),
        "{refused}"
    );
    settings.allow_plaintext = true;
    let shutdown = Shutdown::new();
    let meant = ControlPlane::start(settings, None, shutdown.clone())
        .await
        .unwrap();
    shutdown.trigger("test");
    timeout(PATIENCE, meant.join()).await.unwrap();
}

#[tokio::test]
async fn while_the_database_is_away_callers_are_told_what_is_awaited() {
    let folder = tempdir().unwrap();
    // Bound and let go again, so that nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut settings = settings(folder.path());
    settings.migrate = false;
    settings.database_url = Secret::new("postgres://turnpike:hidden@127.0.0.1:1/turnpike");
    settings.listen = free;
    let shutdown = Shutdown::new();
    let starting = ControlPlane::start(settings, None, shutdown.clone());
    let asking = async {
        loop {
            if tokio::net::TcpStream::connect(free).await.is_ok() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let told = health(free).await.unwrap_err();
        shutdown.trigger("test");
        told
    };
    let (started, told) = timeout(PATIENCE, async { tokio::join!(starting, asking) })
        .await
        .unwrap();
    assert_eq!(told.code(), Code::Unavailable);
    assert_eq!(
        told.message(),
        "waiting for the database: postgres at 127.0.0.1:1/turnpike"
    );
    assert!(matches!(started, Err(StartError::Stopped)));
}

#[tokio::test]
async fn a_database_without_tables_is_an_error_that_says_what_to_run() {
    let folder = tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.migrate = false;
    let refused = ControlPlane::start(settings, None, Shutdown::new())
        .await
        .err()
        .unwrap();
    assert!(
        refused.to_string().starts_with("TURNPIKE_DATABASE_URL: "),
        "{refused}"
    );
}
