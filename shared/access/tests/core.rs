//! The tests of the core as a whole, through its public functions; what one module alone promises is tested beside it.
//!
//! [`world`] is a small universe of names in which random commands often meet, [`commands`] draws commands in it and
//! [`history`] carries them out as the control plane and an edge do. The other modules state what must hold.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect fails, and says where"
)]

mod audit;
mod authenticate;
mod choose;
mod codec;
mod commands;
mod decide;
mod delegate;
mod edges;
mod effective;
mod events;
mod fallback;
mod fold;
mod history;
mod issuer;
mod ledger;
mod lifecycle;
mod limits;
mod naive;
mod offers;
mod policy;
mod request;
mod table;
mod token;
mod upkeep;
mod world;
