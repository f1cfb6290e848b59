//! Who may do something, and what somebody may do, now or at any moment of the past.

use turnpike_access::{
    choose::INFERENCE_ACTIONS,
    effective::{Bearing, Givers, Row, what, who},
    log::Position,
    pattern::Resource,
    resolve::{self, Unresolved},
};
use turnpike_proto::admin::{AskedResource, WhatQuestion, WhoQuestion, v1};

use super::super::{call::Call, demand};
use crate::rpc::status::Failure;

impl Call {
    /// Every account and group that may do something to a resource.
    pub(super) async fn who(self, question: &WhoQuestion) -> Result<v1::AccessListResponse, Failure> {
        self.may("")?;
        let then = self.seen_at(question.position, question.time).await?;
        let tenant = then.tenant()?;
        let inference = question
            .action
            .as_deref()
            .map_or(INFERENCE_ACTIONS.to_vec(), |one| vec![one]);
        let page = &question.page;
        let after = match page.after.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|_| Failure::not_found("subject", text))?),
        };
        let part = (after.as_ref(), usize::try_from(page.size).unwrap_or(usize::MAX));
        let (rows, last) = match &question.resource {
            AskedResource::Model(model) => {
                let found = resolve::resolve(&then.snapshot, tenant, model, None);
                let found = found.map_err(|why| no_model(model, why))?;
                who(tenant, &inference, ("model", found.resource()), then.now, part)
            }
            AskedResource::Other {
                kind,
                name,
                family,
                environment,
                tags,
            } => {
                let of_kind = demand::actions().filter(|(_, one)| *one == kind.as_str());
                let actions = match &question.action {
                    Some(action) => vec![action.as_str()],
                    None => of_kind.map(|(action, _)| action).collect(),
                };
                let resource = Resource {
                    family: family.as_ref(),
                    environment: environment.as_ref(),
                    tags: Some(tags),
                    ..Resource::named(kind.as_str(), name)
                };
                let resource = (kind.as_str(), resource);
                who(tenant, &actions, resource, then.now, part)
            }
        };
        let next = last.map(|subject| subject.to_string()).unwrap_or_default();
        then.listed(&rows, next).await
    }

    /// Everything that an account, or tokens with a group, may do.
    pub(super) async fn what(self, question: &WhatQuestion) -> Result<v1::AccessListResponse, Failure> {
        self.may(&question.subject)?;
        let then = self.seen_at(question.position, question.time).await?;
        let administration: Vec<_> = demand::actions().collect();
        let rows = what(
            &then.snapshot,
            then.tenant()?,
            &question.subject,
            &INFERENCE_ACTIONS,
            &administration,
            then.now,
        );
        let rows = rows.ok_or_else(|| Failure::not_found("subject", &question.subject))?;
        then.listed(&rows, String::new()).await
    }

    /// Rows with the events that gave them.
    async fn listed(&self, rows: &[Row<'_, '_>], next: String) -> Result<v1::AccessListResponse, Failure> {
        let (tenant, until) = (&self.identity.target, self.snapshot.position());
        let shown = |givers: &Givers| rows.iter().map(|row| shown(row, givers, until)).collect();
        let access = self.on.givers.look(tenant, until, rows, shown).await?;
        Ok(v1::AccessListResponse {
            access,
            next,
            position: until.get(),
            time_us: self.now.as_micros(),
        })
    }
}

fn shown(row: &Row<'_, '_>, givers: &Givers, until: Position) -> v1::EffectiveAccess {
    let path = |bearing: &Bearing<'_>| {
        let gave = givers.gave(bearing.held, &row.subject, until);
        v1::AccessPath {
            grant: Some(bearing.held.into()),
            conditions: bearing.conditions.clone(),
            given: gave.map(|given| v1::GivingEvent {
                position: given.position.get(),
                time_us: given.time.as_micros(),
                actor: given.actor.to_string(),
                kind: given.kind.to_owned(),
            }),
        }
    };
    v1::EffectiveAccess {
        subject: row.subject.to_string(),
        kind: row.kind.to_owned(),
        name: row.name.clone(),
        actions: row.actions.iter().map(ToString::to_string).collect(),
        conditional: row.access.is_conditional(),
        allows: row.access.allows.iter().map(path).collect(),
        unless: row.access.unless.iter().map(path).collect(),
    }
}

fn no_model(model: &str, why: Unresolved) -> Failure {
    match why {
        Unresolved::Unknown => Failure::not_found("model", model),
        Unresolved::Ambiguous => Failure::not_found("only model of this name; write provider/name:", model),
    }
}
