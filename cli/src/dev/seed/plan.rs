//! What is sown, as data.

/// A provider of the built-in fake.
pub(super) struct FakeProvider {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    /// After the fake's address.
    pub(super) path: &'static str,
    pub(super) catalogue: &'static str,
}

/// `fake-faults` is open, so that a test may name whichever fault it wants.
pub(super) const PROVIDERS: [FakeProvider; 3] = [
    FakeProvider {
        name: "fake-openai",
        kind: "openai",
        path: "/v1",
        catalogue: "closed",
    },
    FakeProvider {
        name: "fake-anthropic",
        kind: "anthropic",
        path: "",
        catalogue: "closed",
    },
    FakeProvider {
        name: "fake-faults",
        kind: "openai",
        path: "/v1",
        catalogue: "open",
    },
];

/// A model of one of them. Prices are millionths of a US dollar for a million tokens.
pub(super) struct Model {
    pub(super) id: &'static str,
    pub(super) family: &'static str,
    pub(super) environment: &'static str,
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) capabilities: &'static [&'static str],
}

pub(super) const MODELS: [Model; 5] = [
    Model {
        id: "fake-openai/gpt-4o",
        family: "gpt-4",
        environment: "production",
        input: 2_500_000,
        output: 10_000_000,
        capabilities: &["streaming", "tools", "vision"],
    },
    Model {
        id: "fake-openai/gpt-4o-mini",
        family: "gpt-4",
        environment: "production",
        input: 150_000,
        output: 600_000,
        capabilities: &["streaming", "tools"],
    },
    Model {
        id: "fake-openai/llama-3",
        family: "llama",
        environment: "staging",
        input: 50_000,
        output: 100_000,
        capabilities: &["streaming"],
    },
    Model {
        id: "fake-openai/text-embedding-3-small",
        family: "embedding",
        environment: "production",
        input: 20_000,
        output: 0,
        capabilities: &["embeddings"],
    },
    Model {
        id: "fake-anthropic/claude-sonnet-5",
        family: "claude",
        environment: "production",
        input: 3_000_000,
        output: 15_000_000,
        capabilities: &["streaming", "tools", "vision"],
    },
];

/// Name and what it is. `payments` is granted nothing: the tour does that.
pub(super) const TEAMS: [(&str, &str); 2] = [
    ("payments", "Has no grants yet: see the tour in the README."),
    ("research", "May use all production models."),
];

/// Name and team.
pub(super) const USERS: [(&str, &str); 2] = [("alice", "research"), ("bob", "payments")];

/// A grant; its reason is how a later start knows it again, because grants have no names.
pub(super) struct Grant {
    pub(super) to: &'static str,
    pub(super) role: &'static str,
    /// Kind and pattern; none means everything.
    pub(super) resource: Option<(&'static str, &'static str)>,
    pub(super) environment: Option<&'static str>,
    pub(super) reason: &'static str,
}

pub(super) const GRANTS: [Grant; 5] = [
    Grant {
        to: "team:research",
        role: "developer",
        resource: None,
        environment: Some("production"),
        reason: "dev: research may use every production model",
    },
    Grant {
        to: "team:research",
        role: "developer",
        resource: Some(("model", "fake-faults/*")),
        environment: None,
        reason: "dev: research may try how faults look",
    },
    Grant {
        to: "virtual-account:demo-app",
        role: "developer",
        resource: Some(("model", "fake-*")),
        environment: None,
        reason: "dev: the demonstration may use every fake model, staging too",
    },
    Grant {
        to: "user:alice",
        role: "analyst",
        resource: None,
        environment: None,
        reason: "dev: alice reads the audit",
    },
    Grant {
        to: "user:alice",
        role: "prompt-editor",
        resource: Some(("prompt", "research-*")),
        environment: None,
        reason: "dev: an example of a custom role, for a service that asks Turnpike about its own actions",
    },
];

/// Where a real provider was given.
pub(super) const REAL_GRANTS: [Grant; 1] = [Grant {
    to: "team:research",
    role: "developer",
    resource: Some(("model", "openai/*")),
    environment: None,
    reason: "dev: research may use the real provider",
}];
