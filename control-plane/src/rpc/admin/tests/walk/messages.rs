//! A message for every method, so that it is judged and not sent back as unreadable.
//!
//! A method that is not here is called with an empty one. Where that means nothing, the walk says so.

use prost::Message as _;
use turnpike_proto::admin::v1;

mod alerts;

/// What the messages speak of.
#[derive(Debug, Clone, Copy)]
pub(in crate::rpc::admin::tests) struct Things {
    /// A tenant.
    pub(in crate::rpc::admin::tests) tenant: &'static str,
    /// Whatever has a name of its own: a team, a user, a role, a provider …
    pub(in crate::rpc::admin::tests) name: &'static str,
    /// A model.
    pub(in crate::rpc::admin::tests) model: &'static str,
    /// Whatever has an id: a credential, a grant, a rule …
    pub(in crate::rpc::admin::tests) id: &'static str,
}

/// The message of a method.
pub(in crate::rpc::admin::tests) fn message(method: &str, things: Things) -> Vec<u8> {
    let (service, verb) = method.split_once('/').unwrap();
    let named = match service {
        "CredentialService" | "GrantService" | "FallbackService" | "OfferService" | "AlertService" => {
            things.id
        }
        "ModelService" => things.model,
        "TenantService" => things.tenant,
        _ => things.name,
    };
    match verb {
        "List" => Vec::new(),
        "Get" => v1::NameRequest {
            name: named.to_owned(),
        }
        .encode_to_vec(),
        "Delete" => v1::DeleteRequest {
            name: named.to_owned(),
            options: None,
        }
        .encode_to_vec(),
        _ => match service {
            "TenantService" | "TeamService" | "UserService" | "VirtualAccountService" => {
                on_people(method, things)
            }
            "CredentialService" | "IssuerService" | "TokenService" | "TokenKeyService" => {
                on_proof(method, things)
            }
            "AccessService" => on_access(method, things),
            "AlertService" | "AuditService" => alerts::message(method, things),
            _ => on_the_rest(method, things),
        },
    }
}

fn on_people(method: &str, things: Things) -> Vec<u8> {
    let name = things.name.to_owned();
    match method {
        "TenantService/Create" => v1::CreateTenantRequest {
            tenant: Some(v1::Tenant {
                name,
                ..Default::default()
            }),
            ..Default::default()
        }
        .encode_to_vec(),
        "TenantService/Update" => v1::UpdateTenantRequest {
            name: things.tenant.to_owned(),
            hide_models: Some(true),
            ..Default::default()
        }
        .encode_to_vec(),
        "TeamService/Create" => v1::CreateTeamRequest {
            team: Some(v1::Team {
                name,
                ..Default::default()
            }),
            options: None,
        }
        .encode_to_vec(),
        "UserService/Create" | "VirtualAccountService/Create" => v1::CreateAccountRequest {
            account: Some(v1::Account {
                name,
                ..Default::default()
            }),
            options: None,
        }
        .encode_to_vec(),
        "UserService/Update" | "VirtualAccountService/Update" => v1::UpdateAccountRequest {
            name,
            ..Default::default()
        }
        .encode_to_vec(),
        "TeamService/AddMember" | "TeamService/RemoveMember" => v1::TeamMemberRequest {
            team: name,
            principal: "user:boss".to_owned(),
            options: None,
        }
        .encode_to_vec(),
        _ => Vec::new(),
    }
}

fn on_proof(method: &str, things: Things) -> Vec<u8> {
    let (id, name, reason) = (things.id.to_owned(), things.name.to_owned(), "because".to_owned());
    let issuer = v1::Issuer {
        url: format!("https://{name}.issuer.example"),
        name,
        verification: Some(v1::issuer::Verification::Discovery(v1::Discovery {})),
        audiences: vec!["turnpike".to_owned()],
        algorithms: vec!["RS256".to_owned()],
        principal: "subject".to_owned(),
        ..Default::default()
    };
    match method {
        "CredentialService/Create" => v1::CreateCredentialRequest {
            owner: "user:boss".to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "CredentialService/Rotate" => v1::RotateCredentialRequest {
            id,
            ..Default::default()
        }
        .encode_to_vec(),
        "CredentialService/Suspend" | "CredentialService/Resume" | "CredentialService/Revoke" => {
            v1::ChangeCredentialRequest {
                id,
                reason,
                options: None,
            }
            .encode_to_vec()
        }
        "CredentialService/Narrow" => v1::NarrowCredentialRequest {
            id,
            scope: Some(v1::Scope {
                models: vec!["main/*".to_owned()],
                ..Default::default()
            }),
            ..Default::default()
        }
        .encode_to_vec(),
        "CredentialService/RevokeAll" => v1::RevokeAllRequest {
            owner: format!("virtual-account:{}", things.name),
            reason,
            ..Default::default()
        }
        .encode_to_vec(),
        "CredentialService/ReportLeak" => v1::ReportLeakRequest {
            text: "nothing".to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "CredentialService/PickUp" => v1::CredentialRequest { id }.encode_to_vec(),
        "IssuerService/Create" => v1::CreateIssuerRequest {
            issuer: Some(issuer),
            options: None,
        }
        .encode_to_vec(),
        "IssuerService/Update" => v1::UpdateIssuerRequest {
            issuer: Some(issuer),
            fields: vec!["leeway_seconds".to_owned()],
            options: None,
        }
        .encode_to_vec(),
        "TokenService/Revoke" => v1::RevokeTokensRequest {
            issuer: "turnpike".to_owned(),
            tokens: Some(v1::revoke_tokens_request::Tokens::Id(id)),
            reason,
            ..Default::default()
        }
        .encode_to_vec(),
        "TokenKeyService/Remove" => v1::RemoveTokenKeyRequest { id, options: None }.encode_to_vec(),
        _ => Vec::new(),
    }
}

fn on_access(method: &str, things: Things) -> Vec<u8> {
    let (id, reason) = (things.id.to_owned(), "because".to_owned());
    match method {
        "AccessService/Check" | "AccessService/Explain" => v1::AccessRequest {
            principal: format!("virtual-account:{}", things.name),
            action: "inference.chat".to_owned(),
            model: things.model.to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "AccessService/ExplainDecision" => v1::ExplainDecisionRequest { id }.encode_to_vec(),
        "AccessService/Who" => v1::WhoRequest {
            model: things.model.to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "AccessService/What" => v1::WhatRequest {
            subject: format!("virtual-account:{}", things.name),
            ..Default::default()
        }
        .encode_to_vec(),
        "AccessService/Review" => v1::ReviewRequest::default().encode_to_vec(),
        "AccessService/RequestAccess" => v1::RequestAccessRequest {
            role: "viewer".to_owned(),
            seconds: 60,
            reason,
            ..Default::default()
        }
        .encode_to_vec(),
        "AccessService/Approve" => v1::ApproveRequest {
            id,
            ..Default::default()
        }
        .encode_to_vec(),
        "AccessService/Refuse" => v1::RefuseRequest {
            id,
            reason,
            options: None,
        }
        .encode_to_vec(),
        "AccessService/Withdraw" => v1::WithdrawRequest { id, options: None }.encode_to_vec(),
        _ => Vec::new(),
    }
}

fn on_the_rest(method: &str, things: Things) -> Vec<u8> {
    let (name, model) = (things.name.to_owned(), things.model.to_owned());
    match method {
        "BootstrapService/Bootstrap" => v1::BootstrapRequest {
            token: "guess".to_owned(),
            administrator: name,
        }
        .encode_to_vec(),
        "ProviderService/Create" => v1::CreateProviderRequest {
            provider: Some(v1::Provider {
                name,
                kind: "openai".to_owned(),
                base_url: "https://models.example/v1".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        }
        .encode_to_vec(),
        "ProviderService/Update" => v1::UpdateProviderRequest {
            name,
            ..Default::default()
        }
        .encode_to_vec(),
        "ModelService/Create" => v1::CreateModelRequest {
            model: Some(v1::Model {
                id: model,
                ..Default::default()
            }),
            options: None,
        }
        .encode_to_vec(),
        "ModelService/Update" => v1::UpdateModelRequest {
            model: Some(v1::Model {
                id: model,
                ..Default::default()
            }),
            fields: vec!["family".to_owned()],
            options: None,
        }
        .encode_to_vec(),
        "AliasService/Set" => v1::SetAliasRequest {
            alias: Some(v1::Alias { name, target: model }),
            options: None,
        }
        .encode_to_vec(),
        "FallbackService/Create" => v1::CreateFallbackRequest {
            fallback: Some(v1::Fallback {
                from: "main/*".to_owned(),
                to: model,
                ..Default::default()
            }),
            options: None,
        }
        .encode_to_vec(),
        "LimitService/Create" | "LimitService/Update" => v1::CreateLimitRequest {
            limit: Some(v1::Limit {
                name,
                budget_micros: 1,
                per: "day".to_owned(),
                ..Default::default()
            }),
            options: None,
        }
        .encode_to_vec(),
        "OfferService/Create" => v1::CreateOfferRequest {
            offer: Some(v1::Offer {
                all_tenants: true,
                ..Default::default()
            }),
            options: None,
        }
        .encode_to_vec(),
        "RoleService/Create" | "RoleService/Update" => v1::CreateRoleRequest {
            role: Some(v1::Role {
                name,
                actions: vec!["prompts.edit".to_owned()],
                ..Default::default()
            }),
            options: None,
        }
        .encode_to_vec(),
        "GrantService/Create" => v1::CreateGrantRequest {
            grant: Some(v1::Grant {
                subject: "user:boss".to_owned(),
                role: "viewer".to_owned(),
                ..Default::default()
            }),
            options: None,
        }
        .encode_to_vec(),
        "PolicyService/Plan" => v1::PlanPolicyRequest {
            wanted: Some(policy(&name)),
            ..Default::default()
        }
        .encode_to_vec(),
        "PolicyService/Apply" => v1::ApplyPolicyRequest {
            wanted: Some(policy(&name)),
            ..Default::default()
        }
        .encode_to_vec(),
        "UsageService/Report" => v1::UsageReportRequest {
            by: vec!["model".to_owned()],
            since_us: 0,
            until_us: 3_600_000_000,
            ..Default::default()
        }
        .encode_to_vec(),
        "EdgeService/Enrol" => v1::EnrolEdgeRequest {
            name,
            ..Default::default()
        }
        .encode_to_vec(),
        "EdgeService/Revoke" => v1::RevokeEdgeRequest {
            name,
            ..Default::default()
        }
        .encode_to_vec(),
        "EdgeService/Drain" | "EdgeService/Resume" => {
            v1::DrainEdgeRequest { name, options: None }.encode_to_vec()
        }
        "EdgeService/WaitApplied" => v1::WaitAppliedRequest {
            position: 0,
            deadline_ms: 1,
        }
        .encode_to_vec(),
        _ => Vec::new(),
    }
}

/// A policy that speaks of a team.
fn policy(team: &str) -> v1::WantedPolicy {
    v1::WantedPolicy {
        documents: vec![v1::PolicyDocument {
            name: "policy.yaml".to_owned(),
            text: format!("apiVersion: turnpike/v1\ngrants: [{{subject: 'team:{team}', role: viewer}}]\n"),
        }],
        ..Default::default()
    }
}
