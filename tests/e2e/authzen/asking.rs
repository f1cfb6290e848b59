//! Who may ask, about whom.

use serde_json::json;
use turnpike_tests::caller::Caller;

use super::{EVALUATION, EVALUATIONS, Fixture, post};

const ALICE: &str = r#"{"subject": {"type": "user", "id": "alice"}, "action": {"name": "read"},
    "resource": {"type": "record", "id": "record-1"}}"#;
const PATHS: [&str; 5] = [
    EVALUATION,
    EVALUATIONS,
    "/access/v1/search/subject",
    "/access/v1/search/resource",
    "/access/v1/search/action",
];

#[tokio::test]
async fn only_who_may_check_is_answered_and_others_learn_nothing() {
    let fixture = Fixture::start().await;
    let dev = &fixture.dev;
    let nobody = Caller::new(&dev.edges[0].url(), None);
    let stranger = dev.caller(&dev.granted("stranger").await);
    let narrowed = dev.caller(&dev.key(&fixture.asker.owner, &["--action", "inference.*"]).await);
    for path in PATHS {
        for (caller, status) in [
            (&nobody, 401),
            (&stranger, 403),
            (&narrowed, 403),
            (&fixture.caller(), 200),
        ] {
            let answer = post(caller, path, ALICE).await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
            if status != 200 {
                assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
                assert!(!answer.text().contains("alice"), "{answer:?}");
            }
        }
        let unread = post(&nobody, path, "{").await;
        assert_eq!(unread.status, 401, "who is nobody learns that and no more");
    }
    let unauthenticated = post(&nobody, EVALUATION, ALICE).await;
    assert_eq!(unauthenticated.header("www-authenticate"), "Bearer");
    dev.admin
        .words(&format!("credential revoke {} --wait", fixture.asker.id))
        .await;
    assert_eq!(post(&fixture.caller(), EVALUATION, ALICE).await.status, 401);
}

#[tokio::test]
async fn who_may_ask_about_some_is_not_answered_about_others() {
    let fixture = Fixture::start().await;
    let dev = &fixture.dev;
    let key = dev.application("clerk").await;
    let grant =
        "grant create --to virtual-account:clerk --role access-check --resource access:user:alice --wait";
    dev.admin.words(grant).await;
    let clerk = dev.caller(&key);
    assert_eq!(post(&clerk, EVALUATION, ALICE).await.status, 200);
    assert_eq!(
        post(&clerk, EVALUATION, &ALICE.replace("alice", "bob"))
            .await
            .status,
        403
    );
    let batch = json!({"action": {"name": "read"}, "resource": {"type": "record", "id": "record-1"}, "evaluations": [
        {"subject": {"type": "user", "id": "alice"}}, {"subject": {"type": "user", "id": "bob"}}]});
    let answer = post(&clerk, EVALUATIONS, &batch.to_string()).await.json();
    assert_eq!(answer["evaluations"][0]["decision"], true);
    assert_eq!(answer["evaluations"][1]["decision"], false);
    assert_eq!(answer["evaluations"][1]["context"]["error"]["status"], 403);
}

#[tokio::test]
async fn the_subjects_of_another_tenant_do_not_exist() {
    let fixture = Fixture::start().await;
    let dev = &fixture.dev;
    dev.operator.words("tenant create other --wait").await;
    let other = dev.operator.within("other");
    other.words("user create zoe --wait").await;
    let zoe = ALICE.replace("alice", "zoe");
    let nobody = ALICE.replace("alice", "nobody");
    let [zoe, nobody] = [
        post(&fixture.caller(), EVALUATION, &zoe).await,
        post(&fixture.caller(), EVALUATION, &nobody).await,
    ];
    assert_eq!((zoe.status, nobody.status), (200, 200));
    for part in ["reason_admin", "reason_user"] {
        assert_eq!(zoe.json()["context"][part], nobody.json()["context"][part]);
    }
}
