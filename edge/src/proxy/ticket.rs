//! The audit of one request: begun when its head was read, finished exactly once, whatever becomes of it.

use std::{net::IpAddr, sync::Arc, time::Instant};

use http::HeaderMap;
use opentelemetry::trace::TraceContextExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use turnpike_access::{
    audit::{AuditRecord, Billing, Ending, Outcome, Usage, settings::AuditMode},
    charge::saved_nanos,
    id::Timestamp,
    model::Prices,
};
use turnpike_runtime::{
    clock,
    telemetry::{
        self, propagation,
        span::{self, Call},
    },
};

use super::{
    route::Route,
    state::{RequestId, State},
};
use crate::{audit::Unrecorded, current::UnderWay, metrics::Labels};

/// Sent to nobody: the client had gone before there was a status. As nginx has it.
const CLIENT_CLOSED_REQUEST: u16 = 499;
/// The longest text that is recorded of what a client wrote.
const TEXT_LIMIT: usize = 200;

/// Whoever holds it owes the audit a record. Dropped unfinished, it records that the client went away.
pub(super) struct Ticket {
    state: Arc<State>,
    started: Instant,
    record: Option<Box<AuditRecord>>,
    labels: Labels,
    prices: Charged,
    spans: Spans,
    /// Whether the record stands for a response, and not for one more decision of it.
    answers: bool,
    survives: Survives,
    /// Further records of the same request that are finished, but for what they are to survive.
    further: Vec<Ticket>,
    /// Counts as a request under way for as long.
    _under_way: UnderWay,
}

/// What the record is to survive before the answer begins.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Survives {
    /// The death of the process, before the answer ends; nothing before it begins.
    #[default]
    Death,
    /// Power failure, which nobody has seen to yet. `done`: the record is whole.
    Owed { done: bool },
    /// Power failure, which was seen to, or can't be.
    Settled,
}

/// What tokens cost, at the position of the decision.
#[derive(Default, Clone, Copy)]
struct Charged {
    served: Option<Prices>,
    /// Of the model that was denied, where another is served.
    denied: Option<Prices>,
}

/// Of the request and of the call to its provider; nothing where traces are not exported.
#[derive(Default)]
struct Spans {
    request: Option<Span>,
    call: Option<Span>,
}

impl Ticket {
    pub(super) fn begin(state: &Arc<State>, id: &RequestId, client: Option<IpAddr>) -> Self {
        let record = AuditRecord {
            time: clock::now(),
            request_id: id.request().clone(),
            decision_id: None,
            trace_id: None,
            tenant: None,
            principal: None,
            credential: None,
            auth_method: None,
            token: None,
            route: Arc::default(),
            action: None,
            subject: None,
            resource: None,
            model_requested: None,
            model_served: None,
            fallback_from: None,
            provider: None,
            environment: None,
            outcome: Outcome::Refused,
            reason: Arc::default(),
            grants: Vec::new(),
            status: CLIENT_CLOSED_REQUEST,
            upstream_status: None,
            latency_us: 0,
            first_token_us: None,
            usage: Usage::default(),
            billing: Billing::default(),
            streamed: false,
            ending: Ending::Complete,
            client,
            user_agent: None,
            metadata: Vec::new(),
            region: state.region.clone(),
            position: 0,
        };
        Self {
            state: state.clone(),
            started: Instant::now(),
            record: Some(Box::new(record)),
            labels: Labels::default(),
            prices: Charged::default(),
            spans: Spans::default(),
            answers: true,
            survives: Survives::default(),
            further: Vec::new(),
            _under_way: state.current.enter(),
        }
    }

    /// A further record of the same request, for one more of the decisions that it asks for.
    pub(super) fn further(&self, id: &RequestId) -> Self {
        let further = |record: &AuditRecord| {
            Box::new(AuditRecord {
                request_id: id.request().clone(),
                ..record.clone()
            })
        };
        Self {
            state: self.state.clone(),
            started: self.started,
            record: self.record.as_deref().map(further),
            labels: Labels::default(),
            prices: Charged::default(),
            spans: Spans::default(),
            answers: false,
            survives: self.survives,
            further: Vec::new(),
            _under_way: self.state.current.enter(),
        }
    }

    /// When the request's head had been read.
    pub(super) fn time(&self) -> Timestamp {
        self.record.as_ref().map_or_else(clock::now, |record| record.time)
    }

    /// Notes what was found out. Nothing happens once the ticket is finished.
    pub(super) fn note(&mut self, change: impl FnOnce(&mut AuditRecord)) {
        if let Some(record) = &mut self.record {
            change(record);
        }
    }

    /// What metrics may say of the request's model.
    pub(super) fn label(&mut self, labels: Labels) {
        self.labels = labels;
    }

    /// What the model's tokens cost, and what those of the model cost that was denied in its favour.
    pub(super) fn charge(&mut self, served: Option<Prices>, denied: Option<Prices>) {
        self.prices = Charged { served, denied };
    }

    pub(super) fn note_route(&mut self, route: &'static Route) {
        self.note(|record| {
            record.route = Arc::from([route.method.as_str(), " ", route.template].concat());
            record.action = (!route.action.is_empty()).then(|| Arc::from(route.action));
        });
    }

    /// Begins the span of the request, where traces are exported, in the trace that the client began.
    pub(super) fn trace(&mut self, route: &'static Route, headers: &HeaderMap) {
        if telemetry::tracing() {
            let span = span::server(route.method.as_str(), route.template, headers);
            let id = span.context().span().span_context().trace_id();
            self.note(|record| record.trace_id = Some(Arc::from(id.to_string())));
            self.spans.request = Some(span);
        }
    }

    /// Begins the span of the call to the provider and names it in the headers that are sent there.
    pub(super) fn trace_call<'c>(&mut self, call: impl FnOnce() -> Call<'c>, headers: &mut HeaderMap) {
        if let Some(request) = &self.spans.request {
            let span = span::client(request, call());
            propagation::inject(&span, headers);
            self.spans.call = Some(span);
        }
    }

    /// Notes that the response's body began at this moment.
    pub(super) fn first_byte(&mut self, at: Instant) {
        let elapsed = self.until(at);
        self.note(|record| record.first_token_us = Some(elapsed));
    }

    /// Whether the record is written, or was handed on.
    pub(super) fn finished(&self) -> bool {
        self.written() || self.survives == Survives::Owed { done: true }
    }

    fn written(&self) -> bool {
        self.record.is_none()
    }

    /// Whether it was looked up who calls.
    pub(super) fn identified(&self) -> bool {
        self.record
            .as_ref()
            .is_none_or(|record| record.auth_method.is_some())
    }

    /// `dec_…`, where a decision was made.
    pub(super) fn decision(&self) -> Option<Arc<str>> {
        self.record.as_ref()?.decision_id.clone()
    }

    /// The position of the snapshot that was looked at.
    pub(super) fn position(&self) -> u64 {
        self.record.as_ref().map_or(0, |record| record.position)
    }

    /// Hands the duty on.
    pub(super) fn take(&mut self) -> Self {
        Self {
            state: self.state.clone(),
            started: self.started,
            record: self.record.take(),
            labels: std::mem::take(&mut self.labels),
            prices: self.prices,
            spans: std::mem::take(&mut self.spans),
            answers: self.answers,
            survives: self.survives,
            further: std::mem::take(&mut self.further),
            _under_way: self.state.current.enter(),
        }
    }

    /// Notes what the tenant wants of its audit.
    pub(super) fn hold_to(&mut self, mode: AuditMode) {
        if mode == AuditMode::Strict && self.survives == Survives::Death {
            self.survives = Survives::Owed { done: false };
        }
    }

    /// Takes over a further record of the same request, finished, with what it may still lack.
    pub(super) fn adopt(&mut self, further: Self) {
        if !further.written() {
            self.further.push(further);
        }
    }

    /// Sees to it that the record survives what the tenant wants, also where it is not whole yet. Call it before anything of the
    /// request leaves: to a provider, and to the client.
    ///
    /// # Errors
    /// It does not, and the request must be refused.
    pub(super) async fn settle(&mut self) -> Result<(), Unrecorded> {
        let Survives::Owed { done } = self.survives else {
            return Ok(());
        };
        let records = self.further.iter().chain([&*self]);
        let records: Vec<(&AuditRecord, bool)> = records
            .filter_map(|ticket| Some((ticket.record.as_deref()?, ticket.finished())))
            .collect();
        let secured = self.state.audit.secure(&records);
        // Boxed, so that no other request carries the room that it takes.
        let secured = Box::pin(secured).await;
        self.survives = Survives::Settled;
        for mut further in std::mem::take(&mut self.further) {
            further.survives = Survives::Settled;
            further.write()?;
        }
        secured?;
        if done { self.write() } else { Ok(()) }
    }

    /// Writes the record. When this returns `Ok`, the response may end; where [`Self::settle`] is still to be called, when that
    /// does, and it is written then.
    ///
    /// # Errors
    /// The record is not written, and the response must not look as if it were.
    pub(super) fn finish(&mut self, ending: Ending) -> Result<(), Unrecorded> {
        self.finish_at(Instant::now(), ending)
    }

    /// The same, where the time is known.
    ///
    /// # Errors
    /// As for [`Self::finish`].
    pub(super) fn finish_at(&mut self, at: Instant, ending: Ending) -> Result<(), Unrecorded> {
        let latency_us = self.until(at);
        let Some(record) = &mut self.record else {
            return Ok(());
        };
        record.latency_us = latency_us;
        record.ending = ending;
        let Charged { served, denied } = self.prices;
        let cost = served.and_then(|prices| prices.cost_nanos(&record.usage));
        record.billing.cost_nanos = cost;
        record.billing.saved_nanos = saved_nanos(denied.as_ref(), &record.usage, cost);
        if record.route.is_empty() {
            record.route = Arc::from("unknown");
        }
        if record.reason.is_empty() {
            record.reason = Arc::from("client_gone");
        }
        match &mut self.survives {
            Survives::Owed { done } if !*done => {
                *done = true;
                Ok(())
            }
            _ => self.write(),
        }
    }

    fn write(&mut self) -> Result<(), Unrecorded> {
        let Some(record) = self.record.take() else {
            return Ok(());
        };
        match self.answers {
            true => self.state.metrics.request(&record, &self.labels),
            false => self.state.metrics.decided(&record),
        }
        self.spans.end(&record);
        let secured = self.survives != Survives::Death;
        self.state.audit.record(&record, secured).inspect_err(|error| {
            tracing::error!(%error, request = %record.request_id, "a request could not be recorded");
        })
    }

    /// In microseconds, from the request's head.
    fn until(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.started).as_micros()).unwrap_or(u64::MAX)
    }
}

impl Spans {
    fn end(&mut self, record: &AuditRecord) {
        if let Some(call) = self.call.take() {
            match record.upstream_status {
                Some(status) => span::answered(&call, status),
                None => span::failed(&call, &record.reason),
            }
        }
        if let Some(request) = self.request.take() {
            span::answered(&request, record.status);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Logged where it fails; there is nobody left to answer.
        if !self.written() {
            if self.survives != Survives::Death {
                self.survives = Survives::Settled;
            }
            drop(self.finish(Ending::ClientGone));
        }
    }
}

/// Text of a client for the record, cut at a character.
pub(super) fn cut(text: &str) -> Arc<str> {
    let end = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .take_while(|at| *at <= TEXT_LIMIT)
        .last();
    Arc::from(text.get(..end.unwrap_or_default()).unwrap_or_default())
}
