//! Who calls, proven by the key in `authorization: Bearer …`, and the tenant that the call is about.

use tonic::metadata::MetadataMap;
use turnpike_access::{
    authenticate::authenticate,
    credential::PresentedKey,
    digest::Peppers,
    id::{Id, Name, Timestamp},
    snapshot::Snapshot,
};

use super::status::Failure;

/// Names the tenant that an operator's call is about.
const TENANT: &str = "x-turnpike-tenant";

/// Who calls, and about which tenant. What the caller may do is not known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The credential whose secret was proven.
    pub(crate) credential: Id,
    /// The caller's own tenant.
    pub(crate) own: Name,
    /// The tenant that the call is about.
    pub(crate) target: Name,
}

impl Identity {
    /// Proves who calls.
    ///
    /// # Errors
    /// Unauthenticated, for whatever reason; or the named tenant is not one of the caller's, which reads like an
    /// unknown one.
    pub(crate) fn prove(
        metadata: &MetadataMap,
        snapshot: &Snapshot,
        peppers: &Peppers,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let presented = single(metadata, "authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(Failure::unauthenticated)?;
        let key = PresentedKey::parse(presented.trim()).map_err(|_| Failure::unauthenticated())?;
        let caller = authenticate(snapshot, &key, peppers, now).map_err(|_| Failure::unauthenticated())?;
        let own = caller.tenant.name().clone();
        let identity = Self {
            credential: key.id(),
            target: own.clone(),
            own,
        };
        match metadata.get(TENANT) {
            None => Ok(identity),
            Some(_) => identity.about(single(metadata, TENANT).unwrap_or_default(), snapshot),
        }
    }

    /// The same caller, about another tenant.
    ///
    /// # Errors
    /// The tenant is unknown, or the caller is neither of it nor an operator: the same answer for both.
    pub(crate) fn about(self, tenant: &str, snapshot: &Snapshot) -> Result<Self, Failure> {
        let visible = self.is_operator() || self.own.as_str() == tenant;
        match snapshot.tenant(tenant).filter(|_| visible) {
            Some(found) => Ok(Self {
                target: found.name().clone(),
                ..self
            }),
            None => Err(Failure::not_found("tenant", tenant)),
        }
    }

    /// Whether the caller is of the operators' tenant.
    pub(crate) fn is_operator(&self) -> bool {
        self.own == Name::platform()
    }
}

/// A header that is there exactly once.
fn single<'m>(metadata: &'m MetadataMap, name: &str) -> Option<&'m str> {
    let mut values = metadata.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}
