//! Who may approve access that was asked for: nobody for itself, and nobody what it has not got to lend.

use std::sync::Arc;

use tempfile::tempdir;
use turnpike_access::{
    command::Command,
    grant::{Conditions, Effect, Grant},
    id::{Id, Principal, Timestamp},
    pattern::{ResourcePattern, Selector},
    request::{AccessRequest, NotTheirs},
    role::Role,
    tenant::AccountProfile,
};
use turnpike_runtime::clock;

use super::with_acme;
use crate::{
    execute::ExecuteError,
    fixture::{Core, as_owner_of, create_team, create_user, credential, id, name},
};

/// The key of `bot`, of the team `crew`, and that of `lead`, who leads the team.
const BOT: &str = "bot000000000";
const LEAD: &str = "lead00000000";
/// What bot asks for.
const ASKED: &str = "asked0000000";

fn on(kind: &str, pattern: &str) -> Selector {
    let pattern = ResourcePattern {
        kind: name(kind),
        name: pattern.parse().unwrap(),
    };
    Selector {
        resources: vec![pattern],
        ..Selector::default()
    }
}

fn to(who: &str, role: &str, selector: Selector) -> Grant {
    Grant {
        id: turnpike_runtime::random::id(),
        subject: who.parse().unwrap(),
        role: name(role),
        effect: Effect::Allow,
        selector,
        conditions: Conditions::default(),
        reason: None,
        owner: None,
    }
}

fn role(role: &str, action: &str) -> Command {
    Command::CreateRole(Role {
        name: name(role),
        actions: vec![action.parse().unwrap()],
        description: None,
    })
}

async fn with_a_team(core: &Core) {
    with_acme(core).await;
    let bot: Principal = "virtual-account:bot".parse().unwrap();
    let commands = vec![
        create_team("crew"),
        create_user("lead"),
        Command::CreateAccount {
            principal: bot,
            profile: AccountProfile::default(),
            teams: vec![name("crew")],
        },
        role("asker", "access.request"),
        role("approver", "access.approve"),
        role("granter", "grants.write"),
        Command::IssueCredential(credential("acme", "virtual-account:bot", BOT)),
        Command::IssueCredential(credential("acme", "user:lead", LEAD)),
        Command::CreateGrant(to("virtual-account:bot", "asker", Selector::default())),
        Command::CreateGrant(to("virtual-account:bot", "approver", Selector::default())),
        Command::CreateGrant(to("user:lead", "approver", Selector::default())),
        Command::CreateGrant(to("user:lead", "granter", on("team", "crew"))),
    ];
    core.ask_as_root("acme", commands).await.unwrap();
    core.ask(as_owner_of(BOT), "acme", vec![Command::RequestAccess(asked())])
        .await
        .unwrap();
}

fn asked() -> AccessRequest {
    AccessRequest {
        id: id(ASKED),
        principal: "virtual-account:bot".parse().unwrap(),
        role: name("developer"),
        selector: on("model", "open/*"),
        seconds: 60,
        reason: Arc::from("incident 42"),
        lapses: clock::now().plus_seconds(3_600),
    }
}

fn approval(now: Timestamp) -> Command {
    Command::ApproveAccess {
        id: id(ASKED),
        grant: asked().grant(Id::from_random(42), now, None),
    }
}

async fn approve(core: &Core, key: &str) -> Result<(), ExecuteError> {
    let approved = core.ask(as_owner_of(key), "acme", vec![approval(clock::now())]);
    approved.await.map(|_| ())
}

#[tokio::test]
async fn who_leads_a_team_approves_for_it_what_it_has_itself_and_nothing_more() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    with_a_team(&core).await;
    let refused = approve(&core, LEAD).await.unwrap_err();
    assert!(
        matches!(&refused, ExecuteError::Lends { action, .. } if action == "grants.write"),
        "it has no such thing to lend: {refused:?}"
    );
    let less = Command::CreateGrant(to("user:lead", "developer", on("model", "open/small")));
    core.ask_as_root("acme", vec![less]).await.unwrap();
    assert!(approve(&core, LEAD).await.is_err(), "it has less");
    let enough = Command::CreateGrant(to("user:lead", "developer", on("model", "open/*")));
    core.ask_as_root("acme", vec![enough]).await.unwrap();
    approve(&core, LEAD).await.unwrap();
}

#[tokio::test]
async fn nobody_approves_its_own_whatever_it_may_grant() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    with_a_team(&core).await;
    let refused = approve(&core, BOT).await.unwrap_err();
    assert_eq!(refused, ExecuteError::NotTheirs(NotTheirs::Own));
    let mighty = Command::CreateGrant(to("virtual-account:bot", "admin", Selector::default()));
    core.ask_as_root("acme", vec![mighty]).await.unwrap();
    let refused = approve(&core, BOT).await.unwrap_err();
    assert_eq!(refused, ExecuteError::NotTheirs(NotTheirs::Own));
}

#[tokio::test]
async fn who_may_approve_but_not_grant_approves_nothing() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    with_a_team(&core).await;
    let approver = vec![Command::CreateGrant(to(
        "user:alice",
        "approver",
        Selector::default(),
    ))];
    core.ask_as_root("acme", approver).await.unwrap();
    let refused = approve(&core, super::ALICE).await.unwrap_err();
    assert!(
        matches!(&refused, ExecuteError::Forbidden { action, .. } if action == "grants.write"),
        "{refused:?}"
    );
}
