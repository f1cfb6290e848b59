//! Which changes were made under an idempotency key lately, so that asking again with the same one makes none twice.
//!
//! It is read off the log and follows it, so that it holds whichever control plane was asked before, and however that
//! ended. A key is one caller's, for one method, in one tenant.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use turnpike_access::{
    id::Name,
    log::{Position, Recorded},
};

use crate::store::{EventStore, StoreError};

#[cfg(test)]
mod tests;

/// The correlation of a change that was asked for under a key begins so; other correlations are random ids, without a colon.
const PREFIX: &str = "key:";
/// So many events are looked back.
const REACH: u64 = 20_000;
/// Events read at a time.
const READ_LIMIT: u32 = 5_000;

/// The correlation of a change that is asked for under a key.
pub(crate) fn correlation(method: &str, key: &str) -> Arc<str> {
    Arc::from([PREFIX, method, ":", key].concat())
}

/// Whose key it is, in which tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    tenant: Name,
    actor: Arc<str>,
    correlation: Arc<str>,
}

/// What was made under which key.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// `None` until the log was looked through.
    made: Option<HashMap<Asked, Position>>,
    order: VecDeque<(Asked, Position)>,
    at: Position,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing was made under it, or it is no key.
    New,
    /// The change is in the log; its last event stands there.
    Made(Position),
    /// The log was not looked through yet.
    NotYet,
}

/// Whether a correlation is that of a key.
pub(super) fn is_key(correlation: &str) -> bool {
    correlation.starts_with(PREFIX)
}

impl Recent {
    /// Looks through the end of the log up to a position, once.
    pub(super) async fn look_back(
        &mut self,
        store: &dyn EventStore,
        until: Position,
    ) -> Result<(), StoreError> {
        if self.made.is_some() {
            return Ok(());
        }
        let mut found = Self {
            made: Some(HashMap::new()),
            at: Position::new(until.get().saturating_sub(REACH)),
            ..Self::default()
        };
        while found.at < until {
            let events = store.read(found.at, READ_LIMIT).await?;
            if events.is_empty() {
                break;
            }
            found.follow(events.iter().take_while(|event| event.position <= until));
        }
        *self = found;
        Ok(())
    }

    /// Takes in what came next in the log.
    pub(super) fn follow<'e>(&mut self, events: impl IntoIterator<Item = &'e Recorded>) {
        let Some(made) = &mut self.made else { return };
        for event in events {
            if event.position <= self.at {
                continue;
            }
            self.at = event.position;
            if is_key(&event.origin.correlation) {
                let asked = Asked {
                    tenant: event.origin.tenant.clone(),
                    actor: event.origin.actor.clone(),
                    correlation: event.origin.correlation.clone(),
                };
                made.insert(asked.clone(), event.position);
                self.order.push_back((asked, event.position));
            }
        }
        let oldest = self.at.get().saturating_sub(REACH);
        while let Some((asked, position)) = self.order.pop_front_if(|(_, position)| position.get() < oldest) {
            if made.get(&asked) == Some(&position) {
                made.remove(&asked);
            }
        }
    }

    /// What is known of a change that is asked for; `ahead` is what is about to be committed.
    pub(super) fn known(
        &self,
        tenant: &Name,
        actor: &str,
        correlation: &Arc<str>,
        ahead: &[Recorded],
    ) -> Known {
        if !is_key(correlation) {
            return Known::New;
        }
        let Some(made) = &self.made else {
            return Known::NotYet;
        };
        let same = |event: &&Recorded| {
            event.origin.correlation == *correlation
                && event.origin.tenant == *tenant
                && *event.origin.actor == *actor
        };
        let asked = Asked {
            tenant: tenant.clone(),
            actor: Arc::from(actor),
            correlation: correlation.clone(),
        };
        let ahead = ahead.iter().rfind(same).map(|event| event.position);
        let found = ahead.or_else(|| made.get(&asked).copied());
        found.map_or(Known::New, Known::Made)
    }
}
