//! The contract of the stores: what [`super::EventStore`] and [`super::AuditStore`] promise, tried on every engine.
//!
//! A test is written once, against [`database::Database`], and runs on each. What only Postgres can suffer (a session
//! that is killed, a role that wants more than its rights) is tried on it alone, and says so.

mod anomaly;
mod append;
mod append_only;
mod audit_insert;
mod audit_list;
mod chain;
mod credential_use;
mod database;
mod dropped;
mod edges;
mod held;
mod keys;
mod kinds;
mod lease;
mod lost_answer;
mod outage;
mod outbox;
mod overlap;
mod proof;
mod receipts;
pub(crate) mod records;
mod retention;
mod schema;
mod sights;
mod sinks;
mod snapshots;
mod usage;
mod watching;
mod weeks;
