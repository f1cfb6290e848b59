//! Limits in a policy: what may be spent is in the file, what was spent is not and changes no answer.

use std::sync::Arc;

use turnpike_access::{
    command::Command,
    id::{Name, Timestamp},
    limit::Limit,
    policy::{judge::failing, replay::Replay},
    review::Review,
};

use super::{
    acme,
    example::{after, policy, steps},
    exported, planned,
    rehearsal::asked,
};
use crate::{commands::Step, history::History, world::START};

const LIMITS: &str = "limits: [{name: bots, subject: 'virtual-account:bot', budget: 5000000, per: day}, \
    {name: all, budget: 7000000, per: month}]";

fn spend(history: &mut History, limit: &Limit) {
    let (tenant, limit) = (acme(), limit.clone());
    let until = START.plus_seconds(3_600);
    let command = Command::SpendLimit { limit, until };
    assert_eq!(history.perform(&Step { tenant, command }), Ok(1));
}

fn held(history: &History) -> Vec<(String, u64, Option<Timestamp>)> {
    let limits = history.tenant("acme").unwrap().limits().iter();
    limits
        .map(|held| (held.limit.name.to_string(), held.limit.budget, held.spent_until))
        .collect()
}

fn limit(history: &History, name: &str) -> Limit {
    let mut limits = history.tenant("acme").unwrap().limits().iter();
    let name: Name = name.parse().unwrap();
    limits.find(|held| held.limit.name == name).unwrap().limit.clone()
}

#[test]
fn limits_are_made_changed_in_place_and_ended_by_name_and_what_was_spent_stays_out_of_the_file() {
    let mut history = after(&[LIMITS]);
    let bots = limit(&history, "bots");
    spend(&mut history, &bots);
    let file = exported(&history.snapshot).unwrap();
    let names: Vec<_> = file
        .limits
        .iter()
        .flatten()
        .map(|limit| limit.name.to_string())
        .collect();
    assert_eq!(names, ["all", "bots"]);
    for prune in [false, true] {
        assert!(planned(&history.snapshot, &file, prune).unwrap().steps.is_empty());
    }

    let changed = "limits: [{name: bots, subject: 'team:search', budget: 6000000, per: day}]";
    let plan = planned(&history.snapshot, &policy(changed), false).unwrap();
    let told: Vec<_> = plan.steps.iter().flat_map(|step| &step.details).collect();
    assert_eq!(
        told,
        [
            "budget: 5000000 -> 6000000",
            "subject: \"virtual-account:bot\" -> \"team:search\""
        ]
    );
    assert_eq!(plan.unmanaged, ["limit all"]);
    assert_eq!(
        steps(&history, changed, true),
        ["update limit bots", "delete limit all"]
    );
    history.snapshot = plan.after.as_ref().clone();
    assert_eq!(
        held(&history),
        [
            ("bots".to_owned(), 6_000_000, None),
            ("all".to_owned(), 7_000_000, None)
        ]
    );
    assert_eq!(steps(&history, "limits: []", true).len(), 2);
}

#[test]
fn a_limit_may_not_stay_where_whom_it_is_for_goes() {
    let history = after(&[LIMITS]);
    let refused = |text: &str| {
        planned(&history.snapshot, &policy(text), true)
            .unwrap_err()
            .to_string()
    };
    let said = refused(&format!("virtual-accounts: [], {LIMITS}"));
    assert!(
        said.starts_with("the limit bots stays, but whom it is for"),
        "{said}"
    );
    let said = refused("limits: [{name: x, subject: 'team:nobody', budget: 1, per: day}]");
    assert_eq!(said, "create limit x: team \"nobody\" was not found");
    let said = refused("limits: [{name: x, subject: 'group:okta/a', budget: 1, per: day}]");
    assert!(said.starts_with("create limit x: a limit is of a user"), "{said}");
    let gone = steps(&history, "virtual-accounts: [{name: alice}], limits: []", true);
    assert_eq!(
        gone,
        [
            "delete limit bots",
            "delete limit all",
            "delete virtual-account bot"
        ]
    );
}

#[test]
fn what_is_spent_by_now_changes_no_test_no_replay_and_no_review() {
    let granted = "grants: [{subject: 'user:alice', role: developer}], limits: [{name: all, budget: 1, per: day}], \
        tests: [{may: {principal: 'user:alice', action: inference.chat, model: open/small}}]";
    let mut history = after(&[granted]);
    let all = limit(&history, "all");
    spend(&mut history, &all);
    let wanted = policy(&granted.replace("budget: 1", "budget: 2"));
    let failed = |tenant| failing(&history.snapshot, &tenant, &wanted.tests, START);
    assert_eq!(failed(acme()), []);

    let plan = planned(&history.snapshot, &wanted, true).unwrap();
    assert_eq!(plan.steps.len(), 1, "{:?}", plan.steps);
    let record = asked("user:alice", "open/small");
    let mut replay = Replay::new(Arc::new(history.snapshot.clone()), plan.after);
    replay.take(&record);
    assert_eq!(replay.report.judged, 1);
    assert!(replay.report.otherwise.is_empty(), "{:?}", replay.report);

    let since = (START.plus_seconds(60), START);
    let mut review = Review::new(Arc::new(history.snapshot.clone()), acme(), since, Vec::new());
    review.take(&record);
    let rows = review.part(0, usize::MAX);
    let times: u64 = rows.iter().map(|row| row.used.times).sum();
    assert_eq!(times, 1, "it let a request through, whatever is spent now");
}
