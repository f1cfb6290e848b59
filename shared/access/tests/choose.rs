//! What must hold of the model that is chosen: fallbacks, the list of models, and changes to other tenants and models.

use proptest::prelude::*;
use turnpike_access::{
    authenticate::Caller,
    choose::{Choice, INFERENCE_ACTIONS, ModelRequest, choose},
    command::Command,
    listing::usable,
    resolve::Unresolved,
    snapshot::Snapshot,
};

use crate::{
    commands::steps,
    history::{History, answers, caller},
    world::{ALIASES, Dice, MODELS, PRINCIPALS, cases},
};

fn ask<'s>(
    snapshot: &'s Snapshot,
    asking: &Caller<'s>,
    action: &str,
    requested: &str,
    accepts_fallback: bool,
) -> Result<Choice<'s>, Unresolved> {
    let request = ModelRequest {
        action,
        requested,
        provider: None,
        circumstances: Dice::new(&[20, 1]).circumstances(),
        accepts_fallback,
    };
    choose(snapshot, asking, &request)
}

/// Every caller that there is, in the first tenant.
fn callers(history: &History) -> Vec<Caller<'_>> {
    let Some(tenant) = history.tenant("acme") else {
        return Vec::new();
    };
    let there = |name: &&str| tenant.account(&name.parse().unwrap()).is_some();
    PRINCIPALS
        .into_iter()
        .filter(|name| there(name))
        .map(|name| caller(tenant, name))
        .collect()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_substitute_is_judged_itself_and_never_substituted(steps in steps(60)) {
        let history = History::of(&steps);
        for asking in callers(&history) {
            for requested in MODELS.iter().chain(&ALIASES) {
                let Ok(choice) = ask(&history.snapshot, &asking, "inference.chat", requested, true) else { continue };
                let plain = ask(&history.snapshot, &asking, "inference.chat", requested, false).unwrap();
                prop_assert!(plain.fallback.is_none());
                let Some(substitution) = &choice.fallback else {
                    prop_assert_eq!(choice.model.id.as_str(), plain.model.id.as_str());
                    prop_assert_eq!(choice.decision.reason, plain.decision.reason);
                    continue;
                };
                prop_assert!(!plain.decision.allowed() && choice.decision.allowed());
                prop_assert_eq!(substitution.denied.as_ref(), plain.model.id.as_str());
                let served = choice.model.id.as_str();
                let itself = ask(&history.snapshot, &asking, "inference.chat", served, false).unwrap();
                prop_assert!(itself.decision.allowed(), "{} is served but not allowed", served);
                let first_usable = asking.tenant.fallbacks().iter().find(|rule| {
                    rule.from.matches(plain.model.id.as_str())
                        && rule.to != plain.model.id
                        && (rule.teams.is_empty()
                            || rule.teams.iter().any(|team| asking.teams().contains(team)))
                        && ask(&history.snapshot, &asking, "inference.chat", rule.to.as_str(), false)
                            .is_ok_and(|choice| choice.model.id == rule.to && choice.decision.allowed())
                });
                prop_assert_eq!(first_usable.map(|rule| rule.id), Some(substitution.rule));
            }
        }
    }

    #[test]
    fn the_list_of_models_and_the_decision_never_disagree(steps in steps(50)) {
        let history = History::of(&steps);
        for asking in callers(&history) {
            let circumstances = Dice::new(&[20, 1]).circumstances();
            let listed: Vec<String> =
                usable(&history.snapshot, &asking, circumstances).map(|model| model.id.to_string()).collect();
            for model in asking.tenant.models() {
                // An alias may stand before a model's name, so only the model that was meant counts.
                let allowed = INFERENCE_ACTIONS.iter().any(|action| {
                    ask(&history.snapshot, &asking, action, model.id.as_str(), false)
                        .is_ok_and(|choice| choice.decision.allowed())
                });
                prop_assert_eq!(listed.contains(&model.id.to_string()), allowed, "{}", model.id);
            }
        }
    }

    #[test]
    fn a_change_in_another_tenant_changes_no_answer(steps in steps(40), others in steps(60)) {
        let mut history = History::of(&steps);
        let Some(before) = history.tenant("acme").map(|tenant| answers(&history.snapshot, tenant)) else {
            return Ok(());
        };
        for step in others.iter().filter(|step| step.tenant.as_str() != "acme") {
            let _ = history.perform(step);
        }
        let tenant = history.tenant("acme").unwrap();
        prop_assert_eq!(before, answers(&history.snapshot, tenant));
    }

    #[test]
    fn a_change_to_another_model_changes_no_answer(steps in steps(40), others in steps(80)) {
        let mut history = History::of(&steps);
        let changed = MODELS[3];
        let about_it = |command: &Command| matches!(
            command,
            Command::CreateModel { id, .. } | Command::UpdateModel { id, .. } | Command::DeleteModel { id }
                if id.as_str() == changed
        );
        let tell = |history: &History| {
            let mut told = Vec::new();
            for asking in callers(history) {
                for requested in MODELS.iter().filter(|name| **name != changed) {
                    let answer = ask(&history.snapshot, &asking, "inference.chat", requested, false);
                    told.push(answer.map(|choice| choice.decision.reason));
                }
            }
            told
        };
        let before = tell(&history);
        for step in others.iter().filter(|step| step.tenant.as_str() == "acme" && about_it(&step.command)) {
            let _ = history.perform(step);
        }
        prop_assert_eq!(before, tell(&history));
    }
}
