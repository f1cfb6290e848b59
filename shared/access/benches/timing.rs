//! Whether the time of a refusal tells what is wrong with a key, or that another tenant has what was asked for, by the
//! method of dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?").
//!
//! Keys, or models' names, of two kinds are presented in random order, each is timed by itself, and Welch's t-test says
//! whether the two kinds differ, of all timings and of those below some percentiles, since interrupts hide what is small.
//! A |t| beyond 10 is called a difference; how much it is in nanoseconds says what it is worth. That the work is the same
//! are tests (`an_unknown_a_wrong_and_a_revoked_key_cost_the_same_digests_and_comparisons`,
//! `what_another_tenant_has_is_not_looked_up`); this measures what is left.
//!
//! `cargo bench -p turnpike-access --bench timing` prints a report; `-- --quick` takes a tenth of the measurements.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that fails stops, and reports by printing"
)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use turnpike_access::{
    authenticate::{Caller, authenticate},
    choose::{ModelRequest, choose},
    credential::{Credential, CredentialStatus, KeyKind, PresentedKey, write_key},
    digest::Peppers,
    event::Event,
    grant::AuthMethod,
    id::{Id, Timestamp},
    log::{Origin, Recorded},
    model::{Catalogue, ModelProfile, ProviderKind, ProviderProfile},
    snapshot::Snapshot,
    tenant::{AccountProfile, TenantSettings},
};

#[path = "timing/welch.rs"]
mod welch;

use welch::Moments;

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
const MEASUREMENTS: usize = 2_000_000;
/// Of each kind. So few lie in the cache together, which is where an attacker would want them.
const KEYS: usize = 64;
/// A |t| that is more than chance, as dudect has it.
const DIFFERENT: f64 = 10.0;
const OWNER: &str = "user:alice";
const RIGHT: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";
const NEARLY: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefh";
const WRONG: &str = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";

fn id(number: usize) -> Id {
    // Spread over the whole alphabet, as real ones are.
    Id::from_random((number as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
}

fn fold(snapshot: &mut Snapshot, event: &Event) {
    fold_in(snapshot, "acme", event);
}

fn fold_in(snapshot: &mut Snapshot, tenant: &str, event: &Event) {
    let origin = Origin {
        time: NOW,
        tenant: tenant.parse().unwrap(),
        actor: "system".into(),
        correlation: "bench".into(),
    };
    let encoded = event.encode().unwrap();
    let head = snapshot.head();
    let next = Recorded::after(head, origin, encoded.kind, encoded.version, encoded.payload);
    snapshot.fold(&next).unwrap();
}

/// The first [`KEYS`] credentials are alive, as many after them revoked.
fn snapshot(peppers: &Peppers) -> Snapshot {
    let mut snapshot = Snapshot::default();
    // The operators' tenant is in every installation.
    for tenant in ["platform", "acme", "umbrella"] {
        fold_in(
            &mut snapshot,
            tenant,
            &Event::TenantCreated(TenantSettings::default()),
        );
    }
    let name = "theirs".parse().unwrap();
    let profile = ProviderProfile {
        kind: ProviderKind::Openai,
        base_url: "https://models.example/v1".into(),
        sealed_secret: None,
        api_version: None,
        catalogue: Catalogue::Open,
        tags: Default::default(),
        identity: None,
    };
    fold_in(
        &mut snapshot,
        "umbrella",
        &Event::ProviderCreated { name, profile },
    );
    for model in models("theirs") {
        let created = Event::ModelCreated {
            id: model.parse().unwrap(),
            profile: ModelProfile::default(),
        };
        fold_in(&mut snapshot, "umbrella", &created);
    }
    let account = Event::AccountCreated {
        principal: OWNER.parse().unwrap(),
        profile: AccountProfile::default(),
    };
    fold(&mut snapshot, &account);
    for number in 0..2 * KEYS {
        let id = id(number);
        let digest = peppers.digest(id, RIGHT).unwrap();
        let made = (NOW, "system".into());
        let alive = Credential::new(id, "acme".parse().unwrap(), OWNER.parse().unwrap(), digest, made);
        let status = match number < KEYS {
            true => CredentialStatus::Active,
            false => CredentialStatus::Revoked {
                at: NOW,
                reason: "leaked".into(),
            },
        };
        fold(
            &mut snapshot,
            &Event::CredentialIssued(Credential { status, ..alive }),
        );
    }
    snapshot
}

/// [`KEYS`] keys of credentials from this one on, with this secret.
fn keys(first: usize, secret: &str) -> Vec<String> {
    let key = |number| write_key(KeyKind::PersonalAccessToken, id(number), secret);
    (first..first + KEYS).map(key).collect()
}

/// Cheap numbers without order (SplitMix64), so that no kind is measured at a better time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        usize::try_from((mixed ^ (mixed >> 27)) >> 33).unwrap()
    }
}

/// The time of each refusal in nanoseconds, and of which kind it was; `refuse` tells how long it took.
fn measure(kinds: [&[String]; 2], count: usize, refuse: impl Fn(&str) -> Duration) -> Vec<(bool, f64)> {
    let mut random = Random(1);
    let mut timings = Vec::with_capacity(count);
    for round in 0..count + count / 10 {
        let (second, place) = (random.next() & 1 == 1, random.next() % KEYS);
        let took = refuse(&kinds[usize::from(second)][place]);
        // The first are for the caches.
        if round >= count / 10 {
            timings.push((second, took.as_secs_f64() * 1e9));
        }
    }
    timings
}

/// A key that is not accepted.
fn refuse_key(snapshot: &Snapshot, peppers: &Peppers, key: &str) -> Duration {
    let key = PresentedKey::parse(key).unwrap();
    let start = Instant::now();
    let refused = black_box(authenticate(snapshot, black_box(&key), peppers, NOW)).is_err();
    let took = start.elapsed();
    assert!(refused);
    took
}

/// A model that the caller's tenant has not got.
fn refuse_model(snapshot: &Snapshot, model: &str) -> Duration {
    let tenant = snapshot.tenant("acme").unwrap();
    let held = tenant.account(&OWNER.parse().unwrap()).unwrap();
    let caller = Caller::of(tenant, held, AuthMethod::ApiKey);
    let request = ModelRequest {
        action: "inference.chat",
        requested: black_box(model),
        provider: None,
        circumstances: caller.circumstances(NOW, None),
        accepts_fallback: true,
    };
    let start = Instant::now();
    let refused = black_box(choose(snapshot, &caller, &request)).is_err();
    let took = start.elapsed();
    assert!(refused);
    took
}

/// As many models of a provider as there are keys.
fn models(provider: &str) -> Vec<String> {
    (0..KEYS)
        .map(|number| format!("{provider}/model-{number}"))
        .collect()
}

/// The largest |t| over some percentiles, and there the means of both kinds.
fn compare(timings: &[(bool, f64)]) -> (f64, [f64; 2]) {
    let mut sorted: Vec<f64> = timings.iter().map(|(_, took)| *took).collect();
    sorted.sort_by(f64::total_cmp);
    let mut worst = (0.0, [0.0; 2]);
    for percentile in [50, 75, 90, 95, 99, 100] {
        let limit = sorted[(sorted.len() - 1) * percentile / 100];
        let mut moments = [Moments::default(), Moments::default()];
        for (second, took) in timings.iter().filter(|(_, took)| *took <= limit) {
            moments[usize::from(*second)].add(*took);
        }
        let t = moments[0].welch(&moments[1]).abs();
        if t >= worst.0 {
            worst = (t, [moments[0].mean(), moments[1].mean()]);
        }
    }
    worst
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let count = if quick { MEASUREMENTS / 10 } else { MEASUREMENTS };
    let peppers = Peppers::new([(1, [7; 32])]);
    let snapshot = snapshot(&peppers);
    let wrong = keys(0, WRONG);
    let (unknown, nearly, revoked) = (keys(2 * KEYS, RIGHT), keys(0, NEARLY), keys(KEYS, RIGHT));
    let revoked_wrong = keys(KEYS, WRONG);
    println!("{count} refusals for each comparison, {KEYS} keys of each kind, in random order.\n");
    println!("| kinds | mean, ns | difference, ns | largest abs(t) | |");
    println!("|---|---|---|---|---|");
    for (name, kinds) in [
        ("the same kind twice, for comparison", [&wrong, &wrong]),
        (
            "wrong in every character, or in the last alone",
            [&wrong, &nearly],
        ),
        (
            "wrong of a live key, or of a revoked one",
            [&wrong, &revoked_wrong],
        ),
        ("wrong, or revoked with the right secret", [&wrong, &revoked]),
        ("unknown, or wrong", [&unknown, &wrong]),
        ("unknown, or revoked with the right secret", [&unknown, &revoked]),
    ] {
        let refuse = |key: &str| refuse_key(&snapshot, &peppers, key);
        report(name, &measure(kinds.map(Vec::as_slice), count, refuse));
    }
    let (theirs, nobodys) = (models("theirs"), models("nobody"));
    let kinds = [theirs.as_slice(), &nobodys];
    let refuse = |model: &str| refuse_model(&snapshot, model);
    report(
        "a model of another tenant, or of nobody",
        &measure(kinds, count, refuse),
    );
}

fn report(name: &str, timings: &[(bool, f64)]) {
    let (t, [first, second]) = compare(timings);
    let verdict = if t > DIFFERENT {
        "a difference"
    } else {
        "none seen"
    };
    let difference = second - first;
    println!("| {name} | {first:.1}, {second:.1} | {difference:+.1} | {t:.1} | {verdict} |");
}
