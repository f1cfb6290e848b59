//! The way of a request through the edge.
//!
//! [`listen`] takes connections, [`handle`] tells the story of one request, and each of its steps is a module:
//! [`client`], [`route`], [`headers`], [`authenticate`], [`receive`] and [`body`], [`judge`] and [`fence`], [`target`] and [`forward`],
//! [`answer`] with [`meter`] and [`sentinel`],
//! [`authzen`], [`forward_auth`] and [`ext_authz`] answer those who do not put the edge in their path, by [`ruling`]; [`ticket`] for the audit, [`reject`] for every refusal. Steps that need only bytes are pure.

pub mod answer;
mod asked;
mod authenticate;
pub mod authzen;
pub mod body;
pub mod client;
mod ext_authz;
mod fence;
mod forward;
pub mod forward_auth;
mod handle;
pub mod headers;
mod identity;
mod judge;
mod listen;
pub mod metadata;
pub mod meter;
mod models;
mod receive;
pub mod reject;
pub mod route;
mod ruling;
mod sentinel;
mod state;
mod target;
mod ticket;

pub use ext_authz::serve as serve_ext_authz;
pub use listen::serve;
pub use state::{Parts, State};

/// Ends answers whose credential was revoked, for tenants that chose so, until the shutdown.
pub async fn end_revoked(state: std::sync::Arc<State>) {
    state.sentinel.run(&state.current, state.tasks.shutdown()).await;
}
