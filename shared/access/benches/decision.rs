//! What the core costs with a million credentials: from a key to who calls, to a decision, and one change.
//!
//! Criterion gives means. What an edge promises is a percentile, so single runs are timed here too, and printed as a
//! table; `report.md` holds one with the machine it was made on.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that fails stops, and reports by printing"
)]

use std::{hint::black_box, sync::Arc, time::Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use turnpike_access::{
    authenticate::{Caller, authenticate},
    choose::{Choice, ModelRequest, choose},
    credential::PresentedKey,
    digest::KeyDigest,
    grant::{AuthMethod, Circumstances},
    listing::usable,
    snapshot::Snapshot,
};

#[path = "decision/percentiles.rs"]
mod percentiles;
#[path = "decision/population.rs"]
mod population;

use percentiles::Samples;
use population::{CREDENTIALS, MODELS, NOW, PRINCIPALS, Population, Random};

/// Nobody's digest: comparing with it takes as long as with the right one.
const NOTHING: KeyDigest = KeyDigest {
    pepper: 0,
    mac: [0; 32],
};
const SINGLE_RUNS: usize = 200_000;
const CHANGES: usize = 20_000;

fn circumstances() -> Circumstances<'static> {
    Circumstances {
        now: NOW,
        method: AuthMethod::ApiKey,
        issuer: None,
        issued: None,
        client: None,
    }
}

fn to_principal<'s>(population: &'s Population, key: &str) -> Caller<'s> {
    let key = PresentedKey::parse(key).unwrap();
    authenticate(&population.snapshot, &key, &population.peppers, NOW).unwrap()
}

fn to_decision<'s>(population: &'s Population, key: &str, model: &str) -> Choice<'s> {
    let caller = to_principal(population, key);
    let request = ModelRequest {
        action: "inference.chat",
        requested: model,
        provider: None,
        circumstances: circumstances(),
        accepts_fallback: true,
    };
    let choice = choose(&population.snapshot, &caller, &request).unwrap();
    assert!(choice.decision.allowed());
    choice
}

/// Single runs with random keys and models, so that little of what is looked up is in a cache. Parsing and the digest, which look
/// nothing up, are parts of what follows.
fn single_requests(population: &Population, random: &mut Random) -> [Samples; 5] {
    let mut samples = [
        Samples::new("of that, parsing the key"),
        Samples::new("of that, its digest"),
        Samples::new("key to principal"),
        Samples::new("key to decision"),
        Samples::new("decision of a known caller"),
    ];
    let [parsed, digest, principal, decision, known] = &mut samples;
    for _ in 0..SINGLE_RUNS {
        let key = population::key(random.below(CREDENTIALS));
        parsed.time(|| black_box(PresentedKey::parse(&key).is_ok()));
        let presented = PresentedKey::parse(&key).unwrap();
        digest.time(|| black_box(population.peppers.verify(&NOTHING, &presented)));
        principal.time(|| black_box(to_principal(population, &key)));
        let (key, model) = (
            population::key(random.below(CREDENTIALS)),
            population::model(random.below(MODELS)),
        );
        decision.time(|| black_box(to_decision(population, &key, &model)));
        let caller = to_principal(population, &key);
        let request = ModelRequest {
            action: "inference.chat",
            requested: &model,
            provider: None,
            circumstances: circumstances(),
            accepts_fallback: true,
        };
        known.time(|| black_box(choose(&population.snapshot, &caller, &request).is_ok()));
    }
    samples
}

/// One event folded into a copy while the predecessor is held, as requests under way hold it, and the copy put in its
/// place.
fn single_changes(population: &mut Population, random: &mut Random) -> Samples {
    let mut samples = Samples::new("one change");
    let mut current = Arc::new(population.snapshot.clone());
    for number in 0..CHANGES {
        let held = current.clone();
        let recorded = population::change(&current, number, random);
        samples.time(|| {
            let mut next = Snapshot::clone(&current);
            next.fold(&recorded).unwrap();
            current = Arc::new(next);
        });
        drop(held);
    }
    samples
}

/// What the machine takes for one read that is in no cache, each after the one before: random in 64 MiB, as much as the
/// lines of a million credentials. Two of them, one after another, are the least that finding a key's owner takes.
fn cold_read(random: &mut Random) -> Samples {
    const READS: usize = 32;
    let mut next: Vec<usize> = (0..(64 << 20) / size_of::<usize>()).collect();
    for place in (1..next.len()).rev() {
        next.swap(place, random.below(place));
    }
    let (mut samples, mut place) = (Samples::new("one cold read, mean of 32"), 0);
    for _ in 0..SINGLE_RUNS {
        let start = Instant::now();
        for _ in 0..READS {
            place = next.get(place).copied().unwrap_or_default();
        }
        samples.took(start.elapsed() / u32::try_from(READS).unwrap());
    }
    black_box(place);
    samples
}

fn print_table(population: &mut Population) {
    let mut random = Random::new(1);
    println!(
        "\n| {CREDENTIALS} credentials, {PRINCIPALS} principals, {MODELS} models | p50 | p99 | p99.9 |\n|---|---|---|---|"
    );
    println!("{}", cold_read(&mut random).row());
    for samples in single_requests(population, &mut random) {
        println!("{}", samples.row());
    }
    println!("{}", single_changes(population, &mut random).row());
    println!(
        "\nmemory for each credential with its principal: {} bytes",
        population.bytes_each
    );
    println!(
        "built from {} events, {:?} each",
        population.events, population.each_event
    );
    let caller = to_principal(population, &population::key(0));
    let start = Instant::now();
    let listed = usable(&population.snapshot, &caller, circumstances()).count();
    println!("list of {listed} usable models: {:?}\n", start.elapsed());
}

fn decision(criterion: &mut Criterion) {
    let mut population = Population::build();
    print_table(&mut population);
    let mut random = Random::new(2);
    criterion.bench_function("key to principal", |bench| {
        bench.iter_batched_ref(
            || population::key(random.below(CREDENTIALS)),
            |key| black_box(to_principal(&population, key)).method,
            criterion::BatchSize::NumIterations(1000),
        );
    });
    criterion.bench_function("key to decision", |bench| {
        bench.iter_batched_ref(
            || {
                (
                    population::key(random.below(CREDENTIALS)),
                    population::model(random.below(MODELS)),
                )
            },
            |(key, model)| black_box(to_decision(&population, key, model)).decision.reason,
            criterion::BatchSize::NumIterations(1000),
        );
    });
    let predecessor = Arc::new(population.snapshot.clone());
    let mut number = 0;
    criterion.bench_function("one change", |bench| {
        bench.iter_batched_ref(
            || {
                number += 1;
                population::change(&predecessor, number, &mut random)
            },
            |recorded| {
                let mut next = Snapshot::clone(&predecessor);
                next.fold(recorded).unwrap();
                next
            },
            criterion::BatchSize::NumIterations(100),
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50).measurement_time(std::time::Duration::from_secs(3));
    targets = decision
}
criterion_main!(benches);
