//! `turnpike dev` as a whole: what it leaves, and what it finds again.

use std::{fs, os::unix::fs::PermissionsExt as _};

use turnpike_tests::{caller::Caller, dev::Dev, place, process};

#[tokio::test]
async fn a_second_start_finds_the_keys_the_grants_and_the_audit_of_the_first() {
    let first = Dev::start().await;
    let key = first.granted("kept").await;
    let served = first.caller(&key).chat("fake-openai/gpt-4o").await;
    assert_eq!(served.status, 200);
    let demo = first.environment["OPENAI_API_KEY"].clone();
    let token = first.admin.token().to_owned();
    let folder = first.stop().await;
    assert!(
        !folder.path().join("state/dev.env").exists(),
        "dev.env is there only while it can be used"
    );

    let second = Dev::start_in(folder).await;
    assert_eq!(second.environment["OPENAI_API_KEY"], demo);
    assert_eq!(second.admin.token(), token);
    for key in [&key.text, &demo] {
        let served = Caller::new(&second.edges[0].url(), Some(key))
            .chat("fake-openai/gpt-4o")
            .await;
        assert_eq!(served.status, 200, "{served:?}");
    }
    let row = second.audited(served.request_id()).await;
    assert_eq!(row["status"], 200);
    let folder = second.stop().await;
    drop(folder);
}

#[tokio::test]
async fn what_holds_secrets_is_readable_by_its_owner_alone() {
    let dev = Dev::start().await;
    for name in ["dev.env", "dev.keys", "keyring"] {
        let mode = fs::metadata(dev.folder().join("state").join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let mode = fs::metadata(dev.folder().join("state"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn two_of_them_do_not_share_a_folder() {
    let dev = Dev::start().await;
    let mut second = process::command(place::binary("turnpike"));
    second
        .arg("dev")
        .arg("--data-dir")
        .arg(dev.folder().join("state"));
    let ended = second.output().await.unwrap();
    let complaint = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("another `turnpike dev` uses"), "{complaint}");
}

#[tokio::test]
async fn the_curl_that_it_prints_works_when_it_is_pasted() {
    let dev = Dev::start().await;
    let printed = dev.process.printed();
    let (_, after) = printed.split_once("with curl:").unwrap();
    let (pasted, _) = after.split_once("or in Python").unwrap();
    let mut shell = process::command("bash");
    let ended = shell.args(["-euc", pasted]).output().await.unwrap();
    let answer = String::from_utf8_lossy(&ended.stdout);
    assert!(
        answer.contains("gpt-4o heard: Hello"),
        "{answer}\n{}",
        String::from_utf8_lossy(&ended.stderr)
    );
}
