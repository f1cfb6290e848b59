//! A tenant's whole access state as text that people review: written out, planned, and applied.
//!
//! The core makes the plan. A plan is carried out by the writer on the very state that it meets, where it must still be
//! the plan that was looked at.

use std::sync::Arc;

use futures::stream::BoxStream;
use tonic::{Request, Response, Status};
use turnpike_access::{
    id::{Name, Timestamp},
    ledger::Refusal,
    policy::{
        Policy,
        judge::{Failed, failing},
        plan::{Plan, Secrets, Wanted, plan},
    },
    snapshot::Snapshot,
};
use turnpike_proto::admin::{WantedPolicy, Write, plan_message, v1, write_policy};
use turnpike_runtime::random;

use super::{
    Administration, Answer,
    call::{Call, read},
};
use crate::{
    execute::{ExecuteError, Planner},
    rpc::status::Failure,
};

mod rehearsal;
mod secret;

use rehearsal::Rehearsal;

/// The longest message that is read, in bytes.
pub(super) const LONGEST: usize = 32 * 1024 * 1024;

#[tonic::async_trait]
impl v1::policy_service_server::PolicyService for Administration {
    async fn export(&self, request: Request<v1::ExportPolicyRequest>) -> Answer<v1::ExportPolicyResponse> {
        let (call, v1::ExportPolicyRequest {}) = self.admit(request).await?;
        let policy = Policy::of(call.allowed_tenant("")?);
        Ok(Response::new(v1::ExportPolicyResponse {
            policy: write_policy(&policy).map_err(Failure::Policy)?,
            position: call.snapshot.position().get(),
        }))
    }

    type PlanStream = BoxStream<'static, Result<v1::PlanPolicyResponse, Status>>;

    async fn plan(&self, request: Request<v1::PlanPolicyRequest>) -> Answer<Self::PlanStream> {
        let (call, message) = self.admit(request).await?;
        call.may("")?;
        let v1::PlanPolicyRequest {
            wanted,
            access,
            replay_since_us,
        } = message;
        if replay_since_us != 0 {
            call.may_also("AuditService/List")?;
        }
        let wanted = self.wanted(&call, read(wanted)?)?;
        let (plan, failed) = wanted.on(&call.snapshot, call.now).map_err(Failure::from)?;
        let mut rehearsal = Rehearsal::of(plan_message(
            &plan,
            call.snapshot.position(),
            wanted.policy.tests.len(),
            failed,
        ));
        if access || replay_since_us != 0 {
            let permit = self.rehearsing.clone().try_acquire_owned();
            rehearsal.admitted(permit.map_err(|_| Failure::Rehearsing)?);
        }
        let states = (call.snapshot.clone(), plan.after.clone());
        if access {
            rehearsal.survey(states.clone(), &wanted.tenant, call.now);
        }
        if replay_since_us != 0 {
            let since = (Timestamp::from_micros(replay_since_us), call.now);
            rehearsal.replay(states, &wanted.tenant, since, self.audit.clone());
        }
        Ok(Response::new(rehearsal.parts()))
    }

    async fn apply(&self, request: Request<v1::ApplyPolicyRequest>) -> Answer<v1::ApplyPolicyResponse> {
        let (call, message) = self.admit(request).await?;
        call.may("")?;
        let v1::ApplyPolicyRequest {
            wanted,
            digest,
            options,
        } = message;
        let write: Write = read(options)?;
        let wanted = self.wanted(&call, read(wanted)?)?;
        wanted.has_every_secret()?;
        let (plan, failed) = wanted.on(&call.snapshot, call.now).map_err(Failure::from)?;
        let shown = plan_message(&plan, call.snapshot.position(), wanted.policy.tests.len(), failed);
        let digest = match digest.is_empty() {
            true => shown.digest.clone(),
            false => digest,
        };
        let written = call.write_planned(wanted.planner(digest), write).await?;
        Ok(Response::new(v1::ApplyPolicyResponse {
            plan: Some(shown),
            receipt: written.receipt,
        }))
    }
}

/// A policy that is wanted of a tenant, its secrets looked at.
#[derive(Clone)]
struct Asked {
    tenant: Name,
    actor: Arc<str>,
    policy: Arc<Policy>,
    prune: bool,
    prune_approved: bool,
    secrets: Arc<Secrets>,
}

impl Administration {
    fn wanted(&self, call: &Call, wanted: WantedPolicy) -> Result<Asked, Failure> {
        let tenant = call.allowed_tenant("")?;
        let secrets = self.given_secrets(tenant, &wanted)?;
        Ok(Asked {
            tenant: tenant.name().clone(),
            actor: call.actor()?,
            policy: Arc::new(wanted.policy),
            prune: wanted.prune,
            prune_approved: wanted.prune_approved,
            secrets: Arc::new(secrets),
        })
    }
}

impl Asked {
    /// What leads there from a state, and which of the policy's tests would fail then.
    fn on(&self, snapshot: &Snapshot, now: Timestamp) -> Result<(Plan, Vec<Failed>), ExecuteError> {
        let wanted = Wanted {
            policy: &self.policy,
            prune: self.prune,
            prune_approved: self.prune_approved,
            secrets: &self.secrets,
        };
        let plan = plan(
            snapshot,
            &self.tenant,
            wanted,
            (now, &self.actor),
            &mut random::id,
        )?;
        let failed = failing(&plan.after, &self.tenant, &self.policy.tests, now);
        Ok((plan, failed))
    }

    /// The commands, on the state that they meet: where that asks for another plan than the one that was looked at, or a
    /// test fails, none.
    fn planner(self, digest: String) -> Planner {
        Arc::new(move |snapshot, now| {
            let (plan, failed) = self.on(snapshot, now)?;
            if plan.digest() != digest {
                return Err(Refusal::Changed.into());
            }
            if !failed.is_empty() {
                let told = failed
                    .iter()
                    .map(|Failed { test, why }| format!("{test} ({why})"));
                let told = told.collect::<Vec<_>>().join("; ");
                return Err(Refusal::NotNow(format!("tests of the policy fail: {told}")).into());
            }
            Ok(plan.steps.into_iter().map(|step| step.command).collect())
        })
    }
}
