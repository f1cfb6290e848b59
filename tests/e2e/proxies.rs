//! The real nginx and the real Envoy in front of a service ask Turnpike, configured as `deploy/` has it.

use turnpike_tests::{
    caller::{Answer, Caller},
    front::Front,
    ground::Key,
    production::Production,
    service::Service,
};

mod envoy;
mod nginx;
mod walk;

/// An edge, a service, and three who call it: `reader` may read the prompt `welcome`, `other` may read another one.
struct Scene {
    production: Production,
    service: Service,
    reader: Key,
    other: Key,
    /// Two more keys of the reader, which are taken away.
    gone: Key,
    rests: Key,
}

impl Scene {
    async fn set() -> Self {
        let flags = [
            "--ext-authz-listen",
            "127.0.0.1:0",
            "--trusted-proxies",
            "127.0.0.0/8",
        ];
        let production = Production::with_one_edge(&flags).await;
        let service = Service::start().await;
        production
            .admin
            .words("role create prompt-reader --action prompts.read")
            .await;
        let reader = production.application("reader").await;
        let other = production.application("other").await;
        for (to, prompt) in [(&reader, "welcome"), (&other, "farewell")] {
            let grant = format!(
                "grant create --to {} --role prompt-reader --resource prompt:{prompt} --wait",
                to.owner
            );
            production.admin.words(&grant).await;
        }
        let [gone, rests] = [
            production.key(&reader.owner, &[]).await,
            production.key(&reader.owner, &[]).await,
        ];
        Self {
            production,
            service,
            reader,
            other,
            gone,
            rests,
        }
    }

    /// The audit's row of a request that was allowed or refused by this decision.
    async fn row(&self, decision: &str) -> serde_json::Value {
        self.production
            .audited(&decision.replacen("dec_", "req_", 1))
            .await
    }
}

/// A request for a prompt, with whatever headers a client thinks of.
async fn get(caller: &Caller, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = caller.request(reqwest::Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request).await
}

/// Headers with which a client would say of itself what only the proxy may say.
const SPOOFED: [(&str, &str); 7] = [
    ("x-turnpike-action", "prompts.read"),
    ("x-turnpike-resource", "prompt:farewell"),
    ("x-turnpike-principal", "user:root"),
    ("x-turnpike-tenant", "platform"),
    ("x-turnpike-decision", "dec_made_up"),
    ("x-turnpike-model", "made/up"),
    ("x-forwarded-for", "203.0.113.7"),
];
