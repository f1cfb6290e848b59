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
