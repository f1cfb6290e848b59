//! Which issuers may be trusted and which tokens revoked; and that what was dead or deleted does not come back.

use std::sync::Arc;

use proptest::prelude::*;
use turnpike_access::{
    command::Command,
    grant::{Effect, Grant},
    id::{Id, Name, Timestamp},
    issuer::{IssuerProfile, JustInTime, OWN, PrincipalRule, TokenKey, TokenMatch, Verification},
    ledger::Refusal,
};

use crate::{
    commands::{Step, steps, trusted},
    history::History,
    world::{Dice, ISSUERS, cases},
};

const URL: &str = "https://okta.example";

fn perform(history: &mut History, tenant: &str, command: Command) -> Result<usize, Refusal> {
    history.perform(&Step {
        tenant: tenant.parse().unwrap(),
        command,
    })
}

fn create(history: &mut History, name: &str, profile: IssuerProfile) -> Result<usize, Refusal> {
    let name: Name = name.parse().unwrap();
    perform(history, "acme", Command::CreateIssuer { name, profile })
}

fn refusal(name: &str, change: impl FnOnce(&mut IssuerProfile)) -> String {
    let mut history = History::of(&[]);
    let mut profile = trusted(URL, "a", PrincipalRule::Subject {});
    change(&mut profile);
    create(&mut history, name, profile).unwrap_err().to_string()
}

fn fixed(principal: &str) -> PrincipalRule {
    PrincipalRule::Fixed {
        principal: principal.parse().unwrap(),
    }
}

#[test]
fn an_issuer_that_could_be_mistaken_or_overheard_is_refused() {
    let refused = |change: fn(&mut IssuerProfile)| refusal("okta", change);
    assert!(refusal(OWN, |_| ()).contains("Turnpike's own"));
    for url in [
        "",
        "http://okta.example",
        "https://",
        "ftp://okta.example",
        "http://localhost.okta.example",
        "http://localhost@okta.example",
        "http://localhost:@okta.example1",
        "http://127.0.0.1:80@okta.example",
        "https://okta.example/with space",
    ] {
        assert!(
            refusal("okta", |one| one.url = url.into()).contains("https://"),
            "{url}"
        );
        let keys = |one: &mut IssuerProfile| one.verification = Verification::Jwks { url: url.into() };
        assert!(refusal("okta", keys).contains("https://"), "{url}");
    }
    assert!(refused(|one| one.audiences.clear()).contains("audience"));
    assert!(refused(|one| one.audiences = vec!["".into()]).contains("audience"));
    assert!(refused(|one| one.algorithms.clear()).contains("algorithm"));
    assert!(refused(|one| one.leeway_seconds = 61).contains("60 seconds"));
    assert!(refused(|one| one.audiences = vec!["a".into(); 33]).contains("at most 32"));
    let unconditional = |one: &mut IssuerProfile| {
        one.principal = fixed("user:alice");
        one.required.clear();
    };
    assert!(refusal("okta", unconditional).contains("required claims"));
    assert!(refused(|one| one.principal = fixed("user:nobody")).contains("nobody"));
    let nowhere = |one: &mut IssuerProfile| {
        one.just_in_time = Some(JustInTime {
            teams: vec!["nowhere".parse().unwrap()],
        });
    };
    assert!(refusal("okta", nowhere).contains("nowhere"));
    for principal in [
        fixed("user:alice"),
        PrincipalRule::Name {
            virtual_account: true,
        },
    ] {
        let just_in_time = |one: &mut IssuerProfile| {
            one.principal = principal;
            one.just_in_time = Some(JustInTime::default());
        };
        assert!(refusal("okta", just_in_time).contains("just in time"));
    }
}

#[test]
fn plain_http_is_for_this_machine_alone() {
    for url in [
        "http://localhost",
        "http://127.0.0.1:8080/realm",
        "http://[::1]",
        "http://[::1]:9/x",
    ] {
        let profile = trusted(url, "a", PrincipalRule::Subject {});
        assert_eq!(create(&mut History::of(&[]), "okta", profile), Ok(1), "{url}");
    }
}

#[test]
fn an_audience_may_be_a_url() {
    for audience in ["api://turnpike", "https://acme.example/turnpike", "turnpike"] {
        let profile = trusted(URL, audience, PrincipalRule::Subject {});
        assert_eq!(
            create(&mut History::of(&[]), "okta", profile),
            Ok(1),
            "{audience}"
        );
    }
}

#[test]
fn a_key_set_with_a_secret_in_it_is_refused() {
    let keys = |jwks: &str| {
        let mut profile = trusted(URL, "a", PrincipalRule::Subject {});
        profile.verification = Verification::Keys { jwks: jwks.into() };
        create(&mut History::of(&[]), "okta", profile)
    };
    assert_eq!(
        keys(r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS"}]}"#),
        Ok(1)
    );
    for jwks in [
        r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS", "d": "nWGxne"}]}"#,
        r#"{"keys": [{"kty": "oct", "k": "AyM1"}]}"#,
        r#"{"keys": []}"#,
        r#"{"keys": ["a"]}"#,
        "[]",
        "",
    ] {
        assert!(matches!(keys(jwks), Err(Refusal::Invalid(_))), "{jwks}");
    }
    let large = format!(r#"{{"keys": [{{"x": "{}"}}]}}"#, "a".repeat(64 * 1024));
    assert!(matches!(keys(&large), Err(Refusal::Invalid(_))));
}

#[test]
fn an_issuer_and_an_audience_lead_to_one_tenants_issuer_alone() {
    let mut history = History::of(&[]);
    let profile = |audience| trusted(URL, audience, PrincipalRule::Subject {});
    let make = |history: &mut History, tenant, name: &str, audience| {
        let name: Name = name.parse().unwrap();
        perform(
            history,
            tenant,
            Command::CreateIssuer {
                name,
                profile: profile(audience),
            },
        )
    };
    assert_eq!(make(&mut history, "acme", "okta", "a"), Ok(1));
    for (tenant, name) in [("acme", "forge"), ("bolt", "okta")] {
        let refused = make(&mut history, tenant, name, "a");
        assert!(matches!(refused, Err(Refusal::NotNow(_))), "{refused:?}");
        assert!(
            !refused.unwrap_err().to_string().contains("acme"),
            "no tenant is told of another"
        );
    }
    assert_eq!(make(&mut history, "bolt", "okta", "b"), Ok(1));
    let stolen = Command::UpdateIssuer {
        name: "okta".parse().unwrap(),
        from: profile("b"),
        to: profile("a"),
    };
    assert!(matches!(
        perform(&mut history, "bolt", stolen),
        Err(Refusal::NotNow(_))
    ));
    assert_eq!(
        perform(
            &mut history,
            "acme",
            Command::DeleteIssuer {
                name: "okta".parse().unwrap()
            }
        ),
        Ok(1)
    );
    assert_eq!(make(&mut history, "bolt", "forge", "a"), Ok(1));
}

#[test]
fn tokens_of_the_future_are_not_revoked() {
    let mut history = History::of(&[]);
    let revoke = |history: &mut History, issued_before: Timestamp| {
        let command = Command::RevokeTokens {
            issuer: OWN.parse().unwrap(),
            tokens: TokenMatch::All { issued_before },
            reason: Arc::from("because"),
        };
        perform(history, "acme", command)
    };
    let now = history.now();
    assert!(matches!(
        revoke(&mut history, now.plus_seconds(70)),
        Err(Refusal::Invalid(_))
    ));
    assert_eq!(revoke(&mut history, now), Ok(1));
    assert_eq!(revoke(&mut history, now), Ok(0), "they are dead already");
}

#[test]
fn the_keys_of_turnpikes_own_tokens_are_the_operators() {
    let mut history = History::of(&[]);
    let key = |id: &str| TokenKey {
        id: id.into(),
        issuer: "https://turnpike.example".into(),
        public_key: "x".into(),
        created: Timestamp::default(),
    };
    let add = |id| Command::AddTokenKey(key(id));
    let remove = |id: &str| Command::RemoveTokenKey { id: id.into() };
    assert_eq!(perform(&mut history, "platform", add("k1")), Ok(1));
    assert_eq!(perform(&mut history, "platform", add("k2")), Ok(1));
    for command in [add("k3"), remove("k1")] {
        assert!(matches!(
            perform(&mut history, "acme", command),
            Err(Refusal::Invalid(_))
        ));
    }
    assert!(
        matches!(
            perform(&mut history, "platform", remove("k2")),
            Err(Refusal::NotNow(_))
        ),
        "it signs"
    );
    assert_eq!(perform(&mut history, "platform", remove("k1")), Ok(1));
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn an_issuer_with_the_name_of_a_deleted_one_inherits_no_grants(steps in steps(60), which in 0usize..2) {
        let mut history = History::of(&steps);
        let name: Name = ISSUERS[which].parse().unwrap();
        let grant = Grant {
            id: Id::from_random(77),
            subject: format!("group:{name}/engineers").parse().unwrap(),
            role: "developer".parse().unwrap(),
            effect: Effect::Allow,
            selector: Default::default(),
            conditions: Default::default(),
            reason: None,
            owner: None,
        };
        let _ = perform(&mut history, "acme", Command::CreateGrant(grant));
        if perform(&mut history, "acme", Command::DeleteIssuer { name: name.clone() }).is_err() {
            return Ok(());
        }
        let left = history.tenant("acme").unwrap().grants();
        let prefix = format!("group:{name}/");
        prop_assert!(left.iter().all(|held| !held.grant.subject.to_string().starts_with(&prefix)));
    }

    #[test]
    fn a_revoked_token_stays_dead(steps in steps(40), later in steps(40), moments in prop::collection::vec(any::<u8>(), 4)) {
        let mut history = History::of(&steps);
        let mut dice = Dice::new(&moments);
        let dead = |history: &History, issued| {
            let held = history.tenant("acme").and_then(|tenant| tenant.revocations(OWN));
            held.is_some_and(|held| held.cover(Some("1"), "1", issued))
        };
        let issued = dice.moment();
        let before = dead(&history, issued);
        for step in &later {
            let _ = history.perform(step);
            // A tenant of the same name made later has other tokens.
            if matches!(step.command, Command::DeleteTenant) {
                return Ok(());
            }
        }
        prop_assert!(!before || dead(&history, issued));
    }

    #[test]
    fn one_issuer_and_audience_never_lead_to_two(steps in steps(100)) {
        let history = History::of(&steps);
        for url in crate::world::ISSUER_URLS {
            let mut audiences: Vec<_> = history.snapshot.issuers_at(url)
                .flat_map(|(_, issuer)| issuer.profile.audiences.clone())
                .collect();
            let count = audiences.len();
            audiences.sort();
            audiences.dedup();
            prop_assert_eq!(audiences.len(), count);
        }
    }
}
