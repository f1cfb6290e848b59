//! A recorded request, judged again: by the state that judged it, or by another.
//!
//! A record tells nearly all that the decision looked at. What it does not tell is tried: how old a token was, whether
//! the request declined fallbacks, whether it named a provider beside the model.

use std::sync::Arc;

use crate::{
    audit::{AuditRecord, Outcome},
    authenticate::Caller,
    choose::{Choice, ModelRequest, choose_for},
    decide::{self, Decision, decide},
    grant::{AuthMethod, Circumstances},
    id::{Id, Name, Principal, Timestamp},
    needs::Needs,
    pattern::Resource,
    resolve::Unresolved,
    snapshot::{Group, HeldAccount, Snapshot, Tenant},
};

/// Who called, as a record has it.
#[derive(Debug, Clone)]
pub struct Recalled<'r> {
    record: &'r AuditRecord,
    action: &'r Arc<str>,
    tenant: &'r str,
    principal: Principal,
    method: AuthMethod,
    issuer: Option<Name>,
    groups: Vec<Group>,
}

/// What is decided of a recorded request.
#[derive(Debug, Clone)]
pub enum Verdict<'s> {
    /// About a model.
    Model(Box<Choice<'s>>),
    /// About something else.
    Other(Decision<'s>),
    /// The model is not there.
    Unresolved(Unresolved),
}

/// A recorded request that was judged again.
#[derive(Debug, Clone)]
pub struct Again<'s> {
    /// What is decided.
    pub verdict: Verdict<'s>,
    /// Whether it is what is recorded, to the grants and the model that was served.
    pub same: bool,
    /// What the request was like, as far as is known.
    pub circumstances: Circumstances<'s>,
    /// Whether it took a substitute.
    pub accepts_fallback: bool,
    /// What it needed of one.
    pub needs: Needs,
    /// Whether the decision looked at more than is recorded: further groups of a token, what it was narrowed to, what
    /// somebody told who asked about somebody else.
    pub is_partial: bool,
}

impl<'r> Recalled<'r> {
    /// `None` where no decision is recorded: the request was refused before one, or asked for none.
    pub fn of(record: &'r AuditRecord) -> Option<Self> {
        // Written down with every decision, and with nothing else.
        let decided = record.provider.is_some() || record.resource.is_some();
        decided.then(|| Self::read(record))?
    }

    /// The same also where there was nothing to decide about, since the tenant had no such model.
    pub fn asking(record: &'r AuditRecord) -> Option<Self> {
        let nobody = record.status == 401;
        let lists = record.action.as_deref() == Some("models.list");
        let named = record.model_requested.is_some() && !nobody && !lists;
        Self::of(record).or_else(|| named.then(|| Self::read(record))?)
    }

    fn read(record: &'r AuditRecord) -> Option<Self> {
        let method = record.auth_method.as_deref()?;
        // Whoever asked about somebody else lent it nothing of its own.
        let about = record.subject.as_deref().or(record.principal.as_deref())?;
        let token = record.token.as_deref().filter(|_| record.subject.is_none());
        let groups = token.into_iter().flat_map(|facts| &facts.groups);
        Some(Self {
            record,
            action: record.action.as_ref()?,
            tenant: record.tenant.as_deref()?,
            principal: about.parse().ok()?,
            method: match record.subject {
                Some(_) => AuthMethod::ApiKey,
                None => AuthMethod::ALL.into_iter().find(|one| one.as_str() == method)?,
            },
            issuer: token.and_then(|facts| facts.issuer.parse().ok()),
            groups: groups.filter_map(|group| read_group(group)).collect(),
        })
    }

    /// Who called, as a state has it; `None` where the tenant is not in it. A user whom an issuer vouches for may be recorded
    /// later, or nowhere: it is in the teams that the issuer's users get.
    pub fn caller<'s>(&'s self, snapshot: &'s Snapshot) -> Option<Caller<'s>> {
        let tenant = snapshot.tenant(self.tenant)?;
        let credential = self.record.credential.and_then(|id| snapshot.credential(id));
        let own = credential.filter(|held| held.tenant == *tenant.name() && held.owner == self.principal);
        let known = match tenant.account(&self.principal) {
            Some(held) => Caller::of(tenant, held, self.method),
            None => Caller::unrecorded(tenant, &self.principal, self.joins(tenant), self.method),
        };
        Some(Caller {
            credential: own.map(AsRef::as_ref),
            groups: &self.groups,
            ..known
        })
    }

    fn joins<'s>(&self, tenant: &'s Tenant) -> &'s [Name] {
        let issuer = self.issuer.as_ref().and_then(|name| tenant.issuer(name.as_str()));
        let defaults = issuer.and_then(|issuer| issuer.profile.just_in_time.as_ref());
        defaults.map_or(&[], |defaults| &defaults.teams)
    }

    /// Judges the request again by a state. Of what the record does not tell, that is taken which leads to what is
    /// recorded, if anything does.
    pub fn judge<'s>(&'s self, snapshot: &'s Snapshot, caller: &Caller<'s>) -> Again<'s> {
        let record = self.record;
        let is_token = record.token.is_some();
        // Without a token there is no age to be tried.
        let ages = [None, Some(record.time)];
        let mut first = None;
        for issued in ages.into_iter().take(1 + usize::from(is_token)) {
            for provider in [None, record.provider.as_deref()] {
                for (accepts_fallback, needs) in self.substitutes() {
                    let circumstances = self.circumstances(issued);
                    let of_substitute = (accepts_fallback, &needs);
                    let verdict = self.put(snapshot, caller, circumstances, provider, of_substitute);
                    let again = Again {
                        same: is_recorded(record, &verdict),
                        verdict,
                        circumstances,
                        accepts_fallback,
                        needs,
                        is_partial: self.is_partial(),
                    };
                    if again.same {
                        return again;
                    }
                    first.get_or_insert(again);
                }
            }
        }
        first.unwrap_or_else(|| Again {
            verdict: Verdict::Unresolved(Unresolved::Unknown),
            same: false,
            circumstances: self.circumstances(None),
            accepts_fallback: true,
            needs: Needs::default(),
            is_partial: self.is_partial(),
        })
    }

    /// Whether it took a substitute, and what it may have needed of one: where one was served, that others were not is
    /// perhaps for what they lacked.
    fn substitutes(&self) -> impl Iterator<Item = (bool, Needs)> {
        let needy = Needs::all().into_iter().map(|needs| (true, needs));
        let served = self.record.fallback_from.is_some();
        let plain = [(true, Needs::default()), (false, Needs::default())];
        plain.into_iter().chain(needy.filter(move |_| served))
    }

    /// What would be served to the request in a state, substitutes too; `None` where it would be refused.
    pub fn served(&self, snapshot: &Snapshot) -> Option<Arc<str>> {
        match self.verdict(snapshot)? {
            Verdict::Unresolved(_) => None,
            Verdict::Other(decision) => decision.allowed().then(|| self.record.resource.clone())?,
            Verdict::Model(choice) => choice.decision.allowed().then(|| choice.model.id.shared()),
        }
    }

    /// The grant that would let the request through in a state, to a substitute too; `None` where it would be refused.
    pub fn allowing(&self, snapshot: &Snapshot) -> Option<Id> {
        let decision = match self.verdict(snapshot)? {
            Verdict::Unresolved(_) => return None,
            Verdict::Other(decision) => decision,
            Verdict::Model(choice) => choice.decision,
        };
        decision.grant_id().filter(|_| decision.allowed())
    }

    /// What would be decided in a state; `None` where nobody would be let in to be judged. A token is taken for new. A bare
    /// name that means nothing, or several models, is looked for under the provider that is recorded: the client had named
    /// it beside the model.
    fn verdict<'s>(&'s self, snapshot: &'s Snapshot) -> Option<Verdict<'s>> {
        let caller = self.caller(snapshot)?;
        let deactivated = |held: &HeldAccount| held.account.profile.deactivated;
        if caller.tenant.settings().suspended || caller.account.is_some_and(deactivated) {
            return None;
        }
        let issued = self.record.token.is_some().then_some(self.record.time);
        let of_substitute = (true, &Needs::default());
        let put = |provider| {
            self.put(
                snapshot,
                &caller,
                self.circumstances(issued),
                provider,
                of_substitute,
            )
        };
        Some(match (put(None), self.record.provider.as_deref()) {
            (Verdict::Unresolved(_), Some(provider)) => put(Some(provider)),
            (verdict, _) => verdict,
        })
    }

    /// What was asked to be done, and when.
    pub fn asked(&self) -> (&'r Arc<str>, Timestamp) {
        (self.action, self.record.time)
    }

    /// The type and the name of what it is about, where that is no model.
    pub fn resource(&self) -> Option<(&'r str, &'r str)> {
        self.record.resource.as_deref()?.split_once(':')
    }

    /// Whom the decision is about.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    fn is_partial(&self) -> bool {
        let cut = self.record.token.as_deref().is_some_and(|facts| facts.groups_cut);
        cut || self.method == AuthMethod::TurnpikeToken || self.record.subject.is_some()
    }

    fn circumstances(&self, issued: Option<Timestamp>) -> Circumstances<'_> {
        Circumstances {
            now: self.record.time,
            method: self.method,
            issuer: self.issuer.as_ref(),
            issued,
            client: self.record.client,
        }
    }

    fn put<'s>(
        &self,
        snapshot: &'s Snapshot,
        caller: &Caller<'s>,
        circumstances: Circumstances<'_>,
        provider: Option<&str>,
        (accepts_fallback, needs): (bool, &Needs),
    ) -> Verdict<'s> {
        let record = self.record;
        let action = self.action.as_ref();
        if let Some((kind, name)) = self.resource() {
            let request = decide::Request {
                action,
                resource: Resource::named(kind, name),
                circumstances,
            };
            return Verdict::Other(decide(snapshot, caller, &request));
        }
        let request = ModelRequest {
            action,
            requested: record.model_requested.as_deref().unwrap_or_default(),
            provider,
            circumstances,
            accepts_fallback,
        };
        match choose_for(snapshot, caller, &request, || needs.clone()) {
            Ok(choice) => Verdict::Model(Box::new(choice)),
            Err(unresolved) => Verdict::Unresolved(unresolved),
        }
    }
}

/// What was allowed may have failed later, for another reason; what was served tells.
fn is_recorded(record: &AuditRecord, verdict: &Verdict<'_>) -> bool {
    let allowed = record.outcome == Outcome::Allowed || record.model_served.is_some();
    let as_decided = |decision: &Decision<'_>| {
        decision.allowed() == allowed
            && (allowed || decision.reason.as_str() == &*record.reason)
            && decision.grant_id().into_iter().eq(record.grants.iter().copied())
    };
    match verdict {
        Verdict::Unresolved(_) => false,
        Verdict::Other(decision) => as_decided(decision),
        Verdict::Model(choice) => {
            let served = !allowed || record.model_served.as_deref() == Some(choice.model.id.as_str());
            let substituted = choice.fallback.as_ref().map(|taken| taken.denied.as_ref());
            as_decided(&choice.decision) && served && substituted == record.fallback_from.as_deref()
        }
    }
}

fn read_group(text: &str) -> Option<Group> {
    let (issuer, value) = text.split_once('/')?;
    Some((issuer.parse().ok()?, Arc::from(value)))
}
