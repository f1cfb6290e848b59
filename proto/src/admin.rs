//! `turnpike.admin.v1`: the administration of everything.
//!
//! A request becomes pieces of the domain, or an error that names the field; what the server alone may say (ids,
//! times, authors) is passed over in requests. Whether a request is permitted is not known here.

mod access;
mod account;
mod alert;
mod audit;
mod catalogue;
mod credential;
mod document;
mod grant;
mod issuer;
mod limit;
mod log;
mod offer;
mod options;
mod plan;
mod policy;
mod provider;
mod request;
mod role;
mod secret;
mod selector;
mod team;
mod tenant;
#[cfg(test)]
mod tests;
mod token;
mod usage;

pub use access::{AccessQuestion, AskedResource, WhatQuestion, WhoQuestion};
pub use account::{AccountChange, NewAccount};
pub use alert::{AlertChange, AlertSilence, ListAlerts, NewDestination, NewOwnRule, RuleTest};
pub use audit::{AuditLine, AuditQuery, NewSink, dollars, record_bytes, time};
pub use catalogue::{ModelChange, NewFallback, NewModel, SetAlias};
pub use credential::{
    CredentialChange, LeakReport, NarrowCredential, NewCredential, RevokeAll, RotateCredential,
};
pub use document::{Document, read_policy, write_policy};
pub use grant::{ListGrants, NewGrant};
pub use issuer::{IssuerChange, NewIssuer};
pub use limit::NewLimit;
pub use offer::NewOffer;
pub use options::{Delete, Page, Write};
pub use plan::{WantedPolicy, plan_message};
pub use provider::{NewProvider, ProviderChange, SecretChange};
pub use request::{ApproveAccess, ListRequests, NewRequest, RefuseAccess, WithdrawAccess};
pub use role::NewRole;
pub use team::{Membership, NewTeam};
pub use tenant::{NewTenant, TenantChange};
pub use token::RevokedTokens;
pub use usage::{UsageDimension, UsageQuestion};

/// The package's messages and services.
#[expect(
    missing_docs,
    clippy::allow_attributes,
    clippy::too_many_lines,
    reason = "generated; documented in the .proto file"
)]
pub mod v1 {
    tonic::include_proto!("turnpike.admin.v1");
}
