//! What edges said of themselves, as plain values: who is newer, who is silent, what the store does not know yet.

use std::collections::BTreeMap;

use turnpike_access::{edge::Duty, id::Timestamp, log::Position};

use crate::store::EdgeReport;

/// An edge that was not heard of for so long is silent, in seconds.
const SILENT_AFTER: i64 = 10;
/// A heartbeat alone is passed to the store this often, in seconds.
const HEARTBEAT_EVERY: i64 = 2;
/// An edge that went elsewhere, or away, is left to the store after so many seconds.
const KEPT_FOR: i64 = 30;

/// How an edge is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EdgeState {
    /// Heard of lately.
    Live,
    /// Not heard of for ten seconds. It may still be serving.
    Silent,
    /// It said goodbye, and serves nobody.
    Departed,
    /// It was drained and has said that it serves nobody; it still follows.
    Drained,
    /// It was sent away, and is told nothing any more.
    Revoked,
    /// It stands still before an event that it cannot interpret, and serves by what it has.
    Halted,
}

impl EdgeState {
    /// `live`, `silent`, `departed`, `drained`, `revoked` or `halted`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Silent => "silent",
            Self::Departed => "departed",
            Self::Drained => "drained",
            Self::Revoked => "revoked",
            Self::Halted => "halted",
        }
    }

    /// Whether it is waited for by nobody: by its own word, or because it was sent away.
    pub fn serves_nobody(self) -> bool {
        match self {
            Self::Departed | Self::Drained | Self::Revoked => true,
            Self::Live | Self::Silent | Self::Halted => false,
        }
    }

    /// The same of a state as text, as receipts keep it.
    pub(crate) fn is_of_nobody(text: &str) -> bool {
        let all = [Self::Departed, Self::Drained, Self::Revoked];
        all.iter().any(|state| state.as_str() == text)
    }
}

/// What is known of an edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeStatus {
    /// What it last said of itself, and when it was heard.
    pub report: EdgeReport,
    /// How it is doing.
    pub state: EdgeState,
}

impl EdgeStatus {
    fn of(report: EdgeReport, now: Timestamp) -> Self {
        let state = if report.departed {
            EdgeState::Departed
        } else if report.last_seen.plus_seconds(SILENT_AFTER) < now {
            EdgeState::Silent
        } else if report.halted.is_some() {
            EdgeState::Halted
        } else {
            EdgeState::Live
        };
        Self { report, state }
    }
}

impl EdgeStatus {
    /// What it is to do says more of it than what it said.
    pub(super) fn heed(&mut self, duty: Duty) {
        match duty {
            Duty::Revoked => self.state = EdgeState::Revoked,
            Duty::Drain if self.state == EdgeState::Departed => self.state = EdgeState::Drained,
            Duty::Drain | Duty::Serve => {}
        }
    }
}

/// The edges that were heard by this process.
#[derive(Debug, Default)]
pub(super) struct Roster(BTreeMap<String, Heard>);

#[derive(Debug)]
struct Heard {
    report: EdgeReport,
    /// What the store was last told.
    saved: Option<EdgeReport>,
}

impl Roster {
    /// Takes a report in and says whether it is news beyond "still there".
    pub(super) fn take(&mut self, report: EdgeReport) -> bool {
        match self.0.get_mut(&report.name) {
            Some(heard) => {
                let news = is_news(&heard.report, &report);
                heard.report = report;
                news
            }
            None => {
                self.0.insert(report.name.clone(), Heard { report, saved: None });
                true
            }
        }
    }

    /// What the edges say that stand still.
    pub(super) fn halted(&self) -> Vec<EdgeReport> {
        let reports = self.0.values().map(|heard| &heard.report);
        reports
            .filter(|report| report.halted.is_some() && !report.departed)
            .cloned()
            .collect()
    }

    /// Forgets an edge and says whether it was held.
    pub(super) fn forget(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// What the store knows and what was heard here, whichever is newer of each edge, in the order of names.
    pub(super) fn merged(&self, stored: Vec<EdgeReport>, now: Timestamp) -> Vec<EdgeStatus> {
        let heard = self.0.values().map(|heard| heard.report.clone());
        let mut newest = BTreeMap::<String, EdgeReport>::new();
        for report in stored.into_iter().chain(heard) {
            let known = newest
                .entry(report.name.clone())
                .or_insert_with(|| report.clone());
            if report.last_seen >= known.last_seen {
                *known = report;
            }
        }
        newest
            .into_values()
            .map(|report| EdgeStatus::of(report, now))
            .collect()
    }

    /// What the store should be told now.
    pub(super) fn due(&self, now: Timestamp) -> Vec<EdgeReport> {
        self.0
            .values()
            .filter(|heard| heard.is_due(now))
            .map(|heard| heard.report.clone())
            .collect()
    }

    /// Whether one that was heard here, and has not taken leave, stands before a position.
    pub(super) fn is_behind(&self, position: Position) -> bool {
        let mut reports = self.0.values().map(|heard| &heard.report);
        reports.any(|report| !report.departed && report.position < position)
    }

    /// The store was told this; whoever has gone elsewhere since long is its alone to remember.
    pub(super) fn saved(&mut self, reports: Vec<EdgeReport>, now: Timestamp) {
        for report in reports {
            if let Some(heard) = self.0.get_mut(&report.name) {
                heard.saved = Some(report);
            }
        }
        self.0.retain(|_, heard| {
            heard.saved.as_ref() != Some(&heard.report)
                || heard.report.last_seen.plus_seconds(KEPT_FOR) >= now
        });
    }
}

impl Heard {
    fn is_due(&self, now: Timestamp) -> bool {
        match &self.saved {
            None => true,
            Some(saved) if is_news(saved, &self.report) => true,
            Some(saved) => {
                saved.last_seen != self.report.last_seen
                    && saved.last_seen.plus_seconds(HEARTBEAT_EVERY) <= now
            }
        }
    }
}

/// Whether anything but the time differs.
fn is_news(before: &EdgeReport, after: &EdgeReport) -> bool {
    let seen_then = EdgeReport {
        last_seen: before.last_seen,
        certain: before.certain,
        ..after.clone()
    };
    *before != seen_then
}
