//! Alerts, as the log has them, and what became of them.

mod destination;
mod rule;

use std::sync::Arc;

use turnpike_access::{
    alert::{Alert, HeldAlert},
    id::{Id, Timestamp},
    log::{Origin, Position},
};

use super::{Page, Write, v1};
use crate::{
    ConversionError,
    field::{micros, parse, text},
};

pub use destination::NewDestination;
pub use rule::{NewOwnRule, RuleTest};

/// Which alerts to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListAlerts {
    /// Those alone that are not resolved.
    pub open: bool,
    /// Which part.
    pub page: Page,
}

impl TryFrom<v1::ListAlertsRequest> for ListAlerts {
    type Error = ConversionError;

    fn try_from(request: v1::ListAlertsRequest) -> Result<Self, ConversionError> {
        let v1::ListAlertsRequest { page, open } = request;
        Ok(Self {
            open,
            page: page.try_into()?,
        })
    }
}

/// An alert is acknowledged, or resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertChange {
    /// Which.
    pub id: Id,
    /// Why, for those who read the log.
    pub reason: Arc<str>,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::ChangeAlertRequest> for AlertChange {
    type Error = ConversionError;

    fn try_from(request: v1::ChangeAlertRequest) -> Result<Self, ConversionError> {
        let v1::ChangeAlertRequest { id, reason, options } = request;
        Ok(Self {
            id: parse("id", &id)?,
            reason: reason.into(),
            write: options.try_into()?,
        })
    }
}

/// What is like an alert is sent to nobody for some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertSilence {
    /// Which alert.
    pub change: AlertChange,
    /// For how long; 0 ends a silence.
    pub seconds: u32,
}

impl TryFrom<v1::SilenceAlertRequest> for AlertSilence {
    type Error = ConversionError;

    fn try_from(request: v1::SilenceAlertRequest) -> Result<Self, ConversionError> {
        let v1::SilenceAlertRequest {
            id,
            seconds,
            reason,
            options,
        } = request;
        let change = v1::ChangeAlertRequest { id, reason, options };
        Ok(Self {
            change: change.try_into()?,
            seconds,
        })
    }
}

impl v1::Alert {
    /// What is shown of an alert that was recorded there and then, as if it were resolved.
    pub fn at(alert: &Alert, position: Position, origin: &Origin) -> Self {
        let Alert {
            id,
            kind,
            subject,
            credential,
            summary,
            count,
            audit,
            evidence,
        } = alert;
        let Origin {
            time,
            tenant: _,
            actor: _,
            correlation: _,
        } = origin;
        let pairs = evidence.iter();
        Self {
            id: id.to_string(),
            position: position.get(),
            time_us: time.as_micros(),
            kind: kind.to_string(),
            credential: credential.map(|id| id.to_string()).unwrap_or_default(),
            summary: summary.to_string(),
            evidence: pairs
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .collect(),
            subject: text(subject.as_ref()),
            count: *count,
            audit: audit.iter().map(|id| id.to_string()).collect(),
            status: "resolved".to_owned(),
            ..Self::default()
        }
    }

    /// As it is while it is open.
    pub fn held(self, held: &HeldAlert, silenced: Option<Timestamp>) -> Self {
        let HeldAlert {
            id: _,
            position: _,
            kind: _,
            subject: _,
            raised: _,
            acknowledged,
        } = held;
        let status = match acknowledged {
            Some(_) => "acknowledged",
            None => "open",
        };
        Self {
            status: status.to_owned(),
            silenced_until_us: micros(silenced),
            ..match acknowledged {
                Some((by, time)) => self.acknowledged(by, *time),
                None => self,
            }
        }
    }

    /// Who has seen it.
    pub fn acknowledged(self, by: &str, time: Timestamp) -> Self {
        Self {
            acknowledged_by: by.to_owned(),
            acknowledged_us: Some(time.as_micros()),
            ..self
        }
    }

    /// How it ended.
    pub fn resolved(self, by: &str, time: Timestamp, reason: &str, count: Option<u64>) -> Self {
        Self {
            resolved_by: by.to_owned(),
            resolved_us: Some(time.as_micros()),
            resolution: reason.to_owned(),
            count: count.or(self.count),
            ..self
        }
    }
}
