//! What the tests of single modules begin with.

use crate::{
    event::Event,
    id::Timestamp,
    log::{Origin, Recorded},
    snapshot::Snapshot,
};

/// The moment of everything.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

/// Something happens in a tenant.
pub(crate) fn fold(snapshot: &mut Snapshot, tenant: &str, event: &Event) {
    let origin = Origin {
        time: NOW,
        tenant: tenant.parse().unwrap(),
        actor: "system".into(),
        correlation: "test".into(),
    };
    let encoded = event.encode().unwrap();
    let head = snapshot.head();
    let next = Recorded::after(head, origin, encoded.kind, encoded.version, encoded.payload);
    snapshot.fold(&next).unwrap();
}
