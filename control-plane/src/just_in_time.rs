//! Users that an issuer vouches for and that are not recorded yet become accounts when they are first seen.

use std::{collections::BTreeSet, sync::Arc};

use turnpike_access::{
    audit::{AuditRecord, Outcome, TokenFacts},
    command::Command,
    grant::AuthMethod,
    id::{Name, Principal},
    issuer::{Issuer, PrincipalRule},
    ledger::Refusal,
    snapshot::Tenant,
    tenant::AccountProfile,
    token::{Bearer, VerifiedToken},
};
use turnpike_runtime::random;

use crate::execute::{Authority, ExecuteError, Executor};

/// Records the user whom a token speaks for, if it is one that the issuer has just in time.
///
/// # Errors
/// The change was not made; that the account is there already is none.
pub(crate) async fn record(executor: &Executor, token: &VerifiedToken) -> Result<(), ExecuteError> {
    let Bearer::Foreign {
        claim,
        just_in_time: Some(principal),
        ..
    } = &token.bearer
    else {
        return Ok(());
    };
    let snapshot = executor.snapshot();
    let Some(tenant) = snapshot.tenant(token.tenant.as_str()) else {
        return Ok(());
    };
    let Some(issuer) = tenant.issuer(token.issuer.as_str()) else {
        return Ok(());
    };
    match command(tenant, issuer, principal, claim) {
        Some(command) => execute(executor, token.tenant.clone(), command).await,
        None => Ok(()),
    }
}

/// Records the users whom edges served just in time: by the issuer and the claim that the audit tells of them.
///
/// What fails is tried again with the user's next request.
pub(crate) async fn record_served(executor: &Executor, records: &[AuditRecord]) {
    let mut seen = BTreeSet::new();
    for record in records.iter().filter(|record| by_token(record)) {
        if let (Some(tenant), Some(principal), Some(token)) =
            (&record.tenant, &record.principal, &record.token)
            && seen.insert((tenant, principal))
            && let Err(error) = record_one(executor, tenant, principal, token).await
        {
            tracing::warn!(%error, %tenant, %principal, "a user could not be recorded just in time");
        }
    }
}

/// Whether it was another issuer's token that opened something.
fn by_token(record: &AuditRecord) -> bool {
    let methods = [AuthMethod::Jwt, AuthMethod::OauthToken].map(AuthMethod::as_str);
    let method = record.auth_method.as_deref();
    record.outcome == Outcome::Allowed && method.is_some_and(|method| methods.contains(&method))
}

async fn record_one(
    executor: &Executor,
    tenant: &str,
    principal: &str,
    token: &TokenFacts,
) -> Result<(), ExecuteError> {
    let snapshot = executor.snapshot();
    let (Some(tenant), Ok(principal)) = (snapshot.tenant(tenant), principal.parse::<Principal>()) else {
        return Ok(());
    };
    let Some(issuer) = tenant.issuer(&token.issuer) else {
        return Ok(());
    };
    // The issuer may have been changed since, and a claim that was cut is somebody else's.
    if issuer.profile.newcomer(&token.claim).as_ref() != Some(&principal) {
        return Ok(());
    }
    match command(tenant, issuer, &principal, &token.claim) {
        Some(command) => execute(executor, tenant.name().clone(), command).await,
        None => Ok(()),
    }
}

/// Nothing where the name is taken, or where the account would not be found again by the claim.
fn command(tenant: &Tenant, issuer: &Issuer, principal: &Principal, claim: &str) -> Option<Command> {
    let defaults = issuer.profile.just_in_time.as_ref()?;
    let Principal::User(name) = principal else {
        return None;
    };
    if tenant.account(principal).is_some() {
        return None;
    }
    let profile = match &issuer.profile.principal {
        PrincipalRule::Subject {} => AccountProfile {
            subjects: vec![Arc::from(format!("{}/{claim}", issuer.name))],
            ..Default::default()
        },
        PrincipalRule::Email {} => AccountProfile {
            email: Some(Arc::from(claim)),
            ..Default::default()
        },
        PrincipalRule::Name {
            virtual_account: false,
        } if name.as_str() == claim => AccountProfile::default(),
        PrincipalRule::Name { .. } | PrincipalRule::Fixed { .. } => return None,
    };
    Some(Command::CreateAccount {
        principal: principal.clone(),
        profile,
        teams: defaults.teams.clone(),
    })
}

async fn execute(executor: &Executor, tenant: Name, command: Command) -> Result<(), ExecuteError> {
    let correlation = Arc::from(random::id().as_str());
    let authority = Authority::System("just in time");
    let done = executor
        .execute(authority, tenant, correlation, vec![command])
        .await;
    match done {
        Ok(_) | Err(ExecuteError::Refused(Refusal::Exists { .. })) => Ok(()),
        Err(error) => Err(error),
    }
}
