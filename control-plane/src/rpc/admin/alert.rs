//! A tenant's alerts, as the event log has them, newest first, and what people do about them.

mod rule;
mod sending;

use std::collections::BTreeMap;

use tonic::{Request, Response};
use turnpike_access::{
    alert::Alerts,
    command::Command,
    event::Event,
    id::{Id, Name, Timestamp},
    log::{Position, Recorded},
};
use turnpike_proto::{
    ConversionError,
    admin::{AlertChange, AlertSilence, ListAlerts, Page, v1},
};

use super::{
    Administration, Answer,
    call::{Call, Written, read},
};
use crate::{anomaly, rpc::status::Failure, store::StoreError};

/// Events read at a time.
const READ: u64 = 1000;
/// One answer looks at so many events at most, so that a quiet tenant's list does not read a busy log whole.
const LOOKED_AT: u64 = 20_000;
/// What the log calls what is about alerts.
const KINDS: [&str; 4] = [
    "alert.raised",
    "alert.acknowledged",
    "alert.silenced",
    "alert.resolved",
];

#[tonic::async_trait]
impl v1::alert_service_server::AlertService for Administration {
    async fn list(&self, request: Request<v1::ListAlertsRequest>) -> Answer<v1::ListAlertsResponse> {
        let (call, message) = self.admit(request).await?;
        call.may("")?;
        let ListAlerts { open, page } = read(message)?;
        let Page { size, after } = page;
        let before = match after.as_str() {
            "" => self.executor.snapshot().position().get().saturating_add(1),
            text => text
                .parse()
                .map_err(|_| ConversionError::new("after", "is not what a list named as next"))
                .map_err(Failure::from)?,
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let (alerts, next) = match open {
            true => call.open_alerts(before, size).await?,
            false => call.alerts(before, size).await?,
        };
        let next = next.map(|next| next.to_string()).unwrap_or_default();
        Ok(Response::new(v1::ListAlertsResponse { alerts, next }))
    }

    async fn get(&self, request: Request<v1::AlertRequest>) -> Answer<v1::AlertResponse> {
        let (call, v1::AlertRequest { id }) = self.admit(request).await?;
        call.may(&id)?;
        let id = id
            .parse()
            .map_err(|problem| ConversionError::new("id", problem))
            .map_err(Failure::from)?;
        Ok(Response::new(call.alert(id, None).await?))
    }

    async fn acknowledge(&self, request: Request<v1::ChangeAlertRequest>) -> Answer<v1::AlertResponse> {
        let (call, message) = self.admit(request).await?;
        let AlertChange { id, reason, write } = read(message)?;
        let command = Command::AcknowledgeAlert { id, note: reason };
        let written = call.write(vec![command], write).await?;
        Ok(Response::new(call.alert(id, Some(written)).await?))
    }

    async fn silence(&self, request: Request<v1::SilenceAlertRequest>) -> Answer<v1::AlertResponse> {
        let (call, message) = self.admit(request).await?;
        let AlertSilence { change, seconds } = read(message)?;
        let AlertChange { id, reason, write } = change;
        let until = call.now.plus_seconds(seconds.into());
        let command = Command::SilenceAlert { id, until, reason };
        let written = call.write(vec![command], write).await?;
        Ok(Response::new(call.alert(id, Some(written)).await?))
    }

    async fn resolve(&self, request: Request<v1::ChangeAlertRequest>) -> Answer<v1::AlertResponse> {
        let (call, message) = self.admit(request).await?;
        let AlertChange { id, reason, write } = read(message)?;
        let tenant = &call.identity.target;
        let noted = self.audit.anomalies(tenant).await.map_err(Failure::from)?;
        let held = call.target()?.alerts().find(id);
        let count = held.and_then(|held| anomaly::noted_of(&noted, held)?.count);
        let count = count.and_then(|count| u64::try_from(count).ok());
        let command = Command::ResolveAlert { id, count, reason };
        let written = call.write(vec![command], write).await?;
        Ok(Response::new(call.alert(id, Some(written)).await?))
    }

    async fn test(&self, request: Request<v1::TestAlertRequest>) -> Answer<v1::AlertResponse> {
        self.test_alert(request).await
    }

    async fn set_rule(&self, request: Request<v1::SetAlertRuleRequest>) -> Answer<v1::OwnAlertRuleResponse> {
        self.set_alert_rule(request).await
    }

    async fn list_rules(&self, request: Request<v1::Page>) -> Answer<v1::ListOwnAlertRulesResponse> {
        self.alert_rules(request).await
    }

    async fn delete_rule(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        self.delete_alert_rule(request).await
    }

    async fn test_rule(
        &self,
        request: Request<v1::TestAlertRuleRequest>,
    ) -> Answer<v1::TestAlertRuleResponse> {
        self.test_alert_rule(request).await
    }

    async fn set_destination(
        &self,
        request: Request<v1::SetAlertDestinationRequest>,
    ) -> Answer<v1::AlertDestinationResponse> {
        self.set_alert_destination(request).await
    }

    async fn list_destinations(
        &self,
        request: Request<v1::Page>,
    ) -> Answer<v1::ListAlertDestinationsResponse> {
        self.alert_destinations(request).await
    }

    async fn delete_destination(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        self.delete_alert_destination(request).await
    }

    async fn list_deliveries(
        &self,
        request: Request<v1::ListAlertDeliveriesRequest>,
    ) -> Answer<v1::ListAlertDeliveriesResponse> {
        self.alert_deliveries(request).await
    }

    async fn retry_deliveries(
        &self,
        request: Request<v1::RetryAlertDeliveriesRequest>,
    ) -> Answer<v1::RetryAlertDeliveriesResponse> {
        self.retry_alert_deliveries(request).await
    }
}

impl Call {
    /// Alerts before a position, and before which one to go on; nowhere at the log's beginning.
    async fn alerts(&self, before: u64, size: usize) -> Result<(Vec<v1::Alert>, Option<u64>), Failure> {
        let (mut found, mut at) = (Vec::new(), before);
        let mut since = Since::default();
        while at > 1 && before - at < LOOKED_AT {
            let start = at.saturating_sub(READ).max(1);
            let length = u32::try_from(at - start).unwrap_or(u32::MAX);
            let events = self.on.events.read(Position::new(start - 1), length).await?;
            let own = |event: &&Recorded| event.origin.tenant == self.identity.own;
            for event in events.iter().rev().filter(own) {
                found.extend(self.alert_of(event, &mut since));
                if found.len() >= size {
                    let at = event.position.get();
                    return Ok((found, (at > 1).then_some(at)));
                }
            }
            at = start;
        }
        Ok((found, (at > 1).then_some(at)))
    }

    /// The open ones alone, as the state has them.
    async fn open_alerts(&self, before: u64, size: usize) -> Result<(Vec<v1::Alert>, Option<u64>), Failure> {
        let held = &self.target()?.alerts().open;
        let noted = self.on.audit.anomalies(&self.identity.own).await?;
        let mut found = Vec::new();
        for one in held.iter().rev().filter(|one| one.position < before) {
            let recorded = self
                .on
                .events
                .read(Position::new(one.position.saturating_sub(1)), 1)
                .await?;
            let told = recorded
                .first()
                .and_then(|event| self.alert_of(event, &mut Since::default()));
            let count = anomaly::noted_of(&noted, one).and_then(|noted| noted.count);
            let count = count.and_then(|count| u64::try_from(count).ok());
            found.extend(told.map(|alert| v1::Alert {
                count: count.or(alert.count),
                ..alert
            }));
            if found.len() >= size {
                return Ok((found, Some(one.position)));
            }
        }
        Ok((found, None))
    }

    /// An event that raised an alert, with what became of that. What else is about alerts is remembered for those before.
    fn alert_of(&self, recorded: &Recorded, since: &mut Since) -> Option<v1::Alert> {
        let alerts = self.snapshot.tenant(self.identity.own.as_str())?.alerts();
        told(alerts, recorded, since, self.now)
    }

    /// One alert with all that is known of it, after a change where there was one.
    async fn alert(&self, id: Id, written: Option<Written>) -> Result<v1::AlertResponse, Failure> {
        let snapshot = match &written {
            Some(written) => &written.snapshot,
            None => &self.snapshot,
        };
        let own = &self.identity.target;
        let alerts = snapshot
            .tenant(own.as_str())
            .map(|tenant| tenant.alerts().clone())
            .unwrap_or_default();
        let held = alerts.find(id);
        let after = Position::new(held.map_or(0, |held| held.position.saturating_sub(1)));
        let mut since = Since::default();
        let mut raised = None;
        for event in self.about_alerts(own, after).await?.iter().rev() {
            raised =
                raised.or(told(&alerts, event, &mut since, self.now).filter(|alert| alert.id == id.as_str()));
        }
        let mut alert = raised.ok_or_else(|| Failure::not_found("alert", id))?;
        if let Some(held) = held {
            let noted = self.on.audit.anomalies(own).await?;
            let count = anomaly::noted_of(&noted, held).and_then(|noted| noted.count);
            alert.count = count.and_then(|count| u64::try_from(count).ok()).or(alert.count);
        }
        Ok(v1::AlertResponse {
            alert: Some(alert),
            receipt: written.map(Written::into_receipt),
        })
    }

    async fn about_alerts(&self, tenant: &Name, mut after: Position) -> Result<Vec<Recorded>, StoreError> {
        let length = u32::try_from(READ).unwrap_or(u32::MAX);
        let mut all = Vec::new();
        loop {
            let part = self.on.events.of_kinds(tenant, &KINDS, after, length).await?;
            let Some(last) = part.last() else { return Ok(all) };
            after = last.position;
            all.extend(part);
        }
    }
}

/// What came after: who has seen an alert, and how it ended.
#[derive(Default)]
struct Since {
    acknowledged: BTreeMap<Id, (String, Timestamp)>,
    resolved: BTreeMap<Id, (String, Timestamp, String, Option<u64>)>,
}

fn told(alerts: &Alerts, recorded: &Recorded, since: &mut Since, now: Timestamp) -> Option<v1::Alert> {
    if !KINDS.contains(&recorded.kind.as_ref()) {
        return None;
    }
    let event = Event::decode(&recorded.kind, recorded.version, &recorded.payload).ok()?;
    let (by, time) = (recorded.origin.actor.to_string(), recorded.origin.time);
    let alert = match event {
        Event::AlertRaised(alert) => alert,
        Event::AlertAcknowledged { id, note: _ } => {
            since.acknowledged.insert(id, (by, time));
            return None;
        }
        Event::AlertResolved {
            id,
            position: _,
            count,
            reason,
        } => {
            since.resolved.insert(id, (by, time, reason.to_string(), count));
            return None;
        }
        _ => return None,
    };
    let shown = v1::Alert::at(&alert, recorded.position, &recorded.origin);
    let silenced = alerts.silenced(&alert.kind, alert.subject.as_deref(), now);
    if let Some(held) = alerts.find(alert.id) {
        return Some(shown.held(held, silenced));
    }
    let shown = match since.acknowledged.get(&alert.id) {
        Some((by, time)) => shown.acknowledged(by, *time),
        None => shown,
    };
    Some(match since.resolved.get(&alert.id) {
        Some((by, time, reason, count)) => shown.resolved(by, *time, reason, *count),
        None => shown,
    })
}
