//! Which keys of a set count, and what each of them may sign with: never what the token alone says.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use turnpike_access::issuer::Algorithm;

use super::{
    super::TokenFailure,
    attacks::{present, present_to, unsigned},
    world::{Pair, World, claims, given, profile},
};

#[tokio::test]
async fn a_shared_secret_in_a_key_set_verifies_nothing() {
    let oct = json!({"kty": "oct", "kid": "k", "k": "c2VjcmV0", "alg": "HS256"});
    let signed = unsigned(r#"{"alg":"HS256","kid":"k"}"#, &claims());
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"secret"), signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
    assert_eq!(present(&[oct], &token).await, Err(TokenFailure::Algorithm));
}

#[tokio::test]
async fn a_small_rsa_key_is_no_key() {
    let pair = Pair::rsa();
    let mut jwk = pair.jwk("k");
    let token = pair.token(Algorithm::RS256, "k", &claims());
    for bytes in [64, 128, 255] {
        jwk["n"] = URL_SAFE_NO_PAD.encode(vec![0xc5; bytes]).into();
        assert_eq!(
            present(std::slice::from_ref(&jwk), &token).await,
            Err(TokenFailure::KeyUnknown),
            "{bytes}"
        );
    }
    let mut bits_2047 = vec![0xc5; 256];
    bits_2047[0] = 0x7f;
    jwk["n"] = URL_SAFE_NO_PAD.encode(bits_2047).into();
    assert_eq!(present(&[jwk], &token).await, Err(TokenFailure::KeyUnknown));
}

#[tokio::test]
async fn without_a_key_id_only_the_one_key_that_fits_is_meant() {
    let (one, two, ed) = (Pair::p256(), Pair::p256(), Pair::ed());
    let token = one.token_of(Algorithm::ES256, r#"{"alg":"ES256"}"#, &claims().to_string());
    assert!(present(&[one.jwk("a"), ed.jwk("b")], &token).await.is_ok());
    assert_eq!(
        present(&[one.jwk("a"), two.jwk("b")], &token).await,
        Err(TokenFailure::KeyUnknown)
    );
    let named = one.token(Algorithm::ES256, "a", &claims());
    assert_eq!(
        present(&[one.jwk("a"), two.jwk("a")], &named).await,
        Err(TokenFailure::KeyUnknown)
    );
}

#[tokio::test]
async fn a_key_signs_with_its_own_algorithm_alone() {
    let (rsa, p256) = (Pair::rsa(), Pair::p256());
    let mut jwk = rsa.jwk("k");
    jwk["alg"] = "RS256".into();
    let token = rsa.token(Algorithm::PS256, "k", &claims());
    assert_eq!(
        present(std::slice::from_ref(&jwk), &token).await,
        Err(TokenFailure::Algorithm)
    );
    // A header that names another algorithm than the signature's.
    let lie = rsa.token_of(
        Algorithm::PS256,
        r#"{"alg":"RS256","kid":"k"}"#,
        &claims().to_string(),
    );
    assert_eq!(present(&[jwk], &lie).await, Err(TokenFailure::Signature));
    let lie = p256.token_of(
        Algorithm::ES256,
        r#"{"alg":"RS256","kid":"k"}"#,
        &claims().to_string(),
    );
    assert_eq!(
        present(&[p256.jwk("k")], &lie).await,
        Err(TokenFailure::Algorithm)
    );
}

#[tokio::test]
async fn an_algorithm_that_the_issuer_was_not_given_is_refused() {
    let rsa = Pair::rsa();
    let mut strict = profile(given(&[rsa.jwk("k")]));
    strict.algorithms = vec![Algorithm::PS256];
    let world = World::of(strict);
    let refused = rsa.token(Algorithm::RS256, "k", &claims());
    assert_eq!(present_to(&world, &refused).await, Err(TokenFailure::Algorithm));
    assert!(
        present_to(&world, &rsa.token(Algorithm::PS256, "k", &claims()))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn keys_for_encryption_and_private_keys_verify_nothing() {
    let pair = Pair::p256();
    let token = pair.token(Algorithm::ES256, "k", &claims());
    for (member, value) in [
        ("use", json!("enc")),
        ("use", json!(1)),
        ("key_ops", json!(["sign"])),
        ("alg", json!("ES384")),
        ("alg", json!("RSA-OAEP")),
        ("alg", json!(null)),
        ("d", json!("AA")),
        ("crv", json!("P-521")),
        ("crv", json!("secp256k1")),
        ("kid", json!(["k"])),
        ("x", json!("AA")),
    ] {
        let mut jwk = pair.jwk("k");
        jwk[member] = value.clone();
        assert_eq!(
            present(&[jwk], &token).await,
            Err(TokenFailure::KeyUnknown),
            "{member} {value}"
        );
    }
}
