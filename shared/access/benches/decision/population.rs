//! A tenant with a million credentials, built event by event, and changes to it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use turnpike_access::{
    credential::{Credential, KeyKind, write_key},
    digest::Peppers,
    event::Event,
    grant::{Effect, Grant, Subject},
    id::{Id, ModelId, Name, Principal, Timestamp},
    log::{Origin, Recorded},
    model::{Catalogue, ModelProfile, ProviderKind, ProviderProfile},
    pattern::{ResourcePattern, Selector},
    snapshot::Snapshot,
    tenant::{AccountProfile, TeamProfile, TenantSettings},
};

pub(crate) const CREDENTIALS: usize = 1_000_000;
pub(crate) const PRINCIPALS: usize = 100_000;
pub(crate) const MODELS: usize = 10_000;
const TEAMS: usize = 1_000;
const PROVIDERS: usize = 10;
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

/// Cheap numbers without order (SplitMix64), the same in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        usize::try_from(scatter(self.0) % end as u64).unwrap()
    }
}

fn scatter(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The snapshot, and what it took.
pub(crate) struct Population {
    pub(crate) snapshot: Snapshot,
    pub(crate) peppers: Peppers,
    pub(crate) bytes_each: usize,
    pub(crate) events: u32,
    pub(crate) each_event: Duration,
}

impl Population {
    pub(crate) fn build() -> Self {
        let mut snapshot = Snapshot::default();
        let (before, start) = (resident(), Instant::now());
        let mut events = 0;
        for event in happenings() {
            let recorded = record(&snapshot, &event);
            snapshot.fold(&recorded).unwrap();
            events += 1;
        }
        Self {
            snapshot,
            peppers: peppers(),
            bytes_each: (resident() - before) / CREDENTIALS,
            events,
            each_event: start.elapsed() / events,
        }
        .checked()
    }

    fn checked(self) -> Self {
        assert_eq!(self.snapshot.credential_count(), CREDENTIALS);
        self
    }
}

/// Bytes of memory that the process has now.
fn resident() -> usize {
    let told = std::fs::read_to_string("/proc/self/statm").unwrap();
    told.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn happenings() -> impl Iterator<Item = Event> {
    let peppers = peppers();
    std::iter::once(Event::TenantCreated(TenantSettings::default()))
        .chain((0..TEAMS).map(|number| Event::TeamCreated {
            name: name("team", number),
            profile: TeamProfile::default(),
        }))
        .chain((0..PROVIDERS).map(|number| Event::ProviderCreated {
            name: name("provider", number),
            profile: provider(),
        }))
        .chain((0..MODELS).map(|number| Event::ModelCreated {
            id: model(number).parse::<ModelId>().unwrap(),
            profile: ModelProfile {
                family: Some(name("family", number % 20)),
                environment: Some(name("environment", number % 3)),
                ..ModelProfile::default()
            },
        }))
        .chain((0..2 * TEAMS).map(|number| {
            // One for another purpose, and one that covers every model.
            let (role, models) = if number < TEAMS {
                ("viewer", "provider-1/*")
            } else {
                ("developer", "provider-*")
            };
            grant(number, Subject::Team(name("team", number % TEAMS)), role, models)
        }))
        .chain((0..PRINCIPALS).flat_map(|number| {
            let principal = owner(number);
            let account = Event::AccountCreated {
                principal: principal.clone(),
                profile: AccountProfile::default(),
            };
            let teams = [number % TEAMS, number * 7 % TEAMS];
            let joins = teams.map(|team| Event::TeamMemberAdded {
                team: name("team", team),
                principal: principal.clone(),
            });
            std::iter::once(account).chain(joins)
        }))
        .chain((0..CREDENTIALS).map(move |number| Event::CredentialIssued(credential(&peppers, number))))
}

/// The next event after a snapshot: a key made or revoked, a grant, or a new member of a team.
pub(crate) fn change(snapshot: &Snapshot, number: usize, random: &mut Random) -> Recorded {
    let principal = owner(random.below(PRINCIPALS));
    let event = match number % 4 {
        0 => Event::CredentialIssued(credential(&peppers(), CREDENTIALS + number)),
        1 => Event::CredentialRevoked {
            id: id(random.below(CREDENTIALS)),
            reason: Arc::from("leaked"),
        },
        2 => grant(
            4 * TEAMS + number,
            Subject::Principal(principal),
            "developer",
            "provider-3/*",
        ),
        _ => Event::TeamMemberAdded {
            team: name("team", random.below(TEAMS)),
            principal,
        },
    };
    record(snapshot, &event)
}

fn record(snapshot: &Snapshot, event: &Event) -> Recorded {
    let encoded = event.encode().unwrap();
    let origin = Origin {
        time: NOW,
        tenant: name("tenant", 0),
        actor: Arc::from("user:root"),
        correlation: Arc::from("benchmark"),
    };
    Recorded::after(
        snapshot.head(),
        origin,
        encoded.kind,
        encoded.version,
        encoded.payload,
    )
}

fn peppers() -> Peppers {
    Peppers::new([(1, [7; 32])])
}

fn name(what: &str, number: usize) -> Name {
    format!("{what}-{number}").parse().unwrap()
}

fn owner(number: usize) -> Principal {
    Principal::VirtualAccount(name("application", number % PRINCIPALS))
}

fn id(number: usize) -> Id {
    Id::from_random(u128::from(scatter(number as u64)) << 3)
}

fn secret(number: usize) -> String {
    format!("{number:043}")
}

/// A credential's full key.
pub(crate) fn key(number: usize) -> String {
    write_key(KeyKind::VirtualAccount, id(number), &secret(number))
}

/// A model's full name.
pub(crate) fn model(number: usize) -> String {
    format!("provider-{}/model-{number}", number % PROVIDERS)
}

fn credential(peppers: &Peppers, number: usize) -> Credential {
    let digest = peppers.digest(id(number), &secret(number)).unwrap();
    let made = (NOW, Arc::from("user:root"));
    Credential::new(id(number), name("tenant", 0), owner(number), digest, made)
}

fn grant(number: usize, subject: Subject, role: &str, models: &str) -> Event {
    Event::GrantCreated(Grant {
        id: id(number),
        subject,
        role: role.parse().unwrap(),
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
    })
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
