//! That the time of an answer can tell nothing of a key: the work is counted, since a test that measures time is no test.

use crate::{
    authenticate::{AuthFailure, authenticate},
    credential::{Credential, CredentialStatus, Decoy, KeyKind, PresentedKey, PreviousVersion, write_key},
    digest::{KeyDigest, Peppers, counted},
    event::Event,
    fixture::{NOW, fold},
    id::{Id, Name, Principal},
    snapshot::Snapshot,
    tenant::{AccountProfile, TenantSettings},
};

const RIGHT: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";
/// All but the last character is right.
const NEARLY: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefh";
const WRONG: &str = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";

/// Two peppers, as while a keyring is being changed; the first is the newest.
fn peppers() -> Peppers {
    Peppers::new([(2, [2; 32]), (1, [1; 32])])
}

fn digest(pepper: u32, id: Id, secret: &str) -> KeyDigest {
    let byte = u8::try_from(pepper).unwrap();
    Peppers::new([(pepper, [byte; 32])]).digest(id, secret).unwrap()
}

fn alive(number: u128, owner: &str) -> Credential {
    let id = Id::from_random(number);
    let tenant: Name = "acme".parse().unwrap();
    let made = (NOW, "system".into());
    Credential::new(id, tenant, owner.parse().unwrap(), digest(2, id, RIGHT), made)
}

/// A credential in each state that there is, all with the same secret, and what the right secret comes to.
fn credentials() -> Vec<(Credential, Option<AuthFailure>)> {
    let of_alice = |number| alive(number, "user:alice");
    let (suspended, revoked, expired, decoy) = (of_alice(2), of_alice(3), of_alice(4), of_alice(5));
    let (old_pepper, rotated) = (of_alice(7), of_alice(8));
    let previous = PreviousVersion {
        digest: digest(2, rotated.id, RIGHT),
        until: NOW.plus_seconds(60),
    };
    let dead = CredentialStatus::Revoked {
        at: NOW,
        reason: "leaked".into(),
    };
    let with = |status, held| Credential { status, ..held };
    vec![
        (of_alice(1), None),
        (
            with(CredentialStatus::Suspended, suspended),
            Some(AuthFailure::Suspended),
        ),
        (with(dead, revoked), Some(AuthFailure::Revoked)),
        (
            Credential {
                expires: Some(NOW),
                ..expired
            },
            Some(AuthFailure::Expired),
        ),
        (
            Credential {
                decoy: Some(Decoy::default()),
                ..decoy
            },
            Some(AuthFailure::Decoy),
        ),
        (alive(6, "user:gone"), Some(AuthFailure::OwnerDeactivated)),
        (
            Credential {
                digest: digest(1, old_pepper.id, RIGHT),
                ..old_pepper
            },
            None,
        ),
        (
            Credential {
                digest: digest(2, rotated.id, WRONG),
                previous: Some(Box::new(previous)),
                ..rotated
            },
            None,
        ),
    ]
}

fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::default();
    fold(
        &mut snapshot,
        "acme",
        &Event::TenantCreated(TenantSettings::default()),
    );
    for (name, deactivated) in [("user:alice", false), ("user:gone", true)] {
        let profile = AccountProfile {
            deactivated,
            ..AccountProfile::default()
        };
        let principal: Principal = name.parse().unwrap();
        fold(
            &mut snapshot,
            "acme",
            &Event::AccountCreated { principal, profile },
        );
    }
    for (credential, _) in credentials() {
        fold(&mut snapshot, "acme", &Event::CredentialIssued(credential));
    }
    snapshot
}

/// What comes of a key, and the digests, comparisons and lookups that it took.
fn ask(snapshot: &Snapshot, kind: KeyKind, id: Id, secret: &str) -> (Option<AuthFailure>, [u32; 3]) {
    let text = write_key(kind, id, secret);
    let (key, peppers) = (PresentedKey::parse(&text).unwrap(), peppers());
    counted::take();
    let failure = authenticate(snapshot, &key, &peppers, NOW)
        .err()
        .map(|refused| refused.failure);
    (failure, counted::take())
}

#[test]
fn an_unknown_a_wrong_and_a_revoked_key_cost_the_same_digests_and_comparisons() {
    let snapshot = snapshot();
    let kind = KeyKind::PersonalAccessToken;
    let (failure, expected) = ask(&snapshot, kind, Id::from_random(99), RIGHT);
    assert_eq!(failure, Some(AuthFailure::Unknown));
    assert_eq!((expected[0], expected[2]), (2, 1), "one digest for each pepper");
    for (credential, outcome) in credentials() {
        let (failure, work) = ask(&snapshot, kind, credential.id, RIGHT);
        assert_eq!(failure, outcome, "{credential:?}");
        if failure.is_some() {
            assert_eq!(work, expected, "{failure:?}");
        }
        for secret in [NEARLY, "0000000000000000000000000000000000000000000"] {
            let (failure, work) = ask(&snapshot, kind, credential.id, secret);
            assert_eq!(failure, Some(AuthFailure::WrongSecret), "{credential:?}");
            assert_eq!(work, expected, "{credential:?}");
        }
        let disguised = ask(&snapshot, KeyKind::VirtualAccount, credential.id, RIGHT);
        assert_eq!(
            disguised,
            (Some(AuthFailure::WrongSecret), expected),
            "{credential:?}"
        );
    }
}

#[test]
fn a_key_that_is_good_costs_one_digest() {
    let snapshot = snapshot();
    let (failure, work) = ask(&snapshot, KeyKind::PersonalAccessToken, Id::from_random(1), RIGHT);
    assert_eq!((failure, work), (None, [1, 1, 0]));
}
