//! A call from its admission to its receipt: who calls, what the method demands, how a change is made and awaited.

use std::{ops::RangeInclusive, sync::Arc};

use tokio::time::Instant;
use tonic::{Request, metadata::MetadataMap};
use turnpike_access::{
    authenticate::Caller,
    command::{Command, Permission},
    decide::Reason,
    grant::Subject,
    id::{Name, Principal, Timestamp},
    ledger::Refusal,
    log::Position,
    snapshot::{Snapshot, Tenant},
};
use turnpike_proto::{
    ConversionError,
    admin::{Write, v1},
};
use turnpike_runtime::{clock, random};

use super::{
    Administration,
    demand::{Demand, Reach},
};
use crate::{
    execute::{ExecuteError, Planner, Work, judge, recent},
    history::Moment,
    receipt::Change,
    rpc::{
        identity::{Identity, Proof},
        status::Failure,
    },
};

/// How often an update is made anew on what somebody else changed meanwhile.
const TRIES: usize = 5;

/// An admitted call. It looks at one state from its beginning to its end, unless it changes something.
pub(super) struct Call {
    pub(super) on: Administration,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) identity: Identity,
    pub(super) now: Timestamp,
    demand: Demand,
    correlation: Arc<str>,
}

/// A change that is committed, and the state right after it.
pub(super) struct Written {
    pub(super) receipt: Option<v1::Receipt>,
    pub(super) snapshot: Arc<Snapshot>,
    tenant: Name,
}

/// Names a change, so that asking for it again does not make it again.
const IDEMPOTENCY_KEY: &str = "x-turnpike-idempotency-key";
/// How long a key may be, in characters.
const KEY_LENGTH: RangeInclusive<usize> = 8..=64;

/// What joins the events of a call in the log: its idempotency key, or an id of its own.
fn correlation(metadata: &MetadataMap, method: &str) -> Result<Arc<str>, Failure> {
    let Some(value) = metadata.get(IDEMPOTENCY_KEY) else {
        return Ok(Arc::from(random::id().as_str()));
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let key = value.to_str().ok().filter(|key| KEY_LENGTH.contains(&key.len()));
    match key.filter(|key| key.bytes().all(plain)) {
        Some(key) => Ok(recent::correlation(method, key)),
        None => {
            Err(ConversionError::new(IDEMPOTENCY_KEY, "has 8 to 64 letters, digits, '-', '_' and '.'").into())
        }
    }
}

/// A message as the domain means it.
pub(super) fn read<T, M>(message: M) -> Result<T, Failure>
where
    T: TryFrom<M, Error = ConversionError>,
{
    T::try_from(message).map_err(Failure::from)
}

impl Administration {
    /// Proves who calls and takes the message out. What the caller may do is asked with [`Call::may`].
    pub(super) async fn admit<M>(&self, request: Request<M>) -> Result<(Call, M), Failure> {
        let demand = *request.extensions().get::<Demand>().ok_or(Failure::NotOffered)?;
        let (metadata, _, message) = request.into_parts();
        let proof = Proof::of(&metadata, &self.executor, &self.peppers, &self.tokens).await?;
        // Proving may have waited, and have recorded a user.
        let (snapshot, now) = (self.executor.snapshot(), clock::now());
        let identity = Identity::new(&metadata, &snapshot, proof, now)?;
        let call = Call {
            on: self.clone(),
            correlation: correlation(&metadata, demand.method)?,
            snapshot,
            identity,
            now,
            demand,
        };
        call.within_reach(demand)?;
        Ok((call, message))
    }

    /// Where a change of a tenant stands, after waiting as long as was asked for.
    pub(super) async fn receipt(&self, tenant: &Name, position: Position, write: Write) -> v1::Receipt {
        let committed = v1::Receipt {
            position: position.get(),
            ..Default::default()
        };
        let Some(within) = write.applied_within else {
            return committed;
        };
        let change = Change {
            tenant: tenant.clone(),
            position,
            committed: clock::now(),
        };
        let deadline = Instant::now() + within;
        match self.receipts.wait(change, deadline, write.keep_receipt).await {
            Ok(receipt) => receipt.into(),
            Err(error) => {
                // The change is committed whatever can be said about the edges: not an error of the call.
                tracing::warn!(%error, "could not find out which edges have applied a change");
                committed
            }
        }
    }
}

impl Call {
    /// Whether the caller may also call another method, about no single thing.
    pub(super) fn may_also(&self, method: &str) -> Result<(), Failure> {
        let demand = Demand::of_method(method).ok_or(Failure::NotOffered)?;
        self.within_reach(demand)?;
        self.judge(demand, &self.identity.target, String::new())
    }

    fn within_reach(&self, demand: Demand) -> Result<(), Failure> {
        let Identity { own, target, .. } = &self.identity;
        let within = match demand.reach {
            Reach::AnyTenant => true,
            Reach::OwnTenant => own == target,
            Reach::Operators => self.identity.is_operator(),
        };
        if within {
            return Ok(());
        }
        Err(Failure::Execute(ExecuteError::Forbidden {
            action: demand.action.unwrap_or_default().to_owned(),
            resource: format!("tenant {target}"),
            reason: Reason::NoGrant,
        }))
    }

    /// The same call about another tenant: see [`Identity::about`].
    pub(super) fn about(self, tenant: &Name) -> Result<Self, Failure> {
        let identity = self.identity.about(tenant.as_str(), &self.snapshot)?;
        Ok(Self { identity, ..self })
    }

    /// The same call, looking at the state as it was: right after an event, or at a time that has passed. What the caller
    /// may is asked before, of the present.
    pub(super) async fn seen_at(
        self,
        position: Option<Position>,
        time: Option<Timestamp>,
    ) -> Result<Self, Failure> {
        let moment = match (position, time) {
            (Some(position), _) => Moment::Position(position),
            (None, Some(time)) if time < self.now => Moment::Time(time),
            (None, time) => {
                let now = time.unwrap_or(self.now);
                return Ok(Self { now, ..self });
            }
        };
        let history = &self.on.history;
        let snapshot = history.at(moment).await?;
        let made = match time {
            Some(time) => Some(time),
            None => history.time_of(snapshot.position()).await?,
        };
        Ok(Self {
            snapshot,
            now: made.unwrap_or(self.now),
            ..self
        })
    }

    /// Who calls, as the state has it.
    pub(super) fn caller(&self) -> Result<Caller<'_>, Failure> {
        self.identity.proof.caller(&self.snapshot, self.now)
    }

    /// The caller's account, where the call is about its own tenant and that knows it.
    pub(super) fn own_account(&self) -> Result<Option<&Principal>, Failure> {
        let own = self.identity.own == self.identity.target;
        let account = self.caller()?.account.filter(|_| own);
        Ok(account.map(|held| &held.account.principal))
    }

    /// How the log names the caller.
    pub(super) fn actor(&self) -> Result<Arc<str>, Failure> {
        Ok(judge::actor(&self.caller()?, &self.identity.target).into())
    }

    /// Whether the caller may do with the named thing what the method demands. For lists the name is empty: they
    /// are for those whose grant is not narrowed to single things.
    pub(super) fn may(&self, name: impl ToString) -> Result<(), Failure> {
        self.judge(self.demand, &self.identity.target, name.to_string())
    }

    /// Whether the caller may do with another tenant what the method demands.
    pub(super) fn may_about(&self, tenant: &Name) -> bool {
        self.judge(self.demand, tenant, String::new()).is_ok()
    }

    fn judge(&self, demand: Demand, tenant: &Name, name: String) -> Result<(), Failure> {
        let Some(action) = demand.action else {
            return Ok(());
        };
        let permission = Permission {
            action,
            kind: demand.kind,
            name,
        };
        judge::judge_caller(&self.snapshot, &self.caller()?, tenant, &permission, self.now)?;
        Ok(())
    }

    /// Whether the caller may itself do it, not for a team that it administers: where there is no command to judge.
    pub(super) fn may_itself(&self, name: impl ToString) -> Result<(), Failure> {
        let Some(action) = self.demand.action else {
            return Ok(());
        };
        let permission = Permission {
            action,
            kind: self.demand.kind,
            name: name.to_string(),
        };
        let tenant = &self.identity.target;
        judge::judge_itself(&self.snapshot, &self.caller()?, tenant, &permission, self.now)?;
        Ok(())
    }

    /// The call's tenant, if the caller may do what the method demands with everything of its kind, or with what is a
    /// subject's.
    pub(super) fn allowed_tenant_of(&self, subject: Option<&Subject>) -> Result<&Tenant, Failure> {
        let (kind, name) = match subject {
            Some(Subject::Team(team)) => ("team", team.to_string()),
            Some(Subject::Principal(principal)) => (principal.kind(), principal.name().to_string()),
            Some(Subject::Group { .. }) | None => return self.allowed_tenant(""),
        };
        self.allowed_tenant("").or_else(|refused| {
            let action = self.demand.action.unwrap_or_default();
            let permission = Permission { action, kind, name };
            let target = &self.identity.target;
            match judge::judge_caller(&self.snapshot, &self.caller()?, target, &permission, self.now) {
                Ok(()) => tenant(&self.snapshot, target),
                Err(_) => Err(refused),
            }
        })
    }

    /// Whether the caller may do something else than what the method demands.
    pub(super) fn may_otherwise(
        &self,
        action: &'static str,
        kind: &'static str,
        name: &str,
    ) -> Result<(), Failure> {
        let permission = Permission {
            action,
            kind,
            name: name.to_owned(),
        };
        let caller = self.caller()?;
        judge::judge_caller(
            &self.snapshot,
            &caller,
            &self.identity.target,
            &permission,
            self.now,
        )?;
        Ok(())
    }

    /// The caller, where the call is about its own tenant.
    pub(super) fn own_principal(&self) -> Result<Option<Principal>, Failure> {
        let own = self.identity.own == self.identity.target;
        let principal = self.caller()?.principal.clone();
        Ok(Some(principal).filter(|_| own))
    }

    /// The call's tenant, whatever the caller may do there.
    pub(super) fn target(&self) -> Result<&Tenant, Failure> {
        tenant(&self.snapshot, &self.identity.target)
    }

    /// The call's tenant, if the caller may do with the named thing what the method demands.
    pub(super) fn allowed_tenant(&self, name: impl ToString) -> Result<&Tenant, Failure> {
        self.may(name)?;
        tenant(&self.snapshot, &self.identity.target)
    }

    /// The call's tenant, as the state that the call looks at has it.
    pub(super) fn tenant(&self) -> Result<&Tenant, Failure> {
        tenant(&self.snapshot, &self.identity.target)
    }

    /// Makes a change, all of it or nothing, and waits as long as was asked for.
    pub(super) async fn write(&self, commands: Vec<Command>, write: Write) -> Result<Written, Failure> {
        self.write_in(self.identity.target.clone(), commands, write).await
    }

    /// Makes the change that a planner finds needed when it is its turn.
    pub(super) async fn write_planned(&self, planner: Planner, write: Write) -> Result<Written, Failure> {
        let work = Work::Planned(planner);
        self.write_in(self.identity.target.clone(), work, write).await
    }

    /// Makes a change in a tenant that need not be there yet.
    pub(super) async fn write_in(
        &self,
        tenant: Name,
        work: impl Into<Work>,
        write: Write,
    ) -> Result<Written, Failure> {
        let authority = self.identity.proof.authority();
        let correlation = self.correlation.clone();
        let executed = self
            .on
            .executor
            .execute(authority, tenant.clone(), correlation, work)
            .await?;
        Ok(Written {
            receipt: Some(self.on.receipt(&tenant, executed.position, write).await),
            snapshot: executed.snapshot,
            tenant,
        })
    }

    /// Changes what is there: reads the newest state, makes the command, and again where somebody else was first.
    pub(super) async fn update(
        &self,
        write: Write,
        command: impl Fn(&Tenant) -> Result<Command, Failure>,
    ) -> Result<Written, Failure> {
        let mut tries = 1;
        loop {
            let newest = self.on.executor.snapshot();
            let command = command(tenant(&newest, &self.identity.target)?)?;
            match self.write(vec![command], write).await {
                Err(Failure::Execute(ExecuteError::Refused(Refusal::Changed))) if tries < TRIES => tries += 1,
                done => return done,
            }
        }
    }
}

impl Written {
    /// The tenant right after the change.
    pub(super) fn tenant(&self) -> Result<&Tenant, Failure> {
        tenant(&self.snapshot, &self.tenant)
    }

    /// The receipt alone, where nothing is left to show.
    pub(super) fn into_receipt(self) -> v1::Receipt {
        self.receipt.unwrap_or_default()
    }
}

fn tenant<'s>(snapshot: &'s Snapshot, name: &Name) -> Result<&'s Tenant, Failure> {
    let found = snapshot.tenant(name.as_str()).map(AsRef::as_ref);
    found.ok_or_else(|| Failure::not_found("tenant", name))
}
