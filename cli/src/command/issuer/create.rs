//! `turnpike issuer create`: flags into an issuer.

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use turnpike_proto::admin::v1::{
    CreateIssuerRequest, Discovery, Issuer, JustInTime, RequiredClaim, issuer::Verification,
};

use super::verification::VerificationFlags;
use crate::{
    command::value::pair,
    failure::Failure,
    moment,
    session::{Session, Wait},
};

/// The flags.
#[derive(Debug, Args)]
pub(in crate::command) struct Create {
    /// Its name here: a-z, 0-9 and . _ @ + -
    name: String,
    /// Exactly what stands in the tokens' `iss`
    #[arg(long, value_name = "URL")]
    url: String,
    #[command(flatten)]
    verification: VerificationFlags,
    /// One of these must stand in the tokens' `aud`: yours alone, so that tokens meant for others are refused; may be
    /// given again
    #[arg(long = "audience", value_name = "TEXT", required = true)]
    audiences: Vec<String>,
    /// What its keys sign with: RS256 (the default), RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA; may be
    /// given again
    #[arg(long = "algorithm", value_name = "NAME")]
    algorithms: Vec<String>,
    /// The claim that says who it is: its name, or a JSON Pointer such as /act/sub
    #[arg(long, value_name = "CLAIM", default_value = "sub")]
    claim: String,
    /// Who that is: subject (the account with --subject ISSUER/CLAIM), email (the user with that address), name (the
    /// user), virtual-account-name, or always user:NAME or virtual-account:NAME
    #[arg(long, value_name = "RULE", default_value = "subject")]
    principal: String,
    /// Serve users that are not recorded yet, and record them when first seen. Absent: they are refused
    #[arg(long)]
    just_in_time: bool,
    /// Put such users into this team; may be given again
    #[arg(long = "just-in-time-team", value_name = "TEAM", requires = "just_in_time")]
    just_in_time_teams: Vec<String>,
    /// A claim that holds groups, for grants to group:ISSUER/VALUE: its name, or a JSON Pointer such as
    /// /realm_access/roles; may be given again
    #[arg(long = "groups-claim", value_name = "CLAIM")]
    groups: Vec<String>,
    /// A claim that must have this value; given again for the same claim: one of the values
    #[arg(long = "require", value_name = "CLAIM=VALUE", value_parser = pair)]
    required: Vec<(String, String)>,
    /// How far its clock may differ; at most 60s
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = moment::duration)]
    leeway: Duration,
    /// Only access tokens of RFC 9068 (`typ` is at+jwt), no ID tokens
    #[arg(long)]
    access_tokens_only: bool,
    /// Accept tokens that are bound to a key of their sender (`cnf`) from whoever presents them: only where something
    /// before the edges checks the binding. Absent: they are refused
    #[arg(long)]
    accept_sender_constrained: bool,
    #[command(flatten)]
    wait: Wait,
}

impl Create {
    pub(super) fn wait(&self) -> Wait {
        self.wait
    }

    pub(super) fn request(self, session: &Session) -> Result<CreateIssuerRequest, Failure> {
        let options = session.options(self.wait);
        Ok(CreateIssuerRequest {
            issuer: Some(self.issuer()?),
            options,
        })
    }

    fn issuer(self) -> Result<Issuer, Failure> {
        let Self {
            name,
            url,
            verification,
            audiences,
            algorithms,
            claim,
            principal,
            just_in_time,
            just_in_time_teams,
            groups,
            required: claims,
            leeway,
            access_tokens_only,
            accept_sender_constrained,
            wait: _,
        } = self;
        let verification = verification
            .read()?
            .unwrap_or(Verification::Discovery(Discovery {}));
        let signed = !matches!(verification, Verification::Introspection(_));
        let algorithms = match algorithms.is_empty() && signed {
            true => vec!["RS256".to_owned()],
            false => algorithms,
        };
        Ok(Issuer {
            name,
            url,
            verification: Some(verification),
            audiences,
            algorithms,
            claim,
            principal,
            just_in_time: just_in_time.then_some(JustInTime {
                teams: just_in_time_teams,
            }),
            groups,
            required: required(claims),
            leeway_seconds: seconds(leeway),
            access_tokens_only,
            accept_sender_constrained,
            created_us: 0,
        })
    }
}

/// The values that were given for one claim are alternatives.
pub(super) fn required(claims: Vec<(String, String)>) -> Vec<RequiredClaim> {
    let mut by_claim = BTreeMap::<String, Vec<String>>::new();
    for (claim, value) in claims {
        by_claim.entry(claim).or_default().push(value);
    }
    by_claim
        .into_iter()
        .map(|(claim, values)| RequiredClaim { claim, values })
        .collect()
}

/// Whole seconds; too many for the wire are too many for the control plane.
pub(super) fn seconds(leeway: Duration) -> u32 {
    u32::try_from(leeway.as_secs()).unwrap_or(u32::MAX)
}
