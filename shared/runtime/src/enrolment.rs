//! How an edge comes to be known: a one-time token, a key of its own, certificates, and the small authority that signs them.
//!
//! Both sides trust the authority by its public key, which stands in the token: there is no certificate of the authority that
//! could expire or be swapped on the first contact. Whom the authority signs for is for the control plane to say.

mod authority;
mod key;
mod token;

#[cfg(test)]
mod tests;

pub use authority::{Authority, AuthorityError, AuthorityKey, ServerIdentity};
pub use key::{EdgeKey, key_of, proves};
pub use token::{EnrolmentToken, InvalidEnrolmentToken};

/// What control planes are called in the certificates that they show to edges, wherever they listen.
pub const SERVER_NAME: &str = "control-plane.turnpike.internal";
