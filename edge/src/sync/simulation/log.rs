//! The one log that the simulated control planes commit to, and the state at each of its positions.

use std::{collections::BTreeMap, sync::Arc};

use turnpike_access::{
    authenticate,
    credential::Credential,
    digest::KeyDigest,
    event::Event,
    id::{Id, Principal, Timestamp},
    log::{Head, Origin, Recorded},
    snapshot::Snapshot,
    tenant::TenantSettings,
};

use super::chance::Chance;

pub(super) const TENANT: &str = "acme";

pub(super) struct Log {
    pub(super) events: Vec<Recorded>,
    /// When each was committed.
    pub(super) times: Vec<u64>,
    /// The state after so many events.
    pub(super) states: Vec<Snapshot>,
    live: Vec<Id>,
    /// Every credential that there ever was.
    pub(super) issued: Vec<Id>,
    /// By the position of the revocation.
    pub(super) revoked: BTreeMap<u64, Id>,
}

impl Log {
    pub(super) fn new() -> Self {
        let mut log = Self {
            events: Vec::new(),
            times: Vec::new(),
            states: vec![Snapshot::default()],
            live: Vec::new(),
            issued: Vec::new(),
            revoked: BTreeMap::new(),
        };
        log.commit(0, Event::TenantCreated(TenantSettings::default()));
        let principal = bot();
        let profile = Default::default();
        log.commit(0, Event::AccountCreated { principal, profile });
        log
    }

    pub(super) fn head(&self, length: usize) -> Head {
        self.states[length].head()
    }

    fn commit(&mut self, now: u64, event: Event) {
        let mut state = self.states.last().expect("a state").clone();
        let encoded = event.encode().expect("an event");
        let origin = Origin {
            time: Timestamp::from_micros(now.cast_signed()),
            tenant: TENANT.parse().expect("a name"),
            actor: Arc::from("system"),
            correlation: Arc::from("simulation"),
        };
        let recorded = Recorded::after(
            state.head(),
            origin,
            encoded.kind,
            encoded.version,
            encoded.payload,
        );
        state.fold(&recorded).expect("folds");
        self.events.push(recorded);
        self.times.push(now);
        self.states.push(state);
    }

    /// Something happens: keys come and go, and now and then the tenant thinks otherwise of how old a state may be.
    pub(super) fn grow(&mut self, now: u64, chance: &mut Chance) {
        if chance.percent(10) {
            let mut settings = TenantSettings::default();
            settings.staleness.max_seconds = [None, Some(5), Some(7), Some(15)][chance.index(4)];
            self.commit(now, Event::TenantUpdated(settings));
        } else if chance.percent(45) && !self.live.is_empty() {
            let id = self.live.swap_remove(chance.index(self.live.len()));
            let reason = Arc::from("lost");
            self.commit(now, Event::CredentialRevoked { id, reason });
            self.revoked.insert(self.events.len() as u64, id);
        } else {
            let id: Id = format!("key{:09}", self.issued.len()).parse().expect("an id");
            let digest = KeyDigest {
                pepper: 1,
                mac: [0; 32],
            };
            let made = (Timestamp::from_micros(0), Arc::from("system"));
            let credential = Credential::new(id, TENANT.parse().expect("a name"), bot(), digest, made);
            self.commit(now, Event::CredentialIssued(credential));
            self.live.push(id);
            self.issued.push(id);
        }
    }
}

fn bot() -> Principal {
    Principal::VirtualAccount("bot".parse().expect("a name"))
}

/// Whether a state lets a key in.
pub(super) fn admits(state: &Snapshot, id: Id) -> bool {
    state
        .credential(id)
        .is_some_and(|credential| authenticate::admit(state, credential, Timestamp::from_micros(1)).is_ok())
}
