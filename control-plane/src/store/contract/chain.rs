//! Events to append, a writer that appends until it knows that it did, and the whole log read back and verified.

use std::sync::Arc;

use turnpike_access::{
    id::Timestamp,
    log::{Head, Origin, Position, Recorded},
};

use crate::store::{AppendError, EventStore};

/// An event that follows `head`, told from others by its payload.
pub(super) fn event(head: Head, payload: &str) -> Recorded {
    let origin = Origin {
        time: Timestamp::from_micros(1_700_000_000_000_000),
        tenant: "acme".parse().unwrap(),
        actor: Arc::from("user:alice"),
        correlation: Arc::from("c-1"),
    };
    Recorded::after(head, origin, Arc::from("test.happened"), 1, Arc::from(payload))
}

/// Events that follow `head` and each other.
pub(super) fn chain(mut head: Head, payloads: impl IntoIterator<Item = String>) -> Vec<Recorded> {
    let link = |payload: String| {
        let event = event(head, &payload);
        head = event.head();
        event
    };
    payloads.into_iter().map(link).collect()
}

/// Appends `count` events to what is there and returns the new head.
pub(super) async fn grow(store: &dyn EventStore, count: usize) -> Head {
    let head = store.head().await.unwrap();
    let events = chain(head, (0..count).map(|n| format!("{{\"n\":{n}}}")));
    store.append(head, &events).await.unwrap();
    events.last().map_or(head, Recorded::head)
}

/// Appends batches named for their writer, whatever happens to others and to the database, each once.
pub(super) async fn append_surely(store: &dyn EventStore, writer: &str, batches: usize) {
    for batch in 0..batches {
        let payloads = || (0..1 + batch % 3).map(|n| format!("{writer}.{batch}.{n}"));
        let mut head = Head::default();
        let mut doubtful: Option<Recorded> = None;
        loop {
            let events = chain(head, payloads());
            match store.append(head, &events).await {
                Ok(()) => break,
                Err(AppendError::Conflict { head: found }) => {
                    // The head has moved, so that a "no" is final.
                    if let Some(last) = doubtful.take()
                        && is_committed(store, &last).await
                    {
                        break;
                    }
                    head = found;
                }
                Err(AppendError::Unknown(_)) => doubtful = events.last().cloned(),
                Err(AppendError::Unavailable(error)) => {
                    assert!(error.is_transient(), "{error:?}");
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

async fn is_committed(store: &dyn EventStore, last: &Recorded) -> bool {
    loop {
        match store.committed(last).await {
            Ok(answer) => return answer,
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    }
}

/// Reads the log in small pages, verifies every link and that the head is its end, and returns the payloads.
pub(super) async fn verified(store: &dyn EventStore) -> Vec<String> {
    let (mut head, mut payloads) = (Head::default(), Vec::new());
    loop {
        let page = store.read(head.position, 7).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 7);
        for event in page {
            event.follows(head).unwrap();
            head = event.head();
            payloads.push(event.payload.to_string());
        }
    }
    assert_eq!(store.head().await.unwrap(), head);
    assert_eq!(head.position, Position::new(payloads.len() as u64));
    payloads
}

/// What [`append_surely`] must have left in the log, in any order of the writers.
pub(super) fn assert_each_once(mut found: Vec<String>, writers: &[impl AsRef<str>], batches: usize) {
    let writers = writers.iter().map(AsRef::as_ref);
    for writer in writers.clone() {
        let own: Vec<_> = found
            .iter()
            .filter(|payload| payload.starts_with(&format!("{writer}.")))
            .collect();
        let due: Vec<_> = (0..batches)
            .flat_map(|batch| (0..1 + batch % 3).map(move |n| format!("{writer}.{batch}.{n}")))
            .collect();
        assert_eq!(own, due.iter().collect::<Vec<_>>(), "writer {writer}");
    }
    found.retain(|payload| {
        !writers
            .clone()
            .any(|writer| payload.starts_with(&format!("{writer}.")))
    });
    assert_eq!(found, Vec::<String>::new());
}
