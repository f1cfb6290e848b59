//! Two tenants, one of which is full of things: the other can tell neither that they are there, nor how many, nor what
//! they are called.

use std::sync::Arc;

use tonic::Code;
use turnpike_access::{
    command::Command,
    grant::{Conditions, Effect, Grant},
    id::{Id, ModelId, Principal},
    issuer::{Algorithm, IssuerProfile, PrincipalRule, Verification},
    model::{Catalogue, Fallback, ModelProfile, ProviderKind, ProviderProfile},
    pattern::Selector,
    request::AccessRequest,
    role::Role,
    tenant::AccountProfile,
};
use turnpike_runtime::clock;

use super::{
    super::demand::{DEMANDS, Demand},
    Served, served,
    walk::messages::{Things, message},
};
use crate::{
    execute::Authority,
    fixture::{create_team, create_user, credential, id, name},
};

/// What the first tenant has.
const THEIRS: Things = Things {
    tenant: "acme",
    name: "mirror",
    model: "mirror/large",
    id: "mirror000000",
};
/// What nobody has; as long as theirs.
const NOBODYS: Things = Things {
    tenant: "void",
    name: "absent",
    model: "absent/large",
    id: "absent000000",
};
/// Their answers name the log's position, which all tenants share.
const WITH_POSITION: [&str; 2] = ["PolicyService/Export", "EdgeService/List"];

fn furnished() -> Vec<Command> {
    let bot: Principal = "virtual-account:mirror".parse().unwrap();
    let (model, thing): (ModelId, Id) = (THEIRS.model.parse().unwrap(), id(THEIRS.id));
    let account = Command::CreateAccount {
        principal: bot.clone(),
        profile: AccountProfile::default(),
        teams: vec![name("mirror")],
    };
    let grant = Command::CreateGrant(Grant {
        id: thing,
        subject: "team:mirror".parse().unwrap(),
        role: name("mirror"),
        effect: Effect::Allow,
        selector: Selector::default(),
        conditions: Conditions::default(),
        reason: None,
        owner: None,
    });
    let request = Command::RequestAccess(AccessRequest {
        id: thing,
        principal: bot,
        role: name("viewer"),
        selector: Selector::default(),
        seconds: 60,
        reason: Arc::from("because"),
        lapses: clock::now().plus_seconds(60),
    });
    let fallback = Command::CreateFallback(Fallback {
        id: thing,
        from: "mirror/*".parse().unwrap(),
        to: model.clone(),
        teams: Vec::new(),
        groups: Vec::new(),
        over_budget: false,
    });
    let role = Command::CreateRole(Role {
        name: name("mirror"),
        actions: vec!["inference.*".parse().unwrap()],
        description: None,
    });
    let key = Command::IssueCredential(credential("acme", "virtual-account:mirror", THEIRS.id));
    let people = [create_team("mirror"), create_user("mirror"), account, key];
    let rights = [role, grant, request];
    let things = people.into_iter().chain(catalogue(&model)).chain(rights);
    things.chain([fallback]).collect()
}

fn catalogue(model: &ModelId) -> [Command; 4] {
    let issuer = IssuerProfile {
        url: Arc::from("https://mirror.example"),
        verification: Verification::Discovery {},
        audiences: vec![Arc::from("turnpike")],
        algorithms: vec![Algorithm::RS256],
        claim: "sub".parse().unwrap(),
        principal: PrincipalRule::Subject {},
        just_in_time: None,
        groups: Vec::new(),
        required: Default::default(),
        leeway_seconds: 0,
        access_tokens_only: false,
        accept_sender_constrained: false,
    };
    let provider = ProviderProfile {
        kind: ProviderKind::Openai,
        base_url: Arc::from("https://models.example/v1"),
        sealed_secret: None,
        api_version: None,
        catalogue: Catalogue::Closed,
        tags: Default::default(),
        identity: None,
    };
    [
        Command::CreateIssuer {
            name: name("mirror"),
            profile: issuer,
        },
        Command::CreateProvider {
            name: name("mirror"),
            profile: provider,
        },
        Command::CreateModel {
            id: model.clone(),
            profile: ModelProfile::default(),
        },
        Command::SetAlias {
            alias: Arc::from("mirror"),
            target: model.clone(),
        },
    ]
}

async fn furnish(served: &Served) {
    let asked = served.core.ask(Authority::System("test"), "acme", furnished());
    asked.await.unwrap();
}

/// What is told of things, with their names taken out.
async fn told(served: &Served, method: &str, key: &str, things: Things) -> (Code, String) {
    let (status, _) = served
        .answered(method, &message(method, things), Some(key), None)
        .await;
    let names = [things.model, things.tenant, things.name, things.id];
    let text = names
        .iter()
        .fold(status.message().to_owned(), |text, one| text.replace(one, "…"));
    (status.code(), text)
}

#[tokio::test]
async fn what_another_tenant_has_is_told_of_as_what_nobody_has_by_every_method() {
    let served = served().await;
    let (_, rival) = (served.tenant("acme").await, served.tenant("rival").await);
    furnish(&served).await;
    let makes = |method: &str| ["/Create", "/Set"].iter().any(|verb| method.ends_with(verb));
    let (making, others): (Vec<&Demand>, Vec<&Demand>) = DEMANDS.iter().partition(|one| makes(one.method));
    // What is made is the caller's own from then on.
    for demand in others.into_iter().chain(making) {
        let theirs = told(&served, demand.method, &rival, THEIRS).await;
        let nobodys = told(&served, demand.method, &rival, NOBODYS).await;
        assert_eq!(theirs, nobodys, "{}", demand.method);
    }
}

#[tokio::test]
async fn no_answer_changes_when_another_tenant_fills_up() {
    let served = served().await;
    let (boss, rival) = (served.tenant("acme").await, served.tenant("rival").await);
    let looks = DEMANDS.iter().filter(|one| {
        let verb = one.method.split_once('/').unwrap().1;
        let looks = ["List", "ListRequests", "Export", "WhoAmI", "Check", "Explain"];
        looks.contains(&verb) && !WITH_POSITION.contains(&one.method)
    });
    let mut seen = Vec::new();
    for demand in looks {
        let own = Things {
            name: "boss",
            ..NOBODYS
        };
        let message = message(demand.method, own);
        let (status, body) = served.answered(demand.method, &message, Some(&rival), None).await;
        seen.push((demand.method, message, status.code(), body));
    }
    assert!(seen.len() > 20);
    furnish(&served).await;
    served.make_team(&boss, "another").await.unwrap();
    for (method, message, code, body) in seen {
        let (status, now) = served.answered(method, &message, Some(&rival), None).await;
        assert_eq!((status.code(), now), (code, body), "{method}");
    }
}
