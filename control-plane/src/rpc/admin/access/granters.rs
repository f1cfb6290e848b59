//! Who could grant now what was missing: those who make grants at large, and those who administer a team of the principal
//! and have it themselves.

use std::sync::Arc;

use turnpike_access::{
    authenticate::Caller,
    command::Permission,
    decide::Request,
    delegate::may_lend,
    effective::granted,
    grant::{AuthMethod, Subject},
    id::{Name, Principal},
    pattern::Resource,
    recall::{Again, Recalled, Verdict},
    snapshot::Tenant,
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
        let granters = granted(self.tenant()?, GRANTS, Resource::named("grant", "*"), self.now);
        Ok(v1::ExplainDecisionResponse {
            granters: granters.iter().take(GRANTERS).map(ToString::to_string).collect(),
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
        let resource = match &again.verdict {
            Verdict::Model(choice) if !choice.decision.allowed() => choice.model.resource(),
            Verdict::Other(decision) if !decision.allowed() => match recalled.resource() {
                Some((kind, name)) => Resource::named(kind, name),
                None => return Ok(()),
            },
            _ => return Ok(()),
        };
        let Some(held) = tenant.account(recalled.principal()) else {
            return Ok(());
        };
        let asker = self.caller()?;
        let lends = |caller: &Caller<'_>, team: &Name| {
            let request = Request {
                action,
                resource,
                circumstances: caller.circumstances(self.now, None),
            };
            may_lend(&self.snapshot, caller, team, &request)
        };
        for team in &held.account.teams {
            response.asker_may_grant |= lends(&asker, team);
            let administrators = granted(tenant, GRANTS, Resource::named("team", team.as_str()), self.now);
            for lender in administrators {
                let named = lender.to_string();
                let known = response.granters.contains(&named) || response.granters.len() >= GRANTERS;
                if !known && as_somebody(tenant, &lender, |caller| lends(caller, team)) {
                    response.granters.push(named);
                }
            }
        }
        Ok(())
    }
}

/// What holds of an account, or of anybody who is in a team or whose token carries a group, and has nothing else.
fn as_somebody(tenant: &Tenant, subject: &Subject, holds: impl Fn(&Caller<'_>) -> bool) -> bool {
    // Nobody's name: a member of a team is asked about whoever it is.
    let nobody = Principal::User(Name::platform());
    let member = |joins: &[Name], groups: &[(Name, Arc<str>)]| {
        holds(&Caller {
            groups,
            ..Caller::unrecorded(tenant, &nobody, joins, AuthMethod::ApiKey)
        })
    };
    match subject {
        Subject::Principal(principal) => tenant
            .account(principal)
            .is_some_and(|held| holds(&Caller::of(tenant, held, AuthMethod::ApiKey))),
        Subject::Team(team) => member(std::slice::from_ref(team), &[]),
        Subject::Group { issuer, value } => member(&[], &[(issuer.clone(), value.clone())]),
    }
}
