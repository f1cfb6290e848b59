//! What to do with what comes in: a pure function of the position and the message.
//!
//! The bus may lose, double, delay and reorder. None of that is an error: what is known is ignored, what follows is
//! applied, and what leaves a gap is fetched from the control plane.

use turnpike_access::log::{Head, Recorded};

/// What came in, verified.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Incoming<'a> {
    /// Events, which should be consecutive.
    Batch(&'a [Recorded]),
    /// Where the log ended when the control plane said so.
    Head(Head),
}

/// What to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Fold all but the first so many.
    Apply {
        /// How many are folded in already.
        skip: usize,
    },
    /// Nothing in it is new.
    Ignore,
    /// Something before it is missing: ask the control plane.
    Heal,
    /// It contradicts what is folded in: what this edge holds is not of that log.
    Diverged,
}

/// What to do with this message at this position.
pub(crate) fn judge(at: Head, incoming: Incoming<'_>) -> Step {
    match incoming {
        Incoming::Head(head) if head.position > at.position => Step::Heal,
        Incoming::Head(head) if head.position == at.position && head.hash != at.hash => Step::Diverged,
        Incoming::Head(_) => Step::Ignore,
        Incoming::Batch(events) => judge_batch(at, events),
    }
}

fn judge_batch(at: Head, events: &[Recorded]) -> Step {
    let consecutive = events
        .windows(2)
        .all(|pair| matches!(pair, [one, next] if next.position == one.position.next()));
    if !consecutive {
        return Step::Heal;
    }
    let skip = events
        .iter()
        .take_while(|event| event.position <= at.position)
        .count();
    let known = skip.checked_sub(1).and_then(|index| events.get(index));
    if known.is_some_and(|event| event.position == at.position && event.hash != at.hash) {
        return Step::Diverged;
    }
    match events.get(skip) {
        None => Step::Ignore,
        Some(next) if next.position == at.position.next() => Step::Apply { skip },
        Some(_) => Step::Heal,
    }
}

#[cfg(test)]
pub(crate) mod tests;
