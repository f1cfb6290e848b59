//! Checks one epoch of the audit against what its edge signed: whether a record was changed, left out, put elsewhere or cut
//! off at the end.
//!
//! Records come in the order of their sequence, and each checkpoint after the records up to its last. Reading them and
//! verifying signatures is left to the caller, so that the same walk is taken over a database and over an export.

use std::{collections::VecDeque, fmt};

use super::chain::{Checkpoint, Leaf, Link};

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
    verdict: Verdict,
}

impl Walk {
    /// Before the first record of an epoch.
    pub fn new(epoch: u64) -> Self {
        Self {
            start: Link::start(epoch),
            seen: VecDeque::new(),
            highest: 0,
            proven: 0,
            verdict: Verdict::default(),
        }
    }

    /// The next record.
    pub fn record(&mut self, sequence: u64, leaf: Leaf) {
        self.verdict.records += 1;
        let next = self.highest + 1;
        if sequence < next {
            self.verdict.problems.push(Problem::Disorder(sequence));
            return;
        }
        if sequence > next {
            self.missing(next, sequence - 1);
        }
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
        if last > self.highest {
            self.missing(self.highest + 1, last);
            self.highest = last;
        }
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
        if stored > self.highest {
            self.missing(self.highest + 1, stored);
        }
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
            _ => self.at(sequence)?.after,
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
        let mut link = said.before;
        for sequence in said.first..=said.last {
            link = link.after(sequence, self.at(sequence)?.leaf);
        }
        Some(link)
    }
}

#[cfg(test)]
mod tests;
