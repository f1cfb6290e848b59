//! Credentials: what is asked for, and what is shown of them. Secrets are made and digested elsewhere.

use std::sync::Arc;

use turnpike_access::{
    command::Holders,
    credential::{Credential, CredentialStatus, PreviousVersion, Scope},
    id::{Id, Principal, Timestamp},
};

use super::{Write, v1};
use crate::{
    ConversionError,
    field::{all, known, micros, moment, parse, text, texts},
};

/// The longest time that two versions may work side by side, in seconds: 90 days.
const LONGEST_OVERLAP: u64 = 90 * 86_400;

/// A credential to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// Whose it is.
    pub owner: Principal,
    /// What it is narrowed to.
    pub scope: Option<Box<Scope>>,
    /// When it stops working by itself.
    pub expires: Option<Timestamp>,
    /// What its maker calls it.
    pub label: Option<Arc<str>>,
    /// It opens nothing.
    pub decoy: bool,
    /// Why it is made.
    pub reason: Option<Arc<str>>,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::CreateCredentialRequest> for NewCredential {
    type Error = ConversionError;

    fn try_from(request: v1::CreateCredentialRequest) -> Result<Self, ConversionError> {
        let v1::CreateCredentialRequest {
            owner,
            scope,
            expires_us,
            label,
            options,
            decoy,
            reason,
        } = request;
        let scope = scope.map(Scope::try_from).transpose()?;
        Ok(Self {
            owner: parse("owner", &owner)?,
            // An empty scope narrows nothing.
            scope: scope.filter(|scope| *scope != Scope::default()).map(Box::new),
            expires: moment(expires_us),
            label: known(label),
            decoy,
            reason: known(reason),
            write: options.try_into()?,
        })
    }
}

impl TryFrom<v1::Scope> for Scope {
    type Error = ConversionError;

    fn try_from(scope: v1::Scope) -> Result<Self, ConversionError> {
        let v1::Scope {
            models,
            actions,
            environments,
            networks,
        } = scope;
        Ok(Self {
            models: all("scope.models", models)?,
            actions: all("scope.actions", actions)?,
            environments: all("scope.environments", environments)?,
            networks: super::selector::networks("scope.networks", networks)?,
        })
    }
}

impl From<&Scope> for v1::Scope {
    fn from(scope: &Scope) -> Self {
        let Scope {
            models,
            actions,
            environments,
            networks,
        } = scope;
        Self {
            models: texts(models),
            actions: texts(actions),
            environments: texts(environments),
            networks: texts(networks),
        }
    }
}

/// A credential that is to get another secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateCredential {
    /// Which one.
    pub id: Id,
    /// How long the version before goes on working, in seconds.
    pub overlap: i64,
    /// Why; may be empty.
    pub reason: Arc<str>,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::RotateCredentialRequest> for RotateCredential {
    type Error = ConversionError;

    fn try_from(request: v1::RotateCredentialRequest) -> Result<Self, ConversionError> {
        let v1::RotateCredentialRequest {
            id,
            overlap_seconds,
            options,
            reason,
        } = request;
        let overlap = i64::try_from(overlap_seconds)
            .ok()
            .filter(|_| overlap_seconds <= LONGEST_OVERLAP);
        Ok(Self {
            id: parse("id", &id)?,
            overlap: overlap.ok_or_else(|| {
                ConversionError::new(
                    "overlap_seconds",
                    format!("is at most {LONGEST_OVERLAP}, which is 90 days"),
                )
            })?,
            reason: reason.into(),
            write: options.try_into()?,
        })
    }
}

/// A credential that is to be suspended, resumed or revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialChange {
    /// Which one.
    pub id: Id,
    /// Why; may be empty.
    pub reason: Arc<str>,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::ChangeCredentialRequest> for CredentialChange {
    type Error = ConversionError;

    fn try_from(request: v1::ChangeCredentialRequest) -> Result<Self, ConversionError> {
        let v1::ChangeCredentialRequest { id, reason, options } = request;
        Ok(Self {
            id: parse("id", &id)?,
            reason: reason.into(),
            write: options.try_into()?,
        })
    }
}

/// A credential that is to open less, or to end earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NarrowCredential {
    /// Which one.
    pub id: Id,
    /// What it is narrowed to; absent parts stay.
    pub scope: Option<Box<Scope>>,
    /// When it is to end; absent: as it is.
    pub expires: Option<Timestamp>,
    /// Why; may be empty.
    pub reason: Arc<str>,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::NarrowCredentialRequest> for NarrowCredential {
    type Error = ConversionError;

    fn try_from(request: v1::NarrowCredentialRequest) -> Result<Self, ConversionError> {
        let v1::NarrowCredentialRequest {
            id,
            scope,
            expires_us,
            options,
            reason,
        } = request;
        Ok(Self {
            id: parse("id", &id)?,
            scope: scope.map(Scope::try_from).transpose()?.map(Box::new),
            expires: moment(expires_us),
            reason: reason.into(),
            write: options.try_into()?,
        })
    }
}

/// Credentials that are to be revoked together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokeAll {
    /// Whose.
    pub of: Holders,
    /// Why; may be empty.
    pub reason: Arc<str>,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::RevokeAllRequest> for RevokeAll {
    type Error = ConversionError;

    fn try_from(request: v1::RevokeAllRequest) -> Result<Self, ConversionError> {
        let v1::RevokeAllRequest {
            owner,
            team,
            tenant,
            reason,
            options,
        } = request;
        let of = match (owner.as_str(), team.as_str(), tenant) {
            (owner, "", false) if !owner.is_empty() => Holders::Principal(parse("owner", owner)?),
            ("", team, false) if !team.is_empty() => Holders::Team(parse("team", team)?),
            ("", "", true) => Holders::Tenant,
            _ => {
                return Err(ConversionError::new(
                    "owner",
                    "name exactly one of owner, team and tenant",
                ));
            }
        };
        Ok(Self {
            of,
            reason: reason.into(),
            write: options.try_into()?,
        })
    }
}

/// A text in which keys may have leaked.
#[derive(Clone, PartialEq, Eq)]
pub struct LeakReport {
    /// The text. It is never shown: there may be keys in it.
    pub text: String,
    /// Since when requests are counted.
    pub since: Option<Timestamp>,
    /// Nothing is revoked.
    pub dry_run: bool,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::ReportLeakRequest> for LeakReport {
    type Error = ConversionError;

    fn try_from(request: v1::ReportLeakRequest) -> Result<Self, ConversionError> {
        let v1::ReportLeakRequest {
            text,
            since_us,
            dry_run,
            options,
        } = request;
        Ok(Self {
            text,
            since: moment(since_us),
            dry_run,
            write: options.try_into()?,
        })
    }
}

impl v1::Credential {
    /// What is shown of a credential at a moment; never its digest.
    pub fn at(credential: &Credential, now: Timestamp) -> Self {
        let Credential {
            id,
            tenant: _,
            owner,
            digest: _,
            previous,
            scope,
            expires,
            status,
            created,
            created_by,
            label,
            rotated,
            warnings,
            decoy,
            suspension,
            // What there is to know of it is in the log.
            handed_over: _,
            reason: made_for,
        } = credential;
        let (word, revoked, reason) = match status {
            CredentialStatus::Revoked { at, reason } => ("revoked", Some(*at), reason.to_string()),
            _ if expires.is_some_and(|end| now >= end) => ("expired", None, String::new()),
            CredentialStatus::Active => ("active", None, String::new()),
            CredentialStatus::Suspended => ("suspended", None, String::new()),
        };
        let suspended = suspension
            .as_ref()
            .filter(|_| *status == CredentialStatus::Suspended);
        let previous = previous.as_deref().filter(|previous| now < previous.until);
        Self {
            id: id.to_string(),
            owner: owner.to_string(),
            status: word.to_owned(),
            scope: scope.as_deref().map(v1::Scope::from),
            expires_us: micros(*expires),
            created_us: created.as_micros(),
            created_by: created_by.to_string(),
            label: text(label.as_ref()),
            revoked_us: micros(revoked),
            revoked_reason: reason,
            previous_until_us: previous.map(|PreviousVersion { digest: _, until }| until.as_micros()),
            rotated_us: micros(*rotated),
            warnings: warnings
                .iter()
                .map(|warning| warning.as_str().to_owned())
                .collect(),
            decoy: decoy.is_some(),
            suspended_reason: text(suspended.map(|suspension| &suspension.reason)),
            decoy_used_us: micros(decoy.as_ref().and_then(|decoy| decoy.used)),
            last_used_us: None,
            last_used_from: String::new(),
            last_used_agent: String::new(),
            last_used_edge: String::new(),
            reason: text(made_for.as_ref()),
        }
    }
}
