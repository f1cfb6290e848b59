//! A change that is asked for twice under one key is made once, whoever is asked.

use tempfile::tempdir;
use turnpike_access::command::Command;

use super::*;
use crate::{
    execute::{Authority, ExecuteError, Executed},
    fixture::{Core, ROOT, as_owner_of, create_team, create_user, credential, grant, name},
};

const KEY: &str = "0123456789";

async fn ask(
    core: &Core,
    authority: Authority,
    key: &str,
    command: Command,
) -> Result<Executed, ExecuteError> {
    let correlation = correlation("TeamService/Create", key);
    core.executor
        .execute(authority, name("platform"), correlation, vec![command])
        .await
}

async fn ask_as_root(core: &Core, key: &str, command: Command) -> Result<Executed, ExecuteError> {
    ask(core, as_owner_of(ROOT), key, command).await
}

#[tokio::test]
async fn a_change_under_a_key_is_made_once_also_at_another_control_plane_and_after_a_restart() {
    let folder = tempdir().unwrap();
    let here = Core::in_folder(folder.path()).await;
    here.bootstrap().await;
    let done = ask_as_root(&here, KEY, create_team("crew")).await.unwrap();
    let already = Err(ExecuteError::AlreadyDone(done.position));
    let again = ask_as_root(&here, KEY, create_team("crew")).await;
    assert_eq!(again.map(|_| ()), already);
    let there = Core::in_folder(folder.path()).await;
    let again = ask_as_root(&there, KEY, create_team("crew")).await;
    assert_eq!(again.map(|_| ()), already);
    // What another control plane made is known here, however late it is heard of.
    let other = ask_as_root(&there, "another-key", create_team("other"))
        .await
        .unwrap();
    let again = ask_as_root(&here, "another-key", create_team("other")).await;
    assert_eq!(again.map(|_| ()), Err(ExecuteError::AlreadyDone(other.position)));
    assert_eq!(here.store.head().await.unwrap().position, other.position);
}

#[tokio::test]
async fn of_two_who_ask_at_once_under_one_key_one_makes_the_change() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    core.bootstrap().await;
    for round in 0..20 {
        let (key, team) = (format!("{KEY}-{round}"), create_team(&format!("crew-{round}")));
        let (one, two) = tokio::join!(
            ask_as_root(&core, &key, team.clone()),
            ask_as_root(&core, &key, team.clone())
        );
        let (done, already) = match (one, two) {
            (Ok(done), Err(already)) | (Err(already), Ok(done)) => (done, already),
            other => panic!("{other:?}"),
        };
        assert_eq!(already, ExecuteError::AlreadyDone(done.position));
    }
}

#[tokio::test]
async fn a_key_is_one_callers_for_one_method_and_what_was_refused_is_not_made() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    core.bootstrap().await;
    let eve = vec![
        create_user("eve"),
        grant("grant0000eve", "eve", "admin"),
        Command::IssueCredential(credential("platform", "user:eve", "eve000000000")),
    ];
    core.ask_as_root("platform", eve).await.unwrap();
    ask_as_root(&core, KEY, create_team("crew")).await.unwrap();
    let as_eve = as_owner_of("eve000000000");
    let refused = ask(&core, as_eve.clone(), KEY, create_team("crew")).await;
    assert!(matches!(refused, Err(ExecuteError::Refused(_))), "{refused:?}");
    assert!(ask(&core, as_eve, KEY, create_team("eves")).await.is_ok());
    let elsewhere = core
        .executor
        .execute(
            as_owner_of(ROOT),
            name("platform"),
            correlation("Other/Method", KEY),
            vec![create_team("more")],
        )
        .await;
    assert!(elsewhere.is_ok(), "{elsewhere:?}");
}
