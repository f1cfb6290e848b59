//! The administration of everything, as gRPC services: each call is convert, call, convert back.
//!
//! What a method demands of its caller stands in [`demand`] alone; how a call is admitted and answered in [`call`].
//! What is permitted is decided by the core, again, when a change is committed.

use std::sync::Arc;

use tonic::{Response, Status, service::Routes};
use turnpike_access::digest::Peppers;
use turnpike_proto::admin::v1::{
    access_service_server::AccessServiceServer, alert_service_server::AlertServiceServer,
    alias_service_server::AliasServiceServer, audit_service_server::AuditServiceServer,
    bootstrap_service_server::BootstrapServiceServer, credential_service_server::CredentialServiceServer,
    edge_service_server::EdgeServiceServer, fallback_service_server::FallbackServiceServer,
    grant_service_server::GrantServiceServer, issuer_service_server::IssuerServiceServer,
    limit_service_server::LimitServiceServer, log_service_server::LogServiceServer,
    model_service_server::ModelServiceServer, offer_service_server::OfferServiceServer,
    policy_service_server::PolicyServiceServer, provider_service_server::ProviderServiceServer,
    role_service_server::RoleServiceServer, team_service_server::TeamServiceServer,
    tenant_service_server::TenantServiceServer, token_key_service_server::TokenKeyServiceServer,
    token_service_server::TokenServiceServer, usage_service_server::UsageServiceServer,
    user_service_server::UserServiceServer, virtual_account_service_server::VirtualAccountServiceServer,
};
use turnpike_runtime::{enrolment::AuthorityKey, keyring::Keyring, token::Tokens};

use crate::{
    bootstrap::BootstrapToken,
    edges::Edges,
    execute::Executor,
    history::History,
    receipt::Receipts,
    store::{AuditStore, EventStore, outbox::Outbox},
    token_key::TokenKeys,
};

mod access;
mod account;
mod alert;
mod alias;
mod audit;
mod bootstrap;
mod call;
mod credential;
mod demand;
mod edge;
mod fallback;
mod grant;
mod issue;
mod issuer;
mod leak;
mod limit;
mod log;
mod model;
mod offer;
mod part;
mod policy;
mod provider;
mod request;
mod role;
mod team;
mod tenant;
#[cfg(test)]
mod tests;
mod token_key;
mod usage;

/// What a handler answers.
type Answer<T> = Result<Response<T>, Status>;

/// What the services work on. Clones share it.
#[derive(Clone)]
pub struct Administration {
    executor: Executor,
    edges: Edges,
    receipts: Receipts,
    events: Arc<dyn EventStore>,
    audit: Arc<dyn AuditStore>,
    outbox: Arc<dyn Outbox>,
    history: History,
    givers: Arc<access::KnownGivers>,
    peppers: Arc<Peppers>,
    keyring: Arc<Keyring>,
    /// Whom edges are to trust, where they enrol.
    edge_authority: Option<AuthorityKey>,
    bootstrap: BootstrapToken,
    tokens: Arc<Tokens>,
    token_keys: TokenKeys,
    /// One verification of the whole log at a time: it reads everything.
    verifying: Arc<tokio::sync::Semaphore>,
    /// Few at once look at what a policy would change: it judges everything.
    rehearsing: Arc<tokio::sync::Semaphore>,
}

impl Administration {
    /// Puts the parts together.
    pub(crate) fn new(
        executor: Executor,
        (edges, receipts): (Edges, Receipts),
        (events, history): (Arc<dyn EventStore>, History),
        (audit, outbox): (Arc<dyn AuditStore>, Arc<dyn Outbox>),
        (keyring, edge_authority): (Arc<Keyring>, Option<AuthorityKey>),
        bootstrap: BootstrapToken,
        (tokens, token_keys): (Arc<Tokens>, TokenKeys),
    ) -> Self {
        Self {
            executor,
            edges,
            receipts,
            givers: Arc::new(access::KnownGivers::new(events.clone())),
            events,
            audit,
            outbox,
            history,
            peppers: Arc::new(Peppers::new(keyring.peppers())),
            keyring,
            edge_authority,
            bootstrap,
            tokens,
            token_keys,
            verifying: Arc::new(tokio::sync::Semaphore::new(1)),
            rehearsing: Arc::new(tokio::sync::Semaphore::new(4)),
        }
    }
}

/// Every service of the administration. Each call is looked up in the table of demands first.
pub fn services(on: Administration) -> Routes {
    let services = Routes::new(BootstrapServiceServer::new(on.clone()))
        .add_service(TenantServiceServer::new(on.clone()))
        .add_service(TeamServiceServer::new(on.clone()))
        .add_service(UserServiceServer::new(on.clone()))
        .add_service(VirtualAccountServiceServer::new(on.clone()))
        .add_service(CredentialServiceServer::new(on.clone()))
        .add_service(IssuerServiceServer::new(on.clone()))
        .add_service(TokenServiceServer::new(on.clone()))
        .add_service(TokenKeyServiceServer::new(on.clone()))
        .add_service(ProviderServiceServer::new(on.clone()))
        .add_service(ModelServiceServer::new(on.clone()))
        .add_service(AliasServiceServer::new(on.clone()))
        .add_service(FallbackServiceServer::new(on.clone()))
        .add_service(LimitServiceServer::new(on.clone()))
        .add_service(OfferServiceServer::new(on.clone()))
        .add_service(RoleServiceServer::new(on.clone()))
        .add_service(GrantServiceServer::new(on.clone()))
        .add_service(PolicyServiceServer::new(on.clone()).max_decoding_message_size(policy::LONGEST))
        .add_service(AccessServiceServer::new(on.clone()))
        .add_service(EdgeServiceServer::new(on.clone()))
        .add_service(AlertServiceServer::new(on.clone()))
        .add_service(AuditServiceServer::new(on.clone()))
        .add_service(UsageServiceServer::new(on.clone()))
        .add_service(LogServiceServer::new(on));
    Routes::from(
        services
            .into_axum_router()
            .layer(axum::middleware::map_request(demand::attach)),
    )
}
