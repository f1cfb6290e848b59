//! An issuer as it is shown. Its client secret is never given out.

use serde::Serialize;
use turnpike_proto::admin::v1::{self as wire, issuer::Verification};

use crate::{command::value::some, moment, output::View};

#[derive(Serialize)]
pub(super) struct IssuerView {
    name: String,
    url: String,
    verification: &'static str,
    jwks_url: Option<String>,
    jwks: Option<String>,
    introspection_url: Option<String>,
    client_id: Option<String>,
    audiences: Vec<String>,
    algorithms: Vec<String>,
    claim: String,
    principal: String,
    just_in_time: bool,
    just_in_time_teams: Vec<String>,
    groups_claims: Vec<String>,
    required: Vec<String>,
    leeway: String,
    access_tokens_only: bool,
    accept_sender_constrained: bool,
    created: Option<String>,
}

impl View for IssuerView {
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "url",
        "verification",
        "audiences",
        "claim",
        "principal",
        "just_in_time",
    ];
}

impl From<wire::Issuer> for IssuerView {
    fn from(issuer: wire::Issuer) -> Self {
        let wire::Issuer {
            name,
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
            created_us,
        } = issuer;
        let (mut jwks_url, mut jwks, mut introspection) = (None, None, wire::Introspection::default());
        let verification = match verification {
            None | Some(Verification::Discovery(wire::Discovery {})) => "discovery",
            Some(Verification::JwksUrl(url)) => {
                jwks_url = Some(url);
                "jwks_url"
            }
            Some(Verification::Jwks(text)) => {
                jwks = Some(text);
                "jwks"
            }
            Some(Verification::Introspection(asked)) => {
                introspection = asked;
                "introspection"
            }
        };
        let required = required
            .into_iter()
            .flat_map(|wire::RequiredClaim { claim, values }| {
                let pairs = values.into_iter().map(move |value| format!("{claim}={value}"));
                pairs.collect::<Vec<_>>()
            });
        Self {
            name,
            url,
            verification,
            jwks_url,
            jwks,
            introspection_url: some(introspection.url),
            client_id: some(introspection.client_id),
            audiences,
            algorithms,
            claim,
            principal,
            just_in_time: just_in_time.is_some(),
            just_in_time_teams: just_in_time.map(|defaults| defaults.teams).unwrap_or_default(),
            groups_claims: groups,
            required: required.collect(),
            leeway: format!("{leeway_seconds}s"),
            access_tokens_only,
            accept_sender_constrained,
            created: moment::text(created_us),
        }
    }
}
