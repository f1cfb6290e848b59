//! Known attacks on JWTs (RFC 8725), each against an issuer that would accept the honest token.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use turnpike_access::{issuer::Algorithm, token::VerifiedToken};

use super::{
    super::TokenFailure,
    world::{ISSUER, NOW, NOW_SECONDS, Pair, World, claims, claims_with, given, profile, tokens},
};

pub(super) type Outcome = Result<Arc<VerifiedToken>, TokenFailure>;

/// What comes of a token, at an issuer with these keys.
pub(super) async fn present(jwks: &[Value], text: &str) -> Outcome {
    present_to(&World::of(profile(given(jwks))), text).await
}

pub(super) async fn present_to(world: &World, text: &str) -> Outcome {
    let tokens = tokens();
    let pending = tokens.prepare(&world.0, text, None)?;
    tokens.verify(pending, NOW).await
}

pub(super) fn unsigned(header: &str, claims: &Value) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}", encode(header), encode(&claims.to_string()))
}

#[tokio::test]
async fn an_honest_token_of_every_algorithm_is_accepted() {
    let (rsa, p256, p384, ed) = (Pair::rsa(), Pair::p256(), Pair::p384(), Pair::ed());
    let world = World::of(profile(given(&[
        rsa.jwk("r"),
        p256.jwk("2"),
        p384.jwk("3"),
        ed.jwk("e"),
    ])));
    for algorithm in Algorithm::ALL {
        let (pair, id) = match algorithm {
            Algorithm::ES256 => (&p256, "2"),
            Algorithm::ES384 => (&p384, "3"),
            Algorithm::EdDSA => (&ed, "e"),
            _ => (&rsa, "r"),
        };
        let token = present_to(&world, &pair.token(algorithm, id, &claims())).await;
        assert_eq!(token.unwrap().subject.as_ref(), "alice", "{algorithm}");
    }
}

#[tokio::test]
async fn a_token_that_begins_or_ends_like_a_remembered_one_is_not_taken_for_it() {
    let pair = Pair::ed();
    let world = World::of(profile(given(&[pair.jwk("k")])));
    let tokens = tokens();
    let good = pair.token(Algorithm::EdDSA, "k", &claims());
    let pending = tokens.prepare(&world.0, &good, None).unwrap();
    tokens.verify(pending, NOW).await.unwrap();
    assert!(tokens.remembered(&good, NOW).is_some());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let forged = unsigned(
        r#"{"alg":"EdDSA","kid":"k"}"#,
        &claims_with(json!({"sub": "root"})),
    );
    for other in [
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode([1; 64])),
        format!("{forged}.{signature}"),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
    ] {
        assert!(tokens.remembered(&other, NOW).is_none(), "{other}");
        assert!(present_to(&world, &other).await.is_err(), "{other}");
    }
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused() {
    let pair = Pair::p256();
    for alg in ["none", "None", "NONE", "nonE"] {
        let signed = unsigned(&format!(r#"{{"alg":"{alg}","kid":"k"}}"#), &claims());
        assert_eq!(
            present(&[pair.jwk("k")], &format!("{signed}.AAAA")).await,
            Err(TokenFailure::Algorithm)
        );
        let bare = present(&[pair.jwk("k")], &format!("{signed}.")).await;
        assert!(matches!(
            bare,
            Err(TokenFailure::Algorithm | TokenFailure::Malformed)
        ));
    }
    let honest = pair.token(Algorithm::ES256, "k", &claims());
    let (signed, _) = honest.rsplit_once('.').unwrap();
    assert_eq!(
        present(&[pair.jwk("k")], &format!("{signed}.")).await,
        Err(TokenFailure::Malformed)
    );
}

#[tokio::test]
async fn a_public_key_is_no_hmac_secret() {
    let pair = Pair::rsa();
    let jwk = pair.jwk("k");
    let n = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    for secret in [
        n,
        jwk.to_string().into_bytes(),
        jwk["n"].as_str().unwrap().as_bytes().to_vec(),
    ] {
        let signed = unsigned(r#"{"alg":"HS256","kid":"k"}"#, &claims());
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
        assert_eq!(
            present(std::slice::from_ref(&jwk), &token).await,
            Err(TokenFailure::Algorithm)
        );
    }
}

#[tokio::test]
async fn a_key_that_the_token_brings_is_not_used() {
    let (ours, theirs) = (Pair::p256(), Pair::p256());
    for member in [
        format!(r#""jwk":{}"#, theirs.jwk("k")),
        r#""jku":"https://evil.example/keys""#.to_owned(),
        r#""x5u":"https://evil.example/chain""#.to_owned(),
        r#""x5c":["MIIB"]"#.to_owned(),
    ] {
        let header = format!(r#"{{"alg":"ES256","kid":"k",{member}}}"#);
        let token = theirs.token_of(Algorithm::ES256, &header, &claims().to_string());
        assert_eq!(
            present(&[ours.jwk("k")], &token).await,
            Err(TokenFailure::Header),
            "{member}"
        );
    }
}

#[tokio::test]
async fn a_critical_extension_is_refused() {
    let pair = Pair::p256();
    for member in [
        r#""crit":["exp"],"exp":1"#,
        r#""crit":["b64"],"b64":false"#,
        r#""b64":false"#,
        r#""crit":[]"#,
    ] {
        let header = format!(r#"{{"alg":"ES256","kid":"k",{member}}}"#);
        let token = pair.token_of(Algorithm::ES256, &header, &claims().to_string());
        assert_eq!(
            present(&[pair.jwk("k")], &token).await,
            Err(TokenFailure::Header),
            "{member}"
        );
    }
}

#[tokio::test]
async fn a_member_that_stands_twice_is_refused() {
    let pair = Pair::p256();
    let twice = claims().to_string().replacen('{', r#"{"sub":"root","#, 1);
    let token = pair.token_of(Algorithm::ES256, r#"{"alg":"ES256","kid":"k"}"#, &twice);
    assert_eq!(
        present(&[pair.jwk("k")], &token).await,
        Err(TokenFailure::Malformed)
    );
    let header = r#"{"alg":"ES256","kid":"k","alg":"none"}"#;
    let token = pair.token_of(Algorithm::ES256, header, &claims().to_string());
    assert_eq!(
        present(&[pair.jwk("k")], &token).await,
        Err(TokenFailure::Malformed)
    );
}

#[tokio::test]
async fn a_claim_of_the_wrong_type_is_refused() {
    let pair = Pair::p256();
    for changes in [
        json!({"exp": (NOW_SECONDS + 600).to_string()}),
        json!({"exp": null}),
        json!({"exp": true}),
        json!({"exp": [NOW_SECONDS + 600]}),
        json!({"exp": -1}),
        json!({"exp": 1e300}),
        json!({"nbf": "9999"}),
        json!({"nbf": {}}),
        json!({"iat": "0"}),
        json!({"sub": 1}),
        json!({"sub": ["alice"]}),
        json!({"sub": ""}),
        json!({"sub": "x".repeat(257)}),
        json!({"sub": "a\nb"}),
        json!({"sub": null}),
        json!({"jti": 7}),
    ] {
        let token = pair.token(Algorithm::ES256, "k", &claims_with(changes.clone()));
        assert_eq!(
            present(&[pair.jwk("k")], &token).await,
            Err(TokenFailure::Claim),
            "{changes}"
        );
    }
    for changes in [
        json!({"aud": 1}),
        json!({"aud": ["api", 1]}),
        json!({"aud": {"api": true}}),
        json!({"aud": []}),
    ] {
        let token = pair.token(Algorithm::ES256, "k", &claims_with(changes.clone()));
        assert_eq!(
            present(&[pair.jwk("k")], &token).await,
            Err(TokenFailure::Audience),
            "{changes}"
        );
    }
    for changes in [
        json!({"iss": [ISSUER]}),
        json!({"iss": null}),
        json!({"iss": {"a": ISSUER}}),
    ] {
        let token = pair.token(Algorithm::ES256, "k", &claims_with(changes.clone()));
        assert_eq!(
            present(&[pair.jwk("k")], &token).await,
            Err(TokenFailure::Claim),
            "{changes}"
        );
    }
}

#[tokio::test]
async fn another_issuers_key_does_not_sign_for_this_one() {
    let (ours, theirs) = (Pair::p256(), Pair::p256());
    let mut other = profile(given(&[theirs.jwk("k")]));
    other.url = "https://other.example".into();
    let world = World::of(profile(given(&[ours.jwk("k")]))).issuer("acme", "other", other);
    let token = theirs.token(Algorithm::ES256, "k", &claims());
    assert_eq!(present_to(&world, &token).await, Err(TokenFailure::Signature));
    let honest = theirs.token(
        Algorithm::ES256,
        "k",
        &claims_with(json!({"iss": "https://other.example"})),
    );
    assert_eq!(
        present_to(&world, &honest).await.unwrap().issuer.as_str(),
        "other"
    );
}

#[tokio::test]
async fn a_key_id_is_compared_and_nothing_else() {
    let pair = Pair::p256();
    for id in [
        "../../../dev/null",
        "k' OR '1'='1",
        "/k",
        "K",
        " k",
        "k\u{0}",
        "",
        "https://evil.example/k",
        "k;id",
    ] {
        let header = json!({"alg": "ES256", "kid": id}).to_string();
        let token = pair.token_of(Algorithm::ES256, &header, &claims().to_string());
        assert_eq!(
            present(&[pair.jwk("k")], &token).await,
            Err(TokenFailure::KeyUnknown),
            "{id}"
        );
    }
    for id in [
        json!(["k"]),
        json!({"k": 1}),
        json!(1),
        json!(null),
        json!("k".repeat(5000)),
    ] {
        let header = json!({"alg": "ES256", "kid": id}).to_string();
        let token = pair.token_of(Algorithm::ES256, &header, &claims().to_string());
        assert_eq!(
            present(&[pair.jwk("k")], &token).await,
            Err(TokenFailure::Malformed)
        );
    }
}

#[tokio::test]
async fn an_oversized_token_is_refused() {
    let pair = Pair::p256();
    let token = pair.token(
        Algorithm::ES256,
        "k",
        &claims_with(json!({"pad": "x".repeat(16 * 1024)})),
    );
    assert_eq!(
        present(&[pair.jwk("k")], &token).await,
        Err(TokenFailure::Malformed)
    );
    assert_eq!(
        present(&[pair.jwk("k")], &"a".repeat(20_000)).await,
        Err(TokenFailure::Malformed)
    );
}

#[tokio::test]
async fn a_signature_of_zeros_is_refused() {
    // CVE-2022-21449: 0 = 0 for every message, where nobody looks whether r and s are in range.
    let (p256, p384) = (Pair::p256(), Pair::p384());
    for (pair, algorithm, length) in [(&p256, "ES256", 64), (&p384, "ES384", 96)] {
        let signed = unsigned(&format!(r#"{{"alg":"{algorithm}","kid":"k"}}"#), &claims());
        for bytes in [
            vec![0; length],
            vec![0; 1],
            vec![0xff; length],
            vec![0; 2 * length],
        ] {
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes));
            assert_eq!(
                present(&[pair.jwk("k")], &token).await,
                Err(TokenFailure::Signature)
            );
        }
    }
}

#[tokio::test]
async fn a_token_that_was_altered_is_refused() {
    let pair = Pair::ed();
    let honest = pair.token(Algorithm::EdDSA, "k", &claims());
    let mut parts: Vec<&str> = honest.split('.').collect();
    let forged = URL_SAFE_NO_PAD.encode(claims_with(json!({"sub": "root"})).to_string());
    parts[1] = &forged;
    assert_eq!(
        present(&[pair.jwk("k")], &parts.join(".")).await,
        Err(TokenFailure::Signature)
    );
}
