//! A grant as it is shown: flat, and named like the flags that make one.

use serde::Serialize;
use turnpike_proto::admin::v1 as wire;

use super::selector::{sides, tag_sides};
use crate::{command::value::some, moment, output::View};

#[derive(Serialize)]
pub(in crate::command) struct GrantView {
    id: String,
    subject: String,
    role: String,
    effect: String,
    models: Vec<String>,
    resources: Vec<String>,
    families: Vec<String>,
    environments: Vec<String>,
    not_environments: Vec<String>,
    tags: Vec<String>,
    not_tags: Vec<String>,
    match_tags: Vec<String>,
    networks: Vec<String>,
    methods: Vec<String>,
    max_token_age: Option<String>,
    schedules: Vec<String>,
    not_before: Option<String>,
    expires: Option<String>,
    reason: Option<String>,
    owner: String,
    created: Option<String>,
    created_by: String,
}

impl View for GrantView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "subject",
        "role",
        "effect",
        "models",
        "environments",
        "not_environments",
        "expires",
        "reason",
    ];
}

impl From<wire::Grant> for GrantView {
    fn from(grant: wire::Grant) -> Self {
        let wire::Grant {
            id,
            subject,
            role,
            effect,
            selector,
            conditions,
            reason,
            created_us,
            created_by,
            owner,
        } = grant;
        let wire::Selector {
            resources,
            families,
            environment,
            tags,
            match_tags,
        } = selector.unwrap_or_default();
        let wire::Conditions {
            methods,
            networks,
            not_before_us,
            expires_us,
            max_token_age_seconds,
            schedules,
        } = conditions.unwrap_or_default();
        let (models, resources): (Vec<_>, Vec<_>) =
            resources.into_iter().partition(|one| one.kind == "model");
        let (environments, not_environments) = sides(environment.unwrap_or_default());
        let (tags, not_tags) = tag_sides(tags);
        Self {
            id,
            subject,
            role,
            effect,
            models: models.into_iter().map(|one| one.name).collect(),
            resources: resources
                .into_iter()
                .map(|one| format!("{}:{}", one.kind, one.name))
                .collect(),
            families,
            environments,
            not_environments,
            tags,
            not_tags,
            match_tags,
            networks,
            methods,
            max_token_age: max_token_age_seconds.map(|seconds| format!("{seconds}s")),
            schedules,
            not_before: not_before_us.and_then(moment::text),
            expires: expires_us.and_then(moment::text),
            reason: some(reason),
            owner: some(owner).unwrap_or_else(|| created_by.clone()),
            created: moment::text(created_us),
            created_by,
        }
    }
}

impl GrantView {
    /// What it is about, a condition on the thing each; none: everything.
    pub(in crate::command) fn about(&self) -> Vec<String> {
        let all = |lead: &str, values: &[String]| -> Vec<String> {
            values.iter().map(|value| format!("{lead}{value}")).collect()
        };
        [
            all("", &self.models),
            all("", &self.resources),
            all("family ", &self.families),
            all("environment ", &self.environments),
            all("not environment ", &self.not_environments),
            all("tag ", &self.tags),
            all("not tag ", &self.not_tags),
            all("same tag ", &self.match_tags),
        ]
        .concat()
    }

    /// What it asks of a request; none: nothing.
    pub(in crate::command) fn conditions(&self) -> Vec<String> {
        let all = |lead: &str, values: &mut dyn Iterator<Item = &String>| -> Vec<String> {
            values.map(|value| format!("{lead} {value}")).collect()
        };
        [
            all("by", &mut self.methods.iter()),
            all("from", &mut self.networks.iter()),
            all("at", &mut self.schedules.iter()),
            all("with a token no older than", &mut self.max_token_age.iter()),
            all("not before", &mut self.not_before.iter()),
        ]
        .concat()
    }

    /// When it ends.
    pub(in crate::command) fn expires(&self) -> Option<&String> {
        self.expires.as_ref()
    }
}
