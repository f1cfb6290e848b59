//! What asking and rehearsing cost: a plan and its survey, a replay, an explanation, a list of models.
//!
//! `cargo bench -p turnpike-access --bench asking` prints one table. What is asked once a day is timed once; what is asked
//! often, many times.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that fails stops, and reports by printing"
)]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use turnpike_access::{
    authenticate::Caller,
    decide::{Request, decide},
    effective::{granted, what, who},
    explain::explain,
    grant::{AuthMethod, Circumstances, Subject},
    id::{Id, Name},
    listing::usable,
    pattern::Resource,
    policy::{
        GrantEntry, Policy,
        plan::{Plan, Secrets, Wanted, plan},
        replay::Replay,
        survey::Survey,
    },
    snapshot::{Snapshot, Tenant},
};

#[path = "asking/installation.rs"]
mod installation;

use installation::{ACTIONS, NOW, build, grant, model, principal, record};

/// As many principals and models as a plan is surveyed over.
const SURVEYED: (usize, usize) = (1_000, 500);
/// As many as an explanation and a list are asked among.
const LARGE: (usize, usize) = (1_000_000, 10_000);
/// Recorded requests.
const REPLAYED: usize = 1_000_000;
/// So many principals are surveyed between two words of progress, as the control plane does it.
const AT_ONCE: usize = 50;
const TIMES: usize = 1_000;
/// A decision is so short that it is asked for more often.
const DECISIONS: usize = 200_000;

fn main() {
    println!("| what | aim | took |\n|---|---|---|");
    let (small, large) = (build(SURVEYED, false), build(LARGE, false));
    let plan = planning(&small);
    replaying(&small, &plan);
    listing(&large, "");
    deciding(&large);
    asking(&large);
    drop(large);
    listing(
        &build(LARGE, true),
        ", each with tags of its own that all grants look at",
    );
}

fn tenant() -> Name {
    "acme".parse().unwrap()
}

fn row(what: &str, aim: &str, took: Duration) {
    println!("| {what} | {aim} | {took:.2?} |");
}

/// The policy as it is, but that each of ten teams loses a grant and gets another.
fn changed(snapshot: &Snapshot) -> Policy {
    let mut policy = Policy::of(snapshot.tenant("acme").unwrap());
    let grants = policy.grants.as_mut().unwrap();
    grants.retain(
        |entry| !matches!(&entry.grant.subject, Subject::Team(team) if team.as_str().ends_with("-7")),
    );
    for number in 0..10 {
        grants.push(GrantEntry {
            id: None,
            grant: grant(1_000_000 + number, number, "provider-3/*"),
        });
    }
    policy
}

fn planning(snapshot: &Snapshot) -> Plan {
    let policy = changed(snapshot);
    let (start, mut number) = (Instant::now(), 5_000_000_u128);
    let mut ids = || {
        number += 1;
        Id::from_random(number)
    };
    let wanted = Wanted {
        policy: &policy,
        prune: true,
        prune_approved: false,
        secrets: &Secrets::default(),
    };
    let by = Arc::from("user:root");
    let plan = plan(snapshot, &tenant(), wanted, (NOW, &by), &mut ids).unwrap();
    let planned = start.elapsed();
    let states = (Arc::new(snapshot.clone()), plan.after.clone());
    let survey = Survey::new(states, tenant(), NOW, Vec::new());
    let parts = (0..survey.everybody()).step_by(AT_ONCE);
    let changes: usize = parts.map(|from| survey.part(from, AT_ONCE).len()).sum();
    let (steps, (principals, models)) = (plan.steps.len(), SURVEYED);
    row(&format!("a plan of {steps} steps"), "", planned);
    let told =
        format!("with who gains or loses what: {principals} principals, {models} models, {changes} changes");
    row(&told, "5 s", start.elapsed());
    plan
}

fn replaying(snapshot: &Snapshot, plan: &Plan) {
    let records: Vec<_> = (0..10_000).map(|number| record(number, SURVEYED)).collect();
    let mut replay = Replay::new(Arc::new(snapshot.clone()), plan.after.clone());
    let start = Instant::now();
    records
        .iter()
        .cycle()
        .take(REPLAYED)
        .for_each(|record| replay.take(record));
    assert_eq!(replay.report.judged, u64::try_from(REPLAYED).unwrap());
    let otherwise: u64 = replay.report.otherwise.values().map(|(count, _)| count).sum();
    row(
        &format!("a replay of {REPLAYED} requests, {otherwise} of them otherwise, without reading them"),
        "60 s",
        start.elapsed(),
    );
}

fn often<T>(what: &str, aim: &str, mut run: impl FnMut(usize) -> T) {
    let time = |number| {
        let start = Instant::now();
        black_box(run(number));
        start.elapsed()
    };
    told(what, (aim, aim), (0..TIMES).map(time).collect());
}

/// The median and the 99th percentile, each with what it should be below.
fn told(what: &str, (median, most): (&str, &str), mut samples: Vec<Duration>) {
    samples.sort_unstable();
    let times = samples.len();
    let at = |share: usize| {
        samples
            .get((times - 1) * share / 100)
            .copied()
            .unwrap_or_default()
    };
    row(&format!("{what}, median of {times}"), median, at(50));
    row(&format!("{what}, 99 of 100"), most, at(99));
}

fn by_key() -> Circumstances<'static> {
    Circumstances {
        now: NOW,
        method: AuthMethod::ApiKey,
        issuer: None,
        issued: None,
        client: None,
    }
}

fn caller(tenant: &Tenant, number: usize) -> Caller<'_> {
    let held = tenant.account(&principal(number * 97 % LARGE.0)).unwrap();
    Caller::of(tenant, held, AuthMethod::ApiKey)
}

fn listing(snapshot: &Snapshot, models: &str) {
    let tenant = snapshot.tenant("acme").unwrap();
    let list = |number| usable(snapshot, &caller(tenant, number), by_key()).count();
    let first = Instant::now();
    let listed = list(0);
    row(
        &format!("the first list of {listed} usable models after a change of the catalogue{models}"),
        "",
        first.elapsed(),
    );
    often(&format!("a list of {listed} usable models{models}"), "1 ms", list);
}

/// Decisions about a caller and a model that were just looked up, as for a request: the first grant that matches is one of many.
fn deciding(snapshot: &Snapshot) {
    let tenant = snapshot.tenant("acme").unwrap();
    let models: Vec<String> = (0..LARGE.1).map(model).collect();
    let mut samples = Vec::with_capacity(DECISIONS);
    for number in 0..DECISIONS {
        let caller = caller(tenant, number * 31);
        let request = Request {
            action: ACTIONS[0],
            resource: Resource::named("model", models.get(number * 17 % LARGE.1).unwrap()),
            circumstances: by_key(),
        };
        let start = Instant::now();
        black_box(decide(snapshot, &caller, &request).allowed());
        samples.push(start.elapsed());
    }
    told(
        "a decision with 100 grants through 10 teams",
        ("1 us", "3 us"),
        samples,
    );
}

fn asking(snapshot: &Snapshot) {
    let tenant = snapshot.tenant("acme").unwrap();
    let (circumstances, caller) = (by_key(), |number| caller(tenant, number));
    often(
        "an explanation with 100 grants through 10 teams",
        "5 ms",
        |number| {
            let request = Request {
                action: ACTIONS[0],
                resource: Resource::named("model", "provider-0/model-0"),
                circumstances,
            };
            explain(snapshot, &caller(number), &request).considered.len()
        },
    );
    often("who could grant it", "5 ms", |_| {
        granted(tenant, "grants.write", Resource::named("grant", "*"), NOW).len()
    });
    let start = Instant::now();
    let resource = Resource::named("model", "provider-1/model-1");
    let (rows, _) = who(tenant, &ACTIONS, ("model", resource), NOW, (None, usize::MAX));
    row(
        &format!("who may use a model: {} of {} principals", rows.len(), LARGE.0),
        "",
        start.elapsed(),
    );
    let start = Instant::now();
    let subject = Subject::Principal(principal(0));
    let rows = what(snapshot, tenant, &subject, &ACTIONS, &[], NOW).unwrap();
    row(
        &format!("what a principal may do: {} rows", rows.len()),
        "",
        start.elapsed(),
    );
}
