//! What policy files may say, and what is said of those that may not.

use super::*;

fn read(text: &str) -> Result<Policy, String> {
    let document = Document {
        name: "policy.yaml".to_owned(),
        text: text.to_owned(),
    };
    read_policy(&[document]).map_err(|error| error.to_string())
}

const ALL: &str = "\
apiVersion: turnpike/v1
tenant:
  display_name: Acme
  hide_models: true
  credentials:
    max_lifetime_seconds: 86400
    automatic_rotation:
      overlap_seconds: 60
      delivery:
        pick_up: {}
teams:
- name: managers
  description: who decides
  members:
  - user:ada
users:
- name: ada
  email: ada@acme.example
virtual-accounts:
- name: bot
  tags:
    customer: a
roles:
- name: callers
  actions:
  - inference.*
issuers:
- name: okta
  url: https://okta.example
  verification: {discovery: {}}
  audiences:
  - turnpike
  algorithms:
  - RS256
  claim: sub
  principal: {email: {}}
  just_in_time: {}
  leeway_seconds: 5
- name: sso
  url: https://sso.example
  verification:
    introspection:
      url: https://sso.example/introspect
      client_id: turnpike
  audiences:
  - turnpike
  claim: username
  principal: {name: {virtual_account: false}}
  leeway_seconds: 0
  secret: held
providers:
- name: main
  kind: openai
  base_url: https://models.example/v1
  catalogue: open
  secret-from-env: MAIN_KEY
models:
- name: main/gpt-4o
  family: gpt-4
  tags:
    customer: a
  prices:
    input: 2500000
- name: main/small
aliases:
  fast: main/gpt-4o
fallbacks:
- from: main/gpt-4*
  to: main/small
grants:
- id: abcDEF123456
  subject: team:managers
  role: developer
  effect: allow
  selector:
    resources:
    - kind: model
      name: main/*
  reason: they manage
  not_before: 2026-01-01T00:00:00Z
  expires: 2026-12-31T12:00:00.5Z
- subject: group:okta/interns
  role: developer
  effect: deny
offers:
- to: {named: [acme, globex]}
  models:
    resources:
    - kind: model
      name: main/gpt-4*
  reason: they pay for it
- to: {all: {}}
- to:
    tagged:
    - key: plan
      test:
        operator: in
        values: [gold]
limits:
- name: managers-daily
  subject: team:managers
  budget: 500000000
  per: day
- name: everybody
  budget: 0
  per: month
tests:
- may:
    principal: user:ada
    action: inference.chat
    model: gpt-4o
    served: main/gpt-4o
- may-not:
    principal: user:eve
    action: prompts.edit
    resource: prompt:welcome
    time: 2026-06-01T00:00:00Z
    method: jwt:okta
    client: 10.0.0.1
    groups:
    - okta/interns
";

#[test]
fn every_section_is_read_and_written_back_as_it_was() {
    let policy = read(ALL).unwrap();
    let written = write_policy(&policy).unwrap();
    assert_eq!(read(&written).unwrap(), policy);
    let grant = &policy.grants.unwrap()[0];
    assert_eq!(
        grant.grant.conditions.expires.unwrap().as_micros(),
        1_798_718_400_500_000
    );
}

#[test]
fn an_empty_section_is_there_and_an_absent_one_is_not() {
    let policy = read("{apiVersion: turnpike/v1, teams: [], aliases: {}}").unwrap();
    assert_eq!((policy.teams, policy.users), (Some(Vec::new()), None));
    assert!(policy.aliases.unwrap().is_empty());
}

/// Each of these files is refused with its line and these words.
fn assert_wrong(files: &[(&str, &str, &str)]) {
    for (text, line, what) in files {
        let error = read(&format!("apiVersion: turnpike/v1\n{text}")).unwrap_err();
        assert!(error.starts_with("policy.yaml: "), "{error}");
        assert!(error.contains(line) && error.contains(what), "{text}: {error}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_what_was_meant() {
    assert_wrong(&[
        (
            "teams:\n- name: a\n  membres: []\n",
            "line 3",
            "did you mean `members`?",
        ),
        ("taems: []\n", "line 2", "unknown field `taems`"),
        ("teams:\n- name: A b\n", "line 3", "valid name"),
        ("grants:\n- subject: bob\n  role: admin\n", "line 3", "user:NAME"),
        (
            "grants:\n- subject: user:bob\n  role: admin\n  selector: {resorces: []}\n",
            "line 5",
            "resorces",
        ),
        (
            "grants:\n- subject: user:bob\n  role: admin\n  expires: tomorrow\n",
            "line 3",
            "2026-12-31T00:00:00Z",
        ),
        ("users:\n- name: ann\n- name: ann\n", "", "user ann stands twice"),
        (
            "models:\n- name: p/m\n  tags: {a: x, a: y}\n",
            "line",
            "duplicate",
        ),
        ("aliases:\n  a: p/m\n  a: p/n\n", "line", "duplicate"),
        (
            "providers:\n- name: p\n  kind: openai\n  base_url: https://x\n  sealed_secret: abc\n",
            "line 3",
            "secret-from-env",
        ),
        (
            "providers:\n- name: p\n  kind: openai\n  base_url: https://x\n  secret-from-env: 'a b'\n",
            "line 3",
            "environment variable",
        ),
        (
            "tests:\n- may: {principal: user:a, action: x}\n",
            "",
            "a test asks about a model or about a resource",
        ),
    ]);
    assert!(read("teams: []").unwrap_err().contains("apiVersion"));
    assert!(
        read("apiVersion: turnpike/v2")
            .unwrap_err()
            .contains("turnpike/v1")
    );
}

#[test]
fn what_is_wrong_with_offers_and_limits_is_told_with_its_line_too() {
    assert_wrong(&[
        (
            "offers:\n- {to: {all: {}}, id: abcDEF123456}\n",
            "line 3",
            "leave `id` out",
        ),
        ("offers:\n- to: {all: {}}\n- to: {all: {}}\n", "", "stands twice"),
        (
            "limits:\n- {name: a, budget: 1, per: day, spent_until: 5}\n",
            "line 3",
            "spent_until",
        ),
        (
            "limits:\n- {name: a, budget: 0.5, per: day}\n",
            "limits[0].budget",
            "line 3",
        ),
        (
            "limits:\n- {name: a, budget: 1, per: year}\n",
            "line 3",
            "`month`",
        ),
        (
            "limits:\n- {name: a, budget: 1, per: day}\n- {name: a, budget: 2, per: day}\n",
            "",
            "limit a stands twice",
        ),
    ]);
}

#[test]
fn several_files_are_one_policy_and_say_nothing_twice() {
    let file = |name: &str, text: &str| Document {
        name: name.to_owned(),
        text: format!("apiVersion: turnpike/v1\n{text}"),
    };
    let both = [
        file("a", "teams: [{name: a}]"),
        file("b", "teams: [{name: b}]\nroles: []"),
    ];
    let policy = read_policy(&both).unwrap();
    assert_eq!((policy.teams.unwrap().len(), policy.roles), (2, Some(Vec::new())));
    let twice = [file("a", "teams: [{name: a}]"), file("b", "teams: [{name: a}]")];
    assert_eq!(
        read_policy(&twice).unwrap_err().to_string(),
        "b: team a stands twice"
    );
    let tenants = [file("a", "tenant: {}"), file("b", "tenant: {}")];
    assert!(read_policy(&tenants).is_err());
}
