//! The services through a real listener, as far as admission goes; what changes do is tested end to end elsewhere.

use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, metadata::AsciiMetadataValue, service::Routes, transport::Channel};
use turnpike_proto::admin::v1::{
    self, audit_service_client::AuditServiceClient, bootstrap_service_client::BootstrapServiceClient,
    credential_service_client::CredentialServiceClient, log_service_client::LogServiceClient,
    team_service_client::TeamServiceClient, tenant_service_client::TenantServiceClient,
};
use turnpike_runtime::{
    keyring::Keyring,
    secret::Secret,
    shutdown::Shutdown,
    task::Tasks,
    token::{TokenSettings, Tokens},
};

use super::{Administration, services};
use crate::{
    bootstrap::BootstrapToken,
    edges::Edges,
    fixture::Core,
    history::History,
    receipt::Receipts,
    store::{self, Stores},
    token_key::TokenKeys,
};

mod mirror;
mod pick_up;
mod walk;

/// A served administration with the operators' first key.
struct Served {
    channel: Channel,
    routes: Routes,
    root: String,
    keyring: Arc<Keyring>,
    core: Core,
    _folder: TempDir,
}

#[expect(clippy::disallowed_methods, reason = "a test's runtime ends with the test")]
async fn served() -> Served {
    let folder = tempfile::tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    let Stores { audit, outbox, .. } = store::connect(&core.url).await.unwrap();
    let token = BootstrapToken::prepare(Some(Secret::new("once")), false, folder.path()).unwrap();
    let keyring = Arc::new(Keyring::parse(&Keyring::generate()).unwrap());
    let edges = Edges::new(core.store.clone(), core.projection.clone());
    let tasks = Tasks::new(Shutdown::new());
    let tokens = Tokens::new(TokenSettings::default(), keyring.clone(), &tasks).unwrap();
    let token_keys = TokenKeys::new(
        core.store.clone(),
        keyring.clone(),
        core.executor.clone(),
        Arc::from("https://control.example"),
    );
    let history = History::new(core.store.clone(), core.projection.clone());
    let receipts = Receipts::new(
        edges.clone(),
        core.store.clone(),
        core.projection.clone(),
        history.clone(),
    );
    let on = Administration::new(
        core.executor.clone(),
        (edges, receipts),
        (core.store.clone(), history),
        (audit, outbox),
        (keyring.clone(), None),
        token,
        (tokens, token_keys),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let routes = services(on);
    let server = tonic::transport::Server::builder().add_routes(routes.clone());
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    let request = v1::BootstrapRequest {
        token: "once".to_owned(),
        administrator: String::new(),
    };
    let made = BootstrapServiceClient::new(channel.clone())
        .bootstrap(request)
        .await
        .unwrap();
    Served {
        channel,
        routes,
        root: made.into_inner().key,
        keyring,
        core,
        _folder: folder,
    }
}

fn by<T>(key: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value: AsciiMetadataValue = format!("Bearer {key}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

fn about<T>(tenant: &str, mut request: Request<T>) -> Request<T> {
    request
        .metadata_mut()
        .insert("x-turnpike-tenant", tenant.parse().unwrap());
    request
}

impl Served {
    /// A new tenant's administrator's key.
    async fn tenant(&self, name: &str) -> String {
        let request = v1::CreateTenantRequest {
            tenant: Some(v1::Tenant {
                name: name.to_owned(),
                ..Default::default()
            }),
            administrator: "boss".to_owned(),
            options: None,
        };
        let mut tenants = TenantServiceClient::new(self.channel.clone());
        tenants
            .create(by(&self.root, request))
            .await
            .unwrap()
            .into_inner()
            .administrator_key
    }

    async fn make_team(&self, key: &str, name: &str) -> Result<v1::TeamResponse, tonic::Status> {
        let request = v1::CreateTeamRequest {
            team: Some(v1::Team {
                name: name.to_owned(),
                members: vec!["user:boss".to_owned()],
                ..Default::default()
            }),
            options: None,
        };
        let mut teams = TeamServiceClient::new(self.channel.clone());
        teams
            .create(by(key, request))
            .await
            .map(tonic::Response::into_inner)
    }
}

#[tokio::test]
async fn the_bootstrap_token_is_good_once() {
    let served = served().await;
    let mut bootstrap = BootstrapServiceClient::new(served.channel.clone());
    let again = |token: &str| v1::BootstrapRequest {
        token: token.to_owned(),
        administrator: "second".to_owned(),
    };
    let wrong = bootstrap.bootstrap(again("guess")).await.unwrap_err();
    assert_eq!(wrong.code(), Code::Unauthenticated);
    let late = bootstrap.bootstrap(again("once")).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn an_administrator_made_with_a_tenant_governs_it_and_nothing_else() {
    let served = served().await;
    let boss = served.tenant("acme").await;
    let made = served.make_team(&boss, "payments").await.unwrap();
    assert_eq!(made.team.unwrap().members, ["user:boss"]);
    let mut tenants = TenantServiceClient::new(served.channel.clone());
    let other = v1::CreateTenantRequest {
        tenant: Some(v1::Tenant {
            name: "other".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let refused = tenants.create(by(&boss, other)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn another_tenants_things_are_not_found_just_as_unknown_ones() {
    let served = served().await;
    let (acme, rival) = (served.tenant("acme").await, served.tenant("rival").await);
    let mut credentials = CredentialServiceClient::new(served.channel.clone());
    let (_, rest) = rival.split_once("tp_pat_").unwrap();
    let (theirs, _) = rest.split_once('_').unwrap();
    let mut answers = Vec::new();
    for id in [theirs, "000000000000"] {
        let request = v1::CredentialRequest { id: id.to_owned() };
        let refused = credentials.get(by(&acme, request)).await.unwrap_err();
        answers.push((refused.code(), refused.message().replace(id, "ID")));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, Code::NotFound);
    let mut teams = TeamServiceClient::new(served.channel.clone());
    let mut answers = Vec::new();
    for tenant in ["rival", "nobody"] {
        let refused = teams
            .list(about(tenant, by(&acme, v1::Page::default())))
            .await
            .unwrap_err();
        answers.push((refused.code(), refused.message().replace(tenant, "TENANT")));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, Code::NotFound);
}

#[tokio::test]
async fn operators_act_in_any_tenant_but_do_not_read_its_audit_or_log() {
    let served = served().await;
    let boss = served.tenant("acme").await;
    served.make_team(&boss, "payments").await.unwrap();
    let mut teams = TeamServiceClient::new(served.channel.clone());
    let seen = teams
        .list(about("acme", by(&served.root, v1::Page::default())))
        .await
        .unwrap();
    assert_eq!(seen.into_inner().teams.len(), 1);
    let mut audit = AuditServiceClient::new(served.channel.clone());
    let refused = audit
        .list(about("acme", by(&served.root, v1::ListAuditRequest::default())))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let mut log = LogServiceClient::new(served.channel.clone());
    let refused = log
        .list(about("acme", by(&served.root, v1::ListLogRequest::default())))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_log_shows_a_tenant_its_own_events_without_digests_and_verifies_whole() {
    let served = served().await;
    let boss = served.tenant("acme").await;
    let mut log = LogServiceClient::new(served.channel.clone());
    let listed = log
        .list(by(&boss, v1::ListLogRequest::default()))
        .await
        .unwrap()
        .into_inner();
    assert!(!listed.entries.is_empty());
    for entry in &listed.entries {
        assert_eq!(entry.tenant, "acme");
        assert!(!entry.payload.contains("digest"), "{}", entry.payload);
    }
    let verified = log
        .verify(by(&boss, v1::VerifyLogRequest {}))
        .await
        .unwrap()
        .into_inner();
    assert!(verified.intact, "{}", verified.problem);
}

#[tokio::test]
async fn whoever_shows_no_accepted_key_learns_one_sentence() {
    let served = served().await;
    let mut teams = TeamServiceClient::new(served.channel.clone());
    let mut revoked = served.root.clone();
    revoked.replace_range(20..21, if &revoked[20..21] == "a" { "b" } else { "a" });
    let missing = teams.list(v1::Page::default()).await.unwrap_err();
    let mistyped = teams.list(by(&revoked, v1::Page::default())).await.unwrap_err();
    assert_eq!(missing.code(), Code::Unauthenticated);
    assert_eq!(
        (missing.code(), missing.message()),
        (mistyped.code(), mistyped.message())
    );
}
