//! Rules of a tenant's own, first uses, what they may suspend, and what would have been raised.

use tempfile::tempdir;
use turnpike_access::{
    alert::{
        own::{OwnRule, Subject},
        rules::{AlertRules, Rule, RuleChoice},
    },
    audit::{AuditRecord, Outcome},
    command::Command,
    credential::{Credential, CredentialStatus},
};

use super::{super::*, Bed, DAY, HOUR, NOW, at, used};
use crate::fixture::{create_user, credential, id};

const KEY: &str = "key000000001";

fn rule(by: Subject, when: &str, suspend: bool) -> OwnRule {
    OwnRule {
        by,
        when: when.into(),
        window_seconds: 600,
        suspend,
    }
}

impl Bed {
    pub(super) async fn ask(&self, commands: Vec<Command>) {
        let asked = self.core.ask(Authority::System("test"), "platform", commands);
        asked.await.unwrap();
    }

    async fn own(&self, name: &str, rule: OwnRule) {
        let name = name.parse().unwrap();
        self.ask(vec![Command::SetAlertRule { name, rule }]).await;
    }

    fn status(&self, key: &str) -> CredentialStatus {
        self.core.snapshot().credential(id(key)).unwrap().status.clone()
    }
}

fn by(key: &str, principal: &str, time: i64, tokens: u64) -> AuditRecord {
    AuditRecord {
        principal: Some(principal.into()),
        credential: Some(key.parse().unwrap()),
        outcome: Outcome::Allowed,
        ..used(time, tokens)
    }
}

#[tokio::test]
async fn a_rule_of_ones_own_suspends_the_key_that_it_is_about_but_never_one_of_who_could_resume_it() {
    let folder = tempdir().unwrap();
    let mut bed = Bed::new(folder.path()).await;
    let key = credential("platform", "user:carol", KEY);
    bed.ask(vec![create_user("carol"), Command::IssueCredential(key)])
        .await;
    bed.own("dear", rule(Subject::Credential, "tokens > 1000", true))
        .await;
    bed.own("busy", rule(Subject::Tenant, "requests > 100", false))
        .await;
    let root = crate::fixture::ROOT;
    let records = [
        by(KEY, "user:carol", NOW - 30, 1001),
        by(root, "user:root", NOW - 30, 5000),
    ];
    bed.store(&records).await;
    bed.anomalies("one").pass(at(NOW)).await;
    let mut open = bed.open();
    open.sort();
    let told = [("rule.dear", KEY), ("rule.dear", root)];
    assert_eq!(
        open,
        told.map(|(kind, subject)| (kind.to_owned(), subject.to_owned()))
    );
    assert_eq!(bed.status(KEY), CredentialStatus::Suspended);
    assert_eq!(bed.status(root), CredentialStatus::Active, "an administrator's");
    let events = bed
        .core
        .store
        .read(turnpike_access::log::Position::ZERO, 1000)
        .await
        .unwrap();
    let reasons: Vec<&str> = events
        .iter()
        .filter(|event| &*event.kind == "credential.suspended")
        .map(|event| event.payload.as_ref())
        .collect();
    assert_eq!(reasons.len(), 1);
    assert!(
        reasons[0].contains("alert ") && reasons[0].contains("rule.dear"),
        "{reasons:?}"
    );

    // Whoever resumes it is not overruled while the anomaly goes on.
    let resume = Command::ResumeCredential {
        id: id(KEY),
        reason: "a migration".into(),
    };
    bed.ask(vec![resume]).await;
    bed.anomalies("other").pass(at(NOW + 10)).await;
    assert_eq!(bed.status(KEY), CredentialStatus::Active);
    // A rule that is deleted ends its alerts with their cause.
    let name = "dear".parse().unwrap();
    bed.ask(vec![Command::DeleteAlertRule { name }]).await;
    bed.anomalies("one").pass(at(NOW + 2 * HOUR)).await;
    assert_eq!(bed.open(), []);
}

#[tokio::test]
async fn a_key_in_another_network_and_client_at_once_is_told_and_suspended_where_that_was_chosen() {
    let folder = tempdir().unwrap();
    let mut bed = Bed::new(folder.path()).await;
    let key = credential("platform", "user:carol", KEY);
    bed.ask(vec![create_user("carol"), Command::IssueCredential(key)])
        .await;
    let choice = RuleChoice {
        suspend: true,
        ..RuleChoice::default()
    };
    bed.choose(AlertRules([(Rule::FirstUse, choice)].into())).await;
    let from = |time, address: &str, client: &str| AuditRecord {
        client: Some(address.parse().unwrap()),
        user_agent: Some(client.into()),
        ..by(KEY, "user:carol", time, 1)
    };
    let usual: Vec<_> = (1..10)
        .map(|day| from(NOW - day * DAY, "192.0.2.1", "curl/8"))
        .collect();
    bed.store(&usual).await;
    bed.store(&[from(NOW - 60, "198.51.100.1", "curl/9")]).await;
    bed.anomalies("one").pass(at(NOW)).await;
    assert_eq!(bed.open(), [], "somebody travels");
    bed.store(&[from(NOW - 30, "203.0.113.1", "wget/1")]).await;
    bed.anomalies("one").pass(at(NOW)).await;
    assert_eq!(bed.open(), [("first_use".to_owned(), "user:carol".to_owned())]);
    assert_eq!(bed.status(KEY), CredentialStatus::Suspended);
}

#[tokio::test]
async fn what_a_rule_would_have_raised_is_what_it_raises() {
    let folder = tempdir().unwrap();
    let mut bed = Bed::new(folder.path()).await;
    let burst = |begins: i64, many: i64| -> Vec<_> {
        let one = |number: i64| by(KEY, "user:carol", begins + number, 10);
        (0..many).map(one).collect()
    };
    bed.store(&burst(NOW - 2 * DAY, 60)).await;
    bed.store(&burst(NOW - DAY, 80)).await;
    bed.store(&burst(NOW - HOUR, 20)).await;
    let own = rule(Subject::Principal, "requests >= 60", false);
    let name = Name::platform();
    let snapshot = bed.core.snapshot();
    let tenant = snapshot.tenant("platform").unwrap();
    let span = (at(NOW - 3 * DAY), at(NOW));
    let found = rehearse(&*bed.audit, &snapshot, tenant, Looked::Own(&name, &own), span).await;
    let found = found.unwrap();
    let counts: Vec<_> = found.iter().map(|one| one.anomaly.count).collect();
    assert_eq!(counts, [Some(60), Some(80)], "{found:?}");
    let first = &found[0];
    assert_eq!(first.anomaly.subject, "user:carol");
    let delay = first.first.as_micros() / 1_000_000 - (NOW - 2 * DAY);
    assert!((0..=180).contains(&delay), "{delay}");
}

#[tokio::test]
async fn a_key_that_is_old_or_that_nobody_uses_is_told_and_one_that_is_used_and_new_is_not() {
    let folder = tempdir().unwrap();
    let mut bed = Bed::new(folder.path()).await;
    let now = clock::now().as_micros() / 1_000_000;
    let old = credential("platform", "user:carol", KEY);
    let fresh = Credential {
        created: at(now - DAY),
        expires: Some(at(now + 3 * DAY)),
        ..credential("platform", "user:carol", "key000000002")
    };
    bed.ask(vec![
        create_user("carol"),
        Command::IssueCredential(old),
        Command::IssueCredential(fresh),
    ])
    .await;
    let root = crate::fixture::ROOT;
    bed.store(&[by(root, "user:root", now - DAY, 1)]).await;
    let anomalies = Anomalies {
        credentials_looked_at: Default::default(),
        ..bed.anomalies("one")
    };
    anomalies.pass(at(now)).await;
    let mut open = bed.open();
    open.sort();
    let told = [
        ("credential_expiring", "key000000002"),
        ("credential_stale", KEY),
        ("credential_unrotated", KEY),
        ("credential_unrotated", root),
    ];
    assert_eq!(
        open,
        told.map(|(kind, subject)| (kind.to_owned(), subject.to_owned()))
    );
}
