//! What a token costs: seen before, and for the first time beside the bare verification of its signature.
//!
//! Criterion measures each by itself. The table at the end has them measured in turns, and how many times the bare
//! verification a first sight is. A whole run is written down beside this file; `-- --quick` makes do with few rounds, and
//! writes nothing.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that can't be set up says where, and reports by printing"
)]

use std::{hint::black_box, sync::Arc, time::Instant};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
        KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
        UnparsedPublicKey, VerificationAlgorithm,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use turnpike_access::{
    event::Event,
    id::Timestamp,
    issuer::{Algorithm, IssuerProfile, PrincipalRule, Verification},
    log::{Origin, Recorded},
    snapshot::Snapshot,
    tenant::TenantSettings,
    token::VerifiedToken,
};
use turnpike_runtime::{
    keyring::Keyring,
    shutdown::Shutdown,
    task::Tasks,
    token::{TokenSettings, Tokens},
};

/// Where a whole run is written down.
const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/report.md");
const HEAD: &str = "\
# What a token costs

Written by `cargo bench -p turnpike-runtime --bench tokens`. A first sight is everything from the text to a verified bearer; the bare
signature is what the crypto library alone takes for it. The aims: a remembered token below 1 µs, a ratio near 1.

";
const ISSUER: &str = "https://issuer.example";
const SECONDS: i64 = 1_790_000_000;
const NOW: Timestamp = Timestamp::from_micros(SECONDS * 1_000_000);

/// Verifies a message's signature.
type Bare = Box<dyn Fn(&[u8], &[u8])>;

/// A signed token, and what verifies it without us.
struct Case {
    name: &'static str,
    text: String,
    jwk: Value,
    bare: Bare,
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn token(algorithm: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let header = json!({"alg": algorithm, "kid": algorithm});
    let claims = json!({
        "iss": ISSUER, "aud": "api", "sub": "00u1a2b3c4", "jti": "ID.x7Qm", "iat": SECONDS - 10,
        "exp": SECONDS + 600, "scope": "openid profile", "groups": ["engineers", "on-call", "a/b"],
    });
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

fn bare(algorithm: &'static dyn VerificationAlgorithm, key: &[u8]) -> Bare {
    let key = UnparsedPublicKey::new(algorithm, key.to_vec());
    Box::new(move |message, signature| key.verify(message, signature).unwrap())
}

fn cases() -> Vec<Case> {
    let random = SystemRandom::new();
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let (x, y) = ec.public_key().as_ref().split_at(1).1.split_at(32);
    let ed = Ed25519KeyPair::generate().unwrap();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(rsa.public_key());
    let rsa_jwk = json!({"kty": "RSA", "kid": "RS256", "n": encode(&public.n), "e": encode(&public.e)});
    vec![
        Case {
            name: "ES256",
            text: token("ES256", |message| {
                ec.sign(&random, message).unwrap().as_ref().to_vec()
            }),
            jwk: json!({"kty": "EC", "kid": "ES256", "crv": "P-256", "x": encode(x), "y": encode(y)}),
            bare: bare(&ECDSA_P256_SHA256_FIXED, ec.public_key().as_ref()),
        },
        Case {
            name: "RS256",
            text: token("RS256", |message| {
                let mut out = vec![0; rsa.public_modulus_len()];
                rsa.sign(&RSA_PKCS1_SHA256, &random, message, &mut out).unwrap();
                out
            }),
            jwk: rsa_jwk,
            bare: Box::new(move |message, signature| {
                public
                    .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                    .unwrap();
            }),
        },
        Case {
            name: "EdDSA",
            text: token("EdDSA", |message| ed.sign(message).as_ref().to_vec()),
            jwk: json!({"kty": "OKP", "kid": "EdDSA", "crv": "Ed25519", "x": encode(ed.public_key())}),
            bare: bare(&ED25519, ed.public_key().as_ref()),
        },
    ]
}

fn snapshot(cases: &[Case]) -> Snapshot {
    let keys: Vec<_> = cases.iter().map(|case| &case.jwk).collect();
    let profile = IssuerProfile {
        url: ISSUER.into(),
        verification: Verification::Keys {
            jwks: json!({ "keys": keys }).to_string().into(),
        },
        audiences: vec!["api".into()],
        algorithms: Algorithm::ALL.to_vec(),
        claim: "sub".parse().unwrap(),
        principal: PrincipalRule::Subject {},
        just_in_time: None,
        groups: vec!["groups".parse().unwrap()],
        required: std::collections::BTreeMap::new(),
        leeway_seconds: 0,
        access_tokens_only: false,
        accept_sender_constrained: false,
    };
    let name = "okta".parse().unwrap();
    let mut snapshot = Snapshot::default();
    for event in [
        Event::TenantCreated(TenantSettings::default()),
        Event::IssuerCreated { name, profile },
    ] {
        let origin = Origin {
            time: NOW,
            tenant: "acme".parse().unwrap(),
            actor: "system".into(),
            correlation: "bench".into(),
        };
        let encoded = event.encode().unwrap();
        let next = Recorded::after(
            snapshot.head(),
            origin,
            encoded.kind,
            encoded.version,
            encoded.payload,
        );
        snapshot.fold(&next).unwrap();
    }
    snapshot
}

fn tokens(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let settings = TokenSettings {
        remembered: 100_000,
        ..TokenSettings::default()
    };
    let keyring = Arc::new(Keyring::parse(&Keyring::generate()).unwrap());
    let tokens = Tokens::new(settings, keyring, &Tasks::new(Shutdown::new())).unwrap();
    let cases = cases();
    let snapshot = snapshot(&cases);
    tokens.follow(&snapshot);
    for Case { name, text, bare, .. } in &cases {
        let mut group = criterion.benchmark_group(*name);
        let (message, signature) = text.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        group.bench_function("bare signature", |bencher| {
            bencher.iter(|| bare(black_box(message.as_bytes()), &signature));
        });
        group.bench_function("first sight", |bencher| {
            bencher.iter(|| {
                let pending = tokens.prepare(&snapshot, black_box(text), None).unwrap();
                runtime.block_on(tokens.verify(pending, NOW)).unwrap()
            });
        });
        group.bench_function("remembered", |bencher| {
            bencher.iter(|| tokens.remembered(black_box(text), NOW).unwrap());
        });
    }
    let first_sight = |text: &str| {
        let pending = tokens.prepare(&snapshot, text, None).unwrap();
        runtime.block_on(tokens.verify(pending, NOW)).unwrap()
    };
    let remembered = |text: &str| tokens.remembered(text, NOW).unwrap();
    ratios(&cases, remembered, first_sight);
}

/// Nanoseconds of one of so many runs, timed together.
fn each<T>(runs: u32, run: impl Fn() -> T) -> f64 {
    let start = Instant::now();
    for _ in 0..runs {
        black_box(run());
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(runs)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// What each costs, measured in turns, so that all have the same luck with the machine.
fn ratios(
    cases: &[Case],
    remembered: impl Fn(&str) -> Arc<VerifiedToken>,
    first_sight: impl Fn(&str) -> Arc<VerifiedToken>,
) {
    let few = std::env::args().any(|argument| argument == "--quick" || argument == "--test");
    let rounds = if few { 20 } else { 2_000 };
    let mut report = format!(
        "Medians of {rounds} rounds:\n\n| algorithm | bare signature | first sight | ratio | remembered |\n|---|---|---|---|---|\n"
    );
    for Case { name, text, bare, .. } in cases {
        let (message, signature) = text.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let [mut bares, mut firsts, mut found] = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..rounds {
            bares.push(each(4, || bare(black_box(message.as_bytes()), &signature)));
            firsts.push(each(4, || first_sight(black_box(text))));
            found.push(each(64, || remembered(black_box(text))));
        }
        let (bare, first, found) = (median(bares), median(firsts), median(found));
        let ratio = first / bare;
        report.push_str(&format!(
            "| {name} | {bare:.0} ns | {first:.0} ns | {ratio:.2} | {found:.0} ns |\n"
        ));
    }
    println!("\n{report}");
    if !few {
        std::fs::write(REPORT, format!("{HEAD}{report}")).unwrap();
    }
}

criterion_group!(benches, tokens);
criterion_main!(benches);
