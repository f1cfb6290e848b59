//! What each method demands of its caller: the one table. A method that is not in it is answered to nobody.

use axum::extract::Request;

/// Whom a method is for, beside those whom a grant allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Callers in their own tenant, and operators in any.
    AnyTenant,
    /// Callers in their own tenant alone: what its people do is not the operators' to read.
    OwnTenant,
    /// Operators.
    Operators,
}

/// What a method demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    /// `Service/Method` of `turnpike.admin.v1`.
    pub(super) method: &'static str,
    /// The action that the caller must be allowed; absent: none, see [`OPEN`].
    pub(super) action: Option<&'static str>,
    /// The type of the resource that it is judged on.
    pub(super) kind: &'static str,
    /// Whom it is for.
    pub(super) reach: Reach,
}

/// What needs no action: making the first administrator (it asks for a token), and asking who one is.
const OPEN: &str = "";

/// Changes are judged once more when they are committed, by what [`turnpike_access::command`] says they need.
pub(super) const DEMANDS: &[Demand] = &[
    row("BootstrapService/Bootstrap", OPEN, ""),
    row("TenantService/Create", "tenants.write", "tenant").for_operators(),
    row("TenantService/Get", "tenants.read", "tenant"),
    row("TenantService/List", "tenants.read", "tenant"),
    row("TenantService/Update", "tenants.update", "tenant"),
    row("TenantService/Delete", "tenants.write", "tenant").for_operators(),
    row("TeamService/Create", "teams.write", "team"),
    row("TeamService/Get", "teams.read", "team"),
    row("TeamService/List", "teams.read", "team"),
    row("TeamService/Delete", "teams.write", "team"),
    row("TeamService/AddMember", "teams.write", "team"),
    row("TeamService/RemoveMember", "teams.write", "team"),
    row("UserService/Create", "users.write", "user"),
    row("UserService/Get", "users.read", "user"),
    row("UserService/List", "users.read", "user"),
    row("UserService/Update", "users.write", "user"),
    row("UserService/Delete", "users.write", "user"),
    row(
        "VirtualAccountService/Create",
        "virtual-accounts.write",
        "virtual-account",
    ),
    row(
        "VirtualAccountService/Get",
        "virtual-accounts.read",
        "virtual-account",
    ),
    row(
        "VirtualAccountService/List",
        "virtual-accounts.read",
        "virtual-account",
    ),
    row(
        "VirtualAccountService/Update",
        "virtual-accounts.write",
        "virtual-account",
    ),
    row(
        "VirtualAccountService/Delete",
        "virtual-accounts.write",
        "virtual-account",
    ),
    row("CredentialService/Create", "credentials.write", "credential"),
    row("CredentialService/Get", "credentials.read", "credential"),
    row("CredentialService/List", "credentials.read", "credential"),
    row("CredentialService/Rotate", "credentials.rotate", "credential"),
    row("CredentialService/Suspend", "credentials.suspend", "credential"),
    row("CredentialService/Resume", "credentials.suspend", "credential"),
    row("CredentialService/Revoke", "credentials.revoke", "credential"),
    row("CredentialService/RevokeAll", "credentials.revoke", "credential"),
    row("CredentialService/Narrow", "credentials.narrow", "credential"),
    row("CredentialService/PickUp", "credentials.rotate", "credential"),
    row("IssuerService/Create", "issuers.write", "issuer"),
    row("IssuerService/Get", "issuers.read", "issuer"),
    row("IssuerService/List", "issuers.read", "issuer"),
    row("IssuerService/Update", "issuers.write", "issuer"),
    row("IssuerService/Delete", "issuers.write", "issuer"),
    row("TokenService/Revoke", "tokens.revoke", "issuer"),
    row("CredentialService/ReportLeak", "credentials.revoke", "credential").in_own_tenant(),
    row("AlertService/List", "alerts.read", "alert").in_own_tenant(),
    row("AlertService/Get", "alerts.read", "alert").in_own_tenant(),
    row("AlertService/Acknowledge", "alerts.write", "alert").in_own_tenant(),
    row("AlertService/Silence", "alerts.write", "alert").in_own_tenant(),
    row("AlertService/Resolve", "alerts.write", "alert").in_own_tenant(),
    row("AlertService/Test", "alerts.write", "alert").in_own_tenant(),
    row("AlertService/SetRule", "alerts.write", "alert-rule").in_own_tenant(),
    row("AlertService/ListRules", "alerts.read", "alert-rule").in_own_tenant(),
    row("AlertService/DeleteRule", "alerts.write", "alert-rule").in_own_tenant(),
    row("AlertService/TestRule", "alerts.read", "alert-rule").in_own_tenant(),
    row("AlertService/SetDestination", "alerts.write", "alert-destination").in_own_tenant(),
    row(
        "AlertService/ListDestinations",
        "alerts.read",
        "alert-destination",
    )
    .in_own_tenant(),
    row(
        "AlertService/DeleteDestination",
        "alerts.write",
        "alert-destination",
    )
    .in_own_tenant(),
    row("AlertService/ListDeliveries", "alerts.read", "alert-destination").in_own_tenant(),
    row(
        "AlertService/RetryDeliveries",
        "alerts.write",
        "alert-destination",
    )
    .in_own_tenant(),
    row("TokenKeyService/List", "token-keys.read", "token-key").for_operators(),
    row("TokenKeyService/Rotate", "token-keys.write", "token-key").for_operators(),
    row("TokenKeyService/Remove", "token-keys.write", "token-key").for_operators(),
    row("ProviderService/Create", "providers.write", "provider"),
    row("ProviderService/Get", "providers.read", "provider"),
    row("ProviderService/List", "providers.read", "provider"),
    row("ProviderService/Update", "providers.write", "provider"),
    row("ProviderService/Delete", "providers.write", "provider"),
    row("ModelService/Create", "models.write", "model"),
    row("ModelService/Get", "models.read", "model"),
    row("ModelService/List", "models.read", "model"),
    row("ModelService/Update", "models.write", "model"),
    row("ModelService/Delete", "models.write", "model"),
    row("AliasService/Set", "aliases.write", "alias"),
    row("AliasService/Get", "aliases.read", "alias"),
    row("AliasService/List", "aliases.read", "alias"),
    row("AliasService/Delete", "aliases.write", "alias"),
    row("FallbackService/Create", "fallbacks.write", "fallback"),
    row("FallbackService/Get", "fallbacks.read", "fallback"),
    row("FallbackService/List", "fallbacks.read", "fallback"),
    row("FallbackService/Delete", "fallbacks.write", "fallback"),
    row("LimitService/Create", "limits.write", "limit"),
    row("LimitService/Get", "limits.read", "limit"),
    row("LimitService/List", "limits.read", "limit"),
    row("LimitService/Update", "limits.write", "limit"),
    row("LimitService/Delete", "limits.write", "limit"),
    row("OfferService/Create", "offers.write", "offer").for_operators(),
    row("OfferService/Get", "offers.read", "offer").for_operators(),
    row("OfferService/List", "offers.read", "offer").for_operators(),
    row("OfferService/Delete", "offers.write", "offer").for_operators(),
    row("RoleService/Create", "roles.write", "role"),
    row("RoleService/Get", "roles.read", "role"),
    row("RoleService/List", "roles.read", "role"),
    row("RoleService/Update", "roles.write", "role"),
    row("RoleService/Delete", "roles.write", "role"),
    row("GrantService/Create", "grants.write", "grant"),
    row("GrantService/Get", "grants.read", "grant"),
    row("GrantService/List", "grants.read", "grant"),
    row("GrantService/Delete", "grants.write", "grant"),
    row("PolicyService/Export", "policies.read", "policy"),
    row("PolicyService/Plan", "policies.read", "policy"),
    row("PolicyService/Apply", "policies.read", "policy"),
    row("AccessService/Check", "access.explain", "access"),
    row("AccessService/Explain", "access.explain", "access"),
    row("AccessService/ExplainDecision", "access.explain", "access").in_own_tenant(),
    row("AccessService/Who", "access.read", "access"),
    row("AccessService/What", "access.read", "access"),
    row("AccessService/Review", "access.read", "access").in_own_tenant(),
    row("AccessService/WhoAmI", OPEN, ""),
    row("AccessService/RequestAccess", "access.request", "role"),
    row("AccessService/ListRequests", "access.request", "role"),
    row("AccessService/Approve", "access.approve", "role"),
    row("AccessService/Refuse", "access.approve", "role"),
    row("AccessService/Withdraw", "access.request", "role"),
    row("EdgeService/List", "edges.read", "edge"),
    row("EdgeService/Enrol", "edges.write", "edge").for_operators(),
    row("EdgeService/Revoke", "edges.write", "edge").for_operators(),
    row("EdgeService/Drain", "edges.write", "edge").for_operators(),
    row("EdgeService/Resume", "edges.write", "edge").for_operators(),
    row("EdgeService/Delete", "edges.write", "edge").for_operators(),
    row("EdgeService/WaitApplied", "edges.read", "edge"),
    row("EdgeService/Receipt", "edges.read", "edge"),
    row("AuditService/List", "audit.read", "audit").in_own_tenant(),
    row("AuditService/Prove", "audit.verify", "audit").for_operators(),
    row("AuditService/SetSink", "audit-sinks.write", "audit-sink").in_own_tenant(),
    row("AuditService/ListSinks", "audit-sinks.read", "audit-sink").in_own_tenant(),
    row("AuditService/DeleteSink", "audit-sinks.write", "audit-sink").in_own_tenant(),
    row("UsageService/Report", "usage.read", "usage").in_own_tenant(),
    row("UsageService/Shadow", "usage.read", "usage").in_own_tenant(),
    row("UsageService/Rebuild", "usage.write", "usage").for_operators(),
    row("LogService/List", "log.read", "log").in_own_tenant(),
    row("LogService/Verify", "log.read", "log").in_own_tenant(),
];

const fn row(method: &'static str, action: &'static str, kind: &'static str) -> Demand {
    Demand {
        method,
        action: if action.is_empty() { None } else { Some(action) },
        kind,
        reach: Reach::AnyTenant,
    }
}

impl Demand {
    const fn for_operators(self) -> Self {
        Self {
            reach: Reach::Operators,
            ..self
        }
    }

    const fn in_own_tenant(self) -> Self {
        Self {
            reach: Reach::OwnTenant,
            ..self
        }
    }

    fn of(path: &str) -> Option<Self> {
        Self::of_method(path.strip_prefix("/turnpike.admin.v1.")?)
    }

    /// Of `Service/Method`.
    pub(super) fn of_method(method: &str) -> Option<Self> {
        DEMANDS.iter().find(|one| one.method == method).copied()
    }
}

/// Every action that a method demands, with the type of thing that it is done to.
pub(super) fn actions() -> impl Iterator<Item = (&'static str, &'static str)> {
    let first = |place: usize, one: &Demand| {
        let before = DEMANDS.iter().take(place);
        !before
            .into_iter()
            .any(|other| (other.action, other.kind) == (one.action, one.kind))
    };
    let each = DEMANDS.iter().enumerate();
    each.filter(move |(place, one)| first(*place, one))
        .filter_map(|(_, one)| Some((one.action?, one.kind)))
}

/// Puts a method's demand beside the request, where admitting the call finds it.
pub(super) async fn attach(mut request: Request) -> Request {
    if let Some(demand) = Demand::of(request.uri().path()) {
        request.extensions_mut().insert(demand);
    }
    request
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    fn methods() -> BTreeSet<String> {
        let set = FileDescriptorSet::decode(turnpike_proto::DESCRIPTORS).unwrap();
        let admin = set
            .file
            .into_iter()
            .filter(|file| file.package() == "turnpike.admin.v1");
        let services = admin.flat_map(|file| file.service);
        services
            .flat_map(|service| {
                let name = service.name().to_owned();
                service
                    .method
                    .into_iter()
                    .map(move |method| format!("{name}/{}", method.name()))
            })
            .collect()
    }

    #[test]
    fn every_method_has_exactly_one_demand_and_every_demand_a_method() {
        let demanded: Vec<String> = DEMANDS.iter().map(|one| one.method.to_owned()).collect();
        let distinct: BTreeSet<String> = demanded.iter().cloned().collect();
        assert_eq!(distinct.len(), demanded.len(), "a method is there twice");
        assert_eq!(distinct, methods());
    }

    #[test]
    fn only_the_bootstrap_and_who_am_i_demand_no_action() {
        let open = DEMANDS
            .iter()
            .filter(|one| one.action.is_none())
            .map(|one| one.method);
        assert_eq!(
            open.collect::<Vec<_>>(),
            ["BootstrapService/Bootstrap", "AccessService/WhoAmI"]
        );
    }

    #[test]
    fn methods_that_only_look_demand_no_more_than_reading() {
        for one in DEMANDS {
            let looks = one.method.ends_with("/Get") || one.method.ends_with("/List");
            let reads = one.action.is_some_and(|action| action.ends_with(".read"));
            assert!(!looks || reads, "{}", one.method);
        }
    }
}
