//! How many cases are run, with which seeds, and what happens with one that found something.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{question::Question, world::World};

/// That are put to one world.
pub(crate) const QUESTIONS: usize = 50;
/// How many worlds pass between two words of progress.
const TOLD_EVERY: usize = 20_000;

/// Runs at least so many cases, or as many as the environment asks for, on all processors; each seed runs several. Those
/// that once found something are the first.
pub(crate) fn over(seeds: &str, usual: usize, run: impl Fn(u64) -> Result<usize, String> + Sync) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let wanted = number("TURNPIKE_DIFFERENTIAL_CASES").map_or(usual, |cases| usize::try_from(cases).unwrap());
    let first = number("TURNPIKE_DIFFERENTIAL_SEED").unwrap_or_else(at_random);
    eprintln!("{wanted} cases from seed {first}");
    for seed in kept(seeds) {
        run(seed).unwrap_or_else(|said| panic!("seed {seed}, which is kept: {said}"));
    }
    let (next, done) = (AtomicU64::new(first), AtomicUsize::new(0));
    let found: Mutex<Option<(u64, String)>> = Mutex::new(None);
    let work = || {
        while done.load(Ordering::Relaxed) < wanted && found.lock().unwrap().is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            match run(seed) {
                Err(said) => *found.lock().unwrap() = Some((seed, said)),
                Ok(cases) => {
                    let before = done.fetch_add(cases, Ordering::Relaxed);
                    if before / TOLD_EVERY != (before + cases) / TOLD_EVERY {
                        eprintln!("{} cases", before + cases);
                    }
                }
            }
        }
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..processors).for_each(|_| drop(scope.spawn(work))));
    if let Some((seed, said)) = found.into_inner().unwrap() {
        keep(seeds, seed);
        panic!("seed {seed}, kept in {seeds}: {said}");
    }
}

/// Of one question.
pub(crate) fn disagreement(number: usize, world: &World, question: &Question, said: &str) -> String {
    format!("question {number}: {said}\n{question:#?}\n{world:#?}")
}

fn at_random() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap() << 20
}

fn kept(seeds: &str) -> Vec<u64> {
    let text = fs::read_to_string(seeds).unwrap();
    let seeds = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    seeds.map(|line| line.parse().unwrap()).collect()
}

fn keep(seeds: &str, seed: u64) {
    let mut seeds = OpenOptions::new().append(true).open(seeds).unwrap();
    writeln!(seeds, "{seed}").unwrap();
}
