//! What must hold at every moment of a simulation, whatever goes wrong.

use turnpike_access::log::Position;

use super::{
    log::{Log, admits},
    vessel::Run,
    world::SECOND,
};
use crate::freshness::Moment;

pub(super) struct Check {
    seed: u64,
    /// What each edge last said of itself, as control planes have heard it.
    reported: Vec<Option<Position>>,
    /// A receipt was given for all up to here.
    receipted: Position,
}

impl Check {
    pub(super) fn new(seed: u64, edges: usize) -> Self {
        Self {
            seed,
            reported: vec![None; edges],
            receipted: Position::ZERO,
        }
    }

    /// A receipt is given as soon as every edge has said that it is there.
    pub(super) fn reported(&mut self, edge: usize, said: Option<Position>) {
        self.reported[edge] = Some(said.unwrap_or_default());
        if let Some(all) = self.reported.iter().copied().collect::<Option<Vec<_>>>() {
            self.receipted = all.into_iter().min().unwrap_or_default().max(self.receipted);
        }
    }

    /// Where no edge may be behind any more.
    pub(super) fn receipted(&self) -> Position {
        self.receipted
    }

    pub(super) fn edge(&self, edge: usize, run: &mut Run, moment: Moment, now: u64, log: &Log) {
        let Some(head) = run.head() else { return };
        let told = format!("seed {}, edge {edge} at {head:?}, {now} us", self.seed);
        assert!(
            head.position >= run.seen,
            "{told}: it stepped back from {}",
            run.seen
        );
        let at = usize::try_from(head.position.get()).expect("small");
        assert!(at < log.states.len(), "{told}: nobody has committed that");
        assert_eq!(head, log.head(at), "{told}: not a state of the log");
        if head.position > run.seen {
            let state = run.current.copy().expect("a state");
            for id in &log.issued {
                let right = admits(&log.states[at], *id);
                assert_eq!(admits(&state, *id), right, "{told}: {id} is judged wrongly");
            }
        }
        run.seen = head.position;
        let Some(state) = run.serves(moment) else { return };
        assert!(
            head.position >= self.receipted,
            "{told}: it serves without what a receipt was given for, {}",
            self.receipted
        );
        let most = state
            .tenant(super::log::TENANT)
            .and_then(|tenant| tenant.settings().staleness.max_seconds);
        if let (Some(most), Some(missing)) = (most, log.times.get(at)) {
            assert!(
                missing + u64::from(most) * SECOND >= now,
                "{told}: it serves past the fence of {most} s, without what was committed at {missing} us"
            );
        }
    }

    pub(super) fn at_the_end(&self, edge: usize, run: Option<&Run>, log: &Log) {
        let head = run.and_then(Run::head);
        let end = log.head(log.events.len());
        assert_eq!(
            head,
            Some(end),
            "seed {}: edge {edge} does not come to the end",
            self.seed
        );
    }
}
