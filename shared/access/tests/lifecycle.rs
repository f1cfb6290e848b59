//! The life of a credential: it only ever opens less, the tenant's policy holds, and a revocation meets those it names.

use std::collections::BTreeSet;

use proptest::prelude::*;
use turnpike_access::{
    authenticate::{AuthFailure, Caller, admit},
    choose::{ModelRequest, choose},
    command::{Command, Holders},
    credential::{Credential, CredentialStatus, Decoy, HandOver},
    grant::{Effect, Grant},
    id::{Id, Name, Principal},
    ledger::Refusal,
    snapshot::Snapshot,
    tenant::{AccountProfile, CredentialPolicy, TenantSettings},
};

use crate::{
    commands::{Step, credential, steps},
    history::History,
    world::{ACTIONS, Dice, MODELS, PRINCIPALS, START, TEAMS, cases},
};

fn acme() -> Name {
    "acme".parse().unwrap()
}

fn id(number: u128) -> Id {
    // Apart from those that random commands use.
    Id::from_random(1_000 + number)
}

fn perform(history: &mut History, command: Command) -> Result<usize, Refusal> {
    history.perform(&Step {
        tenant: acme(),
        command,
    })
}

fn of(owner: &str, number: u128) -> Credential {
    Credential {
        created: START,
        ..credential(&acme(), owner.parse().unwrap(), id(number))
    }
}

fn set_policy(history: &mut History, credentials: CredentialPolicy) {
    let to = TenantSettings {
        credentials,
        ..TenantSettings::default()
    };
    let from = TenantSettings::default();
    perform(history, Command::UpdateTenant { from, to }).unwrap();
}

fn allow_everything(history: &mut History, principal: &str) {
    let grant = Grant {
        id: id(99),
        subject: principal.parse().unwrap(),
        role: "admin".parse().unwrap(),
        effect: Effect::Allow,
        selector: Default::default(),
        conditions: Default::default(),
        reason: None,
        owner: None,
    };
    perform(history, Command::CreateGrant(grant)).unwrap();
}

/// Every action on every model that a credential opens, in some circumstances.
fn opened(snapshot: &Snapshot, number: u128, dice: &mut Dice<'_>) -> BTreeSet<(usize, &'static str)> {
    let held = snapshot.credential(id(number)).unwrap();
    let Ok(caller) = admit(snapshot, held, START) else {
        return BTreeSet::new();
    };
    let mut all = BTreeSet::new();
    for round in 0..6 {
        let circumstances = dice.circumstances();
        for action in ACTIONS {
            for requested in MODELS {
                let request = ModelRequest {
                    action,
                    requested,
                    provider: None,
                    circumstances,
                    accepts_fallback: false,
                };
                if choose(snapshot, &caller, &request).is_ok_and(|choice| choice.decision.allowed()) {
                    all.insert((round * ACTIONS.len() + place(action), requested));
                }
            }
        }
    }
    all
}

fn place(action: &str) -> usize {
    ACTIONS.iter().position(|one| *one == action).unwrap()
}

fn live(snapshot: &Snapshot) -> BTreeSet<Id> {
    let tenants = snapshot.tenants().into_iter();
    let accounts = tenants.flat_map(|tenant| tenant.accounts());
    let ids = accounts.flat_map(|held| held.account.credentials.clone());
    ids.filter(|id| {
        let held = snapshot.credential(*id).unwrap();
        !matches!(held.status, CredentialStatus::Revoked { .. })
    })
    .collect()
}

fn owned(
    snapshot: &Snapshot,
    ids: &BTreeSet<Id>,
    whose: impl Fn(&Credential, &[Name]) -> bool,
) -> BTreeSet<Id> {
    let theirs = |id: &Id| {
        let held = snapshot.credential(*id).unwrap();
        let tenant = snapshot.tenant(held.tenant.as_str()).unwrap();
        let teams = &tenant.account(&held.owner).unwrap().account.teams;
        held.tenant == acme() && whose(held, teams)
    };
    ids.iter().copied().filter(theirs).collect()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_a_narrowed_credential_opens_it_opened_before(
        steps in steps(20), bytes in prop::collection::vec(any::<u8>(), 60), asked in prop::collection::vec(any::<u8>(), 30),
    ) {
        let mut history = History::of(&steps);
        if history.tenant("acme").is_none_or(|tenant| tenant.account(&PRINCIPALS[0].parse().unwrap()).is_none()) {
            return Ok(());
        }
        allow_everything(&mut history, PRINCIPALS[0]);
        let mut dice = Dice::new(&bytes);
        let scope = dice.scope().map(Box::new);
        perform(&mut history, Command::IssueCredential(Credential { scope, ..of(PRINCIPALS[0], 0) })).unwrap();
        for _ in 0..3 {
            let before = opened(&history.snapshot, 0, &mut Dice::new(&asked));
            let end = history.snapshot.credential(id(0)).unwrap().expires;
            let command = Command::NarrowCredential {
                id: id(0),
                scope: dice.scope().map(Box::new),
                expires: dice.one_in(3).then(|| dice.moment().plus_seconds(60)),
                reason: "because".into(),
            };
            let narrowed = perform(&mut history, command);
            let after = opened(&history.snapshot, 0, &mut Dice::new(&asked));
            prop_assert!(after.is_subset(&before), "{:?}", after.difference(&before).next());
            prop_assert!(narrowed.is_ok() || after == before);
            let held = history.snapshot.credential(id(0)).unwrap();
            prop_assert!(end.is_none_or(|end| held.expires.is_some_and(|now| now <= end)));
        }
    }

    #[test]
    fn revoking_all_of_some_kills_theirs_and_nobody_elses(steps in steps(80), who in 0usize..8) {
        let mut history = History::of(&steps);
        let before = live(&history.snapshot);
        let (holders, theirs) = match who {
            0..4 => {
                let principal: Principal = PRINCIPALS[who].parse().unwrap();
                let theirs = owned(&history.snapshot, &before, |held, _| held.owner == principal);
                (Holders::Principal(principal), theirs)
            }
            4..7 => {
                let team: Name = TEAMS[who - 4].parse().unwrap();
                let theirs = owned(&history.snapshot, &before, |_, teams| teams.contains(&team));
                (Holders::Team(team), theirs)
            }
            _ => (Holders::Tenant, owned(&history.snapshot, &before, |_, _| true)),
        };
        let command = Command::RevokeCredentials { of: holders, reason: "leaked".into() };
        let dead = match perform(&mut history, command.clone()) {
            Ok(events) => {
                prop_assert_eq!(events, theirs.len());
                prop_assert_eq!(perform(&mut history, command), Ok(0), "once is enough");
                theirs
            }
            Err(_) => BTreeSet::new(),
        };
        let left: BTreeSet<Id> = before.difference(&dead).copied().collect();
        prop_assert_eq!(live(&history.snapshot), left);
    }

    #[test]
    fn deactivating_somebody_closes_their_credentials_and_nobody_elses(steps in steps(60), who in 0usize..4) {
        let mut history = History::of(&steps);
        let principal: Principal = PRINCIPALS[who].parse().unwrap();
        let now = START.plus_seconds(70);
        let passes = |history: &History| -> BTreeSet<Id> {
            let all = live(&history.snapshot).into_iter();
            all.filter(|id| admit(&history.snapshot, history.snapshot.credential(*id).unwrap(), now).is_ok()).collect()
        };
        let before = passes(&history);
        let theirs = owned(&history.snapshot, &before, |held, _| held.owner == principal);
        let update = |deactivated| Command::UpdateAccount {
            principal: principal.clone(),
            from: AccountProfile::default(),
            to: AccountProfile { deactivated, ..AccountProfile::default() },
        };
        if perform(&mut history, update(true)).is_err() {
            return Ok(());
        }
        let left: BTreeSet<Id> = before.difference(&theirs).copied().collect();
        prop_assert_eq!(passes(&history), left);
        perform(&mut history, update(false)).unwrap();
        prop_assert!(passes(&history).is_superset(&before), "and it is undone");
    }
}

#[test]
fn what_the_policy_forbids_is_not_issued_and_the_refusal_says_why() {
    let mut history = History::of(&[]);
    set_policy(
        &mut history,
        CredentialPolicy {
            max_lifetime_seconds: Some(1_000),
            expiry_required: true,
            max_live: Some(2),
            ..CredentialPolicy::default()
        },
    );
    let issue = |history: &mut History, number, seconds: Option<i64>| {
        let expires = seconds.map(|seconds| history.now().plus_seconds(seconds));
        let made = Credential {
            expires,
            ..of(PRINCIPALS[1], number)
        };
        perform(history, Command::IssueCredential(made)).map_err(|refused| refused.to_string())
    };
    let refused = |told: Result<usize, String>, word: &str| {
        assert!(told.clone().is_err_and(|text| text.contains(word)), "{told:?}");
    };
    refused(issue(&mut history, 1, None), "demands an expiry");
    refused(issue(&mut history, 1, Some(1_100)), "at most 1000 seconds");
    assert_eq!(issue(&mut history, 1, Some(900)), Ok(1));
    assert_eq!(issue(&mut history, 2, Some(900)), Ok(1));
    refused(issue(&mut history, 3, Some(900)), "permits 2");
    let reason = "no longer needed".into();
    perform(&mut history, Command::RevokeCredential { id: id(1), reason }).unwrap();
    assert_eq!(issue(&mut history, 3, Some(900)), Ok(1), "there is room again");
}

#[test]
fn a_decoy_is_outside_the_policy() {
    let mut history = History::of(&[]);
    let policy = CredentialPolicy {
        expiry_required: true,
        max_live: Some(1),
        ..CredentialPolicy::default()
    };
    set_policy(&mut history, policy);
    let decoy = |number| Credential {
        decoy: Some(Decoy::default()),
        ..of(PRINCIPALS[1], number)
    };
    let key = Credential {
        expires: Some(history.now().plus_seconds(900)),
        ..of(PRINCIPALS[1], 3)
    };
    for made in [decoy(1), decoy(2), key] {
        let issued = perform(&mut history, Command::IssueCredential(made));
        assert!(issued.is_ok_and(|events| events == 1));
    }
}

#[test]
fn a_longest_life_ends_credentials_that_were_made_before_it() {
    let mut history = History::of(&[]);
    for (number, expires) in [(1, None), (2, Some(START.plus_seconds(5_000)))] {
        let made = Credential {
            expires,
            ..of(PRINCIPALS[0], number)
        };
        perform(&mut history, Command::IssueCredential(made)).unwrap();
    }
    let passes = |history: &History, number, seconds| {
        let held = history.snapshot.credential(id(number)).unwrap();
        admit(&history.snapshot, held, START.plus_seconds(seconds)).map(|_| ())
    };
    assert_eq!(passes(&history, 1, 4_000), Ok(()));
    set_policy(
        &mut history,
        CredentialPolicy {
            max_lifetime_seconds: Some(1_000),
            ..CredentialPolicy::default()
        },
    );
    for number in [1, 2] {
        assert_eq!(passes(&history, number, 999), Ok(()));
        assert_eq!(passes(&history, number, 1_000), Err(AuthFailure::Expired));
    }
}

#[test]
fn a_decoy_opens_nothing_whatever_its_owner_may() {
    let mut history = History::of(&[]);
    allow_everything(&mut history, PRINCIPALS[0]);
    let decoy = Credential {
        decoy: Some(Decoy::default()),
        ..of(PRINCIPALS[0], 1)
    };
    perform(&mut history, Command::IssueCredential(decoy)).unwrap();
    perform(&mut history, Command::IssueCredential(of(PRINCIPALS[0], 2))).unwrap();
    let asked = [3; 30];
    assert!(opened(&history.snapshot, 1, &mut Dice::new(&asked)).is_empty());
    assert!(!opened(&history.snapshot, 2, &mut Dice::new(&asked)).is_empty());
    let admitted = |number| {
        let held = history.snapshot.credential(id(number)).unwrap();
        admit(&history.snapshot, held, START).map(|caller: Caller<'_>| caller.principal.clone())
    };
    assert_eq!(admitted(1), Err(AuthFailure::Decoy));
    assert!(admitted(2).is_ok());
}

#[test]
fn a_suspension_is_remembered_with_its_reason_until_after_it_is_over() {
    let mut history = History::of(&[]);
    perform(&mut history, Command::IssueCredential(of(PRINCIPALS[0], 1))).unwrap();
    let suspend = Command::SuspendCredential {
        id: id(1),
        reason: "on leave".into(),
    };
    perform(&mut history, suspend).unwrap();
    let last = |history: &History| {
        history
            .snapshot
            .credential(id(1))
            .unwrap()
            .suspension
            .clone()
            .unwrap()
    };
    assert_eq!(
        (last(&history).reason.as_ref(), last(&history).resumed),
        ("on leave", None)
    );
    let reason = "back".into();
    perform(&mut history, Command::ResumeCredential { id: id(1), reason }).unwrap();
    assert_eq!(last(&history).resumed, Some(history.now()));
}

#[test]
fn of_two_who_rotate_for_the_same_reason_the_second_is_too_late() {
    let mut history = History::of(&[]);
    perform(&mut history, Command::IssueCredential(of(PRINCIPALS[2], 1))).unwrap();
    let rotate = |digest| Command::RotateCredential {
        id: id(1),
        digest,
        previous_until: START.plus_seconds(600),
        since: Some(START),
        reason: "in time".into(),
    };
    let digest = of(PRINCIPALS[2], 1).digest;
    assert_eq!(perform(&mut history, rotate(digest.clone())), Ok(1));
    assert_eq!(perform(&mut history, rotate(digest)), Err(Refusal::Changed));
}

#[test]
fn a_secret_is_handed_over_once_and_anew_after_each_rotation() {
    let mut history = History::of(&[]);
    perform(&mut history, Command::IssueCredential(of(PRINCIPALS[2], 1))).unwrap();
    let since = |history: &History| history.snapshot.credential(id(1)).unwrap().secret_since();
    let hand_over = |history: &mut History, since| {
        let by = HandOver::PickUp;
        perform(history, Command::HandOverCredential { id: id(1), by, since })
    };
    for _ in 0..2 {
        let now = since(&history);
        let too_early = hand_over(&mut history, now.plus_seconds(-1));
        assert_eq!(too_early, Err(Refusal::Changed), "the secret of before");
        assert_eq!(hand_over(&mut history, now), Ok(1));
        assert_eq!(
            hand_over(&mut history, now),
            Err(Refusal::Changed),
            "somebody has it"
        );
        let rotate = Command::RotateCredential {
            id: id(1),
            digest: of(PRINCIPALS[2], 1).digest,
            previous_until: START.plus_seconds(600),
            since: None,
            reason: Default::default(),
        };
        perform(&mut history, rotate).unwrap();
    }
    let reason = "leaked".into();
    perform(&mut history, Command::RevokeCredential { id: id(1), reason }).unwrap();
    let now = since(&history);
    assert!(matches!(hand_over(&mut history, now), Err(Refusal::NotNow(_))));
}
