//! The write path on a real store: SQLite in a folder of the test's own.

use std::sync::Arc;

use tempfile::tempdir;
use turnpike_access::{
    command::Command, decide::Reason, ledger::Refusal, log::Position, tenant::TenantSettings,
};

use super::{Authority, ExecuteError};
use crate::fixture::{Core, ROOT, as_owner_of, create_team, create_user, credential, grant, id, name};

mod approvals;

/// The key of alice, a developer of tenant `acme`.
const ALICE: &str = "alice0000000";

async fn with_acme(core: &Core) {
    core.bootstrap().await;
    let commands = vec![
        Command::CreateTenant(TenantSettings::default()),
        create_user("alice"),
        grant("grantalice00", "alice", "developer"),
        Command::IssueCredential(credential("acme", "user:alice", ALICE)),
    ];
    core.ask_as_root("acme", commands).await.unwrap();
}

#[tokio::test]
async fn a_change_is_in_the_log_before_it_is_answered() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    let done = core.bootstrap().await;
    assert_eq!(core.store.head().await.unwrap(), done.snapshot.head());
    assert_eq!(done.position, Position::new(5));
    assert!(core.snapshot().bootstrapped());
}

#[tokio::test]
async fn the_bootstrap_token_opens_nothing_but_the_bootstrap() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    core.bootstrap().await;
    let refused = core
        .ask(Authority::BootstrapToken, "platform", vec![create_team("ops")])
        .await;
    assert!(
        matches!(refused, Err(ExecuteError::Forbidden { .. })),
        "{refused:?}"
    );
    let again = Command::Bootstrap {
        administrator: name("eve"),
        credential: credential("platform", "user:eve", "eve000000000"),
    };
    let refused = core.ask(Authority::BootstrapToken, "platform", vec![again]).await;
    assert!(
        matches!(refused, Err(ExecuteError::Refused(Refusal::NotNow(_)))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn requests_that_wait_together_share_one_commit_and_each_sees_its_own_state() {
    let folder = tempdir().unwrap();
    let (core, mut writer) = Core::idle_in(folder.path()).await;
    let bootstrap = Command::Bootstrap {
        administrator: name("root"),
        credential: credential("platform", "user:root", ROOT),
    };
    let first = core.ask(Authority::BootstrapToken, "platform", vec![bootstrap]);
    let team = core.ask_as_root("platform", vec![create_team("ops")]);
    let same_again = core.ask_as_root("platform", vec![create_team("ops")]);
    let other = core.ask_as_root("platform", vec![create_team("dev")]);
    let answers = async { tokio::join!(first, team, same_again, other) };
    let mut answers = std::pin::pin!(answers);
    assert!(futures::poll!(answers.as_mut()).is_pending());
    let published = core.projection.heads();
    writer.turn().await;
    let (first, team, same_again, other) = answers.await;
    assert_eq!(published.borrow().position, Position::new(7));
    assert_eq!(first.unwrap().position, Position::new(5));
    let team = team.unwrap();
    assert_eq!(team.position, Position::new(6));
    assert!(
        matches!(same_again, Err(ExecuteError::Refused(Refusal::Exists { .. }))),
        "{same_again:?}"
    );
    let platform =
        |snapshot: &turnpike_access::snapshot::Snapshot| snapshot.tenant("platform").cloned().unwrap();
    assert!(platform(&team.snapshot).team("dev").is_none());
    assert!(platform(&other.unwrap().snapshot).team("dev").is_some());
}

#[tokio::test]
async fn a_request_with_one_refused_command_changes_nothing() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    let before = core.bootstrap().await.position;
    let commands = vec![create_team("ops"), create_team("ops")];
    let refused = core.ask_as_root("platform", commands).await;
    assert!(
        matches!(refused, Err(ExecuteError::Refused(Refusal::Exists { .. }))),
        "{refused:?}"
    );
    assert_eq!(core.store.head().await.unwrap().position, before);
    assert!(core.snapshot().tenant("platform").unwrap().team("ops").is_none());
}

#[tokio::test]
async fn a_lost_race_is_run_again_on_the_newer_state() {
    let folder = tempdir().unwrap();
    let one = Core::in_folder(folder.path()).await;
    one.bootstrap().await;
    let (two, mut writer) = Core::idle_in(folder.path()).await;
    let in_one = one
        .ask_as_root("platform", vec![create_team("ops")])
        .await
        .unwrap();
    // The second still holds the state before, and is asked for the same team and for another one.
    assert!(two.projection.position() < in_one.position);
    let same = two.ask_as_root("platform", vec![create_team("ops")]);
    let other = two.ask_as_root("platform", vec![create_team("dev")]);
    let answers = async { tokio::join!(same, other) };
    let mut answers = std::pin::pin!(answers);
    assert!(futures::poll!(answers.as_mut()).is_pending());
    writer.turn().await;
    let (same, other) = answers.await;
    assert!(
        matches!(same, Err(ExecuteError::Refused(Refusal::Exists { .. }))),
        "{same:?}"
    );
    assert_eq!(other.unwrap().position, in_one.position.next());
}

#[tokio::test]
async fn a_refusal_is_only_given_on_the_newest_state() {
    let folder = tempdir().unwrap();
    let one = Core::in_folder(folder.path()).await;
    one.bootstrap().await;
    let (two, mut writer) = Core::idle_in(folder.path()).await;
    one.ask_as_root("platform", vec![create_team("ops")])
        .await
        .unwrap();
    let delete = two.ask_as_root("platform", vec![Command::DeleteTeam { name: name("ops") }]);
    let mut delete = std::pin::pin!(delete);
    assert!(futures::poll!(delete.as_mut()).is_pending());
    writer.turn().await;
    assert!(delete.await.is_ok());
}

#[tokio::test]
async fn what_another_control_plane_commits_is_followed() {
    let folder = tempdir().unwrap();
    let one = Core::in_folder(folder.path()).await;
    one.bootstrap().await;
    let two = Core::in_folder(folder.path()).await;
    let mut heads = two.projection.heads();
    let done = one
        .ask_as_root("platform", vec![create_team("ops")])
        .await
        .unwrap();
    heads
        .wait_for(|head| head.position >= done.position)
        .await
        .unwrap();
    assert!(two.snapshot().tenant("platform").unwrap().team("ops").is_some());
}

#[tokio::test]
async fn who_is_not_allowed_is_told_what_was_asked_and_nothing_changes() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    with_acme(&core).await;
    let before = core.store.head().await.unwrap();
    let refused = core
        .ask(as_owner_of(ALICE), "acme", vec![create_team("ops")])
        .await;
    let expected = ExecuteError::Forbidden {
        action: "teams.write".to_owned(),
        resource: "team ops".to_owned(),
        reason: Reason::NoGrant,
    };
    assert_eq!(refused.unwrap_err(), expected);
    assert_eq!(core.store.head().await.unwrap(), before);
}

#[tokio::test]
async fn another_tenant_looks_as_if_it_did_not_exist() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    with_acme(&core).await;
    let hidden = core
        .ask(as_owner_of(ALICE), "platform", vec![create_team("ops")])
        .await
        .unwrap_err();
    let absent = core
        .ask(as_owner_of(ALICE), "nowhere", vec![create_team("ops")])
        .await
        .unwrap_err();
    assert_eq!(
        hidden.to_string().replace("platform", "nowhere"),
        absent.to_string()
    );
    assert!(
        matches!(
            absent,
            ExecuteError::Refused(Refusal::NotFound { what: "tenant", .. })
        ),
        "{absent:?}"
    );
}

#[tokio::test]
async fn a_tenants_own_administrator_can_not_delete_the_tenant() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    with_acme(&core).await;
    core.ask_as_root("acme", vec![grant("grantadmin00", "alice", "admin")])
        .await
        .unwrap();
    core.ask(as_owner_of(ALICE), "acme", vec![create_team("ops")])
        .await
        .unwrap();
    let refused = core
        .ask(as_owner_of(ALICE), "acme", vec![Command::DeleteTenant])
        .await;
    assert!(
        matches!(refused, Err(ExecuteError::Forbidden { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_log_says_who_asked_and_for_which_tenant() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    core.bootstrap().await;
    core.ask_as_root("platform", vec![create_team("ops")])
        .await
        .unwrap();
    core.ask_as_root("acme", vec![Command::CreateTenant(TenantSettings::default())])
        .await
        .unwrap();
    core.ask(Authority::System("test"), "acme", vec![create_team("ops")])
        .await
        .unwrap();
    let events = core.store.read(Position::ZERO, 100).await.unwrap();
    let actors: Vec<&str> = events
        .iter()
        .skip(4)
        .map(|event| event.origin.actor.as_ref())
        .collect();
    assert_eq!(actors, ["system", "user:root", "platform/user:root", "system"]);
}

#[tokio::test]
async fn a_caller_revoked_while_its_request_waited_is_refused() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    with_acme(&core).await;
    core.ask_as_root("acme", vec![grant("grantadmin00", "alice", "admin")])
        .await
        .unwrap();
    let (waiting, mut writer) = Core::idle_in(folder.path()).await;
    let request = waiting.ask(as_owner_of(ALICE), "acme", vec![create_team("ops")]);
    let mut request = std::pin::pin!(request);
    assert!(futures::poll!(request.as_mut()).is_pending());
    let revoke = Command::RevokeCredential {
        id: id(ALICE),
        reason: Arc::from("left the company"),
    };
    let revoked = core.ask_as_root("acme", vec![revoke]).await.unwrap();
    writer.turn().await;
    assert_eq!(request.await.unwrap_err(), ExecuteError::Unauthenticated);
    assert_eq!(core.store.head().await.unwrap().position, revoked.position);
}

#[tokio::test]
async fn when_too_many_wait_the_next_is_told_at_once() {
    let folder = tempdir().unwrap();
    let (core, _writer) = Core::idle_in(folder.path()).await;
    let ask = || core.ask(Authority::System("test"), "platform", Vec::new());
    let mut waiting: Vec<_> = (0..super::WAITING_LIMIT).map(|_| Box::pin(ask())).collect();
    for one in &mut waiting {
        assert!(futures::poll!(one.as_mut()).is_pending());
    }
    assert_eq!(ask().await.unwrap_err(), ExecuteError::Overloaded);
}
