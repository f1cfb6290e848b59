//! Events come back from the wire as they went.

use std::sync::Arc;

use proptest::prelude::*;
use prost::Message as _;

use super::*;

fn text() -> impl Strategy<Value = Arc<str>> {
    ".{0,20}".prop_map(Arc::from)
}

prop_compose! {
    fn recorded()(
        position in any::<u64>(),
        time in any::<i64>(),
        tenant in "[a-z][a-z0-9.-]{0,20}",
        actor in text(),
        correlation in text(),
        kind in text(),
        version in any::<u16>(),
        payload in text(),
        previous in any::<[u8; 32]>(),
        hash in any::<[u8; 32]>(),
    ) -> Recorded {
        Recorded {
            position: Position::new(position),
            origin: Origin {
                time: Timestamp::from_micros(time),
                tenant: tenant.parse().unwrap(),
                actor,
                correlation,
            },
            kind,
            version,
            payload,
            previous: Hash::new(previous),
            hash: Hash::new(hash),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn events_survive_the_wire_unchanged(events in prop::collection::vec(recorded(), 0..4)) {
        let bytes = batch(&events).encode_to_vec();
        let read = read_batch(v1::Batch::decode(bytes.as_slice()).unwrap()).unwrap();
        prop_assert_eq!(read, events);
    }

    #[test]
    fn a_head_survives_the_wire_unchanged(position in any::<u64>(), link in any::<[u8; 32]>(), time in any::<i64>()) {
        let sent = Head { position: Position::new(position), hash: Hash::new(link) };
        let said = Timestamp::from_micros(time);
        prop_assert_eq!(read_head(&head(sent, said)).unwrap(), (sent, said));
    }
}

#[test]
fn an_event_with_a_short_hash_is_refused_by_the_name_of_its_field() {
    let event = v1::Event {
        tenant: "acme".to_owned(),
        previous: vec![0; 32],
        hash: vec![0; 31],
        ..Default::default()
    };
    let refused = read_batch(v1::Batch { events: vec![event] }).unwrap_err();
    assert_eq!(refused.to_string(), "events.hash: has 31 bytes, a hash has 32");
}
