//! Staging for QA: others are blocked or sent to production, and promotion is one change.

use turnpike_tests::dev::Dev;

use super::{key_of, models, tell};

const NEXT: &str = "fake-openai/assistant-next";
const NOW: &str = "fake-openai/assistant";

const COMMANDS: [&str; 11] = [
    "model create fake-openai/assistant --environment production --upstream-name gpt-4o --tag app=assistant",
    "model create fake-openai/assistant-next --environment staging --upstream-name gpt-4o-mini --tag app=assistant",
    "team create qa",
    "team create developers",
    "user create quinn --team qa",
    "user create dora --team developers",
    "virtual-account create partner",
    "grant create --to team:qa --role developer --environment staging --tag app=assistant",
    "grant create --to team:developers --role developer --environment production --tag app=assistant",
    "grant create --to virtual-account:partner --role developer --environment production --tag app=assistant",
    "fallback create --from fake-openai/assistant-next --to fake-openai/assistant --team developers --wait",
];

#[tokio::test]
async fn staging_answers_qa_alone_and_a_promoted_model_everyone() {
    let dev = Dev::start().await;
    tell(&dev, &COMMANDS).await;
    let tester = key_of(&dev, "user:quinn").await;
    let developer = key_of(&dev, "user:dora").await;
    let partner = key_of(&dev, "virtual-account:partner").await;

    let answer = dev.caller(&tester).chat(NEXT).await;
    assert_eq!(
        (answer.status, answer.header("x-turnpike-model")),
        (200, NEXT),
        "{answer:?}"
    );
    assert_eq!(models(&dev, &tester).await, [NEXT]);

    let redirected = dev.caller(&developer).chat(NEXT).await;
    assert_eq!(
        (
            redirected.status,
            redirected.header("x-turnpike-model"),
            redirected.header("x-turnpike-fallback")
        ),
        (200, NOW, NEXT),
        "{redirected:?}"
    );
    assert_eq!(
        dev.caller(&partner).chat(NEXT).await.status,
        403,
        "no rule is for those from outside"
    );
    for key in [&developer, &partner] {
        assert_eq!(dev.caller(key).chat(NOW).await.status, 200);
        assert_eq!(models(&dev, key).await, [NOW]);
    }

    tell(
        &dev,
        &["model update fake-openai/assistant-next --environment production --wait"],
    )
    .await;
    for key in [&developer, &partner] {
        let answer = dev.caller(key).chat(NEXT).await;
        assert_eq!(
            (
                answer.status,
                answer.header("x-turnpike-model"),
                answer.header("x-turnpike-fallback")
            ),
            (200, NEXT, ""),
            "{answer:?}"
        );
        assert_eq!(models(&dev, key).await, [NOW, NEXT]);
    }
    assert_eq!(
        dev.caller(&tester).chat(NEXT).await.status,
        403,
        "it is no staging model any more"
    );
}
