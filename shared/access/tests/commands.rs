//! Random commands in the small universe, and the ones that furnish it.

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};
use turnpike_access::{
    command::Command,
    credential::{Credential, HandOver},
    grant::{Effect, Grant},
    id::{Id, Name, Principal, Timestamp},
    model::{Catalogue, Fallback, ModelProfile, Prices, ProviderKind, ProviderProfile},
    pattern::Tags,
    role::Role,
    tenant::{AccountProfile, TeamProfile, TenantSettings},
};

mod edge;
mod issuer;
mod limit;
mod request;

pub(crate) use edge::invitation;
pub(crate) use issuer::trusted;
pub(crate) use limit::UNFILLED;
pub(crate) use request::unfilled;

use crate::world::{
    ALIASES, Dice, MODELS, PRINCIPALS, PROVIDERS, ROLES, TEAMS, TENANTS, model, peppers, secret,
};

/// A command in a tenant. What an update is based on is filled in when it is carried out.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) tenant: Name,
    pub(crate) command: Command,
}

/// What there is before the random commands: both tenants with everything that the universe has names for.
pub(crate) fn prelude() -> Vec<Step> {
    let operators = Step {
        tenant: Name::platform(),
        command: Command::CreateTenant(TenantSettings::default()),
    };
    [operators]
        .into_iter()
        .chain(TENANTS.iter().flat_map(|tenant| furnish(tenant.parse().unwrap())))
        .collect()
}

/// Random commands, most of them in the first tenant.
pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(vec(any::<u8>(), 40), 0..most).prop_map(|all| all.iter().map(|bytes| step(bytes)).collect())
}

fn step(bytes: &[u8]) -> Step {
    let mut dice = Dice::new(bytes);
    let tenant: Name = TENANTS[usize::from(dice.one_in(4))].parse().unwrap();
    match dice.below(16) {
        14 => return edge::on_edges(&mut dice),
        15 => return issuer::on_token_keys(&mut dice),
        _ => {}
    }
    let command = match dice.below(13) {
        10 | 11 => issuer::on_issuer(&mut dice),
        0..4 => create_grant(&mut dice, &tenant),
        4 | 5 => on_people(&mut dice, &tenant),
        6 | 7 => on_credential(&mut dice, &tenant),
        8 => on_catalogue(&mut dice, &tenant),
        9 => request::on_requests(&mut dice, &tenant),
        _ => rarely(&mut dice, &tenant),
    };
    Step { tenant, command }
}

fn furnish(tenant: Name) -> Vec<Step> {
    let team = |name: &&str| Command::CreateTeam {
        name: name.parse().unwrap(),
        profile: TeamProfile::default(),
    };
    let account = |name: &&str| Command::CreateAccount {
        principal: name.parse().unwrap(),
        profile: AccountProfile::default(),
        teams: vec!["payments".parse().unwrap()],
    };
    let provider = |name: &&str| Command::CreateProvider {
        name: name.parse().unwrap(),
        profile: match *name {
            "open" => provider(
                Catalogue::Open,
                Tags::from([(Arc::from("customer"), Arc::from("a"))]),
            ),
            _ => provider(Catalogue::Closed, Tags::default()),
        },
    };
    let entry = |(index, name): (usize, &&str)| Command::CreateModel {
        id: model(name),
        profile: profile(&mut Dice::new(&[u8::try_from(index * 37).unwrap(); 12])),
    };
    let role = |name: &&str| Command::CreateRole(role(name, "inference.*"));
    [Command::CreateTenant(TenantSettings::default())]
        .into_iter()
        .chain(TEAMS.iter().map(team))
        .chain(PRINCIPALS.iter().map(account))
        .chain(PROVIDERS.iter().map(provider))
        .chain(MODELS.iter().enumerate().map(entry))
        .chain(ROLES[2..].iter().map(role))
        .chain([Command::IssueCredential(credential(
            &tenant,
            PRINCIPALS[0].parse().unwrap(),
            Id::from_random(u128::from(tenant.as_str() == TENANTS[1])),
        ))])
        .map(|command| Step {
            tenant: tenant.clone(),
            command,
        })
        .collect()
}

pub(crate) fn create_grant(dice: &mut Dice<'_>, tenant: &Name) -> Command {
    Command::CreateGrant(Grant {
        id: dice.id(tenant),
        subject: dice.subject(),
        role: dice.named(&ROLES),
        effect: if dice.one_in(4) {
            Effect::Deny
        } else {
            Effect::Allow
        },
        selector: dice.selector(),
        conditions: dice.conditions(),
        reason: None,
        owner: None,
    })
}

fn on_people(dice: &mut Dice<'_>, tenant: &Name) -> Command {
    let principal: Principal = dice.named(&PRINCIPALS);
    let (team, name) = (dice.named(&TEAMS), dice.named(&TEAMS));
    let to = dice.profile();
    match dice.below(11) {
        0 => Command::CreateTeam {
            name,
            profile: TeamProfile::default(),
        },
        9 => Command::UpdateTeam {
            name,
            from: TeamProfile::default(),
            to: TeamProfile {
                description: dice.one_in(2).then(|| Arc::from("described")),
            },
        },
        10 => match create_grant(dice, tenant) {
            Command::CreateGrant(to) => Command::UpdateGrant {
                from: Box::new(to.clone()),
                to: Box::new(to),
            },
            other => other,
        },
        1 => Command::DeleteTeam { name },
        2 | 3 => Command::AddTeamMember { team, principal },
        4 => Command::RemoveTeamMember { team, principal },
        5 => Command::CreateAccount {
            principal,
            profile: to,
            teams: dice.teams(),
        },
        6 => Command::UpdateAccount {
            principal,
            from: AccountProfile::default(),
            to,
        },
        7 => Command::DeleteAccount { principal },
        _ => Command::DeleteGrant { id: dice.id(tenant) },
    }
}

fn on_credential(dice: &mut Dice<'_>, tenant: &Name) -> Command {
    let id = dice.id(tenant);
    let reason: Arc<str> = Arc::from("because");
    match dice.below(9) {
        4 => Command::HandOverCredential {
            id,
            by: HandOver::PickUp,
            since: dice.moment(),
        },
        0 => Command::RotateCredential {
            id,
            digest: peppers().digest(id, &secret(id, 1)).unwrap(),
            previous_until: dice.moment(),
            since: None,
            reason,
        },
        1 => Command::SuspendCredential { id, reason },
        2 => Command::ResumeCredential { id, reason },
        3 => Command::RevokeCredential { id, reason },
        _ => Command::IssueCredential(Credential {
            scope: dice.scope().map(Box::new),
            expires: dice.one_in(3).then(|| dice.moment()),
            ..credential(tenant, dice.named(&PRINCIPALS), id)
        }),
    }
}

fn on_catalogue(dice: &mut Dice<'_>, tenant: &Name) -> Command {
    let id = model(dice.pick(&MODELS));
    let name = dice.named(&PROVIDERS);
    let (alias, rule) = (Arc::from(dice.pick(&ALIASES)), dice.id(tenant));
    match dice.below(10) {
        0 => Command::CreateProvider {
            name,
            profile: provider(Catalogue::Open, dice.tags()),
        },
        1 => Command::UpdateProvider {
            name,
            from: provider(Catalogue::Open, Tags::default()),
            to: provider([Catalogue::Open, Catalogue::Closed][dice.below(2)], dice.tags()),
        },
        2 => Command::DeleteProvider { name },
        3 => Command::CreateModel {
            id,
            profile: profile(dice),
        },
        4 => Command::UpdateModel {
            id,
            from: ModelProfile::default(),
            to: profile(dice),
        },
        5 => Command::DeleteModel { id },
        6 => Command::SetAlias { alias, target: id },
        7 => Command::DeleteAlias { alias },
        8 => Command::CreateFallback(Fallback {
            id: rule,
            from: dice.named(&["*", "open/*", "*/large"]),
            to: id,
            teams: dice.teams(),
            groups: Vec::new(),
            over_budget: dice.below(4) == 0,
        }),
        _ => Command::DeleteFallback { id: rule },
    }
}

fn rarely(dice: &mut Dice<'_>, tenant: &Name) -> Command {
    let name: Name = dice.named(&ROLES);
    let to = role(name.as_str(), dice.pick(&["*", "prompts.*", "*.chat"]));
    match dice.below(8) {
        0 => Command::CreateTenant(TenantSettings::default()),
        1 if dice.one_in(3) => Command::DeleteTenant,
        2 => Command::UpdateTenant {
            from: TenantSettings::default(),
            to: TenantSettings {
                suspended: dice.one_in(2),
                ..TenantSettings::default()
            },
        },
        3 => Command::CreateRole(to),
        4 => Command::UpdateRole { from: to.clone(), to },
        5 => Command::DeleteRole { name },
        6 => limit::on_limits(dice),
        _ => on_catalogue(dice, tenant),
    }
}

pub(crate) fn credential(tenant: &Name, owner: Principal, id: Id) -> Credential {
    let digest = peppers().digest(id, &secret(id, 0)).unwrap();
    Credential::new(
        id,
        tenant.clone(),
        owner,
        digest,
        (Timestamp::default(), Arc::from("system")),
    )
}

fn role(name: &str, action: &str) -> Role {
    Role {
        name: name.parse().unwrap(),
        actions: vec![action.parse().unwrap()],
        description: None,
    }
}

fn provider(catalogue: Catalogue, tags: Tags) -> ProviderProfile {
    ProviderProfile {
        kind: ProviderKind::Openai,
        base_url: Arc::from("https://models.example/v1"),
        sealed_secret: None,
        api_version: None,
        catalogue,
        tags,
        identity: None,
    }
}

fn profile(dice: &mut Dice<'_>) -> ModelProfile {
    ModelProfile {
        family: [None, Some("gpt"), Some("claude")][dice.below(3)].map(|name| name.parse().unwrap()),
        environment: [None, Some("production"), Some("staging")][dice.below(3)]
            .map(|name| name.parse().unwrap()),
        tags: dice.tags(),
        prices: Prices::default(),
        ..ModelProfile::default()
    }
}
