//! The end-to-end tests: real processes, real clients, and what they see.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests; the lints' own exception sees only the functions that are marked"
)]

mod access;
mod alerts;
mod audit;
mod authzen;
mod beginning;
mod clients;
mod command_line;
mod crash;
mod credentials;
mod decisions;
mod decoys;
mod deliveries;
mod dev;
mod edge;
mod enrolment;
mod failover;
mod full_disk;
mod grpc;
mod hostile_bus;
mod idempotency;
mod identity;
mod issuers;
mod just_in_time;
mod leaks;
mod limits;
mod login;
mod losses;
mod outage;
mod own_tokens;
mod policies;
mod proxies;
mod readme;
mod receipts;
mod regions;
mod relaying;
mod review;
mod secrets;
mod sinks;
mod stories;
mod story;
mod strain;
mod strict;
mod swarm;
mod tenants;
mod tokens;
mod usage;
