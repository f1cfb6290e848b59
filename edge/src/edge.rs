//! One edge from its start to its end, each a sequence that can be read.

use std::{fs, io, net::SocketAddr, os::unix::fs::DirBuilderExt as _, sync::Arc, time::Duration};

use rustls::pki_types::CertificateDer;
use tokio::{net::TcpListener, sync::watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::service::interceptor::InterceptedService;
use turnpike_access::edge::Duty;
use turnpike_runtime::{
    bus::{SharedBus, whole},
    clock,
    identity::EdgeSigner,
    keyring::{Keyring, KeyringError},
    random,
    readiness::Readiness,
    task::Tasks,
    tls::TlsError,
    token::TokenSetupError,
};

use crate::{
    audit::{Audit, Fsync, Opened, SpoolSettings, upload::Upload},
    connect::{self, ControlPlane, EdgeToken},
    current::Current,
    duty,
    enrolment::Enrolment,
    issuers,
    kept::{Files, OnDisk},
    metrics::Metrics,
    proxy::{Parts, State},
    serving::{self, ForEnvoy},
    settings::{InvalidSettings, Settings, name},
    sync::{Identity, OnBus, Standing, Sync},
};

/// Why an edge did not start. What may come later, such as the control plane, is waited for instead.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting can't be followed.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// The keyring is not one.
    #[error("--keyring: {0}")]
    Keyring(#[from] KeyringError),
    /// A certificate, a key or the authorities can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The cryptography can't be set up.
    #[error("cannot set up TLS: {0}")]
    Cryptography(#[from] rustls::Error),
    /// The verification of tokens can't be set up.
    #[error(transparent)]
    Tokens(#[from] TokenSetupError),
    /// The control plane can't be spoken to as the settings say.
    #[error(transparent)]
    Connect(#[from] connect::Unconnectable),
    /// The data folder can't be used.
    #[error("cannot use the data folder {0}: {1}")]
    Data(String, #[source] io::Error),
    /// An address can't be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
}

/// A running edge.
pub struct Edge {
    /// Where clients connect.
    pub data: SocketAddr,
    /// Where health and metrics are.
    pub operations: SocketAddr,
    /// The state that requests are judged by.
    pub current: Arc<Current>,
    /// Where the edge stands.
    pub standing: watch::Receiver<Standing>,
    /// Whether it can serve.
    pub readiness: Readiness,
    tasks: Tasks,
    serving: Tasks,
    writers_done: watch::Sender<bool>,
    done: CancellationToken,
    settings: Settings,
}

impl Edge {
    /// Starts everything, in the order in which each needs the one before. Without a `bus` the edge follows the
    /// control plane alone. `tasks` carries the signal to end.
    ///
    /// # Errors
    /// What waiting can't make good. Nothing is left running then but what `tasks` joins.
    pub async fn start(settings: Settings, bus: Option<SharedBus>, tasks: Tasks) -> Result<Self, StartError> {
        let ground = Ground::of(&settings)?;
        let readiness = Readiness::new();
        let condition = readiness.condition("snapshot", "starting");

        let unusable = |error| StartError::Data(settings.data_dir.display().to_string(), error);
        let epoch = u64::try_from(clock::now().as_micros()).unwrap_or_default();
        let opened = open_spool(&settings, epoch).map_err(unusable)?;
        let edge = name_of(&settings, ground.enrolment.as_ref()).map_err(unusable)?;
        let signer = Arc::new(EdgeSigner::keep(&settings.data_dir, edge.clone()).map_err(unusable)?);

        let data = listen(settings.listen).await?;
        let operations = listen(settings.operations_listen).await?;
        let envoy = ForEnvoy::of(&settings).await?;

        let current = Arc::new(Current::default());
        let done = CancellationToken::new();
        let at = (&settings, &edge, &current, &readiness);
        // Who is about to enrol is to be let in by a control plane first.
        let known = ground.enrolment.as_ref().is_none_or(Enrolment::is_known);
        let duty = heed_duty(ground.enrolment, at, &tasks, &done);
        let on_disk = on_disk(&settings, edge.clone(), &ground.keyring);
        let on_bus = on_bus(&settings, bus.as_ref(), &ground.keyring).filter(|_| known);
        let sync = Sync {
            channel: ground.channel.clone(),
            control_plane: settings.control_plane.clone(),
            bus,
            identity: identity(&settings, &signer, edge.clone(), epoch),
            current: current.clone(),
            on_disk: on_disk.filter(|_| *duty.borrow() != Duty::Revoked),
            on_bus: on_bus.filter(|_| *duty.borrow() != Duty::Revoked),
            duty,
            condition,
        };
        let standing = sync.start(&tasks, &done);
        let (writers_done, done_writing) = watch::channel(false);
        let upload = Upload {
            edge,
            channel: ground.channel,
            audit: opened.audit.clone(),
            reader: opened.reader,
            signer: signer.clone(),
        };
        tasks.spawn_essential("audit-upload", upload.run_until(done_writing));

        let started = Self {
            data: address(&data, settings.listen)?,
            operations: address(&operations, settings.operations_listen)?,
            current,
            standing,
            readiness,
            serving: Tasks::new(tasks.shutdown().clone()),
            tasks,
            writers_done,
            done,
            settings,
        };
        let state = Arc::new(started.state((ground.keyring, signer), ground.authorities, opened.audit)?);
        serving::start(data, operations, ground.secured, state.clone(), &started);
        if let Some(envoy) = envoy {
            envoy.start(state, &started);
        }
        tracing::info!(data = %started.data, operations = %started.operations, "edge started");
        Ok(started)
    }

    fn state(
        &self,
        (keyring, signer): (Arc<Keyring>, Arc<EdgeSigner>),
        authorities: Vec<CertificateDer<'static>>,
        audit: Arc<Audit>,
    ) -> Result<State, StartError> {
        let tokens = issuers::start(
            &self.settings,
            authorities.clone(),
            keyring.clone(),
            self.current.clone(),
            &self.serving,
        )?;
        Ok(State::new(Parts {
            current: self.current.clone(),
            audit,
            keyring,
            tokens,
            signer,
            trusted_proxies: self.settings.trusted_proxies.clone(),
            public_url: self.settings.public_url.clone(),
            speaks_tls: self.settings.tls_cert.is_some(),
            limits: self.settings.limits.clone(),
            authorities,
            region: Arc::from(self.settings.region.as_str()),
            tasks: self.serving.clone(),
            metrics: Metrics::default(),
        })?)
    }

    /// The tasks that answer requests. They are joined before the audit is flushed.
    pub fn serving(&self) -> &Tasks {
        &self.serving
    }

    /// Waits for the signal to end, and then ends: requests under way first, then the audit, then the goodbye.
    pub async fn join(self) {
        self.tasks.shutdown().cancelled().await;
        if let Err(unfinished) = self.serving.join(self.settings.limits.drain_timeout).await {
            tracing::warn!(%unfinished, "requests were cut at the end of the drain timeout");
        }
        // Nobody writes audit records any more; the upload ends when all are stored, or at its bound.
        self.writers_done.send_replace(true);
        self.done.cancel();
        if let Err(unfinished) = self.tasks.join(crate::audit::upload::FLUSH * 2).await {
            tracing::warn!(%unfinished, "ended with tasks still running");
        }
        tracing::info!("edge ended");
    }
}

/// What the settings lead to before anything is opened.
struct Ground {
    keyring: Arc<Keyring>,
    channel: ControlPlane,
    /// Gives the channel its certificates; `None`: the keyring lets this edge in.
    enrolment: Option<Enrolment>,
    secured: Option<TlsAcceptor>,
    authorities: Vec<CertificateDer<'static>>,
}

impl Ground {
    fn of(settings: &Settings) -> Result<Self, StartError> {
        let control_planes = settings.control_planes()?;
        let keyring = Arc::new(Keyring::parse(&settings.keyring)?);
        let enrolment = Enrolment::of(settings)?;
        let channel = match &enrolment {
            Some(enrolment) => InterceptedService::new(enrolment.channels(), EdgeToken::of(None)),
            None => {
                let token = EdgeToken::of(Some(&keyring));
                connect::channel(&control_planes, settings.ca_file.as_deref(), token)?
            }
        };
        let secured = serving::tls(settings)?;
        let authorities = serving::authorities(settings)?;
        Ok(Self {
            keyring,
            channel,
            enrolment,
            secured,
            authorities,
        })
    }
}

/// Follows what is decided about this edge, and heeds it; keeps its certificate, where it has enrolled.
fn heed_duty(
    enrolment: Option<Enrolment>,
    (settings, edge, current, readiness): (&Settings, &Arc<str>, &Arc<Current>, &Readiness),
    tasks: &Tasks,
    done: &CancellationToken,
) -> Arc<watch::Sender<Duty>> {
    let sent_away = enrolment.as_ref().is_some_and(Enrolment::is_revoked);
    if sent_away {
        current.close("revoked");
    }
    let duty = if sent_away { Duty::Revoked } else { Duty::Serve };
    let duty = Arc::new(watch::Sender::new(duty));
    let following = duty::follow(edge.clone(), current.clone(), duty.clone(), done.clone());
    tasks.spawn("duty-follow", following);
    let heeding = duty::Heeding {
        duty: duty.subscribe(),
        current: current.clone(),
        condition: readiness.condition("duty", "starting"),
        drain_notice: settings.limits.drain_notice,
    };
    tasks.spawn("duty-heed", heeding.run(done.clone()));
    if let Some(enrolment) = enrolment {
        tasks.spawn("enrolment", enrolment.keep(duty.clone(), done.clone()));
    }
    duty
}

fn identity(settings: &Settings, signer: &Arc<EdgeSigner>, edge: Arc<str>, epoch: u64) -> Identity {
    let region = Arc::from(settings.region.as_str());
    Identity {
        edge,
        region,
        version: Arc::from(env!("CARGO_PKG_VERSION")),
        epoch,
        key: Arc::from(signer.public_key()),
        proof: Arc::from(signer.proof(epoch)),
        signer: Some(signer.clone()),
    }
}

fn on_disk(settings: &Settings, edge: Arc<str>, keyring: &Keyring) -> Option<OnDisk> {
    let folder = settings.data_dir.join("state");
    let files = || Files::new(folder, edge, keyring.authenticator("turnpike.edge.state"));
    (!settings.no_snapshot).then(|| OnDisk {
        files: files(),
        max_age: Duration::from_secs(u64::from(settings.snapshot_max_age) * 3600),
    })
}

fn on_bus(settings: &Settings, bus: Option<&SharedBus>, keyring: &Keyring) -> Option<OnBus> {
    let max_age = Duration::from_secs(u64::from(settings.snapshot_max_age) * 3600);
    let shelf = bus?.shelf()?;
    Some(OnBus::new(shelf, whole::authenticator(keyring), max_age))
}

fn name_of(settings: &Settings, enrolment: Option<&Enrolment>) -> io::Result<Arc<str>> {
    let name = match enrolment.map(Enrolment::edge).or(settings.name.as_ref()) {
        Some(name) => name.clone(),
        None => name::keep(&settings.data_dir, u128::from_le_bytes(random::bytes()))?,
    };
    Ok(Arc::from(name.as_str()))
}

/// Makes the data folder, for this user alone: audit records say who did what.
fn open_spool(settings: &Settings, now_us: u64) -> io::Result<Opened> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&settings.data_dir)?;
    let opened = Audit::open(
        &SpoolSettings {
            folder: settings.data_dir.join("spool"),
            max_bytes: settings.spool_max_bytes.get(),
            when_full: settings.spool_full,
            lanes: settings.threads() + 1,
            fsync: Fsync::default(),
        },
        now_us,
    )?;
    let report = &opened.report;
    if report.records > 0 || report.torn_bytes > 0 || report.unfinished > 0 {
        let (records, torn_bytes) = (report.records, report.torn_bytes);
        tracing::info!(
            records,
            torn_bytes,
            unfinished = report.unfinished,
            "found audit records of an earlier run; uploading them"
        );
    }
    for path in &report.set_aside {
        tracing::error!(path = %path.display(), "an audit segment is damaged: records are lost; it is kept for you to look at");
    }
    opened.audit.tell(report).map_err(io::Error::other)?;
    Ok(opened)
}

pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let refused = |error| StartError::Listen(address, error);
    TcpListener::bind(address).await.map_err(refused)
}

/// The address really bound, which differs from the one wanted where the port was 0.
pub(crate) fn address(listener: &TcpListener, wanted: SocketAddr) -> Result<SocketAddr, StartError> {
    listener
        .local_addr()
        .map_err(|error| StartError::Listen(wanted, error))
}
