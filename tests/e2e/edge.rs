//! What clients of an edge see.

mod client_address;
mod ending;
mod fallback;
mod faults;
mod fence;
mod health;
mod malformed;
mod naming;
mod raw;
mod refusals;
mod restart;
mod revocation;
mod routes;
mod secrets;
mod slow_clients;
mod streaming;
mod tls;
pub(crate) mod walk;
