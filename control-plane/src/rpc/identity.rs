//! Who calls, proven by the key or the token in `authorization: Bearer …`, and the tenant that the call is about.

use std::sync::Arc;

use tonic::metadata::MetadataMap;
use turnpike_access::{
    authenticate::{self, Caller, authenticate},
    credential::PresentedKey,
    digest::Peppers,
    id::{Id, Name, Timestamp},
    snapshot::Snapshot,
    token::{self, VerifiedToken},
};
use turnpike_runtime::{clock, token::Tokens};

use super::status::Failure;
use crate::{
    execute::{Authority, Executor},
    just_in_time, prove,
};

/// Names the tenant that an operator's call is about.
const TENANT: &str = "x-turnpike-tenant";

/// What was proven: it is admitted anew wherever it is relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The secret of this credential.
    Credential(Id),
    /// This token.
    Token(Arc<VerifiedToken>),
}

impl Proof {
    /// Proves who calls. A user whom an issuer vouches for, and who is not recorded yet, is.
    ///
    /// # Errors
    /// Unauthenticated, for whatever reason; or the issuer of the token cannot be asked.
    pub(crate) async fn of(
        metadata: &MetadataMap,
        executor: &Executor,
        peppers: &Peppers,
        tokens: &Tokens,
    ) -> Result<Self, Failure> {
        let presented = single(metadata, "authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(Failure::unauthenticated)?
            .trim();
        let snapshot = executor.snapshot();
        if let Ok(key) = PresentedKey::parse(presented) {
            let caller = authenticate(&snapshot, &key, peppers, clock::now());
            return match caller {
                Ok(_) => Ok(Self::Credential(key.id())),
                Err(_) => Err(Failure::unauthenticated()),
            };
        }
        let hint = single(metadata, TENANT);
        let token = prove::verified(tokens, &snapshot, presented, hint).await;
        let token = token.map_err(|failure| match failure.is_unavailable() {
            true => Failure::IssuerUnavailable,
            false => Failure::unauthenticated(),
        })?;
        let caller = token::admit(&snapshot, &token, clock::now()).map_err(|_| Failure::unauthenticated())?;
        if caller.account.is_none()
            && let Err(error) = just_in_time::record(executor, &token).await
        {
            // Without an account the groups of the token count all the same.
            tracing::warn!(%error, principal = %caller.principal, "a user could not be recorded just in time");
        }
        Ok(Self::Token(token))
    }

    /// Who calls, as a state has it.
    ///
    /// # Errors
    /// What was proven opens nothing there.
    pub(crate) fn caller<'s>(
        &'s self,
        snapshot: &'s Snapshot,
        now: Timestamp,
    ) -> Result<Caller<'s>, Failure> {
        let admitted = match self {
            Self::Credential(id) => {
                let credential = snapshot.credential(*id);
                authenticate::admit(snapshot, credential.ok_or_else(Failure::unauthenticated)?, now)
            }
            Self::Token(token) => token::admit(snapshot, token, now),
        };
        admitted.map_err(|_| Failure::unauthenticated())
    }

    /// On whose authority a change is asked for.
    pub(crate) fn authority(&self) -> Authority {
        match self {
            Self::Credential(id) => Authority::Credential(*id),
            Self::Token(token) => Authority::Token(token.clone()),
        }
    }
}

/// Who calls, and about which tenant. What the caller may do is not known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// What was proven.
    pub(crate) proof: Proof,
    /// The caller's own tenant.
    pub(crate) own: Name,
    /// The tenant that the call is about.
    pub(crate) target: Name,
}

impl Identity {
    /// The caller, about the tenant that the call names, or its own.
    ///
    /// # Errors
    /// Unauthenticated, for whatever reason; or the named tenant is not one of the caller's, which reads like an
    /// unknown one.
    pub(crate) fn new(
        metadata: &MetadataMap,
        snapshot: &Snapshot,
        proof: Proof,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let own = proof.caller(snapshot, now)?.tenant.name().clone();
        let identity = Self {
            proof,
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
