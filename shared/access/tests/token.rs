//! Whom a verified token speaks for, and when it stops to: whatever was revoked, changed or deactivated since counts.

use std::sync::Arc;

use turnpike_access::{
    authenticate::AuthFailure,
    command::Command,
    credential::Scope,
    decide::{Request, decide},
    event::Event,
    grant::{AuthMethod, Effect, Grant},
    id::{Id, Name, Principal},
    issuer::{JustInTime, OWN, PrincipalRule, TokenMatch},
    pattern::Resource,
    tenant::{AccountProfile, TenantSettings},
    token::{Bearer, GivenFor, VerifiedToken, admit},
};

use crate::{
    commands::{Step, credential, trusted},
    history::History,
};

const LATER: i64 = 3600;

mod own;

fn perform(history: &mut History, command: Command) {
    let tenant = "acme".parse().unwrap();
    history.perform(&Step { tenant, command }).unwrap();
}

fn trusting(principal: PrincipalRule, just_in_time: Option<JustInTime>) -> History {
    let mut history = History::of(&[]);
    let mut profile = trusted("https://okta.example", "a", principal);
    profile.just_in_time = just_in_time;
    let name = "okta".parse().unwrap();
    perform(&mut history, Command::CreateIssuer { name, profile });
    history
}

fn set(history: &mut History, principal: &str, to: AccountProfile) {
    let principal: Principal = principal.parse().unwrap();
    let from = AccountProfile::default(); // The present one is put in.
    perform(history, Command::UpdateAccount { principal, from, to });
}

/// A token of okta's: `sub` is `s`, `jti` is `j`.
fn foreign(history: &History, claim: &str) -> VerifiedToken {
    let okta = history.tenant("acme").unwrap().issuer("okta").unwrap();
    VerifiedToken {
        tenant: "acme".parse().unwrap(),
        issuer: "okta".parse().unwrap(),
        subject: Arc::from("s"),
        id: Some(Arc::from("j")),
        issued: history.now(),
        expires: history.now().plus_seconds(LATER),
        groups: vec![("okta".parse().unwrap(), Arc::from("engineers"))],
        bearer: Bearer::Foreign {
            method: AuthMethod::Jwt,
            claim: Arc::from(claim),
            just_in_time: None,
            revision: okta.revision,
        },
    }
}

/// The same for somebody who may come just in time.
fn newcomer(history: &History, claim: &str, user: &str) -> VerifiedToken {
    let mut token = foreign(history, claim);
    if let Bearer::Foreign { just_in_time, .. } = &mut token.bearer {
        *just_in_time = Some(user.parse().unwrap());
    }
    token
}

fn own(history: &History, principal: &str, given_for: GivenFor) -> VerifiedToken {
    VerifiedToken {
        issuer: OWN.parse().unwrap(),
        groups: Vec::new(),
        bearer: Bearer::Own {
            principal: principal.parse().unwrap(),
            scope: None,
            given_for,
        },
        ..foreign(history, "s")
    }
}

fn who(history: &History, token: &VerifiedToken) -> Result<String, AuthFailure> {
    admit(&history.snapshot, token, history.now()).map(|caller| caller.principal.to_string())
}

fn revoke(history: &mut History, issuer: &str, tokens: TokenMatch) {
    let command = Command::RevokeTokens {
        issuer: issuer.parse().unwrap(),
        tokens,
        reason: Arc::from("because"),
    };
    perform(history, command);
}

fn allow(history: &mut History, subject: &str) {
    let grant = Grant {
        id: Id::from_random(90),
        subject: subject.parse().unwrap(),
        role: "developer".parse().unwrap(),
        effect: Effect::Allow,
        selector: Default::default(),
        conditions: Default::default(),
        reason: None,
        owner: None,
    };
    perform(history, Command::CreateGrant(grant));
}

fn may(history: &History, token: &VerifiedToken, model: &str) -> &'static str {
    let caller = admit(&history.snapshot, token, history.now()).unwrap();
    let request = Request {
        action: "inference.chat",
        resource: Resource::named("model", model),
        circumstances: caller.circumstances(history.now(), None),
    };
    decide(&history.snapshot, &caller, &request).reason.as_str()
}

#[test]
fn each_rule_finds_the_account_that_it_means_and_no_other() {
    let known = AccountProfile {
        email: Some("Alice@acme.example".into()),
        subjects: vec!["okta/00u1".into()],
        ..AccountProfile::default()
    };
    let fixed = PrincipalRule::Fixed {
        principal: "virtual-account:bot".parse().unwrap(),
    };
    let by_name = |virtual_account| PrincipalRule::Name { virtual_account };
    for (rule, claim, expected) in [
        (PrincipalRule::Subject {}, "00u1", Some("user:alice")),
        (PrincipalRule::Subject {}, "00u2", None),
        (PrincipalRule::Subject {}, "alice", None),
        (PrincipalRule::Email {}, "alice@acme.example", Some("user:alice")),
        (PrincipalRule::Email {}, "bob@acme.example", None),
        (by_name(false), "alice", Some("user:alice")),
        (by_name(false), "bot", None),
        (by_name(true), "bot", Some("virtual-account:bot")),
        (by_name(true), "alice", Some("virtual-account:alice")),
        (by_name(true), "not a name", None),
        (fixed, "whoever", Some("virtual-account:bot")),
    ] {
        let mut history = trusting(rule.clone(), None);
        set(&mut history, "user:alice", known.clone());
        let expected = expected.map(str::to_owned).ok_or(AuthFailure::PrincipalUnknown);
        assert_eq!(
            who(&history, &foreign(&history, claim)),
            expected,
            "{rule:?}: {claim}"
        );
    }
}

#[test]
fn an_address_or_a_subject_of_two_accounts_names_neither() {
    for rule in [PrincipalRule::Email {}, PrincipalRule::Subject {}] {
        let mut history = trusting(rule.clone(), None);
        let shared = AccountProfile {
            email: Some("x".into()),
            subjects: vec!["okta/x".into()],
            ..AccountProfile::default()
        };
        set(&mut history, "user:alice", shared.clone());
        assert_eq!(
            who(&history, &foreign(&history, "x")).as_deref(),
            Ok("user:alice"),
            "{rule:?}"
        );
        // The ledger refuses this; a log from before it did may hold it.
        let event = Event::AccountUpdated {
            principal: "user:bob".parse().unwrap(),
            profile: shared,
        };
        let recorded = history.record(&"acme".parse().unwrap(), &event);
        history.snapshot.fold(&recorded).unwrap();
        assert_eq!(
            who(&history, &foreign(&history, "x")),
            Err(AuthFailure::PrincipalUnknown),
            "{rule:?}"
        );
    }
}

#[test]
fn a_user_comes_just_in_time_with_the_issuers_teams_and_the_tokens_groups() {
    let teams = vec!["search".parse().unwrap()];
    let mut history = trusting(PrincipalRule::Email {}, Some(JustInTime { teams }));
    allow(&mut history, "team:search");
    let token = newcomer(&history, "eve@acme.example", "user:eve");
    let caller = admit(&history.snapshot, &token, history.now()).unwrap();
    assert!(caller.account.is_none() && caller.credential.is_none());
    assert_eq!(caller.principal.to_string(), "user:eve");
    assert_eq!(caller.method, AuthMethod::Jwt);
    assert_eq!(may(&history, &token, "open/small"), "granted");

    let mut history = trusting(PrincipalRule::Email {}, Some(JustInTime::default()));
    allow(&mut history, "team:search");
    let token = newcomer(&history, "eve@acme.example", "user:eve");
    assert_eq!(may(&history, &token, "open/small"), "no_grant");
    allow_group(&mut history);
    assert_eq!(may(&history, &token, "open/small"), "granted");
}

fn allow_group(history: &mut History) {
    perform(
        history,
        Command::DeleteGrant {
            id: Id::from_random(90),
        },
    );
    allow(history, "group:okta/engineers");
}

#[test]
fn a_user_just_in_time_never_takes_over_an_account_of_that_name() {
    let mut history = trusting(PrincipalRule::Email {}, Some(JustInTime::default()));
    allow(&mut history, "user:alice");
    let token = newcomer(&history, "somebody@else.example", "user:alice");
    assert_eq!(who(&history, &token), Err(AuthFailure::PrincipalUnknown));
    let recorded = AccountProfile {
        email: Some("somebody@else.example".into()),
        ..AccountProfile::default()
    };
    set(&mut history, "user:bob", recorded);
    assert_eq!(
        who(&history, &token).as_deref(),
        Ok("user:bob"),
        "who is recorded comes first"
    );
}

#[test]
fn nobody_comes_just_in_time_where_the_issuer_does_not_say_so() {
    let history = trusting(PrincipalRule::Email {}, None);
    let token = newcomer(&history, "eve@acme.example", "user:eve");
    assert_eq!(who(&history, &token), Err(AuthFailure::PrincipalUnknown));
}

#[test]
fn a_token_is_good_until_it_expires_and_while_its_account_and_tenant_are_alive() {
    let mut history = trusting(
        PrincipalRule::Name {
            virtual_account: false,
        },
        None,
    );
    let token = foreign(&history, "alice");
    assert_eq!(who(&history, &token).as_deref(), Ok("user:alice"));
    let at = |moment| admit(&history.snapshot, &token, moment).map(|_| ());
    assert_eq!(at(token.expires.plus_seconds(-1)), Ok(()));
    assert_eq!(at(token.expires), Err(AuthFailure::Expired));
    let deactivated = |deactivated| AccountProfile {
        deactivated,
        ..AccountProfile::default()
    };
    set(&mut history, "user:alice", deactivated(true));
    assert_eq!(who(&history, &token), Err(AuthFailure::OwnerDeactivated));
    set(&mut history, "user:alice", deactivated(false));
    assert_eq!(who(&history, &token).as_deref(), Ok("user:alice"));
    let suspended = TenantSettings {
        suspended: true,
        ..TenantSettings::default()
    };
    let from = TenantSettings::default();
    perform(&mut history, Command::UpdateTenant { from, to: suspended });
    assert_eq!(who(&history, &token), Err(AuthFailure::TenantSuspended));
    perform(&mut history, Command::DeleteTenant);
    assert_eq!(who(&history, &token), Err(AuthFailure::Unknown));
}

#[test]
fn a_revocation_by_id_by_subject_or_of_all_kills_what_it_names_and_nothing_else() {
    let history = trusting(
        PrincipalRule::Name {
            virtual_account: false,
        },
        None,
    );
    let token = foreign(&history, "alice");
    let younger = VerifiedToken {
        id: Some(Arc::from("k")),
        issued: token.issued.plus_seconds(10),
        ..token.clone()
    };
    let other = VerifiedToken {
        id: None,
        subject: Arc::from("t"),
        ..token.clone()
    };
    let issued_before = token.issued.plus_seconds(1);
    let subject = Arc::from("s");
    for (tokens, dead) in [
        (TokenMatch::Id { id: Arc::from("j") }, [true, false, false]),
        (TokenMatch::Id { id: Arc::from("s") }, [false, false, false]),
        (
            TokenMatch::Subject {
                subject,
                issued_before,
            },
            [true, false, false],
        ),
        (TokenMatch::All { issued_before }, [true, false, true]),
        (
            TokenMatch::All {
                issued_before: token.issued,
            },
            [false, false, false],
        ),
    ] {
        for issuer in ["okta", OWN] {
            let mut history = history.clone();
            revoke(&mut history, issuer, tokens.clone());
            let refused =
                [&token, &younger, &other].map(|one| who(&history, one) == Err(AuthFailure::Revoked));
            let expected = if issuer == OWN { [false; 3] } else { dead };
            assert_eq!(refused, expected, "{issuer}: {tokens:?}");
        }
    }
}

#[test]
fn what_was_verified_before_its_issuer_changed_is_verified_anew() {
    let history = trusting(
        PrincipalRule::Name {
            virtual_account: false,
        },
        None,
    );
    let token = foreign(&history, "alice");
    let name: Name = "okta".parse().unwrap();
    let profile = history
        .tenant("acme")
        .unwrap()
        .issuer("okta")
        .unwrap()
        .profile
        .clone();
    let mut narrower = profile.clone();
    narrower.leeway_seconds = 1;
    let update = Command::UpdateIssuer {
        name: name.clone(),
        from: profile.clone(),
        to: narrower,
    };
    let delete = Command::DeleteIssuer { name: name.clone() };
    let create = Command::CreateIssuer { name, profile };
    for commands in [vec![update], vec![delete.clone()], vec![delete, create]] {
        let mut history = history.clone();
        for command in commands {
            perform(&mut history, command);
        }
        assert_eq!(who(&history, &token), Err(AuthFailure::IssuerChanged));
    }
}
