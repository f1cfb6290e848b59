//! The services that are called over gRPC. Each call is three moves: convert, call, convert back.

pub mod admin;
pub(crate) mod audit;
pub(crate) mod edge_token;
pub(crate) mod enrolled;
pub(crate) mod enrolment;
pub(crate) mod identity;
pub(crate) mod status;
pub(crate) mod sync;
mod wire;
