//! The event log: a tenant's own events, and whether the whole chain holds.

use tonic::{Request, Response};
use turnpike_access::{
    id::Name,
    log::{Head, Position, Recorded},
};
use turnpike_proto::admin::v1;

use super::{Administration, Answer};
use crate::{rpc::status::Failure, store::StoreError};

/// Events read at a time.
const READ_LIMIT: u32 = 1000;
/// One answer looks at so many events at most, so that a quiet tenant's list does not read a busy log whole.
const LOOKED_AT: u64 = 20_000;

#[tonic::async_trait]
impl v1::log_service_server::LogService for Administration {
    async fn list(&self, request: Request<v1::ListLogRequest>) -> Answer<v1::ListLogResponse> {
        let (call, message) = self.admit(request).await?;
        call.may("")?;
        let size = usize::try_from(message.size().map_err(Failure::from)?).unwrap_or(usize::MAX);
        let v1::ListLogRequest { after, size: _ } = message;
        let (found, next) = self
            .events_of(&call.identity.own, Position::new(after), size)
            .await
            .map_err(Failure::from)?;
        Ok(Response::new(v1::ListLogResponse {
            entries: found.iter().map(v1::LogEntry::from).collect(),
            next: next.get(),
        }))
    }

    async fn verify(&self, request: Request<v1::VerifyLogRequest>) -> Answer<v1::VerifyLogResponse> {
        let (call, v1::VerifyLogRequest {}) = self.admit(request).await?;
        call.may("")?;
        let _alone = self.verifying.try_acquire().map_err(|_| Failure::Busy)?;
        let known = self.executor.snapshot().head();
        Ok(Response::new(self.verified(known).await.map_err(Failure::from)?))
    }
}

impl Administration {
    /// Events of one tenant after a position, and where to go on; zero at the end of the log.
    async fn events_of(
        &self,
        tenant: &Name,
        after: Position,
        size: usize,
    ) -> Result<(Vec<Recorded>, Position), StoreError> {
        let mut found = Vec::new();
        let mut at = after;
        while at.get().saturating_sub(after.get()) < LOOKED_AT {
            let events = self.events.read(at, READ_LIMIT).await?;
            if events.is_empty() {
                return Ok((found, Position::ZERO));
            }
            for event in events {
                at = event.position;
                if event.origin.tenant == *tenant {
                    found.push(event);
                }
                if found.len() >= size {
                    return Ok((found, at));
                }
            }
        }
        Ok((found, at))
    }

    /// Checks every link from the first event on, and that the log still holds what this process knows.
    async fn verified(&self, known: Head) -> Result<v1::VerifyLogResponse, StoreError> {
        let mut head = Head::default();
        let mut problem = String::new();
        'log: loop {
            let events = self.events.read(head.position, READ_LIMIT).await?;
            if events.is_empty() {
                break;
            }
            for event in &events {
                if let Err(broken) = event.follows(head) {
                    problem = broken.to_string();
                    break 'log;
                }
                head = event.head();
                if head.position == known.position && head.hash != known.hash {
                    problem = format!(
                        "the event at position {} is not the one that was committed",
                        known.position
                    );
                    break 'log;
                }
            }
        }
        if problem.is_empty() && head.position < known.position {
            problem = format!(
                "the log ends at position {}, but {} was committed",
                head.position, known.position
            );
        }
        Ok(v1::VerifyLogResponse {
            intact: problem.is_empty(),
            events: head.position.get(),
            hash: head.hash.to_string(),
            problem,
        })
    }
}
