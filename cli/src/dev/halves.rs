//! The parts of `turnpike dev`: fake provider, control plane and edge, each as it would be alone.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clap::Parser as _;
use tokio::net::TcpListener;
use turnpike_control_plane::{server::ControlPlane, settings::Settings as ControlPlaneSettings};
use turnpike_edge::{edge::Edge, settings::Settings as EdgeSettings};
use turnpike_runtime::{
    bus::{local::LocalBus, nats::NatsSettings},
    keyring::Keyring,
    secret::Secret,
    shutdown::Shutdown,
    task::Tasks,
};

use super::{Dev, folder::Folder, part::Part};
use crate::{
    failure::{Failure, chain},
    fake_provider,
};

/// How long a part may take to end what it is doing.
const DRAIN: Duration = Duration::from_secs(60);
/// How long the edge may take to have the control plane's state, which is on the same machine.
const READY: Duration = Duration::from_secs(60);

/// Where issuers and webhooks may be beside the internet: an identity provider that somebody tries things out with.
const THIS_MACHINE: [&str; 2] = ["127.0.0.0/8", "::1/128"];

/// Serves the fake provider on a port of its own.
pub(super) async fn fake(key: &str) -> Result<(SocketAddr, Part), Failure> {
    let failed = |error| Failure::local(format!("the fake provider cannot listen: {error}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let settings = fake_provider::Settings {
        required_key: Some(key.to_owned()),
        ..Default::default()
    };
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    let serving = async move {
        let stopped = async move { stop.cancelled().await };
        if let Err(error) = fake_provider::serve(listener, settings, stopped).await {
            tracing::error!(%error, "the fake provider broke off");
        }
    };
    Ok((address, Part::run("fake provider", shutdown, serving)))
}

/// The keyring of this folder, made at the first start.
pub(super) fn keyring(folder: &Folder) -> Result<Secret, Failure> {
    const FILE: &str = "keyring";
    if let Some(text) = folder.read(FILE)? {
        return Ok(Secret::new(text.trim()));
    }
    let keyring = Keyring::generate();
    folder.write(FILE, keyring.expose())?;
    Ok(keyring)
}

/// Starts the control plane on SQLite, and says where it serves administration.
pub(super) async fn control_plane(
    dev: &Dev,
    folder: &Folder,
    keyring: &Secret,
    bootstrap_token: &str,
    bus: &LocalBus,
) -> Result<(SocketAddr, Part), Failure> {
    let keyring = Keyring::parse(keyring)
        .map_err(|error| Failure::local(format!("{}: {error}", folder.at("keyring").display())))?;
    let settings = ControlPlaneSettings {
        database_url: Secret::new(format!("sqlite://{}", folder.at("turnpike.db").display())),
        nats: NatsSettings::default(),
        keyring: Arc::new(keyring),
        data_dir: folder.at("control-plane"),
        listen: dev.admin_listen,
        edges: Default::default(),
        operations_listen: dev.admin_operations_listen,
        public_url: None,
        issuer_networks: THIS_MACHINE.iter().filter_map(|net| net.parse().ok()).collect(),
        issuer_keys_max_age: Default::default(),
        webhook_networks: THIS_MACHINE.iter().filter_map(|net| net.parse().ok()).collect(),
        mail: None,
        bootstrap_token: Some(Secret::new(bootstrap_token)),
        tls: None,
        allow_plaintext: true,
        migrate: true,
    };
    let shutdown = Shutdown::new();
    let started = ControlPlane::start(settings, Some(Arc::new(bus.clone())), shutdown.clone()).await;
    let control_plane = started
        .map_err(|error| Failure::local(format!("the control plane does not start: {}", chain(&error))))?;
    let address = control_plane.grpc;
    Ok((
        address,
        Part::run("control plane", shutdown, control_plane.join()),
    ))
}

/// Starts the edge, and says where it serves clients once it can.
pub(super) async fn edge(
    dev: &Dev,
    folder: &Folder,
    keyring: &Secret,
    control_plane: SocketAddr,
    bus: &LocalBus,
) -> Result<(SocketAddr, Part), Failure> {
    let failed = |why: String| Failure::local(format!("the edge does not start: {why}"));
    let settings = edge_settings(dev, folder, keyring, control_plane)?;
    let shutdown = Shutdown::new();
    let started = Edge::start(
        settings,
        Some(Arc::new(bus.clone())),
        Tasks::new(shutdown.clone()),
    )
    .await;
    let edge = started.map_err(|error| failed(chain(&error)))?;
    if tokio::time::timeout(READY, edge.readiness.ready()).await.is_err() {
        return Err(failed(format!(
            "it is not ready: {:?}",
            edge.readiness.report().conditions
        )));
    }
    let address = edge.data;
    Ok((address, Part::run("edge", shutdown, edge.join())))
}

/// The edge's own defaults, and what is meant for another edge, in the environment of this shell, left out.
fn edge_settings(
    dev: &Dev,
    folder: &Folder,
    keyring: &Secret,
    control_plane: SocketAddr,
) -> Result<EdgeSettings, Failure> {
    let flags = [
        "turnpike-edge".to_owned(),
        format!("--control-plane=http://{control_plane}"),
        format!("--keyring={}", keyring.expose()),
        "--region=local".to_owned(),
        "--name=dev".to_owned(),
        format!("--data-dir={}", folder.at("edge").display()),
        format!("--listen={}", dev.edge_listen),
        format!("--operations-listen={}", dev.edge_operations_listen),
        format!("--issuer-networks={}", THIS_MACHINE.join(",")),
    ];
    let settings = EdgeSettings::try_parse_from(flags)
        .map_err(|error| Failure::local(format!("the edge's settings: {error}")))?;
    Ok(EdgeSettings {
        nats: NatsSettings::default(),
        tls_cert: None,
        tls_key: None,
        ca_file: None,
        ..settings
    })
}

/// The parts, running.
pub(super) struct Halves {
    pub(super) fake: Part,
    pub(super) control_plane: Part,
    pub(super) edge: Part,
}

impl Halves {
    /// Resolves when one of them has failed.
    pub(super) async fn failed(&self) -> String {
        tokio::select! {
            why = self.edge.failed() => why,
            why = self.control_plane.failed() => why,
            why = self.fake.failed() => why,
        }
    }

    /// Stops them in the reverse of the order in which they need each other.
    pub(super) async fn stop(self) {
        let Self {
            fake,
            control_plane,
            edge,
        } = self;
        edge.stop(DRAIN).await;
        control_plane.stop(DRAIN).await;
        fake.stop(DRAIN).await;
    }
}
