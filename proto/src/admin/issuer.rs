//! Issuers. The secrets for introspection pass through here unsealed, inside the request, and are never kept.

use std::{collections::BTreeMap, sync::Arc};

use turnpike_access::{
    id::{Name, Principal},
    issuer::{ClaimPath, Issuer, IssuerProfile, JustInTime, PrincipalRule, Verification},
};

use super::{Write, v1};
use crate::{
    ConversionError,
    field::{all, parse, required, texts},
};

/// The claim that says who it is, where none is named.
const USUAL_CLAIM: &str = "sub";
/// The parts of an issuer that a change may name.
const FIELDS: [&str; 12] = [
    "url",
    "verification",
    "audiences",
    "algorithms",
    "claim",
    "principal",
    "just_in_time",
    "groups",
    "required",
    "leeway_seconds",
    "access_tokens_only",
    "accept_sender_constrained",
];

/// An issuer to be trusted.
#[derive(Clone)]
pub struct NewIssuer {
    /// Its name.
    pub name: Name,
    /// What is decided about it; a secret is not sealed into it yet.
    pub profile: IssuerProfile,
    /// The secret for introspection, in the clear; absent: none is needed.
    pub secret: Option<String>,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::CreateIssuerRequest> for NewIssuer {
    type Error = ConversionError;

    fn try_from(request: v1::CreateIssuerRequest) -> Result<Self, ConversionError> {
        let v1::CreateIssuerRequest { issuer, options } = request;
        let issuer = required("issuer", issuer)?;
        let name = parse("issuer.name", &issuer.name)?;
        let (profile, secret) = read_profile(issuer)?;
        if secret.is_none() && matches!(profile.verification, Verification::Introspection { .. }) {
            return Err(ConversionError::new(
                "issuer.introspection.client_secret",
                "is missing",
            ));
        }
        Ok(Self {
            name,
            profile,
            secret,
            write: options.try_into()?,
        })
    }
}

/// What is to become of an issuer.
#[derive(Clone)]
pub struct IssuerChange {
    /// Which issuer.
    pub name: Name,
    /// Another secret for introspection, in the clear; not applied by [`IssuerChange::apply`], since it must be sealed first.
    pub secret: Option<String>,
    /// How long to wait.
    pub write: Write,
    profile: IssuerProfile,
    fields: Vec<String>,
}

impl TryFrom<v1::UpdateIssuerRequest> for IssuerChange {
    type Error = ConversionError;

    fn try_from(request: v1::UpdateIssuerRequest) -> Result<Self, ConversionError> {
        let v1::UpdateIssuerRequest {
            issuer,
            fields,
            options,
        } = request;
        if let Some(unknown) = fields.iter().find(|field| !FIELDS.contains(&field.as_str())) {
            let all = FIELDS.join(", ");
            return Err(ConversionError::new(
                "fields",
                format!("{unknown:?} is none; use {all}"),
            ));
        }
        let mut issuer = required("issuer", issuer)?;
        let named = |field: &str| fields.iter().any(|one| one == field);
        // What is not named is not looked at, and need not be there.
        if !named("verification") {
            issuer.verification = Some(v1::issuer::Verification::Discovery(v1::Discovery {}));
        }
        if !named("principal") {
            issuer.principal = "subject".to_owned();
        }
        let name = parse("issuer.name", &issuer.name)?;
        let (profile, secret) = read_profile(issuer)?;
        Ok(Self {
            name,
            secret,
            write: options.try_into()?,
            profile,
            fields,
        })
    }
}

impl IssuerChange {
    /// What is decided about the issuer after the change, with the sealed secret that it had.
    ///
    /// # Errors
    /// A new way of introspection lacks a part.
    pub fn apply(&self, from: &IssuerProfile) -> Result<IssuerProfile, ConversionError> {
        let IssuerProfile {
            url,
            verification,
            audiences,
            algorithms,
            claim,
            principal,
            just_in_time,
            groups,
            required,
            leeway_seconds,
            access_tokens_only,
            accept_sender_constrained,
        } = self.profile.clone();
        let mut to = from.clone();
        for field in &self.fields {
            match field.as_str() {
                "url" => to.url = url.clone(),
                "verification" => {
                    let secret_follows = self.secret.is_some();
                    to.verification = with_parts_of(&from.verification, &verification, secret_follows)?;
                }
                "audiences" => to.audiences = audiences.clone(),
                "algorithms" => to.algorithms = algorithms.clone(),
                "claim" => to.claim = claim.clone(),
                "principal" => to.principal = principal.clone(),
                "just_in_time" => to.just_in_time = just_in_time.clone(),
                "groups" => to.groups = groups.clone(),
                "required" => to.required = required.clone(),
                "leeway_seconds" => to.leeway_seconds = leeway_seconds,
                "access_tokens_only" => to.access_tokens_only = access_tokens_only,
                "accept_sender_constrained" => to.accept_sender_constrained = accept_sender_constrained,
                // Refused when the request was read.
                _ => {}
            }
        }
        Ok(to)
    }
}

/// Introspection keeps what the change leaves empty. The secret stays with its URL, so that a change of the URL alone
/// cannot send it elsewhere.
fn with_parts_of(
    from: &Verification,
    to: &Verification,
    secret_follows: bool,
) -> Result<Verification, ConversionError> {
    let Verification::Introspection { url, client_id, .. } = to else {
        return Ok(to.clone());
    };
    let (old_url, old_id, old_secret) = match from {
        Verification::Introspection {
            url,
            client_id,
            sealed_secret,
        } => (url.clone(), client_id.clone(), sealed_secret.clone()),
        _ => Default::default(),
    };
    let kept = |new: &Arc<str>, old: &Arc<str>| if new.is_empty() { old.clone() } else { new.clone() };
    let (url, client_id) = (kept(url, &old_url), kept(client_id, &old_id));
    if !secret_follows && (old_secret.is_empty() || url != old_url) {
        return Err(ConversionError::new(
            "issuer.introspection.client_secret",
            "is missing: another URL needs it again",
        ));
    }
    Ok(Verification::Introspection {
        url,
        client_id,
        sealed_secret: old_secret,
    })
}

fn read_profile(issuer: v1::Issuer) -> Result<(IssuerProfile, Option<String>), ConversionError> {
    let v1::Issuer {
        name: _,
        url,
        verification,
        audiences,
        algorithms,
        claim,
        principal,
        just_in_time,
        groups,
        required: claims,
        leeway_seconds,
        access_tokens_only,
        accept_sender_constrained,
        created_us: _,
    } = issuer;
    let claim = if claim.is_empty() { USUAL_CLAIM } else { &claim };
    let (verification, secret) = read_verification(required("issuer.verification", verification)?);
    let profile = IssuerProfile {
        url: url.into(),
        verification,
        audiences: audiences.into_iter().map(Arc::from).collect(),
        algorithms: all("issuer.algorithms", algorithms)?,
        claim: parse("issuer.claim", claim)?,
        principal: read_principal(&principal)?,
        just_in_time: just_in_time.map(JustInTime::try_from).transpose()?,
        groups: all("issuer.groups", groups)?,
        required: read_claims(claims)?,
        leeway_seconds,
        access_tokens_only,
        accept_sender_constrained,
    };
    Ok((profile, secret))
}

fn read_verification(verification: v1::issuer::Verification) -> (Verification, Option<String>) {
    use v1::issuer::Verification as Wire;
    match verification {
        Wire::Discovery(v1::Discovery {}) => (Verification::Discovery {}, None),
        Wire::JwksUrl(url) => (Verification::Jwks { url: url.into() }, None),
        Wire::Jwks(jwks) => (Verification::Keys { jwks: jwks.into() }, None),
        Wire::Introspection(v1::Introspection {
            url,
            client_id,
            client_secret,
        }) => {
            let asked = Verification::Introspection {
                url: url.into(),
                client_id: client_id.into(),
                sealed_secret: Arc::default(),
            };
            (asked, Some(client_secret).filter(|secret| !secret.is_empty()))
        }
    }
}

fn read_principal(text: &str) -> Result<PrincipalRule, ConversionError> {
    let field = "issuer.principal";
    Ok(match text {
        "subject" => PrincipalRule::Subject {},
        "email" => PrincipalRule::Email {},
        "name" => PrincipalRule::Name {
            virtual_account: false,
        },
        "virtual-account-name" => PrincipalRule::Name {
            virtual_account: true,
        },
        fixed if fixed.contains(':') => PrincipalRule::Fixed {
            principal: parse::<Principal>(field, fixed)?,
        },
        _ => {
            return Err(ConversionError::new(
                field,
                "is subject, email, name, virtual-account-name, user:NAME or virtual-account:NAME",
            ));
        }
    })
}

fn read_claims(
    claims: Vec<v1::RequiredClaim>,
) -> Result<BTreeMap<ClaimPath, Vec<Arc<str>>>, ConversionError> {
    let mut read = BTreeMap::<ClaimPath, Vec<Arc<str>>>::new();
    for v1::RequiredClaim { claim, values } in claims {
        if values.is_empty() {
            return Err(ConversionError::new("issuer.required.values", "is missing"));
        }
        let held = read.entry(parse("issuer.required.claim", &claim)?).or_default();
        held.extend(values.into_iter().map(Arc::from));
    }
    Ok(read)
}

impl TryFrom<v1::JustInTime> for JustInTime {
    type Error = ConversionError;

    fn try_from(defaults: v1::JustInTime) -> Result<Self, ConversionError> {
        let v1::JustInTime { teams } = defaults;
        Ok(Self {
            teams: all("issuer.just_in_time.teams", teams)?,
        })
    }
}

impl From<&Issuer> for v1::Issuer {
    fn from(issuer: &Issuer) -> Self {
        let Issuer {
            name,
            profile,
            created,
            revision: _,
        } = issuer;
        let IssuerProfile {
            url,
            verification,
            audiences,
            algorithms,
            claim,
            principal,
            just_in_time,
            groups,
            required,
            leeway_seconds,
            access_tokens_only,
            accept_sender_constrained,
        } = profile;
        Self {
            name: name.to_string(),
            url: url.to_string(),
            verification: Some(verification.into()),
            audiences: texts(audiences),
            algorithms: texts(algorithms),
            claim: claim.to_string(),
            principal: show_principal(principal),
            just_in_time: just_in_time
                .as_ref()
                .map(|JustInTime { teams }| v1::JustInTime { teams: texts(teams) }),
            groups: texts(groups),
            required: required
                .iter()
                .map(|(claim, values)| v1::RequiredClaim {
                    claim: claim.to_string(),
                    values: texts(values),
                })
                .collect(),
            leeway_seconds: *leeway_seconds,
            access_tokens_only: *access_tokens_only,
            accept_sender_constrained: *accept_sender_constrained,
            created_us: created.as_micros(),
        }
    }
}

impl From<&Verification> for v1::issuer::Verification {
    fn from(verification: &Verification) -> Self {
        match verification {
            Verification::Discovery {} => Self::Discovery(v1::Discovery {}),
            Verification::Jwks { url } => Self::JwksUrl(url.to_string()),
            Verification::Keys { jwks } => Self::Jwks(jwks.to_string()),
            Verification::Introspection {
                url,
                client_id,
                sealed_secret: _,
            } => Self::Introspection(v1::Introspection {
                url: url.to_string(),
                client_id: client_id.to_string(),
                client_secret: String::new(),
            }),
        }
    }
}

fn show_principal(rule: &PrincipalRule) -> String {
    match rule {
        PrincipalRule::Subject {} => "subject".to_owned(),
        PrincipalRule::Email {} => "email".to_owned(),
        PrincipalRule::Name {
            virtual_account: false,
        } => "name".to_owned(),
        PrincipalRule::Name {
            virtual_account: true,
        } => "virtual-account-name".to_owned(),
        PrincipalRule::Fixed { principal } => principal.to_string(),
    }
}

#[cfg(test)]
mod tests;
