//! The token's text, and that TLS believes what the authority signed, on the word of its public key alone.

use std::{sync::Arc, time::Duration};

use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::aws_lc_rs,
    server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, UnixTime, pem::PemObject as _};

use super::*;
use crate::{clock, keyring::Keyring, secret::Secret};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn roots(authority: &Authority) -> Arc<RootCertStore> {
    Arc::new(RootCertStore {
        roots: vec![authority.public_key().anchor()],
    })
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// Whether the edges' listener would believe a certificate of an edge, so long from now.
fn is_believed(by: &Authority, certificate: &str, later: Duration) -> bool {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(by), provider)
        .build()
        .unwrap();
    let then = UnixTime::since_unix_epoch(UnixTime::now().as_secs_duration() + later);
    verifier.verify_client_cert(&der(certificate), &[], then).is_ok()
}

trait AsDuration {
    fn as_secs_duration(&self) -> Duration;
}

impl AsDuration for UnixTime {
    fn as_secs_duration(&self) -> Duration {
        Duration::from_secs(self.as_secs())
    }
}

/// Whether an edge would believe a listener's certificate.
fn listens(by: &Authority, certificate: &str) -> bool {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots(by), provider)
        .build()
        .unwrap();
    let name = SERVER_NAME.try_into().unwrap();
    verifier
        .verify_server_cert(&der(certificate), &[], &name, &[], UnixTime::now())
        .is_ok()
}

#[test]
fn certificates_are_believed_by_the_authority_s_public_key_for_their_life_and_their_use_alone() {
    let (authority, other) = (Authority::generate().unwrap(), Authority::generate().unwrap());
    let key = EdgeKey::generate().unwrap();
    let edge = "edge-eu".parse().unwrap();
    let certificate = authority
        .certify(&edge, key.public_key(), clock::now(), DAY)
        .unwrap();
    assert!(is_believed(&authority, &certificate, Duration::ZERO));
    assert!(!is_believed(
        &authority,
        &certificate,
        DAY + Duration::from_secs(60)
    ));
    assert!(!is_believed(&other, &certificate, Duration::ZERO));
    assert!(!listens(&authority, &certificate), "an edge is no control plane");
    assert_eq!(key_of(&der(&certificate)).as_deref(), Some(key.public_key()));

    let server = authority.server(clock::now()).unwrap();
    assert!(listens(&authority, &server.certificate));
    assert!(!listens(&other, &server.certificate));
    assert!(!is_believed(&authority, &server.certificate, Duration::ZERO));
    let mut built = RootCertStore::empty();
    built.add(der(&server.authority)).unwrap();
    assert_eq!(
        built.roots,
        roots(&authority).roots,
        "the key alone says what its certificate says"
    );
    assert!(authority.certify(&edge, "no key", clock::now(), DAY).is_err());
}

#[test]
fn a_sealed_authority_is_the_same_again_and_its_keyring_alone_opens_it() {
    let keyring = || Keyring::parse(&Keyring::generate()).unwrap();
    let (ours, theirs) = (keyring(), keyring());
    let authority = Authority::generate().unwrap();
    let sealed = authority.seal(&ours).unwrap();
    assert_eq!(
        Authority::open(&ours, &sealed).unwrap().public_key(),
        authority.public_key()
    );
    assert!(Authority::open(&theirs, &sealed).is_err());
}

#[test]
fn a_proof_is_of_one_edge_and_one_key() {
    let (key, other) = (EdgeKey::generate().unwrap(), EdgeKey::generate().unwrap());
    let proof = key.proof("edge-eu");
    assert!(proves("edge-eu", key.public_key(), &proof));
    for (edge, public) in [
        ("edge-us", key.public_key()),
        ("edge-eu", other.public_key()),
        ("edge-eu", ""),
    ] {
        assert!(!proves(edge, public, &proof), "{edge} {public}");
    }
    let again = EdgeKey::from_pkcs8(key.pkcs8().clone()).unwrap();
    assert_eq!(again.public_key(), key.public_key());
    assert!(again.pem().unwrap().expose().contains("PRIVATE KEY"));
    assert!(!format!("{key:?}").contains("PRIVATE"));
}

#[test]
fn a_token_is_read_back_whole_and_not_in_part() {
    let authority = Authority::generate().unwrap().public_key();
    let token = EnrolmentToken::generate("edge_eu.1".parse().unwrap(), authority);
    let text = token.text();
    let read = EnrolmentToken::parse(&Secret::new(format!(" {}\n", text.expose()))).unwrap();
    assert_eq!(
        (read.id, read.authority, &read.edge),
        (token.id, authority, &token.edge)
    );
    assert_eq!(read.secret.expose(), token.secret.expose());
    assert!(!format!("{token:?}").contains(token.secret.expose()));
    let until_the_name = text.expose().len() - "edge_eu.1".len();
    for length in 0..=until_the_name {
        let part = Secret::new(&text.expose()[..length]);
        assert!(EnrolmentToken::parse(&part).is_err(), "{length}");
    }
}
