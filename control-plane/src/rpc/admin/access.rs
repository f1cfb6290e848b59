//! May they, and why: answered by the very functions that the edges enforce with.

use futures::stream::BoxStream;
use tonic::{Request, Response, Status};
use turnpike_access::{
    authenticate::{AuthFailure, Caller, admit},
    choose::{ModelRequest, choose_for},
    decide::{self, Decision, decide},
    explain::{Considered, explain},
    grant::{AuthMethod, Circumstances},
    pattern::Resource,
    resolve::Unresolved,
};
use turnpike_proto::admin::{AccessQuestion, AskedResource, v1};

use super::{
    Administration, Answer,
    call::{Call, read},
};
use crate::rpc::status::Failure;

mod decision;
mod effective;
mod givers;
mod granters;
mod review;
mod words;

pub(super) use givers::KnownGivers;

#[tonic::async_trait]
impl v1::access_service_server::AccessService for Administration {
    async fn check(&self, request: Request<v1::AccessRequest>) -> Answer<v1::CheckResponse> {
        let (call, message) = self.admit(request).await?;
        let explained = call.answer(&read(message)?).await?;
        Ok(Response::new(explained.decision.unwrap_or_default()))
    }

    async fn explain(&self, request: Request<v1::AccessRequest>) -> Answer<v1::ExplainResponse> {
        let (call, message) = self.admit(request).await?;
        Ok(Response::new(call.answer(&read(message)?).await?))
    }

    async fn explain_decision(
        &self,
        request: Request<v1::ExplainDecisionRequest>,
    ) -> Answer<v1::ExplainDecisionResponse> {
        let (call, v1::ExplainDecisionRequest { id }) = self.admit(request).await?;
        Ok(Response::new(call.explain_decision(&id).await?))
    }

    async fn who(&self, request: Request<v1::WhoRequest>) -> Answer<v1::AccessListResponse> {
        let (call, message) = self.admit(request).await?;
        Ok(Response::new(call.who(&read(message)?).await?))
    }

    async fn what(&self, request: Request<v1::WhatRequest>) -> Answer<v1::AccessListResponse> {
        let (call, message) = self.admit(request).await?;
        Ok(Response::new(call.what(&read(message)?).await?))
    }

    type ReviewStream = BoxStream<'static, Result<v1::ReviewResponse, Status>>;

    async fn review(&self, request: Request<v1::ReviewRequest>) -> Answer<Self::ReviewStream> {
        let (call, message) = self.admit(request).await?;
        Ok(Response::new(call.review(message).await?))
    }

    async fn who_am_i(&self, request: Request<v1::WhoAmIRequest>) -> Answer<v1::WhoAmIResponse> {
        let (call, v1::WhoAmIRequest {}) = self.admit(request).await?;
        let caller = call.caller()?;
        let credential = caller.credential.map(|held| held.id.to_string());
        let (issuer, expires) = match caller.token {
            Some(token) => (token.issuer.to_string(), Some(token.expires.as_micros())),
            None => (String::new(), None),
        };
        let groups = caller.groups.iter();
        Ok(Response::new(v1::WhoAmIResponse {
            tenant: call.identity.own.to_string(),
            principal: caller.principal.to_string(),
            credential: credential.unwrap_or_default(),
            teams: caller.teams().iter().map(ToString::to_string).collect(),
            method: caller.method.as_str().to_owned(),
            issuer,
            groups: groups
                .map(|(issuer, group)| format!("{issuer}/{group}"))
                .collect(),
            token_expires_us: expires,
        }))
    }

    async fn request_access(
        &self,
        request: Request<v1::RequestAccessRequest>,
    ) -> Answer<v1::RequestedAccessResponse> {
        self.ask_for_access(request).await
    }

    async fn list_requests(
        &self,
        request: Request<v1::ListRequestsRequest>,
    ) -> Answer<v1::ListRequestsResponse> {
        self.list_asked(request).await
    }

    async fn approve(&self, request: Request<v1::ApproveRequest>) -> Answer<v1::RequestedAccessResponse> {
        self.approve_access(request).await
    }

    async fn refuse(&self, request: Request<v1::RefuseRequest>) -> Answer<v1::RequestedAccessResponse> {
        self.refuse_access(request).await
    }

    async fn withdraw(&self, request: Request<v1::WithdrawRequest>) -> Answer<v1::RequestedAccessResponse> {
        self.withdraw_access(request).await
    }
}

impl Call {
    async fn answer(self, question: &AccessQuestion) -> Result<v1::ExplainResponse, Failure> {
        self.may(&question.principal)?;
        let then = self.seen_at(question.position, question.time).await?;
        then.explain(question)
    }

    fn explain(&self, question: &AccessQuestion) -> Result<v1::ExplainResponse, Failure> {
        let circumstances = Circumstances {
            now: self.now,
            method: AuthMethod::ApiKey,
            issuer: None,
            issued: None,
            client: question.client,
        };
        let caller = match self.asked_about(question, circumstances)? {
            Ok(caller) => caller,
            Err(failure) => {
                return Ok(self.refused(failure.as_str(), "the principal opens nothing with it now"));
            }
        };
        match &question.resource {
            AskedResource::Model(model) => Ok(self.explain_model(&caller, question, model, circumstances)),
            AskedResource::Other {
                kind,
                name,
                family,
                environment,
                tags,
            } => {
                let request = decide::Request {
                    action: &question.action,
                    resource: Resource {
                        family: family.as_ref(),
                        environment: environment.as_ref(),
                        tags: Some(tags),
                        ..Resource::named(kind.as_str(), name)
                    },
                    circumstances,
                };
                Ok(self.told(&caller, &request, &decide(&self.snapshot, &caller, &request)))
            }
        }
    }

    /// The principal as it would call, or why it cannot.
    fn asked_about(
        &self,
        question: &AccessQuestion,
        circumstances: Circumstances<'_>,
    ) -> Result<Result<Caller<'_>, AuthFailure>, Failure> {
        let unknown = || Failure::not_found(question.principal.kind(), question.principal.name());
        let tenant = self
            .snapshot
            .tenant(self.identity.target.as_str())
            .ok_or_else(unknown)?;
        let account = tenant.account(&question.principal).ok_or_else(unknown)?;
        if let Some(id) = question.credential {
            let held = self.snapshot.credential(id);
            let own = held.filter(|held| held.tenant == *tenant.name() && held.owner == question.principal);
            let credential = own.ok_or_else(|| Failure::not_found("credential", id))?;
            return Ok(admit(&self.snapshot, credential, circumstances.now));
        }
        if tenant.settings().suspended {
            return Ok(Err(AuthFailure::TenantSuspended));
        }
        if account.account.profile.deactivated {
            return Ok(Err(AuthFailure::OwnerDeactivated));
        }
        Ok(Ok(Caller::of(tenant, account, circumstances.method)))
    }

    fn explain_model(
        &self,
        caller: &Caller<'_>,
        question: &AccessQuestion,
        model: &str,
        circumstances: Circumstances<'_>,
    ) -> v1::ExplainResponse {
        let request = ModelRequest {
            action: &question.action,
            requested: model,
            provider: None,
            circumstances,
            accepts_fallback: question.accepts_fallback,
        };
        let choice = match choose_for(&self.snapshot, caller, &request, || question.needs.clone()) {
            Ok(choice) => choice,
            Err(Unresolved::Unknown) => return self.refused("model_unknown", "the tenant has no such model"),
            Err(Unresolved::Ambiguous) => {
                return self.refused("model_ambiguous", "several providers have a model of this name");
            }
        };
        let judged = decide::Request {
            action: &question.action,
            resource: choice.model.resource(),
            circumstances,
        };
        let mut told = self.told(caller, &judged, &choice.decision);
        if let Some(decision) = &mut told.decision {
            decision.model = choice.model.id.to_string();
            decision.fallback_from = choice
                .fallback
                .map(|taken| taken.denied.to_string())
                .unwrap_or_default();
        }
        told.passed_over = choice.passed_over.iter().map(Into::into).collect();
        told
    }

    /// A decision with every grant that was considered.
    fn told(
        &self,
        caller: &Caller<'_>,
        request: &decide::Request<'_>,
        decision: &Decision<'_>,
    ) -> v1::ExplainResponse {
        let explained = explain(&self.snapshot, caller, request);
        let considered = explained.considered.iter().map(considered);
        v1::ExplainResponse {
            decision: Some(v1::CheckResponse {
                allowed: decision.allowed(),
                reason: decision.reason.as_str().to_owned(),
                message: decision.reason.sentence().to_owned(),
                grant: decision.grant_id().map(|id| id.to_string()).unwrap_or_default(),
                position: decision.position.get(),
                ..Default::default()
            }),
            considered: considered.collect(),
            passed_over: Vec::new(),
        }
    }

    /// A no that comes before any grant is looked at.
    fn refused(&self, reason: &str, message: &str) -> v1::ExplainResponse {
        v1::ExplainResponse {
            decision: Some(v1::CheckResponse {
                reason: reason.to_owned(),
                message: message.to_owned(),
                position: self.snapshot.position().get(),
                ..Default::default()
            }),
            considered: Vec::new(),
            passed_over: Vec::new(),
        }
    }
}

fn considered(one: &Considered<'_>) -> v1::ConsideredGrant {
    v1::ConsideredGrant {
        grant: Some(one.held.into()),
        matches: one.mismatch.is_none(),
        sentence: one.sentence(),
    }
}
