//! Rules of a tenant's own, and what any rule would have raised.

use tonic::{Request, Response};
use turnpike_access::{
    alert::{own::OwnRule, rules::Rule},
    command::Command,
    id::Name,
    snapshot::Tenant,
};
use turnpike_proto::{
    ConversionError,
    admin::{Delete, NewOwnRule, Page, RuleTest, v1},
};

use crate::{
    anomaly::{Expression, Looked, Rehearsed, rehearse},
    rpc::{
        admin::{Administration, Answer, call::read, part::part},
        status::Failure,
    },
};

/// So many alerts are shown; a rule that raises more is of no use.
const SHOWN: usize = 1000;

impl Administration {
    pub(super) async fn set_alert_rule(
        &self,
        request: Request<v1::SetAlertRuleRequest>,
    ) -> Answer<v1::OwnAlertRuleResponse> {
        let (call, message) = self.admit(request).await?;
        let NewOwnRule { name, rule, write } = read(message)?;
        call.may(&name)?;
        compiled(&rule)?;
        let command = Command::SetAlertRule {
            name: name.clone(),
            rule,
        };
        let written = call.write(vec![command], write).await?;
        let held = written.tenant()?.alerts().rules.get(&name);
        let rule = held.map(|rule| v1::OwnAlertRule::named(&name, rule));
        Ok(Response::new(v1::OwnAlertRuleResponse {
            rule,
            receipt: Some(written.into_receipt()),
        }))
    }

    pub(super) async fn alert_rules(
        &self,
        request: Request<v1::Page>,
    ) -> Answer<v1::ListOwnAlertRulesResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        let held = &call.allowed_tenant("")?.alerts().rules;
        let all = held
            .iter()
            .map(|(name, rule)| v1::OwnAlertRule::named(name, rule));
        let (rules, next) = part(all.collect(), &page, |one| one.name.clone())?;
        Ok(Response::new(v1::ListOwnAlertRulesResponse { rules, next }))
    }

    pub(super) async fn delete_alert_rule(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        let Delete { name, write } = read(message)?;
        let written = call.write(vec![Command::DeleteAlertRule { name }], write).await?;
        Ok(Response::new(written.into_receipt()))
    }

    pub(super) async fn test_alert_rule(
        &self,
        request: Request<v1::TestAlertRuleRequest>,
    ) -> Answer<v1::TestAlertRuleResponse> {
        let (call, message) = self.admit(request).await?;
        call.may("")?;
        let test: RuleTest = read(message)?;
        let tenant = call.target()?;
        let tried = Name::platform();
        let looked = match &test.own {
            Some(own) => {
                compiled(own)?;
                Looked::Own(&tried, own)
            }
            None => named(tenant, &test.name)?,
        };
        if looked.is_of_state() {
            let problem = "is about credentials as they are now; the past says nothing of them";
            return Err(Failure::from(ConversionError::new("rule", problem)).into());
        }
        let _turn = self.rehearsing.acquire().await;
        let span = (test.since, test.until);
        let found = rehearse(&*self.audit, &call.snapshot, tenant, looked, span).await;
        let found = found.map_err(Failure::from)?;
        Ok(Response::new(v1::TestAlertRuleResponse {
            alerts: found.into_iter().take(SHOWN).map(shown).collect(),
        }))
    }
}

/// A rule by its name: one that every tenant has, as the tenant chose, or one of its own.
fn named<'t>(tenant: &'t Tenant, name: &str) -> Result<Looked<'t>, Failure> {
    if let Ok(rule) = name.parse::<Rule>() {
        let chosen = tenant.settings().alerts.of(rule);
        return Ok(Looked::Usual(rule, chosen.unwrap_or(rule.usual())));
    }
    let own = tenant.alerts().rules.iter().find(|(own, _)| own.as_str() == name);
    own.map(|(name, rule)| Looked::Own(name, rule))
        .ok_or_else(|| Failure::not_found("rule", name))
}

fn compiled(rule: &OwnRule) -> Result<(), Failure> {
    match Expression::compile(&rule.when) {
        Ok(_) => Ok(()),
        Err(wrong) => Err(ConversionError::new("rule.when", wrong).into()),
    }
}

fn shown(rehearsed: Rehearsed) -> v1::WouldBeAlert {
    let Rehearsed { first, last, anomaly } = rehearsed;
    v1::WouldBeAlert {
        time_us: first.as_micros(),
        last_us: last.as_micros(),
        kind: anomaly.kind.to_string(),
        count: anomaly.count.and_then(|count| u64::try_from(count).ok()),
        subject: anomaly.subject,
        summary: anomaly.summary,
    }
}
