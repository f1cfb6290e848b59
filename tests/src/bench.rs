//! The population of a benchmark: a state as large as asked for, made of events by the fold that edges use.

use std::sync::Arc;

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
};
use turnpike_runtime::{keyring::Keyring, random};

pub mod crowd;
pub mod large;
pub mod line;
pub mod outage;
pub mod returning;
pub mod revoking;
pub mod times;

/// How many full keys are kept to be used.
const SAMPLE: usize = 10_000;
/// Ten credentials for each principal.
const CREDENTIALS_EACH: usize = 10;

/// A state, and some keys that open it.
pub struct Population {
    /// The state.
    pub snapshot: Snapshot,
    /// Full keys, spread over all credentials.
    pub keys: Vec<String>,
}

struct Recorder {
    snapshot: Snapshot,
    tenant: Name,
}

impl Recorder {
    fn record(&mut self, event: &Event) -> Result<Recorded, Box<dyn std::error::Error>> {
        let encoded = event.encode()?;
        let origin = Origin {
            time: Timestamp::from_micros(1_700_000_000_000_000),
            tenant: self.tenant.clone(),
            actor: Arc::from("system"),
            correlation: Arc::from("bench"),
        };
        let head = self.snapshot.head();
        let recorded = Recorded::after(head, origin, encoded.kind, encoded.version, encoded.payload);
        self.snapshot.fold(&recorded)?;
        Ok(recorded)
    }
}

impl Population {
    /// One more credential of the first virtual account: the event that makes it.
    ///
    /// # Errors
    /// Only where this file is wrong.
    pub fn change(&mut self, peppers: &Peppers) -> Result<Recorded, Box<dyn std::error::Error>> {
        let principal = Principal::VirtualAccount("account-0".parse()?);
        let mut recorder = Recorder {
            snapshot: self.snapshot.clone(),
            tenant: "bench".parse()?,
        };
        let recorded = recorder.record(&Event::CredentialIssued(credential(peppers, &principal)?.0))?;
        self.snapshot = recorder.snapshot;
        Ok(recorded)
    }
}

/// So many credentials of a tenth as many virtual accounts in ten teams, which are granted the one model `bench`.
///
/// # Errors
/// Only where this file is wrong.
pub fn population(
    keyring: &Keyring,
    base_url: &str,
    credentials: usize,
) -> Result<Population, Box<dyn std::error::Error>> {
    let peppers = Peppers::new(keyring.peppers());
    let mut recorder = Recorder {
        snapshot: Snapshot::default(),
        tenant: "bench".parse()?,
    };
    recorder.record(&Event::TenantCreated(Default::default()))?;
    let teams = catalogue(&mut recorder, base_url)?;
    let mut keys = Vec::with_capacity(SAMPLE.min(credentials));
    let every = (credentials / SAMPLE).max(1);
    for number in 0..credentials.div_ceil(CREDENTIALS_EACH) {
        let principal = Principal::VirtualAccount(format!("account-{number}").parse()?);
        recorder.record(&Event::AccountCreated {
            principal: principal.clone(),
            profile: Default::default(),
        })?;
        let team = teams.get(number % teams.len()).ok_or("no team")?.clone();
        recorder.record(&Event::TeamMemberAdded {
            team,
            principal: principal.clone(),
        })?;
        for each in 0..CREDENTIALS_EACH {
            let (credential, key) = credential(&peppers, &principal)?;
            recorder.record(&Event::CredentialIssued(credential))?;
            if (number * CREDENTIALS_EACH + each).is_multiple_of(every) {
                keys.push(key);
            }
        }
    }
    Ok(Population {
        snapshot: recorder.snapshot,
        keys,
    })
}

fn catalogue(recorder: &mut Recorder, base_url: &str) -> Result<Vec<Name>, Box<dyn std::error::Error>> {
    let provider: Name = "upstream".parse()?;
    let profile = ProviderProfile {
        kind: ProviderKind::Openai,
        base_url: Arc::from(base_url),
        sealed_secret: None,
        api_version: None,
        catalogue: Catalogue::Closed,
        tags: Default::default(),
        identity: None,
    };
    recorder.record(&Event::ProviderCreated {
        name: provider.clone(),
        profile,
    })?;
    let id = ModelId::new(&provider, "bench")?;
    recorder.record(&Event::ModelCreated {
        id,
        profile: ModelProfile::default(),
    })?;
    let mut teams = Vec::new();
    for number in 0..10 {
        let name: Name = format!("team-{number}").parse()?;
        recorder.record(&Event::TeamCreated {
            name: name.clone(),
            profile: Default::default(),
        })?;
        recorder.record(&Event::GrantCreated(Grant {
            id: random::id(),
            subject: Subject::Team(name.clone()),
            role: "developer".parse()?,
            effect: Effect::Allow,
            selector: Selector {
                resources: vec![ResourcePattern {
                    kind: "model".parse()?,
                    name: "upstream/*".parse()?,
                }],
                ..Selector::default()
            },
            conditions: Default::default(),
            reason: None,
            owner: None,
        }))?;
        teams.push(name);
    }
    Ok(teams)
}

fn credential(
    peppers: &Peppers,
    owner: &Principal,
) -> Result<(Credential, String), Box<dyn std::error::Error>> {
    let id: Id = random::id();
    let secret = random::secret_base62(turnpike_access::credential::SECRET_LENGTH);
    let digest = peppers.digest(id, secret.expose()).ok_or("no pepper")?;
    let made = (Timestamp::from_micros(1_700_000_000_000_000), Arc::from("system"));
    let credential = Credential::new(id, "bench".parse()?, owner.clone(), digest, made);
    Ok((
        credential,
        write_key(KeyKind::VirtualAccount, id, secret.expose()),
    ))
}
