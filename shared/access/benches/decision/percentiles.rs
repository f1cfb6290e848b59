//! Times of single runs, and their percentiles.

use std::time::{Duration, Instant};

/// The times that one operation took.
pub(crate) struct Samples {
    what: &'static str,
    nanos: Vec<u64>,
}

impl Samples {
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            nanos: Vec::new(),
        }
    }

    /// Runs it once; the time includes reading the clock, some 20 ns.
    pub(crate) fn time<T>(&mut self, run: impl FnOnce() -> T) {
        let start = Instant::now();
        let result = run();
        let took = start.elapsed();
        drop(result);
        self.took(took);
    }

    /// Notes the time of one run.
    pub(crate) fn took(&mut self, time: Duration) {
        self.nanos
            .push(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// A row of the table.
    pub(crate) fn row(mut self) -> String {
        self.nanos.sort_unstable();
        let at = |share: f64| {
            let place = (self.nanos.len() as f64 * share) as usize;
            self.nanos.get(place).copied().unwrap_or_default()
        };
        format!(
            "| {} | {} ns | {} ns | {} ns |",
            self.what,
            at(0.5),
            at(0.99),
            at(0.999)
        )
    }
}
