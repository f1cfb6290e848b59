//! Plans by example.

use turnpike_access::policy::Policy;

use super::planned;
use crate::history::History;

pub(super) fn policy(text: &str) -> Policy {
    let text = format!("{{apiVersion: turnpike/v1, {text}}}");
    let read = serde_norway::Deserializer::from_str(&text);
    let policy: Policy = serde_norway::with::singleton_map_recursive::deserialize(read).unwrap();
    policy.check().unwrap();
    policy
}

pub(super) fn steps(history: &History, text: &str, prune: bool) -> Vec<String> {
    let plan = planned(&history.snapshot, &policy(text), prune).unwrap();
    plan.steps.iter().map(ToString::to_string).collect()
}

/// The furnished tenant after these policies.
pub(super) fn after(all: &[&str]) -> History {
    let mut history = History::of(&[]);
    for text in all {
        history.snapshot = planned(&history.snapshot, &policy(text), true)
            .unwrap()
            .after
            .as_ref()
            .clone();
    }
    history
}

#[test]
fn things_are_made_before_they_are_used_and_ended_after() {
    let history = History::of(&[]);
    let all = "teams: [{name: new, members: [user:eve]}], users: [{name: eve}], virtual-accounts: [], \
        roles: [{name: talkers, actions: [inference.chat]}], \
        providers: [{name: fresh, kind: openai, base_url: 'https://x.example/v1'}], models: [{name: fresh/m}], \
        aliases: {quick: fresh/m}, fallbacks: [{from: '*', to: fresh/m, teams: [new]}], \
        grants: [{subject: 'team:new', role: talkers}]";
    let kept = steps(&history, all, false);
    assert_eq!(
        kept,
        [
            "create team new",
            "create role talkers",
            "create user eve",
            "create member user:eve of team new",
            "create provider fresh",
            "create model fresh/m",
            "create alias quick",
            "create fallback from * to fresh/m",
            "create grant team:new as talkers",
        ]
    );
    let plan = planned(&history.snapshot, &policy(all), false).unwrap();
    assert!(
        plan.unmanaged.contains(&"virtual-account bot".to_owned()),
        "{:?}",
        plan.unmanaged
    );
    let pruned = steps(&history, all, true);
    let ended: Vec<_> = pruned.iter().filter(|step| step.starts_with("delete")).collect();
    assert_eq!(ended.len(), 5 + 2 + 4 + 2 + 3, "{ended:#?}");
    assert_eq!(pruned.first().unwrap(), "create team new");
    assert!(pruned.last().unwrap().starts_with("delete team"));
}

#[test]
fn a_section_that_is_absent_is_left_alone_and_so_are_members_that_are_not_spoken_of() {
    let history = History::of(&[]);
    assert_eq!(steps(&history, "aliases: {}", true), [""; 0]);
    let teams = "teams: [{name: payments}, {name: search}, {name: support}]";
    assert_eq!(steps(&history, teams, true), [""; 0]);
    let nobody = "teams: [{name: payments, members: [user:alice]}, {name: search}, {name: support}]";
    assert_eq!(steps(&history, nobody, true).len(), 3, "all but alice leave");
}

#[test]
fn a_grant_with_an_id_is_changed_in_place_and_one_without_is_known_by_what_it_says() {
    let by_id = "grants: [{id: abcDEF123456, subject: 'team:search', role: developer, reason: old}]";
    let history = after(&[by_id]);
    assert_eq!(steps(&history, by_id, true), [""; 0]);
    assert_eq!(
        steps(
            &history,
            "grants: [{subject: 'team:search', role: developer, reason: old}]",
            true
        ),
        [""; 0]
    );
    let moved = "grants: [{id: abcDEF123456, subject: 'team:support', role: developer}]";
    let plan = planned(&history.snapshot, &policy(moved), true).unwrap();
    let told: Vec<_> = plan.steps.iter().flat_map(|step| &step.details).collect();
    assert_eq!(
        told,
        [
            "reason: \"old\" -> none",
            "subject: \"team:search\" -> \"team:support\""
        ]
    );
    let held = plan.after.tenant("acme").unwrap();
    assert_eq!(
        (held.grants().len(), held.grants()[0].grant.reason.clone()),
        (1, None)
    );
    let other = "grants: [{subject: 'team:search', role: viewer}]";
    assert_eq!(
        steps(&history, other, true),
        [
            "create grant team:search as viewer",
            "delete grant abcDEF123456 team:search as developer"
        ]
    );
}

#[test]
fn fallback_rules_end_in_the_order_of_the_file() {
    let rules = |order: &[&str]| {
        let all = order.iter().map(|to| format!("{{from: '*', to: {to}}}"));
        format!("fallbacks: [{}]", all.collect::<Vec<_>>().join(", "))
    };
    let [one, two, three] = ["open/small", "open/large", "closed/small"];
    let history = after(&[&rules(&[one, two, three])]);
    let order = |history: &History| -> Vec<String> {
        let rules = history.tenant("acme").unwrap().fallbacks();
        rules.iter().map(|rule| rule.to.to_string()).collect()
    };
    for wanted in [[two, one, three], [three, two, one], [one, three, two]] {
        let plan = planned(&history.snapshot, &policy(&rules(&wanted)), false).unwrap();
        let rules = plan.after.tenant("acme").unwrap().fallbacks();
        assert_eq!(
            rules.iter().map(|rule| rule.to.to_string()).collect::<Vec<_>>(),
            wanted
        );
    }
    assert_eq!(order(&history), [one, two, three]);
    assert_eq!(steps(&history, &rules(&[one, two, three]), true), [""; 0]);
}

#[test]
fn what_cannot_be_refuses_the_whole_plan_and_says_which_step() {
    let history = History::of(&[]);
    let refused = |text: &str| {
        planned(&history.snapshot, &policy(text), false)
            .unwrap_err()
            .to_string()
    };
    let said = refused("grants: [{subject: 'team:nobody', role: developer}]");
    assert_eq!(
        said,
        "create grant team:nobody as developer: team \"nobody\" was not found"
    );
    let said = refused("providers: [{name: p, kind: openai, base_url: 'https://p.example', secret: held}]");
    assert!(said.contains("secret-from-env"), "{said}");
}
