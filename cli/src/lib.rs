//! What the `turnpike` binary is made of: `main.rs` only starts it.

pub mod command;
pub mod connect;
pub mod dev;
pub mod failure;
pub mod fake_provider;
pub mod login;
pub mod moment;
pub mod output;
pub mod price;
pub mod progress;
pub mod session;
