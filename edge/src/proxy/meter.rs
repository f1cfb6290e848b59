//! Reads usage off a provider's response as it passes.
//!
//! Nothing is changed but one thing: the chunk that tells usage is withheld from a client that did not ask for it.
//! Connections, deadlines and the audit are left to others.

use std::borrow::Cow;

use turnpike_access::audit::Usage;

mod event;
mod members;
mod sse;
#[cfg(test)]
mod tests;
mod usage;

pub use sse::{MAX_EVENT, SseMeter};

use super::route::Endpoint;

/// What a response tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reported {
    /// Token counts; all `None` where the provider told none.
    pub usage: Usage,
    /// The model that the provider says it was.
    pub model: Option<Box<str>>,
}

/// Reads the whole body of a response that was not streamed. A body that can't be read tells nothing.
pub fn read_json(endpoint: Endpoint, body: &[u8]) -> Reported {
    let (mut model, mut usage) = (&b"null"[..], &b"null"[..]);
    let whole = members::each(body, |name, value| match name {
        b"model" => model = value,
        b"usage" => usage = value,
        _ => {}
    });
    let mut reported = Reported::default();
    if whole.is_some()
        && let Ok(model) = serde_json::from_slice(model)
        && let Ok(usage) = serde_json::from_slice(usage)
    {
        let answer = usage::Answer {
            model,
            usage,
            ..usage::Answer::default()
        };
        reported.take(endpoint, answer);
    }
    reported
}

impl Reported {
    fn take(&mut self, endpoint: Endpoint, answer: usage::Answer<'_>) {
        let usage::Answer { usage, model, .. } = answer;
        if let Some(usage) = usage {
            usage.add_to(&mut self.usage, endpoint);
        }
        if self.model.is_none() {
            self.model = model.map(Cow::into_owned).map(String::into_boxed_str);
        }
    }
}
