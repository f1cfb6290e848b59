//! Which keys pass: those that are alive, of somebody who is, with the right secret, and no others.

use proptest::prelude::*;
use turnpike_access::{
    authenticate::{AuthFailure, authenticate},
    command::Command,
    credential::{Credential, CredentialStatus, KeyKind, PresentedKey, write_key},
    id::{Id, Principal, Timestamp},
    snapshot::Snapshot,
};

use crate::{
    commands::{Step, steps},
    history::History,
    world::{Dice, PRINCIPALS, cases, key, peppers, secret},
};

/// Every credential that any account holds.
fn credentials(snapshot: &Snapshot) -> Vec<&Credential> {
    let tenants = snapshot.tenants().into_iter();
    let accounts = tenants.flat_map(|tenant| tenant.accounts());
    let ids = accounts.flat_map(|held| &held.account.credentials);
    ids.map(|id| snapshot.credential(*id).unwrap().as_ref()).collect()
}

/// What the design says of a key with a genuine secret.
fn is_alive(snapshot: &Snapshot, held: &Credential, now: Timestamp) -> bool {
    let tenant = snapshot.tenant(held.tenant.as_str()).unwrap();
    let owner = tenant.account(&held.owner);
    held.status == CredentialStatus::Active
        && held.expires.is_none_or(|end| now < end)
        && !tenant.settings().suspended
        && owner.is_some_and(|owner| !owner.account.profile.deactivated)
}

fn is_genuine(held: &Credential, generation: usize, now: Timestamp) -> bool {
    let digest = peppers().digest(held.id, &secret(held.id, generation)).unwrap();
    let previous = held.previous.as_ref();
    held.digest == digest
        || previous.is_some_and(|previous| previous.digest == digest && now < previous.until)
}

fn passes(snapshot: &Snapshot, text: &str, now: Timestamp) -> Result<Principal, AuthFailure> {
    let key = PresentedKey::parse(text).unwrap();
    authenticate(snapshot, &key, &peppers(), now)
        .map(|caller| caller.principal.clone())
        .map_err(|refused| refused.failure)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_key_passes_exactly_while_it_and_its_owner_and_tenant_are_alive(
        steps in steps(80), moments in prop::collection::vec(any::<u8>(), 4),
    ) {
        let History { snapshot, .. } = History::of(&steps);
        let mut dice = Dice::new(&moments);
        for held in credentials(&snapshot) {
            let now = dice.moment();
            for generation in 0..2 {
                let expected = is_alive(&snapshot, held, now) && is_genuine(held, generation, now);
                let found = passes(&snapshot, &key(&held.owner, held.id, generation), now);
                prop_assert_eq!(found.is_ok(), expected, "{:?}: {:?}", held, found);
                prop_assert!(found.is_err() || found == Ok(held.owner.clone()));
            }
        }
    }

    #[test]
    fn a_wrong_secret_learns_nothing_of_the_key(steps in steps(60), guess in 2usize..10) {
        let history = History::of(&steps);
        for held in credentials(&history.snapshot) {
            let found = passes(&history.snapshot, &key(&held.owner, held.id, guess), history.now());
            prop_assert_eq!(found, Err(AuthFailure::WrongSecret));
            let other = [KeyKind::PersonalAccessToken, KeyKind::VirtualAccount]
                .into_iter()
                .find(|kind| *kind != KeyKind::of(&held.owner))
                .unwrap();
            let disguised = write_key(other, held.id, &secret(held.id, 0));
            prop_assert_eq!(
                passes(&history.snapshot, &disguised, history.now()), Err(AuthFailure::WrongSecret)
            );
        }
    }

    #[test]
    fn a_revoked_key_never_passes_again(steps in steps(40), later in steps(40), id in 0u128..12) {
        let mut history = History::of(&steps);
        let id = Id::from_random(id);
        let Some(held) = history.snapshot.credential(id).cloned() else { return Ok(()) };
        let revoke = Command::RevokeCredential { id, reason: "leaked".into() };
        history.perform(&Step { tenant: held.tenant.clone(), command: revoke }).unwrap();
        for step in &later {
            let _ = history.perform(step);
            if history.snapshot.credential(id).is_none() {
                return Ok(()); // Its tenant was deleted; whatever has its id later is another key.
            }
            for generation in 0..2 {
                prop_assert!(passes(&history.snapshot, &key(&held.owner, id, generation), history.now()).is_err());
            }
        }
    }
}

#[test]
fn an_unknown_id_is_refused() {
    let history = History::of(&[]);
    let owner = PRINCIPALS[0].parse().unwrap();
    let unknown = key(&owner, Id::from_random(1 << 50), 0);
    assert_eq!(
        passes(&history.snapshot, &unknown, history.now()),
        Err(AuthFailure::Unknown)
    );
}
