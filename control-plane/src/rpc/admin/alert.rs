//! A tenant's alerts, as the event log has them, newest first.

use tonic::{Request, Response};
use turnpike_access::{
    event::Event,
    id::Name,
    log::{Position, Recorded},
};
use turnpike_proto::{
    ConversionError,
    admin::{Page, v1},
};

use super::{Administration, Answer, call::read};
use crate::{rpc::status::Failure, store::StoreError};

/// Events read at a time.
const READ: u64 = 1000;
/// One answer looks at so many events at most, so that a quiet tenant's list does not read a busy log whole.
const LOOKED_AT: u64 = 20_000;
/// What the log calls an alert.
const RAISED: &str = "alert.raised";

#[tonic::async_trait]
impl v1::alert_service_server::AlertService for Administration {
    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListAlertsResponse> {
        let (call, message) = self.admit(request).await?;
        call.may("")?;
        let page: Page = read(message)?;
        let before = match page.after.as_str() {
            "" => self.executor.snapshot().position().get().saturating_add(1),
            text => text
                .parse()
                .map_err(|_| ConversionError::new("after", "is not what a list named as next"))
                .map_err(Failure::from)?,
        };
        let size = usize::try_from(page.size).unwrap_or(usize::MAX);
        let (alerts, next) = self
            .alerts_of(&call.identity.own, before, size)
            .await
            .map_err(Failure::from)?;
        let next = next.map(|next| next.to_string()).unwrap_or_default();
        Ok(Response::new(v1::ListAlertsResponse { alerts, next }))
    }
}

impl Administration {
    /// Alerts of one tenant before a position, and before which one to go on; nowhere at the log's beginning.
    async fn alerts_of(
        &self,
        tenant: &Name,
        before: u64,
        size: usize,
    ) -> Result<(Vec<v1::Alert>, Option<u64>), StoreError> {
        let (mut found, mut at) = (Vec::new(), before);
        while at > 1 && before - at < LOOKED_AT {
            let start = at.saturating_sub(READ).max(1);
            let length = u32::try_from(at - start).unwrap_or(u32::MAX);
            let events = self.events.read(Position::new(start - 1), length).await?;
            for event in events.iter().rev().filter(|event| event.origin.tenant == *tenant) {
                found.extend(alert(event));
                if found.len() >= size {
                    let at = event.position.get();
                    return Ok((found, (at > 1).then_some(at)));
                }
            }
            at = start;
        }
        Ok((found, (at > 1).then_some(at)))
    }
}

fn alert(event: &Recorded) -> Option<v1::Alert> {
    if *event.kind != *RAISED {
        return None;
    }
    match Event::decode(&event.kind, event.version, &event.payload) {
        Ok(Event::AlertRaised(alert)) => Some(v1::Alert::at(&alert, event.position, &event.origin)),
        _ => None,
    }
}
