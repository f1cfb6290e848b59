//! The W3C trace context of a request: read from its headers, and written to those of the next.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator as _},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The trace that the sender of `headers` is in; an empty context where it names none, or none that is valid.
pub fn extract(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Received(headers))
}

/// Names `span` in `headers` as what the receiver continues. A span that is not traced leaves them as they are, so
/// that a caller's own `traceparent` passes through.
pub fn inject(span: &Span, headers: &mut HeaderMap) {
    inject_context(&span.context(), headers);
}

/// As [`inject`], from a context of OpenTelemetry.
pub fn inject_context(context: &Context, headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(context, &mut Sent(headers));
}

struct Received<'a>(&'a HeaderMap);

impl Extractor for Received<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct Sent<'a>(&'a mut HeaderMap);

impl Injector for Sent<'_> {
    fn set(&mut self, key: &str, value: String) {
        let Ok(name) = HeaderName::try_from(key) else {
            return;
        };
        // The state of a trace that has none is the empty text, which is better not sent.
        if value.is_empty() {
            self.0.remove(name);
        } else if let Ok(value) = HeaderValue::try_from(value) {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TraceContextExt as _;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(of: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        of.iter().map(pair).collect()
    }

    #[test]
    fn a_trace_goes_on_from_the_received_headers_to_the_sent_ones() {
        let context = extract(&headers(&[("traceparent", PARENT), ("tracestate", "vendor=1")]));
        let trace = context.span().span_context().trace_id().to_string();
        assert_eq!(trace, "0af7651916cd43dd8448eb211c80319c");
        let mut sent = HeaderMap::new();
        inject_context(&context, &mut sent);
        assert_eq!(
            sent,
            headers(&[("traceparent", PARENT), ("tracestate", "vendor=1")])
        );
    }

    #[test]
    fn what_is_no_trace_context_is_ignored_and_passes_through() {
        for received in [
            "",
            "nonsense",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        ] {
            let mut headers = headers(&[("traceparent", received)]);
            let context = extract(&headers);
            assert!(!context.has_active_span(), "{received}");
            inject_context(&context, &mut headers);
            assert_eq!(headers["traceparent"], received);
        }
    }

    #[test]
    fn without_tracing_the_callers_trace_passes_through() {
        let mut headers = headers(&[("traceparent", PARENT)]);
        inject(&Span::none(), &mut headers);
        assert_eq!(headers["traceparent"], PARENT);
    }
}
