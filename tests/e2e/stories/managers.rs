//! gpt-4 for managers: everybody else is answered by another model, is told so, and may decline.

use serde_json::json;
use turnpike_tests::{
    caller::{Answer, Caller, chat},
    dev::Dev,
    eventually::eventually,
};

use super::{key_of, models, tell};

const ASKED: &str = "fake-openai/gpt-4o";
const LLAMA: &str = "fake-openai/llama-3";
const MISTRAL: &str = "fake-openai/mistral";

const COMMANDS: [&str; 13] = [
    "model create fake-openai/mistral --family mistral --environment production --input-price 0.1 --output-price 0.3",
    "team create managers",
    "team create engineers",
    "team create support",
    "user create maya --team managers",
    "user create erik --team engineers",
    "user create sara --team support",
    "virtual-account create visitor",
    "grant create --to team:managers --role developer --model fake-openai/gpt-4* --reason 'gpt-4 is for managers'",
    "grant create --to team:engineers --role developer --model fake-openai/llama-3",
    "grant create --to team:support --role developer --model fake-openai/mistral",
    "fallback create --from fake-openai/gpt-4* --to fake-openai/llama-3",
    "fallback create --from fake-openai/gpt-4* --to fake-openai/mistral --wait",
];

async fn declining(caller: &Caller) -> Answer {
    let request = caller.post("/v1/chat/completions", &chat(ASKED));
    Answer::of(request.header("x-turnpike-fallback", "none")).await
}

fn is_clear_refusal(refused: &Answer) {
    assert_eq!(refused.status, 403, "{refused:?}");
    let error = &refused.json()["error"];
    assert_eq!(error["code"], "permission_denied");
    let message = error["message"].as_str().unwrap();
    for part in ["inference.chat", ASKED, refused.header("x-turnpike-decision")] {
        assert!(
            !part.is_empty() && message.contains(part),
            "{message} lacks {part:?}"
        );
    }
    assert_eq!(refused.header("x-turnpike-fallback"), "");
}

/// What substitutes saved each team; managers had none.
async fn saving(dev: &Dev) {
    let told = eventually("usage by team", async || {
        let report = dev.admin.words("usage report --by team").await;
        match report["total"]["requests"].as_u64() {
            // An answer and a list of models for each, and two that were declined.
            Some(8) => Ok(report),
            _ => Err(report),
        }
    })
    .await;
    let saved: Vec<_> = told["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let saved: f64 = row["saved_usd"].as_str().unwrap().parse().unwrap();
            (
                row["team"].as_str().unwrap(),
                row["substituted"].as_u64().unwrap(),
                saved > 0.0,
            )
        })
        .collect();
    assert_eq!(
        saved,
        [
            ("engineers", 1, true),
            ("managers", 0, false),
            ("support", 1, true)
        ]
    );
}

#[tokio::test]
async fn gpt_4_is_for_managers_and_others_get_llama_or_mistral_and_know_it_and_may_decline() {
    let dev = Dev::start().await;
    tell(&dev, &COMMANDS).await;
    let manager = key_of(&dev, "user:maya").await;
    let answer = dev.caller(&manager).chat(ASKED).await;
    assert_eq!(
        (
            answer.status,
            answer.header("x-turnpike-model"),
            answer.header("x-turnpike-fallback")
        ),
        (200, ASKED, "")
    );
    assert_eq!(models(&dev, &manager).await, [ASKED, "fake-openai/gpt-4o-mini"]);

    for (who, served) in [("user:erik", LLAMA), ("user:sara", MISTRAL)] {
        let key = key_of(&dev, who).await;
        let caller = dev.caller(&key);
        let answer = caller.chat(ASKED).await;
        assert_eq!(
            (answer.status, answer.header("x-turnpike-model")),
            (200, served),
            "{answer:?}"
        );
        assert_eq!(answer.header("x-turnpike-fallback"), ASKED);
        is_clear_refusal(&declining(&caller).await);
        assert_eq!(models(&dev, &key).await, [served]);

        // What it saves is told of it: the tokens are those of the cheaper model, and of which dearer one they are in place.
        let row = dev.audited(answer.request_id()).await;
        assert_eq!(
            (
                &row["model_requested"],
                &row["model_served"],
                &row["fallback_from"]
            ),
            (&json!(ASKED), &json!(served), &json!(ASKED))
        );
        assert!(row["output_tokens"].as_u64().unwrap() > 0, "{row}");
        assert_ne!(row["saved_usd"], json!(null), "{row}");
    }
    saving(&dev).await;

    let visitor = key_of(&dev, "virtual-account:visitor").await;
    is_clear_refusal(&dev.caller(&visitor).chat(ASKED).await);
}
