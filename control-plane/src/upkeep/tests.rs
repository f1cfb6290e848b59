//! The upkeep on a control plane's core, with its clock passed in.

use turnpike_access::{
    credential::{CredentialStatus, PresentedKey, Warning},
    id::Principal,
    tenant::{Delivery, TenantSettings},
};

use super::*;
use crate::{
    fixture::{Core, ROOT, create_user, credential, id},
    store,
};

mod webhook;

const KEY: &str = "key000000001";
const DAY: i64 = 86_400;

fn days(count: i64) -> Timestamp {
    Timestamp::from_micros(1).plus_seconds(count * DAY)
}

/// A core whose operators' tenant has this policy, and a key of somebody in it.
async fn core(folder: &std::path::Path, credentials: CredentialPolicy, owner: &str) -> Core {
    let core = Core::in_folder(folder).await;
    core.bootstrap().await;
    let to = TenantSettings {
        credentials,
        ..TenantSettings::default()
    };
    let from = TenantSettings::default();
    let account = match owner.parse().unwrap() {
        Principal::User(user) => create_user(user.as_str()),
        principal => Command::CreateAccount {
            principal,
            profile: Default::default(),
            teams: Vec::new(),
        },
    };
    let commands = vec![
        account,
        Command::IssueCredential(credential("platform", owner, KEY)),
        Command::UpdateTenant { from, to },
    ];
    core.ask_as_root("platform", commands).await.unwrap();
    core
}

async fn upkeep(core: &Core, keyring: &Arc<Keyring>) -> Upkeep {
    Upkeep {
        executor: core.executor.clone(),
        store: core.store.clone(),
        audit: store::connect(&core.url).await.unwrap().audit,
        keyring: keyring.clone(),
        peppers: Peppers::new(keyring.peppers()),
        fetcher: Fetcher::new(vec!["127.0.0.0/8".parse().unwrap()], Vec::new()).unwrap(),
    }
}

fn keyring() -> Arc<Keyring> {
    Arc::new(Keyring::parse(&Keyring::generate()).unwrap())
}

fn held(core: &Core, key: &str) -> Credential {
    core.snapshot().credential(id(key)).unwrap().as_ref().clone()
}

fn rotating(overlap_seconds: u32) -> CredentialPolicy {
    CredentialPolicy {
        rotate_after_seconds: Some(90 * 86_400),
        automatic_rotation: Some(AutomaticRotation {
            overlap_seconds,
            delivery: Delivery::PickUp {},
        }),
        ..CredentialPolicy::default()
    }
}

#[tokio::test]
async fn an_overdue_key_is_warned_of_and_then_suspended_once_however_many_look_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let policy = CredentialPolicy {
        rotate_after_seconds: Some(90 * 86_400),
        warn_before_seconds: Some(7 * 86_400),
        suspend_overdue: true,
        ..CredentialPolicy::default()
    };
    let core = core(folder.path(), policy, "user:alice").await;
    let keyring = keyring();
    let (one, other) = (upkeep(&core, &keyring).await, upkeep(&core, &keyring).await);
    let before = core.snapshot().position().get();
    one.pass(days(80)).await;
    assert_eq!(core.snapshot().position().get(), before, "nothing is due yet");
    tokio::join!(one.pass(days(84)), other.pass(days(84)));
    assert_eq!(held(&core, KEY).warnings, [Warning::RotationDue]);
    assert_eq!(held(&core, KEY).status, CredentialStatus::Active);
    assert_eq!(
        core.snapshot().position().get(),
        before + 2,
        "KEY and ROOT, once each"
    );
    tokio::join!(one.pass(days(90)), other.pass(days(90)));
    for key in [KEY, ROOT] {
        let held = held(&core, key);
        assert_eq!(held.status, CredentialStatus::Suspended);
        let reason = held.suspension.unwrap().reason;
        assert!(
            reason.contains("policy") && reason.contains("90 days"),
            "{reason}"
        );
    }
    one.pass(days(200)).await;
    assert_eq!(core.snapshot().position().get(), before + 4);
}

#[tokio::test]
async fn a_virtual_accounts_key_is_rotated_once_and_the_new_one_waits_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(folder.path(), rotating(3_600), "virtual-account:bot").await;
    let keyring = keyring();
    let (one, other) = (upkeep(&core, &keyring).await, upkeep(&core, &keyring).await);
    let before = held(&core, KEY);
    let now = clock::now();
    tokio::join!(one.pass(now), other.pass(now));
    let after = held(&core, KEY);
    let previous = after.previous.clone().unwrap();
    assert_eq!(previous.digest, before.digest, "rotated once");
    assert_eq!(previous.until, now.plus_seconds(3_600));
    let waiting = core.store.held_keys(Some(id(KEY))).await.unwrap();
    let keys: Vec<_> = waiting
        .iter()
        .filter_map(|waiting| key::open(&keyring, &one.peppers, waiting, &after).unwrap())
        .collect();
    assert_eq!(keys.len(), 1, "the key that is current is held: {waiting:?}");
    let presented = PresentedKey::parse(keys[0].expose()).unwrap();
    assert!(one.peppers.verify(&after.digest, &presented));
    assert!(!waiting[0].sealed.contains(keys[0].expose()));
    one.pass(now.plus_seconds(60)).await;
    assert_eq!(held(&core, KEY).digest, after.digest, "not due again");
}

#[tokio::test]
async fn a_held_key_is_swept_away_when_it_is_nobodys() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(folder.path(), rotating(3_600), "virtual-account:bot").await;
    let keyring = keyring();
    let upkeep = upkeep(&core, &keyring).await;
    let now = clock::now();
    let (never, _) = key::generate(&upkeep.peppers, &held(&core, KEY).owner, id(KEY)).unwrap();
    let stray = key::seal(&keyring, &held(&core, KEY), &never, now).unwrap();
    core.store.hold_key(&stray).await.unwrap();
    upkeep.pass(now).await;
    let count = async || core.store.held_keys(None).await.unwrap().len();
    assert_eq!(count().await, 2, "it may be about to be recorded");
    upkeep.pass(now.plus_seconds(700)).await;
    assert_eq!(count().await, 1);
    let revoke = Command::RevokeCredential {
        id: id(KEY),
        reason: "gone".into(),
    };
    core.ask_as_root("platform", vec![revoke]).await.unwrap();
    upkeep.pass(now.plus_seconds(700)).await;
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn an_unused_key_is_suspended_and_the_reason_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let policy = CredentialPolicy {
        suspend_unused_seconds: Some(60 * 86_400),
        ..CredentialPolicy::default()
    };
    let core = core(folder.path(), policy, "user:alice").await;
    let upkeep = upkeep(&core, &keyring()).await;
    upkeep.pass(days(59)).await;
    assert_eq!(held(&core, KEY).status, CredentialStatus::Active);
    upkeep.pass(days(61)).await;
    let suspended = held(&core, KEY);
    assert_eq!(suspended.status, CredentialStatus::Suspended);
    assert!(
        suspended
            .suspension
            .unwrap()
            .reason
            .contains("unused for 60 days")
    );
}

#[tokio::test]
async fn a_suspended_tenant_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(folder.path(), rotating(60), "virtual-account:bot").await;
    let from = core.snapshot().tenant("platform").unwrap().settings().clone();
    let to = TenantSettings {
        suspended: true,
        ..from.clone()
    };
    let suspend = Command::UpdateTenant { from, to };
    let authority = Authority::System("test");
    core.ask(authority, "platform", vec![suspend]).await.unwrap();
    let before = core.snapshot().position();
    upkeep(&core, &keyring()).await.pass(clock::now()).await;
    assert_eq!(core.snapshot().position(), before);
}
