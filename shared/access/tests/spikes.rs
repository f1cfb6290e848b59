//! How well spikes are found in realistic traffic: a daily rhythm, quiet nights and weekends, bursts, newcomers, growth; with
//! planted spikes. Prints the seeds, and precision and recall by kind.

use std::collections::BTreeSet;

use turnpike_access::alert::{
    rules::Rule,
    spike::{DAYS, HOUR, Hours},
};

const SEEDS: [u64; 5] = [1, 7, 42, 1999, 20_251_125];
const PRINCIPALS: u64 = 120;
/// Weeks of history, and the week in which it is looked.
const WEEKS: i64 = 4;
const DAY: i64 = 24 * HOUR;

/// xorshift64*: the same traffic for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About one, seldom below a half or above two.
    fn noise(&mut self) -> f64 {
        let sum: f64 = (0..6).map(|_| self.roll()).sum();
        ((sum - 3.0) * 0.45).exp()
    }
}

/// What makes a principal's traffic.
struct Habits {
    peak: f64,
    night: f64,
    weekend: f64,
    /// The first hour.
    begins: i64,
}

impl Habits {
    fn of(dice: &mut Dice) -> Self {
        let size = dice.roll();
        Self {
            peak: 60.0 * (1.0 + 80.0 * size * size),
            night: 0.02 + 0.4 * dice.roll(),
            weekend: 0.1 + 0.9 * dice.roll(),
            // One of six is new in the last ten days.
            begins: if dice.roll() < 0.16 { (WEEKS * 7 - 10) * DAY } else { 0 },
        }
    }

    fn mean(&self, at: i64) -> f64 {
        let hour = (at / HOUR).rem_euclid(24) as f64;
        let day = (-((hour - 14.0) / 4.5).powi(2)).exp();
        let week = if (at / DAY).rem_euclid(7) >= 5 { self.weekend } else { 1.0 };
        self.peak * (self.night + (1.0 - self.night) * day) * week
    }

    fn hour(&self, at: i64, dice: &mut Dice) -> f64 {
        // A burst of a batch job, now and then.
        let burst = if dice.roll() < 0.01 { 1.0 + dice.roll() } else { 1.0 };
        self.mean(at) * burst * dice.noise()
    }
}

/// How often something was planted, found, and raised.
#[derive(Default)]
struct Tally {
    planted: usize,
    found: usize,
    raised: usize,
}

/// Whether a spike of this kind may be in an hour.
fn planted(kind: &str, hour: i64) -> bool {
    let of_day = (hour / HOUR).rem_euclid(24);
    match kind {
        "day" => (10..18).contains(&of_day),
        _ => of_day < 6,
    }
}

fn look(seed: u64, kind: &str) -> Tally {
    let mut dice = Dice(seed);
    let limits = Rule::UsageSpike.usual();
    let mut tally = Tally::default();
    for _ in 0..PRINCIPALS {
        let habits = Habits::of(&mut dice);
        let end = WEEKS * 7 * DAY;
        let mut hours: Vec<(i64, u64)> = (habits.begins..end)
            .step_by(HOUR as usize)
            .map(|at| (at, habits.hour(at, &mut dice) as u64))
            .collect();
        let watched = end - 7 * DAY;
        let mut spikes = BTreeSet::new();
        if kind != "quiet" && habits.begins == 0 {
            let candidates: Vec<usize> = (0..hours.len())
                .filter(|index| hours[*index].0 >= watched && planted(kind, hours[*index].0))
                .collect();
            let index = candidates[(dice.roll() * candidates.len() as f64) as usize];
            // A runaway loop or a stolen key: twenty to sixty times the mean of that hour, and more than in any other.
            let many = habits.mean(hours[index].0) * (20.0 + 40.0 * dice.roll());
            hours[index].1 = many.max(habits.peak * 3.0) as u64 + 200;
            spikes.insert(hours[index].0);
        }
        tally.planted += spikes.len();
        for index in 0..hours.len() {
            let (at, used) = hours[index];
            let from = hours.partition_point(|(hour, _)| *hour < at - DAYS * DAY);
            let raised = at >= watched && Hours(&hours[from..index]).spike(at, used, limits.threshold, 200).is_some();
            tally.raised += usize::from(raised);
            tally.found += usize::from(raised && spikes.contains(&at));
        }
    }
    tally
}

#[test]
fn planted_spikes_are_found_and_hardly_anything_else() {
    for kind in ["day", "night"] {
        let mut whole = Tally::default();
        for seed in SEEDS {
            let Tally { planted, found, raised } = look(seed, kind);
            whole.planted += planted;
            whole.found += found;
            whole.raised += raised;
        }
        let precision = whole.found as f64 / whole.raised as f64;
        let recall = whole.found as f64 / whole.planted as f64;
        println!(
            "usage_spike by {kind}, seeds {SEEDS:?}: {} planted, {} raised, precision {precision:.3}, recall {recall:.3}",
            whole.planted, whole.raised
        );
        assert!(precision >= 0.95 && recall >= 0.95);
    }
}

#[test]
fn a_quiet_week_raises_nothing() {
    let raised: usize = SEEDS.iter().map(|seed| look(*seed, "quiet").raised).sum();
    println!("usage_spike in a quiet week, seeds {SEEDS:?}: {raised} raised");
    assert_eq!(raised, 0);
}
