//! The custom role, and the grants.

use std::collections::BTreeSet;

use turnpike_proto::admin::v1::{
    CreateGrantRequest, CreateRoleRequest, Grant, ListGrantsRequest, ResourcePattern, Role, Selector,
    SetTest, grant_service_client::GrantServiceClient, role_service_client::RoleServiceClient,
};

use super::{made, plan};
use crate::{connect::Service, failure::Failure, session::fetch_all};

/// The role and the grants of a fresh installation.
pub(super) async fn make(service: &Service) -> Result<(), Failure> {
    let role = Role {
        name: "prompt-editor".to_owned(),
        actions: vec!["prompts.read".to_owned(), "prompts.edit".to_owned()],
        description: "Read and edit prompts.".to_owned(),
        built_in: false,
    };
    let request = CreateRoleRequest {
        role: Some(role),
        options: None,
    };
    made(RoleServiceClient::new(service.clone()).create(request).await)?;
    missing(service, &plan::GRANTS).await
}

/// The grants that a real provider adds.
pub(super) async fn for_real_provider(service: &Service) -> Result<(), Failure> {
    missing(service, &plan::REAL_GRANTS).await
}

/// Makes those that are not there. Grants have no names, so they are known again by their reasons.
async fn missing(service: &Service, plan: &[plan::Grant]) -> Result<(), Failure> {
    let mut client = GrantServiceClient::new(service.clone());
    let known = fetch_all(None, async |page| {
        let request = ListGrantsRequest {
            subject: String::new(),
            page: Some(page),
        };
        let part = client.list(request).await?.into_inner();
        Ok((part.grants, part.next))
    })
    .await?;
    let known: BTreeSet<String> = known.into_iter().map(|grant| grant.reason).collect();
    for one in plan.iter().filter(|one| !known.contains(one.reason)) {
        client
            .create(CreateGrantRequest {
                grant: Some(grant(one)),
                options: None,
            })
            .await?;
    }
    Ok(())
}

fn grant(one: &plan::Grant) -> Grant {
    let resource = |(kind, name): (&str, &str)| ResourcePattern {
        kind: kind.to_owned(),
        name: name.to_owned(),
    };
    let environment = |name: &str| SetTest {
        operator: "in".to_owned(),
        values: vec![name.to_owned()],
    };
    let selector = Selector {
        resources: one.resource.map(resource).into_iter().collect(),
        environment: one.environment.map(environment),
        ..Default::default()
    };
    Grant {
        subject: one.to.to_owned(),
        role: one.role.to_owned(),
        effect: "allow".to_owned(),
        selector: Some(selector),
        reason: one.reason.to_owned(),
        ..Default::default()
    }
}
