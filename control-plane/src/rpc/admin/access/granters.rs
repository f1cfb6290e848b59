//! Who could grant now what was missing: those who make grants at large, and those who administer a team of the principal
//! and have it themselves.

use turnpike_access::{
    authenticate::Caller,
    command::Permission,
    delegate::may_lend,
    effective::who,
    grant::{AuthMethod, Circumstances, Subject},
    id::{Name, Principal},
    pattern::Resource,
    recall::{Again, Recalled, Verdict},
};
use turnpike_proto::admin::v1;

use super::super::call::Call;
use crate::{execute::judge, rpc::status::Failure};

/// At most so many are named.
const GRANTERS: usize = 20;
/// The action of whoever makes a grant.
const GRANTS: &str = "grants.write";

impl Call {
    /// Who makes grants at large, and whether the caller does.
    pub(super) fn granters(&self) -> Result<v1::ExplainDecisionResponse, Failure> {
        let permission = Permission {
            action: GRANTS,
            kind: "grant",
            name: String::new(),
        };
        let (caller, own) = (self.caller()?, &self.identity.own);
        let may = judge::judge_caller(&self.snapshot, &caller, own, &permission, self.now);
        let granters = self.who_grants("grant", "*")?;
        Ok(v1::ExplainDecisionResponse {
            granters: granters.iter().map(ToString::to_string).collect(),
            asker_may_grant: may.is_ok(),
            ..Default::default()
        })
    }

    /// Adds who could give what was refused to a team that the principal is in.
    pub(super) fn add_lenders(
        &self,
        response: &mut v1::ExplainDecisionResponse,
        recalled: &Recalled<'_>,
        again: &Again<'_>,
    ) -> Result<(), Failure> {
        let (action, tenant) = (recalled.asked().0, self.tenant()?);
        let thing = match &again.verdict {
            Verdict::Model(choice) if !choice.decision.allowed() => Some(("model", choice.model.id.as_str())),
            Verdict::Other(decision) if !decision.allowed() => recalled.resource(),
            _ => None,
        };
        let (Some(thing), Some(held)) = (thing, tenant.account(recalled.principal())) else {
            return Ok(());
        };
        let asker = self.caller()?.principal.to_string();
        for team in &held.account.teams {
            for lender in self.who_grants("team", team.as_str())? {
                let named = lender.to_string();
                let known = response.granters.contains(&named) || response.granters.len() >= GRANTERS;
                if !known && self.lends(&lender, team, action, thing)? {
                    response.asker_may_grant |= named == asker;
                    response.granters.push(named);
                }
            }
        }
        Ok(())
    }

    fn who_grants(&self, kind: &str, name: &str) -> Result<Vec<Principal>, Failure> {
        let thing = (kind, Resource::named(kind, name));
        let (rows, _) = who(self.tenant()?, &[GRANTS], thing, self.now, (None, GRANTERS));
        let accounts = rows.into_iter().filter_map(|row| match row.subject {
            Subject::Principal(principal) => Some(principal),
            Subject::Team(_) | Subject::Group { .. } => None,
        });
        Ok(accounts.collect())
    }

    fn lends(
        &self,
        lender: &Principal,
        team: &Name,
        action: &str,
        thing: (&str, &str),
    ) -> Result<bool, Failure> {
        let tenant = self.tenant()?;
        let Some(held) = tenant.account(lender) else {
            return Ok(false);
        };
        let circumstances = Circumstances {
            now: self.now,
            method: AuthMethod::ApiKey,
            issuer: None,
            issued: None,
            client: None,
        };
        let caller = Caller::of(tenant, held, AuthMethod::ApiKey);
        Ok(may_lend(
            &self.snapshot,
            &caller,
            team,
            (action, thing),
            circumstances,
        ))
    }
}
