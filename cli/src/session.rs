//! One command's run: the way to the control plane, where results go, and how long to wait.

use std::time::Duration;

use serde::Serialize;
use turnpike_proto::admin::v1::{self as wire, Page, Receipt, WriteOptions};

use crate::{
    connect::Service,
    failure::Failure,
    output::{Printer, View, Written},
};

/// How long a write waits for the edges when nobody asked it to, in milliseconds: long enough that what a script
/// does next finds the change in force, and no reason to fail.
const COURTESY_MS: u32 = 300;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All that was asked for is done.
    Done,
    /// It was answered, and the answer is no, or not yet. What is printed says which.
    Refused,
    /// Nothing was asked for but to look, and there is something to do.
    Pending,
}

impl From<bool> for Outcome {
    fn from(done: bool) -> Self {
        if done { Self::Done } else { Self::Refused }
    }
}

/// What every command has at hand.
pub struct Session {
    service: Service,
    /// Where results go.
    pub printer: Printer,
    timeout: Duration,
}

/// Whether a write waits for the edges.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Wait {
    /// Return only when every edge has applied the change; exit 1 if one has not within --timeout
    #[arg(long)]
    pub wait: bool,
}

impl Session {
    /// A session over an open channel. `timeout` bounds the wait for the edges.
    pub fn new(service: Service, printer: Printer, timeout: Duration) -> Self {
        Self {
            service,
            printer,
            timeout,
        }
    }

    /// The channel, for a client of one of the services.
    pub fn service(&self) -> Service {
        self.service.clone()
    }

    /// The longest wait for the edges, in milliseconds.
    pub fn deadline_ms(&self) -> u32 {
        u32::try_from(self.timeout.as_millis()).unwrap_or(u32::MAX)
    }

    /// What a write asks for.
    pub fn options(&self, wait: Wait) -> Option<WriteOptions> {
        let deadline_ms = if wait.wait {
            self.deadline_ms()
        } else {
            COURTESY_MS
        };
        Some(WriteOptions {
            wait: wire::Wait::Applied.into(),
            deadline_ms,
            keep_receipt: wait.wait,
        })
    }

    /// Shows one thing.
    pub fn show<V: Serialize, W: Into<V>>(&self, thing: Option<W>) -> Result<Outcome, Failure> {
        self.printer.one(&present(thing)?.into())?;
        Ok(Outcome::Done)
    }

    /// Shows many things.
    pub fn list<V: View, W: Into<V>>(&self, things: Vec<W>) -> Result<Outcome, Failure> {
        let views: Vec<V> = things.into_iter().map(Into::into).collect();
        self.printer.list(&views)?;
        Ok(Outcome::Done)
    }

    /// Shows a thing that was made or changed.
    pub fn wrote<V: Serialize>(
        &self,
        noun: &'static str,
        view: &V,
        receipt: Option<Receipt>,
        wait: Wait,
    ) -> Result<Outcome, Failure> {
        let written = Written {
            noun,
            view: Some(view),
            key: None,
            receipt,
            waited: wait.wait,
        };
        self.printer.written(&written).map(Outcome::from)
    }

    /// Shows a thing with the key that was made with it; the key is not shown again.
    pub fn wrote_key<V: Serialize>(
        &self,
        noun: &'static str,
        view: &V,
        key: &str,
        receipt: Option<Receipt>,
        wait: Wait,
    ) -> Result<Outcome, Failure> {
        let key = Some(key).filter(|key| !key.is_empty());
        let written = Written {
            noun,
            view: Some(view),
            key,
            receipt,
            waited: wait.wait,
        };
        self.printer.written(&written).map(Outcome::from)
    }

    /// Shows that something is gone.
    pub fn deleted(&self, receipt: Receipt, wait: Wait) -> Result<Outcome, Failure> {
        let written = Written::<()> {
            noun: "",
            view: None,
            key: None,
            receipt: Some(receipt),
            waited: wait.wait,
        };
        self.printer.written(&written).map(Outcome::from)
    }
}

/// The part of an answer that the protocol promises and protobuf cannot.
pub fn present<T>(part: Option<T>) -> Result<T, Failure> {
    part.ok_or_else(|| {
        Failure::local("the control plane's answer lacks its main part; is it of the same version?")
    })
}

/// Fetches a list part by part until it ends, or `limit` is reached.
pub async fn fetch_all<T>(
    limit: Option<u32>,
    mut fetch: impl AsyncFnMut(Page) -> Result<(Vec<T>, String), tonic::Status>,
) -> Result<Vec<T>, Failure> {
    const PART: u32 = 1000;
    let limit = limit.unwrap_or(u32::MAX);
    let mut found: Vec<T> = Vec::new();
    let mut after = String::new();
    loop {
        let missing = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
        if missing == 0 {
            return Ok(found);
        }
        let (part, next) = fetch(Page {
            size: missing.min(PART),
            after,
        })
        .await?;
        found.extend(part);
        if next.is_empty() {
            return Ok(found);
        }
        after = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn numbers(limit: Option<u32>) -> (Vec<u32>, Vec<u32>) {
        let mut sizes = Vec::new();
        let found = fetch_all(limit, async |page: Page| {
            sizes.push(page.size);
            let from: u32 = page.after.parse().unwrap_or(0);
            let to = (from + page.size).min(2_500);
            let next = if to == 2_500 {
                String::new()
            } else {
                to.to_string()
            };
            Ok(((from..to).collect(), next))
        })
        .await
        .unwrap();
        (found, sizes)
    }

    #[tokio::test]
    async fn a_long_list_is_fetched_to_its_end() {
        let (found, sizes) = numbers(None).await;
        assert_eq!((found.len(), sizes), (2_500, vec![1000, 1000, 1000]));
    }

    #[tokio::test]
    async fn a_limit_asks_for_no_more_than_is_missing() {
        let (found, sizes) = numbers(Some(1_200)).await;
        assert_eq!((found.len(), sizes), (1_200, vec![1000, 200]));
    }
}
