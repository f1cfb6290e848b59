//! Turnpike's own tokens: they die with what they were given for, and open no more than it.

use super::*;
use crate::world::{peppers, secret};

#[test]
fn a_token_of_turnpikes_own_dies_with_the_key_that_it_was_given_for() {
    let (id, reason) = (Id::from_random(91), Arc::from("because"));
    let mut history = History::of(&[]);
    // Any issuer, for the shape of the token alone.
    let name = "okta".parse().unwrap();
    let profile = trusted("https://okta.example", "a", PrincipalRule::Subject {});
    perform(&mut history, Command::CreateIssuer { name, profile });
    let mut key = credential(
        &"acme".parse().unwrap(),
        "virtual-account:bot".parse().unwrap(),
        id,
    );
    key.expires = Some(history.now().plus_seconds(60));
    perform(&mut history, Command::IssueCredential(key));
    let token = own(&history, "virtual-account:bot", GivenFor::Credential(id));
    let caller = admit(&history.snapshot, &token, history.now()).unwrap();
    assert_eq!(caller.credential.map(|held| held.id), Some(id));
    assert_eq!(caller.method, AuthMethod::TurnpikeToken);

    let of_another = own(&history, "user:alice", GivenFor::Credential(id));
    assert_eq!(who(&history, &of_another), Err(AuthFailure::Unknown));
    let of_none = own(
        &history,
        "virtual-account:bot",
        GivenFor::Credential(Id::from_random(92)),
    );
    assert_eq!(who(&history, &of_none), Err(AuthFailure::Unknown));
    let late = admit(&history.snapshot, &token, history.now().plus_seconds(70)).map(|_| ());
    assert_eq!(late, Err(AuthFailure::Expired), "the key's end is the token's");

    let suspend = Command::SuspendCredential { id, reason };
    perform(&mut history, suspend);
    assert_eq!(who(&history, &token), Err(AuthFailure::Suspended));
    perform(
        &mut history,
        Command::ResumeCredential {
            id,
            reason: Default::default(),
        },
    );
    assert!(who(&history, &token).is_ok());
    let reason = Arc::from("because");
    perform(&mut history, Command::RevokeCredential { id, reason });
    assert_eq!(who(&history, &token), Err(AuthFailure::Revoked));
}

#[test]
fn a_token_of_turnpikes_own_dies_with_the_secret_that_it_was_given_for() {
    let id = Id::from_random(93);
    let mut history = History::of(&[]);
    let name = "okta".parse().unwrap();
    let profile = trusted("https://okta.example", "a", PrincipalRule::Subject {});
    perform(&mut history, Command::CreateIssuer { name, profile });
    let owner = "virtual-account:bot".parse().unwrap();
    let key = credential(&"acme".parse().unwrap(), owner, id);
    perform(&mut history, Command::IssueCredential(key));
    let mut token = own(&history, "virtual-account:bot", GivenFor::Credential(id));
    let begun = history.now();
    token.issued = begun.plus_seconds(-60);
    let rotate = Command::RotateCredential {
        id,
        digest: peppers().digest(id, &secret(id, 1)).unwrap(),
        previous_until: begun.plus_seconds(20),
        since: None,
        reason: Default::default(),
    };
    perform(&mut history, rotate);
    let at = |seconds, token: &VerifiedToken| {
        admit(&history.snapshot, token, begun.plus_seconds(seconds)).map(|_| ())
    };
    assert_eq!(at(19, &token), Ok(()), "both secrets work");
    assert_eq!(at(20, &token), Err(AuthFailure::Revoked));
    token.issued = history.now();
    assert_eq!(at(20, &token), Ok(()), "given for the new one");
}

#[test]
fn a_token_of_turnpikes_own_dies_with_its_principal_and_with_the_token_that_it_was_exchanged_for() {
    let history = trusting(
        PrincipalRule::Name {
            virtual_account: false,
        },
        None,
    );
    let source = foreign(&history, "alice");
    let given_for = GivenFor::Token {
        issuer: source.issuer.clone(),
        subject: source.subject.clone(),
        id: source.id.clone(),
        issued: source.issued,
    };
    let mut token = own(&history, "user:alice", given_for);
    (token.id, token.subject) = (Some(Arc::from("own")), Arc::from("user:alice"));
    assert_eq!(who(&history, &token).as_deref(), Ok("user:alice"));
    let after = |change: &dyn Fn(&mut History)| {
        let mut history = history.clone();
        change(&mut history);
        who(&history, &token).unwrap_err()
    };
    let by_id = |id: &str| TokenMatch::Id { id: Arc::from(id) };
    assert_eq!(
        after(&|all| revoke(all, "okta", by_id("j"))),
        AuthFailure::Revoked
    );
    assert_eq!(after(&|all| revoke(all, OWN, by_id("own"))), AuthFailure::Revoked);
    let issued_before = history.now().plus_seconds(1);
    assert_eq!(
        after(&|all| revoke(all, "okta", TokenMatch::All { issued_before })),
        AuthFailure::Revoked
    );
    let name: Name = "okta".parse().unwrap();
    assert_eq!(
        after(&|all| perform(all, Command::DeleteIssuer { name: name.clone() })),
        AuthFailure::IssuerChanged
    );
    let deactivated = AccountProfile {
        deactivated: true,
        ..AccountProfile::default()
    };
    assert_eq!(
        after(&|all| set(all, "user:alice", deactivated.clone())),
        AuthFailure::OwnerDeactivated
    );
    let principal: Principal = "user:alice".parse().unwrap();
    assert_eq!(
        after(&|all| perform(
            all,
            Command::DeleteAccount {
                principal: principal.clone()
            }
        )),
        AuthFailure::PrincipalUnknown
    );
}

#[test]
fn the_scope_of_a_token_narrows_beside_that_of_its_key() {
    let id = Id::from_random(91);
    let mut history = trusting(PrincipalRule::Subject {}, None);
    allow(&mut history, "virtual-account:bot");
    let mut key = credential(
        &"acme".parse().unwrap(),
        "virtual-account:bot".parse().unwrap(),
        id,
    );
    key.scope = Some(Box::new(Scope {
        models: vec!["open/*".parse().unwrap()],
        ..Scope::default()
    }));
    perform(&mut history, Command::IssueCredential(key));
    let mut token = own(&history, "virtual-account:bot", GivenFor::Credential(id));
    let answers = |history: &History, token: &VerifiedToken| {
        ["open/small", "open/large", "closed/small"].map(|model| may(history, token, model))
    };
    assert_eq!(answers(&history, &token), ["granted", "granted", "scope_model"]);
    if let Bearer::Own { scope, .. } = &mut token.bearer {
        *scope = Some(Box::new(Scope {
            models: vec!["*/small".parse().unwrap()],
            ..Scope::default()
        }));
    }
    assert_eq!(
        answers(&history, &token),
        ["granted", "scope_model", "scope_model"]
    );
}
