//! From a presented key to who calls.

use std::{
    net::IpAddr,
    sync::{Arc, LazyLock},
};

use crate::{
    credential::{Credential, CredentialStatus, KeyKind, PresentedKey, Scope},
    digest::{KeyDigest, Peppers, Proof},
    grant::{AuthMethod, Circumstances},
    id::{Id, Name, Principal, Timestamp},
    pattern::Tags,
    snapshot::{HeldAccount, Line, Snapshot, Tenant},
    table::prefetch,
    token::VerifiedToken,
};

/// Who calls, as proven: what a decision is about.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'s> {
    /// The tenant.
    pub tenant: &'s Tenant,
    /// The user or virtual account.
    pub principal: &'s Principal,
    /// What is recorded of it; a user just in time is not recorded yet.
    pub account: Option<&'s HeldAccount>,
    /// The teams of a user just in time; those of an account are its own.
    pub joins: &'s [Name],
    /// The key that was presented, or that the presented token was given for.
    pub credential: Option<&'s Credential>,
    /// The credential, where it is known to be narrowed to nothing, so that it need not be read.
    pub unnarrowed: Option<&'s Credential>,
    /// What the presented token is narrowed to, beside the credential's own scope.
    pub scope: Option<&'s Scope>,
    /// The groups that its verified token carries: issuer and value.
    pub groups: &'s [(Name, Arc<str>)],
    /// How it proved who it is.
    pub method: AuthMethod,
    /// The token that was presented, where it was one.
    pub token: Option<&'s VerifiedToken>,
}

impl<'s> Caller<'s> {
    /// A recorded account, with nothing but itself.
    pub fn of(tenant: &'s Tenant, held: &'s HeldAccount, method: AuthMethod) -> Self {
        Self {
            tenant,
            principal: &held.account.principal,
            account: Some(held),
            joins: &[],
            credential: None,
            unnarrowed: None,
            scope: None,
            groups: &[],
            method,
            token: None,
        }
    }

    /// Somebody of whom nothing is recorded, with what comes of some teams alone.
    pub fn unrecorded(
        tenant: &'s Tenant,
        principal: &'s Principal,
        joins: &'s [Name],
        method: AuthMethod,
    ) -> Self {
        Self {
            tenant,
            principal,
            account: None,
            joins,
            credential: None,
            unnarrowed: None,
            scope: None,
            groups: &[],
            method,
            token: None,
        }
    }

    /// The tags of its account.
    pub fn tags(&self) -> Option<&'s Tags> {
        self.account.map(|held| &held.account.profile.tags)
    }

    /// The teams whose grants it has.
    pub fn teams(&self) -> &'s [Name] {
        self.account.map_or(self.joins, |held| &held.account.teams)
    }

    /// The circumstances of a request of this caller.
    pub fn circumstances(&self, now: Timestamp, client: Option<IpAddr>) -> Circumstances<'s> {
        Circumstances {
            now,
            method: self.method,
            issuer: self.token.map(|token| &token.issuer),
            issued: self.token.map(|token| token.issued),
            client,
        }
    }
}

/// Why a key or a token opens nothing. The public answer is the same for all; this is for the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthFailure {
    /// No credential has this id.
    Unknown,
    /// The credential exists, but this is not its secret.
    WrongSecret,
    /// Revoked for ever.
    Revoked,
    /// Suspended until it is resumed.
    Suspended,
    /// Its time is over.
    Expired,
    /// Its owner was deactivated.
    OwnerDeactivated,
    /// Its tenant was suspended.
    TenantSuspended,
    /// A decoy: it opens nothing, and whoever uses it is watched.
    Decoy,
    /// The token's issuer was changed or removed since it was verified.
    IssuerChanged,
    /// The token speaks for nobody whom the tenant knows.
    PrincipalUnknown,
}

impl AuthFailure {
    /// One word for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "credential_unknown",
            Self::WrongSecret => "credential_wrong_secret",
            Self::Revoked => "credential_revoked",
            Self::Suspended => "credential_suspended",
            Self::Expired => "credential_expired",
            Self::OwnerDeactivated => "owner_deactivated",
            Self::TenantSuspended => "tenant_suspended",
            Self::Decoy => "credential_decoy",
            Self::IssuerChanged => "issuer_changed",
            Self::PrincipalUnknown => "principal_unknown",
        }
    }
}

/// A key that was not accepted.
#[derive(Debug, Clone, Copy)]
pub struct Unauthenticated<'s> {
    /// Why.
    pub failure: AuthFailure,
    /// The credential, where its secret was known to the caller: only then may it be attributed to its tenant.
    pub credential: Option<&'s Credential>,
}

const NOTHING: KeyDigest = KeyDigest {
    pepper: 0,
    mac: [0; 32],
};

/// Stands for a credential that there is not, so that an unknown id takes the way of a known one.
static NOBODY: LazyLock<Credential> = LazyLock::new(|| {
    let owner = Principal::User(Name::platform());
    let made = (Timestamp::from_micros(0), Arc::from("nobody"));
    Credential::new(Id::from_random(0), Name::platform(), owner, NOTHING, made)
});

/// Finds out who presents a key. The same digests are made, as many compared and the same looked up before anything is
/// judged, whatever is wrong with the key: for an unknown id, and for a version before that there is not, against a
/// digest of nothing. So the answer's time tells nothing but, to whoever can time single reads of memory, whether the id
/// exists, which is public.
pub fn authenticate<'s>(
    snapshot: &'s Snapshot,
    key: &PresentedKey<'_>,
    peppers: &Peppers,
    now: Timestamp,
) -> Result<Caller<'s>, Unauthenticated<'s>> {
    let anonymous = |failure| Unauthenticated {
        failure,
        credential: None,
    };
    // The digest is computed while memory arrives.
    snapshot.credentials.prefetch(key.id());
    let proof = peppers.prove(key);
    let found = snapshot.credentials.line(key.id());
    match found {
        Some(line) => {
            if let Some(caller) = plainly(snapshot, line, key, &proof, now) {
                return Ok(caller);
            }
        }
        // As long as for an id that is known.
        None => {
            let _nothing = proof.is_of(NOTHING.pepper, &NOTHING.mac);
        }
    }
    let proofs = peppers.prove_further(key, proof);
    let whole = found.and_then(|line| snapshot.credentials.whole(line));
    let credential = whole.map_or(&*NOBODY, AsRef::as_ref);
    // Looked up for right and wrong secrets alike.
    let owner = Owner::of(snapshot, credential);
    let previous = credential.previous.as_deref();
    let genuine = proofs.hold(&credential.digest);
    let was_genuine = proofs.hold(previous.map_or(&NOTHING, |previous| &previous.digest));
    let overlap = previous.is_some_and(|previous| now < previous.until);
    if whole.is_none() {
        return Err(anonymous(AuthFailure::Unknown));
    }
    if !(genuine | (was_genuine & overlap)) {
        return Err(anonymous(AuthFailure::WrongSecret));
    }
    if key.kind() != KeyKind::of(&credential.owner) {
        return Err(anonymous(AuthFailure::WrongSecret));
    }
    owner
        .ok_or(AuthFailure::Unknown)
        .and_then(|owner| owner.admit(credential, now))
        .map_err(|failure| Unauthenticated {
            failure,
            credential: Some(credential),
        })
}

/// Who presents a key, where what lies in front of credential and account settles it, as it does for most keys.
/// `None` says nothing: [`Owner::admit`] judges.
fn plainly<'s>(
    snapshot: &'s Snapshot,
    line: &'s Line,
    key: &PresentedKey<'_>,
    proof: &Proof,
    now: Timestamp,
) -> Option<Caller<'s>> {
    let tenant = snapshot.tenants.at(line.tenant()?)?;
    let seat = tenant.accounts.at(line.owner())?;
    let whole = snapshot.credentials.whole(line)?.as_ref();
    // A decision will want it.
    prefetch(seat.held());
    let (pepper, mac) = line.digest()?;
    let settings = tenant.settings();
    let plain = proof.is_of(pepper, mac)
        && line.is_plain(now)
        && seat.admits(key.kind())
        && !settings.suspended
        && settings.credentials.max_lifetime_seconds.is_none();
    plain.then(|| Caller {
        credential: Some(whole),
        unnarrowed: Some(whole),
        ..Caller::of(tenant, seat.held(), AuthMethod::ApiKey)
    })
}

/// Whether a credential whose secret was proven opens anything now, and for whom. The control plane asks again
/// when it commits, since a command may have waited.
pub fn admit<'s>(
    snapshot: &'s Snapshot,
    credential: &'s Credential,
    now: Timestamp,
) -> Result<Caller<'s>, AuthFailure> {
    Owner::of(snapshot, credential)
        .ok_or(AuthFailure::Unknown)?
        .admit(credential, now)
}

/// Whose a credential is, looked up and not yet judged.
struct Owner<'s> {
    tenant: &'s Tenant,
    account: Option<&'s HeldAccount>,
    deactivated: bool,
}

impl<'s> Owner<'s> {
    fn of(snapshot: &'s Snapshot, credential: &Credential) -> Option<Self> {
        #[cfg(test)]
        crate::digest::counted::lookup();
        let tenant = snapshot.tenants.get(&credential.tenant)?;
        let account = tenant.account(&credential.owner).map(Arc::as_ref);
        Some(Self {
            tenant,
            account,
            deactivated: account.is_some_and(|held| held.account.profile.deactivated),
        })
    }

    fn admit(self, credential: &'s Credential, now: Timestamp) -> Result<Caller<'s>, AuthFailure> {
        if credential.decoy.is_some() {
            return Err(AuthFailure::Decoy);
        }
        match &credential.status {
            CredentialStatus::Active => {}
            CredentialStatus::Suspended => return Err(AuthFailure::Suspended),
            CredentialStatus::Revoked { .. } => return Err(AuthFailure::Revoked),
        }
        let settings = self.tenant.settings();
        if settings.suspended {
            return Err(AuthFailure::TenantSuspended);
        }
        if credential
            .end(&settings.credentials)
            .is_some_and(|end| now >= end)
        {
            return Err(AuthFailure::Expired);
        }
        let account = self.account.ok_or(AuthFailure::Revoked)?;
        if self.deactivated {
            return Err(AuthFailure::OwnerDeactivated);
        }
        Ok(Caller {
            credential: Some(credential),
            ..Caller::of(self.tenant, account, AuthMethod::ApiKey)
        })
    }
}

#[cfg(test)]
mod tests;
