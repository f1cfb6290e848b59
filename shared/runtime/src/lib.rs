//! What both processes need and neither owns: secrets, keys, signatures, time, tasks, shutdown, readiness.
//!
//! Nothing here knows who may do what; that is `turnpike_access`. Clock and randomness are read here and
//! nowhere else, so that the core can stay pure.

pub mod bus;
pub mod clock;
pub mod dial;
pub mod enrolment;
pub mod identity;
pub mod keyring;
pub mod operations;
pub mod random;
mod reach;
pub mod readiness;
pub mod retry;
pub mod secret;
pub mod shutdown;
pub mod signing;
pub mod task;
pub mod telemetry;
pub mod tls;
pub mod token;
