//! The pure core of Turnpike: what exists, what may change, and what is allowed.
//!
//! Everything here is a function of its arguments. There is no I/O, no clock, no randomness and no async:
//! time, identifiers and secrets are passed in. The control plane and every edge run this same code, so that
//! what one refuses the other refuses too.
//!
//! Start at [`decide`] for the decision, [`event`] for what can have happened, [`ledger`] for what is
//! permitted to happen, and [`snapshot`] for the state that the two meet in.

pub mod alert;
pub mod audit;
pub mod authenticate;
pub mod charge;
pub mod choose;
pub mod codec;
pub mod command;
pub mod contain;
pub mod credential;
pub mod decide;
pub mod delegate;
pub mod digest;
pub mod edge;
pub mod effective;
pub mod event;
pub mod explain;
#[cfg(test)]
mod fixture;
pub mod fold;
pub mod grant;
pub mod id;
pub mod issuer;
pub mod jws;
pub mod leak;
pub mod ledger;
pub mod limit;
pub mod listing;
pub mod log;
pub mod model;
pub mod needs;
pub mod offer;
pub mod pattern;
pub mod policy;
pub mod recall;
pub mod request;
pub mod resolve;
pub mod review;
pub mod role;
pub mod schedule;
pub mod snapshot;
pub mod table;
pub mod tenant;
pub mod token;
pub mod upkeep;
