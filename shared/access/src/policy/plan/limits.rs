//! What may be spent. A limit is known by its name; what was spent is counted anew against one that is changed.

use std::collections::BTreeSet;

use super::{Draft, Phase, Verb, change};
use crate::{command::Command, ledger::Refusal, limit::Limit};

impl Draft<'_, '_> {
    pub(super) fn limits(&mut self) -> Result<(), Refusal> {
        let Some(entries) = &self.wanted.policy.limits else {
            return Ok(());
        };
        let ended = |limit: &&Limit| {
            limit
                .subject
                .as_ref()
                .is_some_and(|subject| self.is_ended(subject))
        };
        if let Some(limit) = entries.iter().find(ended) {
            return Err(Refusal::NotNow(format!(
                "the limit {} stays, but whom it is for is not in the file and would be deleted",
                limit.name
            )));
        }
        entries.iter().for_each(|to| self.limit(to));
        let wanted: BTreeSet<_> = entries.iter().map(|limit| &limit.name).collect();
        let tenant = self.tenant;
        let held = tenant.limits().iter().map(|held| &held.limit);
        for limit in held.filter(|limit| !wanted.contains(&limit.name)) {
            let name = limit.name.clone();
            let command = Command::DeleteLimit { name };
            self.left_over(Phase::LimitsEnd, ("limit", &limit.name), told(limit), command);
        }
        Ok(())
    }

    fn limit(&mut self, to: &Limit) {
        let mut held = self.tenant.limits().iter().map(|held| &held.limit);
        let (name, to) = (to.name.clone(), to.clone());
        match held.find(|held| held.name == name).cloned() {
            None => {
                let details = told(&to);
                let command = Command::CreateLimit(to);
                self.step(Phase::Limits, (Verb::Create, "limit", name), details, command);
            }
            Some(from) if from != to => {
                let details = change::between(&from, &to);
                let command = Command::UpdateLimit { from, to };
                self.step(Phase::Limits, (Verb::Update, "limit", name), details, command);
            }
            Some(_) => {}
        }
    }
}

fn told(limit: &Limit) -> Vec<String> {
    let all = change::of(limit).into_iter();
    all.filter(|field| !field.starts_with("name: ")).collect()
}
