//! The control plane: records every change of the access state as an event, and tells the edges.
//!
//! Start at [`execute`] for how a change is made, [`server`] for what runs, and [`store`] for what is kept. What may
//! change, and who may change it, is decided by [`turnpike_access`].

mod anomaly;
pub mod bootstrap;
mod edge_authority;
pub mod edges;
pub mod execute;
#[cfg(test)]
mod fixture;
pub mod history;
mod http;
mod issuers;
mod just_in_time;
mod key;
mod leak;
mod limits;
pub mod notify;
pub mod projection;
mod prove;
pub mod receipt;
mod relay;
mod retention;
pub mod rpc;
pub mod run;
pub mod server;
pub mod settings;
mod signing;
mod sink;
pub mod store;
mod token_key;
mod turn;
mod upkeep;
