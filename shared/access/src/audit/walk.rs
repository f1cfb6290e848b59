//! Checks one epoch of the audit against what its edge signed: whether a record was changed, left out, put elsewhere or cut
//! off at the end.
//!
//! Records come in the order of their sequence, and each checkpoint after the records up to its last. Reading them and
//! verifying signatures is left to the caller, so that the same walk is taken over a database and over an export.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use super::{
    chain::{Checkpoint, Leaf, Link},
    retired::{Retired, StandIn},
};

/// The records that are remembered: more than any checkpoint is about.
const REMEMBERED: usize = 8192;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Records that there were are not there.
    Missing(u64, u64),
    /// A record stands where another one was, or twice.
    Disorder(u64),
    /// One of these records is not the one that the edge signed.
    Changed(u64, u64),
    /// What was signed of these records does not follow on what was signed before.
    Detached(u64, u64),
    /// The signature about these records is not the edge's.
    Unsigned(u64, u64),
    /// That these records were deleted in good order is not signed by a control plane.
    Unretired(u64, u64),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(first, last) => write!(f, "records {first} to {last} are missing"),
            Self::Disorder(at) => write!(f, "record {at} stands in the place of another one, or twice"),
            Self::Changed(first, last) => {
                write!(
                    f,
                    "one of the records {first} to {last} is not the one that the edge signed"
                )
            }
            Self::Detached(first, last) => {
                write!(
                    f,
                    "what is signed of the records {first} to {last} does not follow on what came before"
                )
            }
            Self::Unretired(first, last) => write!(
                f,
                "that the records {first} to {last} were to be kept no longer is not signed by a control plane"
            ),
            Self::Unsigned(first, last) => {
                write!(
                    f,
                    "the signature about the records {first} to {last} is not by the edge's key"
                )
            }
        }
    }
}

/// What was found of an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Records seen.
    pub records: u64,
    /// Those among them that come after the last checkpoint, or are of an edge that signs nothing: nothing is proven of
    /// them.
    pub unproven: u64,
    /// Records that are deleted because their tenant does not keep them for longer, as a control plane signed.
    pub retired: u64,
    /// What is not as it was written.
    pub problems: Vec<Problem>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    sequence: u64,
    leaf: Leaf,
    /// The chain after it, where every record before it is known.
    after: Option<Link>,
}

/// The walk over one epoch.
#[derive(Debug)]
pub struct Walk {
    start: Link,
    seen: VecDeque<Seen>,
    /// The highest sequence seen.
    highest: u64,
    proven: u64,
    /// What stands for deleted records that are still to come: hashes by their sequence, and stretches by their first.
    leaves: BTreeMap<u64, Leaf>,
    stretches: BTreeMap<u64, Stretch>,
    /// The last record of each stretch that was passed, and the chain after it.
    passed: BTreeMap<u64, Stretch>,
    verdict: Verdict,
}

/// Everything from some record to the last, by the chain before and after.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    last: u64,
    before: Link,
    after: Link,
}

impl Walk {
    /// Before the first record of an epoch.
    pub fn new(epoch: u64) -> Self {
        Self {
            start: Link::start(epoch),
            seen: VecDeque::new(),
            highest: 0,
            proven: 0,
            leaves: BTreeMap::new(),
            stretches: BTreeMap::new(),
            passed: BTreeMap::new(),
            verdict: Verdict::default(),
        }
    }

    /// What was deleted; said before the first record. `signed`: the signature is by a control plane's key.
    pub fn retired(&mut self, said: Retired, signed: bool) {
        let (first, last) = (said.first, said.last);
        if !signed || !said.makes_sense() {
            self.verdict.problems.push(Problem::Unretired(first, last));
            return;
        }
        match said.stand_in {
            StandIn::Links(before, after) => {
                let stretch = Stretch { last, before, after };
                self.stretches.insert(first, stretch);
            }
            StandIn::Leaves(leaves) => self.leaves.extend(leaves),
        }
    }

    /// The next record.
    pub fn record(&mut self, sequence: u64, leaf: Leaf) {
        self.verdict.records += 1;
        self.pass_to(sequence.saturating_sub(1));
        if sequence <= self.highest {
            self.verdict.problems.push(Problem::Disorder(sequence));
            return;
        }
        self.see(sequence, leaf);
    }

    /// Goes on to a record over what is deleted, and tells what is missing.
    fn pass_to(&mut self, sequence: u64) {
        while self.highest < sequence {
            let next = self.highest + 1;
            if let Some(stretch) = self.stretches.remove(&next) {
                self.pass(next, stretch);
            } else if let Some(leaf) = self.leaves.remove(&next) {
                self.verdict.retired += 1;
                self.see(next, leaf);
            } else {
                let stretches = self.stretches.range(next..).map(|(first, _)| *first);
                let leaves = self.leaves.range(next..).map(|(first, _)| *first);
                let stop = stretches.take(1).chain(leaves.take(1)).min().unwrap_or(u64::MAX);
                let last = sequence.min(stop - 1);
                self.missing(next, last);
                self.highest = last;
            }
        }
    }

    fn pass(&mut self, first: u64, stretch: Stretch) {
        let before = self.link_after(first - 1);
        if before.is_some_and(|before| before != stretch.before) {
            self.verdict.problems.push(Problem::Detached(first, stretch.last));
        }
        self.verdict.retired += stretch.last - self.highest;
        self.highest = stretch.last;
        self.proven = self.proven.max(stretch.last);
        self.passed.insert(stretch.last, stretch);
    }

    fn see(&mut self, sequence: u64, leaf: Leaf) {
        let after = self
            .link_after(sequence - 1)
            .map(|link| link.after(sequence, leaf));
        self.highest = sequence;
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(Seen {
            sequence,
            leaf,
            after,
        });
    }

    /// What the edge said of the records up to the one seen last. `signed`: the signature is by the edge's key.
    pub fn checkpoint(&mut self, said: &Checkpoint, signed: bool) {
        let (first, last) = (said.first, said.last);
        if !signed {
            self.verdict.problems.push(Problem::Unsigned(first, last));
            return;
        }
        self.pass_to(last);
        let before = self.link_after(first - 1);
        let problem = match self.fold(said) {
            _ if before.is_some_and(|before| before != said.before) => Some(Problem::Detached(first, last)),
            Some(after) if after != said.after => Some(Problem::Changed(first, last)),
            _ => None,
        };
        // From here on by what was signed, so that one change is one problem.
        let doubtful = problem.is_some();
        for seen in self
            .seen
            .iter_mut()
            .rev()
            .take_while(|seen| seen.sequence >= first)
        {
            match seen.sequence == last {
                true => seen.after = Some(said.after),
                false if doubtful => seen.after = None,
                false => {}
            }
        }
        self.verdict.problems.extend(problem);
        self.proven = self.proven.max(last);
    }

    /// The end. `stored`: up to which sequence records were once known to be there.
    pub fn end(mut self, stored: u64) -> Verdict {
        self.pass_to(stored);
        let after = self.highest.saturating_sub(self.proven);
        self.verdict.unproven = after.min(self.verdict.records);
        self.verdict
    }

    fn missing(&mut self, first: u64, last: u64) {
        self.verdict.problems.push(Problem::Missing(first, last));
    }

    fn link_after(&self, sequence: u64) -> Option<Link> {
        match sequence {
            0 => Some(self.start),
            _ => match self.passed.get(&sequence) {
                Some(stretch) => Some(stretch.after),
                None => self.at(sequence)?.after,
            },
        }
    }

    fn at(&self, sequence: u64) -> Option<&Seen> {
        let found = self.seen.binary_search_by_key(&sequence, |seen| seen.sequence);
        self.seen.get(found.ok()?)
    }

    /// The chain after the records that it is about, from what was signed before them. `None`: not all are there, which is
    /// told already.
    fn fold(&self, said: &Checkpoint) -> Option<Link> {
        if self.link_after(said.first - 1) == Some(said.before)
            && let Some(after) = self.link_after(said.last)
        {
            return Some(after);
        }
        // Of what is deleted in between, the chain after it is known.
        let passed = self.passed.range(said.first..=said.last).next_back();
        let (from, mut link) = match passed {
            Some((last, stretch)) => (last + 1, stretch.after),
            None => (said.first, said.before),
        };
        for sequence in from..=said.last {
            link = link.after(sequence, self.at(sequence)?.leaf);
        }
        Some(link)
    }
}

#[cfg(test)]
mod tests;
