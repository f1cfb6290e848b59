//! What the end-to-end tests share: real processes, the servers they need, and ways to ask them things.
//!
//! The tests themselves are in `tests/e2e`. Everything here fails by panicking with what was seen, because its only
//! callers are tests.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's tools end the test when they fail"
)]

pub mod bench;
pub mod cable;
pub mod caller;
pub mod cli;
pub mod collector;
pub mod database;
pub mod dev;
pub mod disk;
pub mod eventually;
pub mod ext_authz;
pub mod front;
pub mod ground;
pub mod idp;
pub mod machine;
pub mod nats;
pub mod place;
pub mod process;
pub mod production;
pub mod python;
pub mod raw;
pub mod receiver;
pub mod regions;
pub mod rpc;
pub mod service;
pub mod shelf;
pub mod syslog;
pub mod upstream;
