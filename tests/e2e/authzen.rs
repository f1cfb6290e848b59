//! The Authorization API as the OpenID AuthZEN working group certifies it, and what is Turnpike's own about it.
//!
//! Payloads, paths and the fixture's eight decisions are those of its certification scenario for version 1.0.

use serde_json::Value;
use turnpike_tests::{
    caller::{Answer, Caller},
    dev::Dev,
    ground::Key,
};

mod asking;
mod batch;
mod certification;
mod interop;
mod mapping;
mod search;

const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";

/// The scenario's fixture: `alice` and `bob`, `record-1` and `record-2`, and somebody who may ask about them.
struct Fixture {
    dev: Dev,
    asker: Key,
}

impl Fixture {
    async fn start() -> Self {
        let dev = Dev::start().await;
        for role in ["read", "write", "delete", "access.check"] {
            let name = role.replace('.', "-");
            dev.admin
                .words(&format!("role create {name} --action {role}"))
                .await;
        }
        let asker = dev.application("gateway").await;
        for grant in [
            "virtual-account:gateway --role access-check --resource access:*",
            "user:alice --role read --resource record:record-1 --resource record:record-2",
            "user:alice --role write --resource record:* --not-tag status=archived",
            "user:alice --role delete --resource record:* --tag action.soft=true",
            "user:bob --role read --resource record:*",
            "user:bob --role write --resource record:* --tag status=archived --tag subject.role=admin",
            "user:bob --role write --resource record:record-2",
        ] {
            dev.admin
                .words(&format!("grant create --to {grant} --wait"))
                .await;
        }
        Self { dev, asker }
    }

    fn caller(&self) -> Caller {
        self.dev.caller(&self.asker)
    }

    async fn ask(&self, path: &str, body: &str) -> Answer {
        post(&self.caller(), path, body).await
    }

    /// The answer to a question that is answered.
    async fn answer(&self, path: &str, body: &str) -> Value {
        let answer = self.ask(path, body).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, "application/json"),
            "{body}: {answer:?}"
        );
        answer.json()
    }

    async fn decision(&self, body: &str) -> bool {
        let answer = self.answer(EVALUATION, body).await;
        answer["decision"]
            .as_bool()
            .unwrap_or_else(|| panic!("{body}: {answer}"))
    }
}

async fn post(caller: &Caller, path: &str, body: &str) -> Answer {
    let request = caller.request(reqwest::Method::POST, path);
    Answer::of(
        request
            .header("content-type", "application/json")
            .body(body.to_owned()),
    )
    .await
}

/// The audit's id of the request, which AuthZEN calls as its client does.
fn request_of(answer: &Answer) -> String {
    answer.header("x-turnpike-decision").replacen("dec_", "req_", 1)
}
