//! Administrators, teams, users, the virtual account, and their keys.

use turnpike_proto::admin::v1::{
    Account, BootstrapRequest, CreateAccountRequest, CreateCredentialRequest, CreateTeamRequest,
    CreateTenantRequest, Team, Tenant, bootstrap_service_client::BootstrapServiceClient,
    credential_service_client::CredentialServiceClient, team_service_client::TeamServiceClient,
    tenant_service_client::TenantServiceClient, user_service_client::UserServiceClient,
    virtual_account_service_client::VirtualAccountServiceClient,
};

use super::{ADMINISTRATOR, APPLICATION, Ground, connect, made, plan};
use crate::{
    connect::Service,
    dev::{keys::Keys, progress::say},
    failure::Failure,
};

const OPERATOR: &str = "platform/user:admin";
const TENANT: &str = "dev";

/// The operators' administrator, and the tenant `dev` with its own.
pub(super) async fn administrators(ground: &Ground<'_>, keys: &mut Keys<'_>) -> Result<(), Failure> {
    if keys.get(OPERATOR).is_none() {
        say("making the first administrator");
        let mut client = BootstrapServiceClient::new(connect(ground.control_plane, None, None).await?);
        let request = BootstrapRequest {
            token: ground.bootstrap_token.to_owned(),
            administrator: "admin".to_owned(),
        };
        let answer = client.bootstrap(request).await?.into_inner();
        keys.keep(OPERATOR, &answer.key)?;
    }
    if keys.get(ADMINISTRATOR).is_some() {
        return Ok(());
    }
    say("making the tenant dev and its administrator");
    let service = connect(ground.control_plane, keys.get(OPERATOR), None).await?;
    let tenant = Tenant {
        name: TENANT.to_owned(),
        display_name: "Development".to_owned(),
        ..Default::default()
    };
    let request = CreateTenantRequest {
        tenant: Some(tenant),
        administrator: "admin".to_owned(),
        options: None,
    };
    match TenantServiceClient::new(service).create(request).await {
        Ok(answer) => keys.keep(ADMINISTRATOR, &answer.into_inner().administrator_key),
        // An earlier start was interrupted before it had written the key down: another key is made.
        Err(status) if status.code() == tonic::Code::AlreadyExists => {
            let service = connect(ground.control_plane, keys.get(OPERATOR), Some(TENANT)).await?;
            issue(&service, keys, ADMINISTRATOR, "user:admin").await
        }
        Err(status) => Err(status.into()),
    }
}

/// Teams, users and the virtual account.
pub(super) async fn make(service: &Service) -> Result<(), Failure> {
    let mut teams = TeamServiceClient::new(service.clone());
    for (name, description) in plan::TEAMS {
        let team = Team {
            name: name.to_owned(),
            description: description.to_owned(),
            ..Default::default()
        };
        made(
            teams
                .create(CreateTeamRequest {
                    team: Some(team),
                    options: None,
                })
                .await,
        )?;
    }
    let mut users = UserServiceClient::new(service.clone());
    for (name, team) in plan::USERS {
        made(users.create(account(name, team, "")).await)?;
    }
    let mut applications = VirtualAccountServiceClient::new(service.clone());
    made(
        applications
            .create(account("demo-app", "research", "Whose key dev.env holds."))
            .await,
    )?;
    Ok(())
}

/// A key for everybody who has none in `dev.keys`.
pub(super) async fn keys(service: &Service, keys: &mut Keys<'_>) -> Result<(), Failure> {
    let users = plan::USERS.map(|(name, _)| (format!("dev/user:{name}"), format!("user:{name}")));
    let application = (APPLICATION.to_owned(), "virtual-account:demo-app".to_owned());
    for (name, owner) in users.into_iter().chain([application]) {
        if keys.get(&name).is_none() {
            issue(service, keys, &name, &owner).await?;
        }
    }
    Ok(())
}

async fn issue(service: &Service, keys: &mut Keys<'_>, name: &str, owner: &str) -> Result<(), Failure> {
    let request = CreateCredentialRequest {
        owner: owner.to_owned(),
        label: "turnpike dev".to_owned(),
        ..Default::default()
    };
    let answer = CredentialServiceClient::new(service.clone())
        .create(request)
        .await?
        .into_inner();
    keys.keep(name, &answer.key)
}

fn account(name: &str, team: &str, description: &str) -> CreateAccountRequest {
    let account = Account {
        name: name.to_owned(),
        description: description.to_owned(),
        teams: vec![team.to_owned()],
        ..Default::default()
    };
    CreateAccountRequest {
        account: Some(account),
        options: None,
    }
}
