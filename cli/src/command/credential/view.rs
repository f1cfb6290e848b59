//! A credential as it is shown. The key itself is never part of it.

use serde::Serialize;
use turnpike_proto::admin::v1::{self as wire};

use crate::{command::value::some, moment, output::View};

#[derive(Serialize)]
pub(in crate::command) struct CredentialView {
    id: String,
    owner: String,
    status: String,
    label: Option<String>,
    reason: Option<String>,
    scope: ScopeView,
    expires: Option<String>,
    created: Option<String>,
    created_by: String,
    revoked: Option<String>,
    revoked_reason: Option<String>,
    previous_until: Option<String>,
    rotated: Option<String>,
    warnings: Vec<String>,
    decoy: bool,
    decoy_used: Option<String>,
    suspended_reason: Option<String>,
    last_used: Option<String>,
    last_used_from: Option<String>,
    last_used_agent: Option<String>,
    last_used_edge: Option<String>,
}

#[derive(Serialize)]
struct ScopeView {
    models: Vec<String>,
    actions: Vec<String>,
    environments: Vec<String>,
    networks: Vec<String>,
}

impl View for CredentialView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "owner",
        "status",
        "label",
        "expires",
        "created",
        "last_used",
        "warnings",
        "decoy",
    ];
}

impl From<wire::Credential> for CredentialView {
    fn from(credential: wire::Credential) -> Self {
        let wire::Credential {
            id,
            owner,
            status,
            scope,
            expires_us,
            created_us,
            created_by,
            label,
            revoked_us,
            revoked_reason,
            previous_until_us,
            rotated_us,
            warnings,
            decoy,
            decoy_used_us,
            suspended_reason,
            last_used_us,
            last_used_from,
            last_used_agent,
            last_used_edge,
            reason,
        } = credential;
        let wire::Scope {
            models,
            actions,
            environments,
            networks,
        } = scope.unwrap_or_default();
        Self {
            id,
            owner,
            status,
            label: some(label),
            reason: some(reason),
            scope: ScopeView {
                models,
                actions,
                environments,
                networks,
            },
            expires: expires_us.and_then(moment::text),
            created: moment::text(created_us),
            created_by,
            revoked: revoked_us.and_then(moment::text),
            revoked_reason: some(revoked_reason),
            previous_until: previous_until_us.and_then(moment::text),
            rotated: rotated_us.and_then(moment::text),
            warnings,
            decoy,
            decoy_used: decoy_used_us.and_then(moment::text),
            suspended_reason: some(suspended_reason),
            last_used: last_used_us.and_then(moment::text),
            last_used_from: some(last_used_from),
            last_used_agent: some(last_used_agent),
            last_used_edge: some(last_used_edge),
        }
    }
}
