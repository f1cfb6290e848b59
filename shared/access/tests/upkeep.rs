//! What a policy says is due, and when.

use turnpike_access::{
    credential::{Credential, CredentialStatus, Decoy, Suspension, Warning},
    id::{Id, Timestamp},
    tenant::{AutomaticRotation, CredentialPolicy, Delivery},
    upkeep::{Due, due, last_used},
};

use crate::{commands::credential, world::START};

const DAY: i64 = 86_400;

fn days(count: u32) -> Option<u32> {
    Some(count * 86_400)
}

fn day(count: i64) -> Timestamp {
    START.plus_seconds(count * DAY)
}

fn held(owner: &str) -> Credential {
    Credential {
        created: START,
        ..credential(
            &"acme".parse().unwrap(),
            owner.parse().unwrap(),
            Id::from_random(1),
        )
    }
}

fn person() -> Credential {
    held("user:alice")
}

/// What is due when it was last used when it was made.
fn at(policy: &CredentialPolicy, held: &Credential, moment: Timestamp) -> Vec<String> {
    let all = due(policy, held, Some(last_used(held, None)), moment);
    all.iter()
        .map(|one| match one {
            Due::Warn(warning, _) => warning.as_str().to_owned(),
            Due::Suspend(why) => format!("suspend: {why}"),
            Due::Revoke(why) => format!("revoke: {why}"),
            Due::Rotate(_) => "rotate".to_owned(),
        })
        .collect()
}

#[test]
fn without_a_policy_nothing_is_ever_due() {
    assert!(at(&CredentialPolicy::default(), &person(), day(36_500)).is_empty());
}

#[test]
fn an_unused_credential_is_warned_of_then_suspended_then_revoked_each_once() {
    let policy = CredentialPolicy {
        warn_unused_seconds: days(30),
        suspend_unused_seconds: days(60),
        revoke_unused_seconds: days(90),
        ..CredentialPolicy::default()
    };
    let mut one = person();
    assert!(at(&policy, &one, day(30).plus_seconds(-1)).is_empty());
    assert_eq!(
        at(&policy, &one, day(95)),
        ["unused"],
        "first the warning, however late"
    );
    one.warnings.push(Warning::Unused);
    assert!(at(&policy, &one, day(59)).is_empty());
    assert_eq!(
        at(&policy, &one, day(95)),
        ["suspend: the tenant's policy: unused for 60 days"]
    );
    one.status = CredentialStatus::Suspended;
    assert!(at(&policy, &one, day(89)).is_empty());
    assert_eq!(
        at(&policy, &one, day(90)),
        ["revoke: the tenant's policy: unused for 90 days"]
    );
    one.status = CredentialStatus::Revoked {
        at: day(90),
        reason: "unused".into(),
    };
    assert!(at(&policy, &one, day(400)).is_empty());
}

#[test]
fn a_use_a_rotation_and_a_resumption_are_signs_of_life() {
    let policy = CredentialPolicy {
        suspend_unused_seconds: days(60),
        ..CredentialPolicy::default()
    };
    let used = due(
        &policy,
        &person(),
        Some(last_used(&person(), Some(day(50)))),
        day(70),
    );
    assert!(used.is_empty());
    let rotated = Credential {
        rotated: Some(day(40)),
        ..person()
    };
    let resumed = Credential {
        suspension: Some(Box::new(Suspension {
            reason: "unused".into(),
            resumed: Some(day(61)),
        })),
        ..person()
    };
    assert!(at(&policy, &rotated, day(70)).is_empty());
    assert!(at(&policy, &resumed, day(70)).is_empty());
    assert_eq!(at(&policy, &person(), day(70)).len(), 1);
}

#[test]
fn while_nobody_knows_when_it_was_used_nobody_calls_it_unused() {
    let policy = CredentialPolicy {
        warn_unused_seconds: days(1),
        revoke_unused_seconds: days(2),
        ..CredentialPolicy::default()
    };
    assert!(due(&policy, &person(), None, day(1_000)).is_empty());
}

#[test]
fn a_rotation_is_warned_of_before_and_its_lack_suspends_after() {
    let policy = CredentialPolicy {
        rotate_after_seconds: days(90),
        warn_before_seconds: days(14),
        suspend_overdue: true,
        ..CredentialPolicy::default()
    };
    let mut one = person();
    assert!(at(&policy, &one, day(75)).is_empty());
    assert_eq!(
        due(&policy, &one, None, day(76)),
        [Due::Warn(Warning::RotationDue, day(90))]
    );
    one.warnings.push(Warning::RotationDue);
    assert!(at(&policy, &one, day(89)).is_empty());
    assert_eq!(
        at(&policy, &one, day(90)),
        ["suspend: the tenant's policy: not rotated for 90 days; rotate it, then resume it"]
    );
    let lenient = CredentialPolicy {
        suspend_overdue: false,
        ..policy
    };
    assert!(at(&lenient, &one, day(900)).is_empty());
}

#[test]
fn an_end_is_warned_of_whether_it_is_the_credentials_own_or_the_policys() {
    let policy = CredentialPolicy {
        max_lifetime_seconds: days(365),
        warn_before_seconds: days(7),
        ..CredentialPolicy::default()
    };
    let own = Credential {
        expires: Some(day(100)),
        ..person()
    };
    assert_eq!(
        due(&policy, &own, None, day(93)),
        [Due::Warn(Warning::Expiring, day(100))]
    );
    assert_eq!(
        due(&policy, &person(), None, day(358)),
        [Due::Warn(Warning::Expiring, day(365))]
    );
    assert!(at(&policy, &own, day(100)).is_empty(), "it is over");
}

#[test]
fn keys_of_virtual_accounts_are_rotated_by_themselves_and_those_of_people_never() {
    let policy = CredentialPolicy {
        rotate_after_seconds: days(30),
        warn_before_seconds: days(3),
        automatic_rotation: Some(AutomaticRotation {
            overlap_seconds: 60,
            delivery: Delivery::PickUp {},
        }),
        ..CredentialPolicy::default()
    };
    let application = held("virtual-account:bot");
    assert!(
        at(&policy, &application, day(29)).is_empty(),
        "nobody need be warned"
    );
    assert_eq!(at(&policy, &application, day(30)), ["rotate"]);
    assert_eq!(at(&policy, &person(), day(30)), ["rotation_due"]);
    let suspended = Credential {
        status: CredentialStatus::Suspended,
        ..application
    };
    assert!(at(&policy, &suspended, day(30)).is_empty());
}

#[test]
fn a_decoy_is_left_to_wait() {
    let policy = CredentialPolicy {
        rotate_after_seconds: days(1),
        revoke_unused_seconds: days(1),
        suspend_overdue: true,
        ..CredentialPolicy::default()
    };
    let decoy = Credential {
        decoy: Some(Decoy::default()),
        ..person()
    };
    assert!(at(&policy, &decoy, day(1_000)).is_empty());
}
