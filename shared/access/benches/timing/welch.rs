//! Welch's t-test, on sums that are kept as the numbers come (Welford).

/// Count, mean and spread of what was added.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let off = value - self.mean;
        self.mean += off / self.count;
        self.squares += off * (value - self.mean);
    }

    pub(crate) fn mean(&self) -> f64 {
        self.mean
    }

    /// How far the means lie apart, in units of what chance would do; 0 where there is too little to say.
    pub(crate) fn welch(&self, other: &Self) -> f64 {
        let error = |of: &Self| of.squares / (of.count - 1.0) / of.count;
        let both = error(self) + error(other);
        if both.is_finite() && both > 0.0 {
            (self.mean - other.mean) / both.sqrt()
        } else {
            0.0
        }
    }
}
