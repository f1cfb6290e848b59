//! `turnpike issuer update`: what is given changes, the rest stays.

use std::time::Duration;

use clap::Args;
use turnpike_proto::admin::v1::{Issuer, JustInTime, UpdateIssuerRequest};

use super::{
    create::{required, seconds},
    verification::VerificationFlags,
};
use crate::{
    command::value::pair,
    failure::Failure,
    moment,
    session::{Session, Wait},
};

/// The flags.
#[derive(Debug, Args)]
pub(in crate::command) struct Update {
    /// Its name
    name: String,
    /// Exactly what stands in the tokens' `iss`
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    verification: VerificationFlags,
    /// One of these must stand in the tokens' `aud`; may be given again. Those given take the place of all
    #[arg(long = "audience", value_name = "TEXT")]
    audiences: Option<Vec<String>>,
    /// What its keys sign with; may be given again. Those given take the place of all
    #[arg(long = "algorithm", value_name = "NAME")]
    algorithms: Option<Vec<String>>,
    /// The claim that says who it is
    #[arg(long, value_name = "CLAIM")]
    claim: Option<String>,
    /// Who that is: subject, email, name, virtual-account-name, or always user:NAME or virtual-account:NAME
    #[arg(long, value_name = "RULE")]
    principal: Option<String>,
    /// Serve users that are not recorded yet
    #[arg(long)]
    just_in_time: bool,
    /// Put such users into this team; may be given again. Those given take the place of all
    #[arg(long = "just-in-time-team", value_name = "TEAM", requires = "just_in_time")]
    just_in_time_teams: Vec<String>,
    /// Refuse users that are not recorded
    #[arg(long, conflicts_with = "just_in_time")]
    no_just_in_time: bool,
    /// A claim that holds groups; may be given again. Those given take the place of all
    #[arg(long = "groups-claim", value_name = "CLAIM")]
    groups: Option<Vec<String>>,
    /// Take no groups from the tokens
    #[arg(long, conflicts_with = "groups")]
    no_groups: bool,
    /// A claim that must have this value; may be given again. Those given take the place of all
    #[arg(long = "require", value_name = "CLAIM=VALUE", value_parser = pair)]
    required: Option<Vec<(String, String)>>,
    /// Require no claims
    #[arg(long, conflicts_with = "required")]
    no_require: bool,
    /// How far its clock may differ; at most 60s
    #[arg(long, value_name = "DURATION", value_parser = moment::duration)]
    leeway: Option<Duration>,
    /// Whether access tokens of RFC 9068 alone are accepted
    #[arg(long, value_name = "true|false")]
    access_tokens_only: Option<bool>,
    /// Whether tokens that are bound to a key of their sender (`cnf`) are accepted from whoever presents them
    #[arg(long, value_name = "true|false")]
    accept_sender_constrained: Option<bool>,
    #[command(flatten)]
    wait: Wait,
}

/// An issuer in which only the named parts count.
#[derive(Default)]
struct Change {
    issuer: Issuer,
    fields: Vec<String>,
}

impl Change {
    /// Puts a part in, if it was given.
    fn set<T>(&mut self, field: &str, value: Option<T>, put: impl FnOnce(&mut Issuer, T)) {
        if let Some(value) = value {
            self.fields.push(field.to_owned());
            put(&mut self.issuer, value);
        }
    }
}

impl Update {
    pub(super) fn wait(&self) -> Wait {
        self.wait
    }

    pub(super) fn request(self, session: &Session) -> Result<UpdateIssuerRequest, Failure> {
        let options = session.options(self.wait);
        let Change { issuer, fields } = self.change()?;
        Ok(UpdateIssuerRequest {
            issuer: Some(issuer),
            fields,
            options,
        })
    }

    fn change(self) -> Result<Change, Failure> {
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
            no_just_in_time,
            groups,
            no_groups,
            required: claims,
            no_require,
            leeway,
            access_tokens_only,
            accept_sender_constrained,
            wait: _,
        } = self;
        let defaults = just_in_time.then_some(JustInTime {
            teams: just_in_time_teams,
        });
        let just_in_time = (just_in_time || no_just_in_time).then_some(defaults);
        let groups = groups.or(no_groups.then(Vec::new));
        let claims = claims.or(no_require.then(Vec::new));
        let mut change = Change::default();
        change.issuer.name = name;
        change.set("url", url, |to, url| to.url = url);
        change.set("verification", verification.read()?, |to, one| {
            to.verification = Some(one);
        });
        change.set("audiences", audiences, |to, all| to.audiences = all);
        change.set("algorithms", algorithms, |to, all| to.algorithms = all);
        change.set("claim", claim, |to, claim| to.claim = claim);
        change.set("principal", principal, |to, rule| to.principal = rule);
        change.set("just_in_time", just_in_time, |to, one| to.just_in_time = one);
        change.set("groups", groups, |to, all| to.groups = all);
        change.set("required", claims, |to, all| to.required = required(all));
        change.set("leeway_seconds", leeway, |to, one| {
            to.leeway_seconds = seconds(one)
        });
        change.set("access_tokens_only", access_tokens_only, |to, only| {
            to.access_tokens_only = only;
        });
        change.set(
            "accept_sender_constrained",
            accept_sender_constrained,
            |to, accept| {
                to.accept_sender_constrained = accept;
            },
        );
        Ok(change)
    }
}
