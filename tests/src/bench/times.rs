//! Times as they came, and what of their distribution a report shows.

use std::time::Duration;

/// Times in microseconds.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<u64>);

impl Times {
    /// One more.
    pub fn add(&mut self, took: Duration) {
        self.0.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Those of others as well.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// In milliseconds: the median, the 99th percentile and the longest.
    pub fn distribution(mut self) -> [f64; 3] {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        [0.5, 0.99, 1.0].map(|share| {
            let index = (last as f64 * share).round() as usize;
            self.0.get(index).map_or(f64::NAN, |micros| *micros as f64 / 1e3)
        })
    }

    /// `p50 | p99 | max`, as cells of a table.
    pub fn cells(self) -> String {
        let [p50, p99, max] = self.distribution();
        format!("{p50:.2} ms | {p99:.2} ms | {max:.2} ms")
    }
}
