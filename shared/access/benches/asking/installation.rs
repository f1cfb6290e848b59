//! A tenant whose principals have a hundred grants each, through ten teams; and requests of theirs.

use std::sync::Arc;

use turnpike_access::{
    audit::{AuditRecord, Ending, Outcome, Usage},
    event::Event,
    grant::{Effect, Grant, Subject},
    id::{Id, Name, Principal, Timestamp},
    log::{Origin, Recorded},
    model::{Catalogue, ModelProfile, ProviderKind, ProviderProfile},
    pattern::{ResourcePattern, Selector, SetOperator, SetTest, TagTest},
    snapshot::Snapshot,
    tenant::{AccountProfile, TeamProfile, TenantSettings},
};

pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
/// What is asked for.
pub(crate) const ACTIONS: [&str; 2] = ["inference.chat", "inference.embeddings"];
const TEAMS: usize = 100;
const TEAMS_EACH: usize = 10;
const GRANTS_EACH: usize = 10;
const PROVIDERS: usize = 10;
const TAG: &str = "serial";

/// A snapshot with so many principals and models; each model with a tag of its own that every grant looks at, or none.
pub(crate) fn build(size: (usize, usize), own_tags: bool) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for event in happenings(size, own_tags) {
        let encoded = event.encode().unwrap();
        let origin = Origin {
            time: NOW,
            tenant: "acme".parse().unwrap(),
            actor: Arc::from("user:root"),
            correlation: Arc::from("benchmark"),
        };
        let (kind, version, payload) = (encoded.kind, encoded.version, encoded.payload);
        let recorded = Recorded::after(snapshot.head(), origin, kind, version, payload);
        snapshot.fold(&recorded).unwrap();
    }
    snapshot
}

fn happenings((principals, models): (usize, usize), own_tags: bool) -> impl Iterator<Item = Event> {
    std::iter::once(Event::TenantCreated(TenantSettings::default()))
        .chain((0..TEAMS).map(|number| Event::TeamCreated {
            name: name("team", number),
            profile: TeamProfile::default(),
        }))
        .chain((0..PROVIDERS).map(|number| Event::ProviderCreated {
            name: name("provider", number),
            profile: provider(),
        }))
        .chain((0..models).map(move |number| {
            Event::ModelCreated {
                id: model(number).parse().unwrap(),
                profile: ModelProfile {
                    family: Some(name("family", number % 20)),
                    tags: own_tags
                        .then(|| (Arc::from(TAG), Arc::from(number.to_string())))
                        .into_iter()
                        .collect(),
                    ..ModelProfile::default()
                },
            }
        }))
        .chain((0..TEAMS * GRANTS_EACH).map(move |number| {
            // Most are for single models; one of each team is for a whole provider.
            let models = match number / TEAMS {
                0 => format!("provider-{}/*", number % PROVIDERS),
                _ => model(number % models),
            };
            let mut grant = grant(number, number % TEAMS, &models);
            grant.selector.tags.extend(own_tags.then(|| TagTest {
                key: Arc::from(TAG),
                test: SetTest {
                    operator: SetOperator::NotIn,
                    values: vec![Arc::from("none")],
                },
            }));
            Event::GrantCreated(grant)
        }))
        .chain((0..principals).flat_map(|number| {
            let account = Event::AccountCreated {
                principal: principal(number),
                profile: AccountProfile::default(),
            };
            let joins = (0..TEAMS_EACH).map(move |nth| Event::TeamMemberAdded {
                team: name("team", (number + nth) % TEAMS),
                principal: principal(number),
            });
            std::iter::once(account).chain(joins)
        }))
}

fn name(what: &str, number: usize) -> Name {
    format!("{what}-{number}").parse().unwrap()
}

/// A principal.
pub(crate) fn principal(number: usize) -> Principal {
    Principal::VirtualAccount(name("application", number))
}

/// A model.
pub(crate) fn model(number: usize) -> String {
    format!("provider-{}/model-{number}", number % PROVIDERS)
}

/// A grant to a team.
pub(crate) fn grant(number: usize, team: usize, models: &str) -> Grant {
    Grant {
        id: Id::from_random(number as u128),
        subject: Subject::Team(name("team", team)),
        role: "developer".parse().unwrap(),
        effect: Effect::Allow,
        selector: Selector {
            resources: vec![ResourcePattern {
                kind: "model".parse().unwrap(),
                name: models.parse().unwrap(),
            }],
            ..Selector::default()
        },
        conditions: Default::default(),
        reason: None,
        owner: None,
    }
}

fn provider() -> ProviderProfile {
    ProviderProfile {
        kind: ProviderKind::Openai,
        base_url: Arc::from("https://models.example/v1"),
        sealed_secret: None,
        api_version: None,
        catalogue: Catalogue::Open,
        tags: Default::default(),
        identity: None,
    }
}

/// A request as an edge records it.
pub(crate) fn record(number: usize, (principals, models): (usize, usize)) -> AuditRecord {
    let model = model(number * 31 % models);
    AuditRecord {
        time: NOW,
        request_id: Arc::from(format!("req_{number}")),
        decision_id: None,
        trace_id: None,
        tenant: Some(Arc::from("acme")),
        principal: Some(Arc::from(principal(number * 17 % principals).to_string())),
        credential: None,
        auth_method: Some(Arc::from("api_key")),
        token: None,
        route: Arc::from("POST /v1/chat/completions"),
        action: Some(Arc::from(ACTIONS[0])),
        subject: None,
        resource: None,
        model_requested: Some(Arc::from(model.as_str())),
        model_served: None,
        fallback_from: None,
        provider: model.split_once('/').map(|(provider, _)| Arc::from(provider)),
        environment: None,
        outcome: Outcome::Allowed,
        reason: Arc::from("granted"),
        grants: Vec::new(),
        status: 200,
        upstream_status: None,
        latency_us: 1,
        first_token_us: None,
        usage: Usage::default(),
        billing: Default::default(),
        streamed: false,
        ending: Ending::Complete,
        client: None,
        user_agent: None,
        metadata: Vec::new(),
        region: Arc::from("local"),
        position: 1,
    }
}
