//! The wire: the protobuf packages, and the conversions between them and the domain.
//!
//! Everything else speaks either protobuf or [`turnpike_access`]; only this crate speaks both. A message is
//! taken apart field by field, so that a new field does not compile until somebody has thought about it.

pub mod admin;
pub mod audit;
mod conversion;
pub mod ext_authz;
mod field;
#[cfg(test)]
mod released;
pub mod sync;

pub use conversion::ConversionError;

/// The descriptors of all packages, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
