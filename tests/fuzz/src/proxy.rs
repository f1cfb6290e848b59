//! The modules of the edge that are fuzzed.

pub mod body;
pub mod metadata;
pub mod meter;
pub mod route;
