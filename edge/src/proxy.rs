//! The way of a request through the edge.
//!
//! [`listen`] takes connections, [`handle`] tells the story of one request, and each of its steps is a module:
//! [`client`], [`route`], [`headers`], [`authenticate`], [`receive`] and [`body`], [`judge`], [`target`] and [`forward`],
//! [`answer`] with [`meter`],
//! [`ticket`] for the audit, [`reject`] for every refusal. Steps that need only bytes are pure.

pub mod answer;
mod asked;
mod authenticate;
pub mod body;
pub mod client;
mod forward;
mod handle;
pub mod headers;
mod judge;
mod listen;
pub mod metadata;
pub mod meter;
mod models;
mod receive;
pub mod reject;
pub mod route;
mod state;
mod target;
mod ticket;

pub use listen::serve;
pub use state::{Parts, State};
