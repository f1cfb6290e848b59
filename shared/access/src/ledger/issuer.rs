//! Commands about issuers, their tokens, and the keys of Turnpike's own.

use std::sync::Arc;

use super::{Handled, Refusal, account, change, check_text, exists, not_found};
use crate::{
    command::Command,
    event::Event,
    grant::Subject,
    id::{Name, Timestamp},
    issuer::{
        IssuerProfile, JustInTime, LONGEST_SKEW, OWN, PrincipalRule, TokenKey, TokenMatch, Verification,
    },
    snapshot::{Snapshot, Tenant},
};

/// The longest key set that is taken as text, in bytes.
const KEY_SET_LIMIT: usize = 64 * 1024;
/// The longest URL, in bytes.
const URL_LIMIT: usize = 2048;
/// The most audiences, group claims or required claims of an issuer.
const LIST_LIMIT: usize = 32;

pub(super) fn handle(snapshot: &Snapshot, tenant: &Tenant, now: Timestamp, command: Command) -> Handled {
    match command {
        Command::CreateIssuer { name, profile } => {
            if name.as_str() == OWN {
                return Err(Refusal::Invalid(format!(
                    "{OWN} is the name of Turnpike's own tokens; choose another"
                )));
            }
            if tenant.issuer(name.as_str()).is_some() {
                return Err(exists("issuer", name));
            }
            check(snapshot, tenant, &name, &profile)?;
            Ok(vec![Event::IssuerCreated { name, profile }])
        }
        Command::UpdateIssuer { name, from, to } => {
            let held = tenant.issuer(name.as_str());
            let current = &held.ok_or_else(|| not_found("issuer", &name))?.profile;
            check(snapshot, tenant, &name, &to)?;
            change(current, &from, &to, || Event::IssuerUpdated {
                name: name.clone(),
                profile: to.clone(),
            })
        }
        Command::DeleteIssuer { name } => match tenant.issuer(name.as_str()) {
            Some(_) => Ok(delete(tenant, name)),
            None => Err(not_found("issuer", name)),
        },
        Command::RevokeTokens {
            issuer,
            tokens,
            reason,
        } => {
            if issuer.as_str() != OWN && tenant.issuer(issuer.as_str()).is_none() {
                return Err(not_found("issuer", issuer));
            }
            check_text(Some(&reason), "reason")?;
            check_revoked(&tokens, now)?;
            let dead = tenant.revocations(issuer.as_str());
            if dead.is_some_and(|dead| dead.include(&tokens)) {
                return Ok(Vec::new());
            }
            Ok(vec![Event::TokenRevoked {
                issuer,
                tokens,
                reason,
            }])
        }
        Command::AddTokenKey(key) => add_key(snapshot, tenant, now, key),
        Command::RemoveTokenKey { id } => {
            check_operators(tenant)?;
            let newest = snapshot.token_keys().last().map(|key| &key.id);
            match snapshot.token_keys().iter().find(|key| key.id == id) {
                None => Err(not_found("token key", id)),
                Some(_) if newest == Some(&id) => Err(Refusal::NotNow(
                    "it is the key that signs now; add another first".to_owned(),
                )),
                Some(_) => Ok(vec![Event::TokenKeyRemoved { id }]),
            }
        }
        _ => Err(Refusal::Invalid("not a command about an issuer".to_owned())),
    }
}

/// An issuer of the same name made later vouches for groups of its own: what was granted to these goes with it.
fn delete(tenant: &Tenant, name: Name) -> Vec<Event> {
    let to_its_groups =
        |subject: &Subject| matches!(subject, Subject::Group { issuer, .. } if *issuer == name);
    let grants = tenant.grants().into_iter();
    let ungranted = grants
        .filter(|held| to_its_groups(&held.grant.subject))
        .map(|held| Event::GrantDeleted { id: held.grant.id });
    ungranted
        .chain([Event::IssuerDeleted { name: name.clone() }])
        .collect()
}

/// Nothing that is revoked comes back, so that a moment by mistake in the far future would end an issuer for good.
fn check_revoked(tokens: &TokenMatch, now: Timestamp) -> Result<(), Refusal> {
    let (text, issued_before) = match tokens {
        TokenMatch::Id { id } => (Some(id), None),
        TokenMatch::Subject {
            subject,
            issued_before,
        } => (Some(subject), Some(*issued_before)),
        TokenMatch::All { issued_before } => (None, Some(*issued_before)),
    };
    check_text(text, "token's id or subject")?;
    if issued_before.is_some_and(|before| before > now.plus_seconds(LONGEST_SKEW.into())) {
        return Err(Refusal::Invalid(
            "tokens of the future cannot be revoked; delete the issuer to accept none any more".to_owned(),
        ));
    }
    Ok(())
}

/// The keys sign for every tenant.
fn check_operators(tenant: &Tenant) -> Result<(), Refusal> {
    match tenant.name == Name::platform() {
        true => Ok(()),
        false => Err(Refusal::Invalid(
            "the keys of Turnpike's own tokens are the operators'".to_owned(),
        )),
    }
}

fn add_key(snapshot: &Snapshot, tenant: &Tenant, now: Timestamp, key: TokenKey) -> Handled {
    check_operators(tenant)?;
    if snapshot.token_keys().iter().any(|held| held.id == key.id) {
        return Err(exists("token key", key.id));
    }
    if key.created > now {
        return Err(Refusal::Invalid("the key is of the future".to_owned()));
    }
    Ok(vec![Event::TokenKeyAdded(key)])
}

fn check(snapshot: &Snapshot, tenant: &Tenant, name: &Name, profile: &IssuerProfile) -> Result<(), Refusal> {
    let IssuerProfile {
        url,
        verification,
        audiences,
        algorithms,
        claim: _,
        principal,
        just_in_time,
        groups,
        required,
        leeway_seconds,
        access_tokens_only: _,
        accept_sender_constrained: _,
    } = profile;
    let invalid = |text: &str| Err(Refusal::Invalid(text.to_owned()));
    check_url(url, "URL")?;
    check_verification(verification)?;
    if audiences.is_empty() {
        return invalid("an issuer needs at least one audience: whose tokens are meant for you");
    }
    if audiences.iter().any(|one| one.is_empty()) {
        return invalid("an audience is never empty");
    }
    for audience in audiences {
        check_text(Some(audience), "audience")?;
    }
    if algorithms.is_empty() && !matches!(verification, Verification::Introspection { .. }) {
        return invalid("an issuer needs at least one algorithm: RS256, ES256 …");
    }
    if [audiences.len(), groups.len(), required.len()]
        .into_iter()
        .any(|count| count > LIST_LIMIT)
    {
        return invalid("an issuer has at most 32 audiences, group claims and required claims");
    }
    for value in required.values().flatten() {
        check_text(Some(value), "required claim")?;
    }
    if *leeway_seconds > LONGEST_SKEW {
        return invalid("the leeway is at most 60 seconds");
    }
    match principal {
        PrincipalRule::Fixed { principal } if required.is_empty() => {
            return Err(Refusal::Invalid(format!(
                "without required claims every token of the issuer would be {principal}; say which claims it must have"
            )));
        }
        PrincipalRule::Fixed { principal } => drop(account(tenant, principal)?),
        _ => {}
    }
    check_just_in_time(tenant, principal, just_in_time.as_ref())?;
    taken(snapshot, tenant, name, url, audiences)
}

fn check_just_in_time(
    tenant: &Tenant,
    principal: &PrincipalRule,
    defaults: Option<&JustInTime>,
) -> Result<(), Refusal> {
    let of_users = match principal {
        PrincipalRule::Subject {} | PrincipalRule::Email {} => true,
        PrincipalRule::Name { virtual_account } => !virtual_account,
        PrincipalRule::Fixed { .. } => false,
    };
    if defaults.is_some() && !of_users {
        return Err(Refusal::Invalid(
            "only users come just in time: by subject, e-mail or name".to_owned(),
        ));
    }
    for team in defaults.iter().flat_map(|defaults| &defaults.teams) {
        tenant
            .team(team.as_str())
            .ok_or_else(|| not_found("team", team))?;
    }
    Ok(())
}

/// A token leads to one issuer of one tenant: by its `iss` and `aud` together.
fn taken(
    snapshot: &Snapshot,
    tenant: &Tenant,
    name: &Name,
    url: &str,
    audiences: &[Arc<str>],
) -> Result<(), Refusal> {
    let mut others = snapshot
        .issuers_at(url)
        .filter(|(of, issuer)| (of.name(), &issuer.name) != (tenant.name(), name));
    let shared = others.find_map(|(_, issuer)| {
        let theirs = &issuer.profile.audiences;
        audiences.iter().find(|one| theirs.contains(one))
    });
    shared.map_or(Ok(()), |audience| {
        Err(Refusal::NotNow(format!(
            "audience {audience:?} of this issuer is in use already; ask the issuer for an audience of your own"
        )))
    })
}

fn check_verification(verification: &Verification) -> Result<(), Refusal> {
    match verification {
        Verification::Discovery {} => Ok(()),
        Verification::Jwks { url } => check_url(url, "URL of the keys"),
        Verification::Keys { jwks } if jwks.len() > KEY_SET_LIMIT => Err(Refusal::Invalid(format!(
            "the key set may have up to {KEY_SET_LIMIT} bytes"
        ))),
        Verification::Keys { jwks } => check_keys(jwks),
        Verification::Introspection { url, client_id, .. } => {
            check_url(url, "introspection URL")?;
            check_text(Some(client_id), "client id")
        }
    }
}

/// A key set is kept in the log for everybody who may read that: private and symmetric keys (RFC 7518, section 6)
/// have no place in it.
fn check_keys(jwks: &str) -> Result<(), Refusal> {
    const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    let set: serde_json::Value = serde_json::from_str(jwks).unwrap_or_default();
    let keys = set.get("keys").and_then(|keys| keys.as_array());
    let Some(keys) = keys.filter(|keys| !keys.is_empty() && keys.iter().all(|key| key.is_object())) else {
        return Err(Refusal::Invalid(
            "the keys must be a JSON Web Key Set: {\"keys\": [ … ]}".to_owned(),
        ));
    };
    let private = |key: &serde_json::Value| PRIVATE.iter().any(|part| key.get(part).is_some());
    if keys.iter().any(private) {
        return Err(Refusal::Invalid(
            "the key set holds a private or symmetric key; give the public keys alone".to_owned(),
        ));
    }
    Ok(())
}

/// Plain http is for loopback alone: what an issuer says decides who somebody is.
fn check_url(url: &str, what: &str) -> Result<(), Refusal> {
    let rest = url.strip_prefix("http://");
    let loopback = rest.is_some_and(|rest| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    });
    let plain = url.len() <= URL_LIMIT && url.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && (loopback || url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())) {
        return Ok(());
    }
    Err(Refusal::Invalid(format!(
        "the {what} must begin with https:// (http:// for this machine alone) and have up to {URL_LIMIT} bytes"
    )))
}
