//! `turnpike grant create`: flags into a grant.

use std::time::Duration;

use clap::Args;
use turnpike_proto::admin::v1::{Conditions, CreateGrantRequest, Grant, ResourcePattern, Selector};

use super::selector::{any, tag_tests};
use crate::{
    command::value::{pair, resource},
    moment::{self, Moment},
    session::{Session, Wait},
};

/// The flags. Those about the resource must all hold; the values of one flag are alternatives.
#[derive(Debug, Args)]
pub(in crate::command) struct Create {
    /// To whom: user:NAME, virtual-account:NAME, team:NAME or group:ISSUER/VALUE
    #[arg(long, value_name = "SUBJECT")]
    to: String,
    /// Which actions: a role's name
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// Forbid rather than allow; a matching deny wins over every allow
    #[arg(long)]
    deny: bool,
    /// Which models: provider/name, with *; may be given again. Absent, with no --resource: everything
    #[arg(long = "model", value_name = "PATTERN")]
    models: Vec<String>,
    /// Which other resources: provider:openai-*, team:payments, or of any type that you name, such as prompt:greeting;
    /// may be given again
    #[arg(long = "resource", value_name = "KIND:PATTERN", value_parser = resource)]
    resources: Vec<ResourcePattern>,
    /// Only of this family; may be given again
    #[arg(long = "family", value_name = "NAME")]
    families: Vec<String>,
    /// Only of this environment; may be given again
    #[arg(
        long = "environment",
        value_name = "NAME",
        conflicts_with = "not_environments"
    )]
    environments: Vec<String>,
    /// Only of other environments; may be given again
    #[arg(long = "not-environment", value_name = "NAME")]
    not_environments: Vec<String>,
    /// Only with this tag; may be given again
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// Only without this tag; may be given again
    #[arg(long = "not-tag", value_name = "KEY=VALUE", value_parser = pair)]
    not_tags: Vec<(String, String)>,
    /// Only what has the same tag of this key as the caller; may be given again
    #[arg(long = "match-tag", value_name = "KEY")]
    match_tags: Vec<String>,
    /// Only for clients in this network; may be given again
    #[arg(long = "network", value_name = "CIDR")]
    networks: Vec<String>,
    /// Only for callers who proved themselves this way: api_key, jwt, jwt:ISSUER, oauth_token or turnpike_token; may be
    /// given again
    #[arg(long = "method", value_name = "METHOD")]
    methods: Vec<String>,
    /// Only with a token that was issued at most so long ago; keys are not tokens
    #[arg(long, value_name = "DURATION", value_parser = moment::duration)]
    max_token_age: Option<Duration>,
    /// Only in these hours, such as 'mon-fri 08:00-18:00 Europe/Berlin'; may be given again
    #[arg(long = "schedule", value_name = "'DAYS FROM-UNTIL ZONE'")]
    schedules: Vec<String>,
    /// From when: a time, or a duration from now
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    not_before: Option<Moment>,
    /// Until when: a time, or a duration from now such as 30d
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    expires: Option<Moment>,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Who answers for it: user:NAME, virtual-account:NAME or team:NAME. Absent: you
    #[arg(long, value_name = "OWNER", default_value = "", hide_default_value = true)]
    owner: String,
    #[command(flatten)]
    wait: Wait,
}

impl Create {
    pub(super) fn wait(&self) -> Wait {
        self.wait
    }

    pub(super) fn request(self, session: &Session) -> CreateGrantRequest {
        let options = session.options(self.wait);
        CreateGrantRequest {
            grant: Some(self.grant(moment::now())),
            options,
        }
    }

    fn grant(self, now: i64) -> Grant {
        let Self {
            to,
            role,
            deny,
            models,
            resources,
            families,
            environments,
            not_environments,
            tags,
            not_tags,
            match_tags,
            networks,
            methods,
            max_token_age,
            schedules,
            not_before,
            expires,
            reason,
            owner,
            wait: _,
        } = self;
        let models = models.into_iter().map(|name| ResourcePattern {
            kind: "model".to_owned(),
            name,
        });
        let selector = Selector {
            resources: models.chain(resources).collect(),
            families,
            environment: any("in", environments).or_else(|| any("not_in", not_environments)),
            tags: tag_tests("in", tags)
                .chain(tag_tests("not_in", not_tags))
                .collect(),
            match_tags,
        };
        let conditions = Conditions {
            methods,
            networks,
            not_before_us: not_before.map(|when| when.ahead(now)),
            expires_us: expires.map(|when| when.ahead(now)),
            max_token_age_seconds: max_token_age.map(|age| u32::try_from(age.as_secs()).unwrap_or(u32::MAX)),
            schedules,
        };
        Grant {
            subject: to,
            role,
            effect: if deny { "deny" } else { "allow" }.to_owned(),
            selector: Some(selector),
            conditions: Some(conditions),
            reason,
            owner,
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        create: Create,
    }

    fn grant(words: &str) -> Grant {
        let words = ["x", "--to", "team:a", "--role", "developer"]
            .into_iter()
            .chain(words.split_whitespace());
        Line::try_parse_from(words).unwrap().create.grant(0)
    }

    #[test]
    fn a_grant_without_flags_allows_the_role_on_everything() {
        let made = grant("");
        assert_eq!(
            (made.effect.as_str(), made.selector),
            ("allow", Some(Selector::default()))
        );
        assert_eq!(made.conditions, Some(Conditions::default()));
    }

    #[test]
    fn models_and_resources_are_alternatives_of_one_list() {
        let resources = grant("--model p/* --resource team:pay*")
            .selector
            .unwrap()
            .resources;
        let pairs: Vec<_> = resources
            .iter()
            .map(|one| (one.kind.as_str(), one.name.as_str()))
            .collect();
        assert_eq!(pairs, [("model", "p/*"), ("team", "pay*")]);
    }

    #[test]
    fn values_of_one_tag_are_alternatives_and_keys_add_up() {
        let tags = grant("--tag c=a --tag c=b --not-tag tier=gold")
            .selector
            .unwrap()
            .tags;
        assert_eq!(tags.len(), 2);
        assert_eq!(tags[0].test.as_ref().unwrap().values, ["a", "b"]);
        assert_eq!(tags[1].test.as_ref().unwrap().operator, "not_in");
    }

    #[test]
    fn a_deny_may_expire() {
        let made = grant("--deny --expires 1h --not-environment staging");
        assert_eq!(made.effect, "deny");
        assert_eq!(made.conditions.unwrap().expires_us, Some(3_600_000_000));
        assert_eq!(made.selector.unwrap().environment.unwrap().operator, "not_in");
    }
}
