//! Roles: named sets of action patterns.

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::{id::Name, pattern::Glob};

/// A role, built in or of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Unique in the tenant.
    pub name: Name,
    /// Which actions it covers: `inference.chat`, `inference.*`, `*`.
    pub actions: Vec<Glob>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Arc<str>>,
}

/// The roles that every tenant has: name, what it is for, the actions.
pub const BUILT_IN: [(&str, &str, &[&str]); 4] = [
    ("admin", "Everything in the tenant.", &["*"]),
    (
        "developer",
        "Call models, see what there is to call and why a call was refused, and ask for more.",
        &[
            "inference.*",
            "models.list",
            "models.read",
            "providers.read",
            "aliases.read",
            "access.explain",
            "access.request",
        ],
    ),
    (
        "viewer",
        "See everything of the tenant but its audit, and ask for more; change and call nothing.",
        &[
            "tenants.read",
            "teams.read",
            "users.read",
            "virtual-accounts.read",
            "credentials.read",
            "issuers.read",
            "providers.read",
            "models.read",
            "models.list",
            "aliases.read",
            "fallbacks.read",
            "limits.read",
            "roles.read",
            "grants.read",
            "policies.read",
            "offers.read",
            "edges.read",
            "access.explain",
            "access.check",
            "access.read",
            "access.request",
        ],
    ),
    (
        "analyst",
        "Read the audit, usage and alerts, and the catalogue that they speak of.",
        &[
            "audit.read",
            "usage.read",
            "alerts.read",
            "log.read",
            "models.list",
            "models.read",
            "edges.read",
            "access.request",
        ],
    ),
];

/// A built-in role by its name.
pub fn built_in(name: &str) -> Option<Role> {
    shared_built_in(name).map(|role| Role::clone(&role))
}

/// A built-in role by its name. All who hold it share one copy, which stays in caches.
pub(crate) fn shared_built_in(name: &str) -> Option<Arc<Role>> {
    static MADE: LazyLock<Vec<Arc<Role>>> = LazyLock::new(|| BUILT_IN.iter().filter_map(made).collect());
    MADE.iter().find(|role| role.name.as_str() == name).cloned()
}

fn made((name, description, actions): &(&str, &str, &[&str])) -> Option<Arc<Role>> {
    Some(Arc::new(Role {
        name: name.parse().ok()?,
        actions: actions.iter().filter_map(|action| action.parse().ok()).collect(),
        description: Some(Arc::from(*description)),
    }))
}

impl Role {
    /// Whether the role covers an action.
    pub fn covers(&self, action: &str) -> bool {
        self.actions.iter().any(|pattern| pattern.matches(action))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_role_is_well_formed() {
        for (name, _, actions) in BUILT_IN {
            assert_eq!(built_in(name).unwrap().actions.len(), actions.len(), "{name}");
        }
    }

    #[test]
    fn a_viewer_can_neither_call_nor_change_nor_read_the_audit_of_calls() {
        let viewer = built_in("viewer").unwrap();
        for action in [
            "inference.chat",
            "grants.write",
            "credentials.rotate",
            "audit.read",
        ] {
            assert!(!viewer.covers(action), "{action}");
        }
        assert!(viewer.covers("grants.read"));
    }
}
