//! What was said with the secrets in hand, by everybody who can be asked.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Answer, Caller, chat},
    eventually::eventually,
    production::Production,
};

const PATH: &str = "/v1/chat/completions";

/// What was said.
#[derive(Default)]
pub(super) struct Told {
    /// By edges; all of it is in the audit.
    pub(super) answers: Vec<Answer>,
    /// By the control plane and the command line.
    pub(super) others: Vec<String>,
}

impl Told {
    /// All that a caller can do with a bearer text, right and wrong, at every edge and at the control plane.
    pub(super) async fn present(&mut self, production: &Production, text: &str) {
        let cut = &text[..text.len() - 1];
        for edge in &production.edges {
            let caller = Caller::new(&edge.url(), Some(text));
            self.answers.push(caller.stream("fake-openai/gpt-4o").await);
            for model in [
                "fake-openai/gpt-4o",
                "fake-faults/fault-close",
                "fake-faults/fault-status-401",
                "fake-openai/nothing",
            ] {
                self.answers.push(caller.chat(model).await);
            }
            let nobody = Caller::new(&edge.url(), None);
            let request = nobody.post(PATH, &chat("x")).header("x-api-key", cut);
            self.answers.push(Answer::of(request).await);
        }
        for shown in [text, cut] {
            let cli = production.admin.by(shown);
            for line in ["whoami", "grant list", "team create sneaky"] {
                let words: Vec<_> = line.split(' ').collect();
                self.others.push(format!("{:?}", cli.run(&words).await));
            }
        }
    }

    /// The control plane's HTTP listener, and what it answers to this form.
    async fn ask_for_token(&mut self, production: &Production, form: &str) -> Option<String> {
        let base = format!("http://{}", production.operations);
        let request = Caller::new(&base, None).request(Method::POST, "/oauth/token");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = Answer::of(request.body(form.to_owned())).await;
        let token = serde_json::from_slice::<Value>(&answer.body).ok()?["access_token"]
            .as_str()
            .map(str::to_owned);
        if token.is_none() {
            self.others.push(format!("{answer:?}"));
        }
        token
    }

    /// The same, once it gives one.
    pub(super) async fn token(&mut self, production: &Production, form: &str) -> String {
        let token = eventually("a token", async || {
            self.ask_for_token(production, form).await.ok_or(())
        })
        .await;
        let cut = form.trim_end_matches(|last: char| last != '_' && last != '.');
        self.ask_for_token(production, &format!("{cut}x")).await;
        token
    }

    /// Reports a key in the ways there are.
    pub(super) async fn report(&mut self, production: &Production, key: &str) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("build.log");
        fs::write(&file, format!("curl -H 'authorization: Bearer {key}'")).unwrap();
        for further in [&["--dry-run"][..], &["--wait"], &[]] {
            let report = ["credential", "report-leak", "--file", file.to_str().unwrap()];
            let ended = production.admin.run(&[&report[..], further].concat()).await;
            self.others.push(format!("{ended:?}"));
        }
        let scanner = Caller::new(&format!("http://{}", production.operations), None);
        let body = json!([{"token": key, "type": "turnpike_key", "url": format!("https://git.example/?{key}"), "source": "content"}]);
        let paste = scanner.request(Method::POST, "/leaks").body(format!("x{key}y"));
        for request in [scanner.post("/leaks", &body), paste] {
            self.others.push(format!("{:?}", Answer::of(request).await));
        }
    }

    /// What operators and administrators can look at.
    pub(super) async fn look(&mut self, production: &Production) {
        let operations = production.edges.iter().map(|edge| edge.operations);
        for address in operations.chain([production.operations]) {
            let caller = Caller::new(&format!("http://{address}"), None);
            let metrics = Answer::of(caller.request(Method::GET, "/metrics")).await;
            assert_eq!(metrics.status, 200, "{metrics:?}");
            self.others.push(metrics.text());
        }
        for line in [
            "log list",
            "audit list",
            "alert list",
            "issuer list",
            "provider list",
            "credential list",
            "export",
        ] {
            let words: Vec<_> = line.split(' ').collect();
            let ended = production.admin.run(&words).await;
            assert_eq!(ended.status, 0, "{line}: {ended:?}");
            self.others.push(ended.printed);
        }
    }
}

/// Waits until every edge takes a bearer text.
pub(super) async fn served_everywhere(production: &Production, text: &str) {
    for edge in &production.edges {
        eventually("a bearer that is served", async || {
            let answer = Caller::new(&edge.url(), Some(text))
                .chat("fake-openai/gpt-4o")
                .await;
            if answer.status == 200 { Ok(()) } else { Err(answer) }
        })
        .await;
    }
}
