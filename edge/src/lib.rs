//! The edge: authenticates, authorizes and proxies each request from memory.
//!
//! [`sync`] keeps [`current`] up to date, [`proxy`] answers requests from it, and [`audit`] keeps what happened until
//! the control plane has stored it. [`edge`] starts and ends them.

pub mod audit;
pub mod connect;
pub mod current;
mod duty;
pub mod edge;
mod enrolment;
pub mod freshness;
mod issuers;
pub mod kept;
pub mod metrics;
pub mod proxy;
mod serving;
pub mod settings;
pub mod sync;
