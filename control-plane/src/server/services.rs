//! What is behind the gRPC listener, put together on top of the stores.

use std::sync::Arc;

use tonic::{
    codec::CompressionEncoding,
    service::{Routes, interceptor::InterceptedService},
};
use turnpike_access::digest::Peppers;
use turnpike_proto::{
    audit::v1::ingest_server::IngestServer,
    sync::v1::{enrolment_server::EnrolmentServer, sync_server::SyncServer},
};
use turnpike_runtime::{
    bus::{SharedBus, whole},
    dial::Dialer,
    enrolment::Authority,
    keyring::Keyring,
    random,
    readiness::Condition,
    token::{Tokens, fetch::Fetcher},
};

use super::{StartError, parts::Parts};
use crate::{
    anomaly::Anomalies,
    bootstrap::BootstrapToken,
    edge_authority,
    edges::Edges,
    execute::{Executor, Writer},
    history::History,
    http::{EdgeKeys, Web},
    issuers,
    limits::Limits,
    notify::Notify,
    projection::{self, Projection},
    receipt::Receipts,
    relay::Relay,
    retention::{Retention, Retiring},
    rpc::{
        admin::{self, Administration},
        audit::{IngestService, decoys::Decoys, losses::Losses},
        edge_token::EdgeToken,
        enrolled,
        enrolment::{self, EnrolmentService},
        sync::SyncService,
    },
    settings::Settings,
    signing::Signing,
    sink::Sinks,
    store::{AuditStore, EventStore, Stores, outbox::Outbox},
    token_key::TokenKeys,
    upkeep::Upkeep,
};

/// The largest message that is taken in, in bytes: a full batch of audit records and some room.
const MESSAGE_LIMIT: usize = 16 * 1024 * 1024;

/// The parts that the services share.
pub(super) struct Services {
    pub(super) executor: Executor,
    pub(super) edges: Edges,
    pub(super) bootstrap: BootstrapToken,
    events: Arc<dyn EventStore>,
    audit: Arc<dyn AuditStore>,
    outbox: Arc<dyn Outbox>,
    projection: Arc<Projection>,
    signing: Signing,
    /// At whichever listener an edge calls.
    sync: Arc<SyncService>,
    tokens: Arc<Tokens>,
    token_keys: TokenKeys,
    keyring: Arc<Keyring>,
    /// Signs edges' certificates, where edges enrol.
    pub(super) authority: Option<Arc<Authority>>,
}

impl Services {
    /// Loads the state and starts what works on it.
    pub(super) async fn start(
        settings: &Settings,
        stores: Stores,
        bus: Option<SharedBus>,
        database: &Condition,
        parts: &Parts,
        public_url: Arc<str>,
    ) -> Result<Self, StartError> {
        let unusable = |error: &dyn std::error::Error| StartError::State(error.to_string());
        let Stores {
            events,
            audit,
            outbox,
        } = stores;
        let snapshot = projection::load::load(&*events)
            .await
            .map_err(|error| unusable(&error))?;
        let signing = Signing::load(&*events, &settings.keyring).await;
        let signing = signing.map_err(|error| StartError::setting("TURNPIKE_KEYRING", error))?;
        let authority = authority(settings, &*events).await?;
        let bootstrap = bootstrap_token(settings, snapshot.bootstrapped())?;

        let projection = Arc::new(Projection::new(snapshot));
        let (executor, writer) = Writer::new(events.clone(), projection.clone());
        parts.writing.spawn_essential(
            "writer",
            writer.run(database.clone(), parts.writing.shutdown().token()),
        );
        let edges = Edges::new(events.clone(), projection.clone());
        let stop = parts.passing_on.shutdown().token();
        let known = (projection.clone(), edges.clone(), signing.clone());
        let sync = SyncService::new(events.clone(), known, parts.serving.shutdown().token());
        let keep = projection::keep::keep(events.clone(), projection.clone(), stop.clone());
        parts.passing_on.spawn_essential("fold", keep);
        let keeping = edges.clone().keep(stop.clone());
        parts.passing_on.spawn_essential("edges", keeping);
        if let Some(bus) = bus {
            let relay = Relay {
                store: events.clone(),
                bus,
                projection: projection.clone(),
                signing: signing.clone(),
                marks: whole::authenticator(&settings.keyring),
            };
            parts.passing_on.spawn_essential("relay", relay.run_in_turn(stop));
        }
        let tokens = issuers::start(settings, projection.clone(), &parts.operations)
            .map_err(|error| unusable(&error))?;
        let keyring = settings.keyring.clone();
        let token_keys = TokenKeys::new(events.clone(), keyring.clone(), executor.clone(), public_url);
        let this = Self {
            executor,
            edges,
            sync: sync.into(),
            bootstrap,
            tokens,
            token_keys,
            events,
            audit,
            outbox,
            projection,
            signing,
            keyring,
            authority,
        };
        this.look_after(settings, parts)?;
        Ok(this)
    }

    /// Starts what is done to credentials and keys without anybody asking.
    fn look_after(&self, settings: &Settings, parts: &Parts) -> Result<(), StartError> {
        let stop = || parts.serving.shutdown().token();
        let watching = self.edges.clone().watch_halted(self.executor.clone(), stop());
        parts.serving.spawn("halted edges", watching);
        let fetcher = Fetcher::new(settings.webhook_networks.clone(), Vec::new());
        let fetcher = fetcher.map_err(|error| StartError::State(error.to_string()))?;
        let upkeep = Upkeep {
            executor: self.executor.clone(),
            store: self.events.clone(),
            audit: self.audit.clone(),
            keyring: self.keyring.clone(),
            peppers: Peppers::new(self.keyring.peppers()),
            fetcher: fetcher.clone(),
        };
        parts.serving.spawn_essential("upkeep", upkeep.run(stop()));
        let anomalies = Anomalies {
            executor: self.executor.clone(),
            audit: self.audit.clone(),
            edges: self.edges.clone(),
            holder: random::id().to_string(),
            credentials_looked_at: Default::default(),
        };
        parts.serving.spawn_essential("anomalies", anomalies.run(stop()));
        let limits = Limits {
            executor: self.executor.clone(),
            audit: self.audit.clone(),
        };
        parts.serving.spawn_essential("limits", limits.run(stop()));
        let notify = Notify {
            executor: self.executor.clone(),
            events: self.events.clone(),
            outbox: self.outbox.clone(),
            keyring: self.keyring.clone(),
            fetcher: fetcher.clone(),
            mail: settings.mail.clone(),
        };
        let heads = self.projection.heads();
        parts.serving.spawn_essential("notify", notify.run(heads, stop()));
        let sinks = Sinks::new(
            self.projection.clone(),
            self.audit.clone(),
            self.keyring.clone(),
            (fetcher, Dialer::new(settings.webhook_networks.clone())),
        );
        let sinking = sinks.run(self.events.clone(), stop());
        parts.serving.spawn_essential("audit sinks", sinking);
        let retention = Retention {
            projection: self.projection.clone(),
            retiring: Retiring {
                audit: self.audit.clone(),
                signing: self.signing.clone(),
            },
        };
        parts.serving.spawn_essential("retention", retention.run(stop()));
        let keeping = self.token_keys.clone().keep(self.projection.heads(), stop());
        parts.serving.spawn_essential("token keys", keeping);
        Ok(())
    }

    fn history(&self) -> History {
        History::new(self.events.clone(), self.projection.clone())
    }

    fn receipts(&self) -> Receipts {
        Receipts::new(
            self.edges.clone(),
            self.events.clone(),
            self.projection.clone(),
            self.history(),
        )
    }

    fn administration(&self) -> Administration {
        Administration::new(
            self.executor.clone(),
            (self.edges.clone(), self.receipts()),
            (self.events.clone(), self.history()),
            (self.audit.clone(), self.outbox.clone()),
            (
                self.keyring.clone(),
                self.authority.as_ref().map(|authority| authority.public_key()),
            ),
            self.bootstrap.clone(),
            (self.tokens.clone(), self.token_keys.clone()),
        )
    }

    /// What is answered over HTTP.
    pub(super) fn web(&self, parts: &Parts) -> Web {
        Web {
            executor: self.executor.clone(),
            peppers: Arc::new(Peppers::new(self.keyring.peppers())),
            tokens: self.tokens.clone(),
            keys: self.token_keys.clone(),
            edge_keys: EdgeKeys::new(self.edges.clone()),
            tasks: parts.serving.clone(),
        }
    }

    /// Everything that can be called at the common listener.
    pub(super) fn routes(&self, settings: &Settings, parts: &Parts) -> Result<Routes, StartError> {
        let edge_token = match settings.edges.keyring_is_enough() {
            true => EdgeToken::of(self.keyring.clone()),
            false => EdgeToken::none(),
        };
        let (sync, ingest) = self.for_edges(parts);
        let (health, health_service) = tonic_health::server::health_reporter();
        drop(health);
        let refused = |error| StartError::State(format!("reflection: {error}"));
        Ok(admin::services(self.administration())
            .add_service(health_service)
            .add_service(reflection().build_v1().map_err(refused)?)
            // What grpcurl before 1.8.8, and much else, still asks for.
            .add_service(reflection().build_v1alpha().map_err(refused)?)
            .add_service(InterceptedService::new(sync, edge_token.clone()))
            .add_service(InterceptedService::new(ingest, edge_token)))
    }

    /// What edges that have enrolled call, and those that want to.
    pub(super) fn edge_routes(
        &self,
        settings: &Settings,
        authority: Arc<Authority>,
        parts: &Parts,
    ) -> Routes {
        let enrolment = EnrolmentService {
            executor: self.executor.clone(),
            peppers: Arc::new(Peppers::new(self.keyring.peppers())),
            authority,
            life: settings.edges.edge_certificate_life.get(),
        };
        let enrolment = EnrolmentServer::new(enrolment).max_decoding_message_size(enrolment::QUESTION_LIMIT);
        let (sync, ingest) = self.for_edges(parts);
        let services = Routes::new(enrolment).add_service(sync).add_service(ingest);
        let admit = axum::middleware::from_fn_with_state(self.projection.clone(), enrolled::admit);
        Routes::from(services.into_axum_router().layer(admit))
    }

    /// The services for edges. Who calls is checked before.
    fn for_edges(&self, parts: &Parts) -> (SyncServer<SyncService>, IngestServer<IngestService>) {
        let ingest = IngestService {
            store: self.audit.clone(),
            decoys: Decoys::new(self.executor.clone()),
            losses: Losses::new(self.executor.clone()),
            executor: self.executor.clone(),
            stop: parts.serving.shutdown().token(),
        };
        let ingest = IngestServer::new(ingest)
            .max_decoding_message_size(MESSAGE_LIMIT)
            .accept_compressed(CompressionEncoding::Zstd);
        (
            SyncServer::from_arc(self.sync.clone()).send_compressed(CompressionEncoding::Zstd),
            ingest,
        )
    }
}

fn bootstrap_token(settings: &Settings, bootstrapped: bool) -> Result<BootstrapToken, StartError> {
    let given = settings.bootstrap_token.clone();
    BootstrapToken::prepare(given, bootstrapped, &settings.data_dir)
        .map_err(|error| StartError::setting("TURNPIKE_DATA_DIR", error))
}

/// What signs edges' certificates, where edges enrol.
async fn authority(
    settings: &Settings,
    events: &dyn EventStore,
) -> Result<Option<Arc<Authority>>, StartError> {
    if settings.edges.listen.is_none() {
        return Ok(None);
    }
    let loaded = edge_authority::load(events, &settings.keyring).await;
    let loaded = loaded.map_err(|error| StartError::setting("TURNPIKE_EDGE_LISTEN", error))?;
    Ok(Some(Arc::new(loaded)))
}

/// Tells tools what services there are, so that they need no copy of the .proto files.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(turnpike_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
