//! From a subject's type and id to somebody whom the tenant knows.

use turnpike_access::{
    authenticate::{AuthFailure, Caller},
    grant::AuthMethod,
    id::Principal,
    snapshot::{HeldAccount, Tenant},
};

use super::question::Who;

/// Nobody whom the tenant knows, or somebody who may do nothing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Absent(AuthFailure);

impl Absent {
    pub(super) fn reason(self) -> &'static str {
        match self.0 {
            AuthFailure::OwnerDeactivated => self.0.as_str(),
            _ => "subject_unknown",
        }
    }

    pub(super) fn sentence(self) -> &'static str {
        match self.0 {
            AuthFailure::OwnerDeactivated => "the account is deactivated",
            _ => "the tenant has no such user or virtual account",
        }
    }
}

/// The subject as it would call: with its grants and teams, and no key that narrows it.
pub(super) fn find<'s>(tenant: &'s Tenant, who: Who<'_>, method: AuthMethod) -> Result<Caller<'s>, Absent> {
    let held = account(tenant, who).ok_or(Absent(AuthFailure::PrincipalUnknown))?;
    if held.account.profile.deactivated {
        return Err(Absent(AuthFailure::OwnerDeactivated));
    }
    Ok(Caller::of(tenant, held, method))
}

/// Whether subjects of the type `kind` are accounts of this kind.
pub(super) fn is_of(kind: &str, principal: &Principal) -> bool {
    match kind {
        "user" => matches!(principal, Principal::User(_)),
        "virtual-account" | "virtual_account" => matches!(principal, Principal::VirtualAccount(_)),
        _ => false,
    }
}

fn account<'s>(tenant: &'s Tenant, who: Who<'_>) -> Option<&'s HeldAccount> {
    let by_name = |principal: fn(_) -> Principal| {
        let name = who.id.parse().ok()?;
        tenant.account(&principal(name))
    };
    let found = match who.kind {
        // What is nobody's name may be one's e-mail address, or who somebody is at an issuer.
        "user" => by_name(Principal::User).or_else(|| {
            let by_email = tenant.by_email(&who.id.to_lowercase());
            let principal = by_email.or_else(|| by_claim(tenant, who.id))?;
            tenant
                .account(principal)
                .filter(|_| matches!(principal, Principal::User(_)))
        }),
        "virtual-account" | "virtual_account" => by_name(Principal::VirtualAccount),
        "identity" => tenant.account(by_claim(tenant, who.id)?),
        _ => None,
    };
    found.map(AsRef::as_ref)
}

/// The account that is `ISSUER/CLAIM`, or the claim alone where only one issuer's leads to an account.
fn by_claim<'s>(tenant: &'s Tenant, id: &str) -> Option<&'s Principal> {
    if let Some(principal) = tenant.by_subject(id) {
        return Some(principal);
    }
    let issuers = tenant.issuers().into_iter();
    let mut found = issuers.filter_map(|issuer| tenant.by_subject(&format!("{}/{id}", issuer.name)));
    let only = found.next()?;
    found.next().is_none().then_some(only)
}
