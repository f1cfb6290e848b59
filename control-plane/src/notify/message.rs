//! What is told of an alert, whoever is told.

use std::sync::Arc;

use serde_json::{Value, json};
use turnpike_access::{
    alert::Alert,
    id::{Name, Timestamp},
    log::{Position, Recorded},
};

/// An alert that began or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) tenant: Name,
    /// Of the event that it tells of; with the tenant the message's id.
    pub(super) position: Position,
    pub(super) time: Timestamp,
    pub(super) alert: Alert,
    /// When it was raised.
    pub(super) raised: Timestamp,
    /// How it ended, where it did.
    pub(super) end: Option<End>,
}

/// The end of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) by: Arc<str>,
    pub(super) reason: Arc<str>,
    pub(super) count: Option<u64>,
}

impl Message {
    pub(super) fn raised(alert: Alert, event: &Recorded) -> Self {
        Self {
            tenant: event.origin.tenant.clone(),
            position: event.position,
            time: event.origin.time,
            raised: event.origin.time,
            alert,
            end: None,
        }
    }

    pub(super) fn resolved(self, event: &Recorded, count: Option<u64>, reason: Arc<str>) -> Self {
        Self {
            position: event.position,
            time: event.origin.time,
            end: Some(End {
                by: event.origin.actor.clone(),
                reason,
                count,
            }),
            ..self
        }
    }

    /// The same however often it is sent, and wherever.
    pub(super) fn id(&self) -> String {
        format!("{}.{}", self.tenant, self.position)
    }

    /// `alert.raised` or `alert.resolved`.
    pub(super) fn kind(&self) -> &'static str {
        match self.end {
            None => "alert.raised",
            Some(_) => "alert.resolved",
        }
    }

    /// A line for people.
    pub(super) fn title(&self) -> String {
        match self.end {
            None => format!("[{}] {}", self.tenant, self.alert.kind),
            Some(_) => format!("[{}] over: {}", self.tenant, self.alert.kind),
        }
    }

    /// What to look at, for people.
    pub(super) fn facts(&self) -> Vec<(String, String)> {
        let alert = &self.alert;
        let count = self.end.as_ref().and_then(|end| end.count).or(alert.count);
        let end = self.end.as_ref().map(|end| match end.reason.is_empty() {
            true => format!("by {}", end.by),
            false => format!("by {}: {}", end.by, end.reason),
        });
        let known = [
            ("alert", Some(alert.id.to_string())),
            ("subject", alert.subject.as_deref().map(str::to_owned)),
            ("count", count.map(|count| count.to_string())),
            ("resolved", end),
            (
                "audit",
                Some(alert.audit.join(", ")).filter(|ids| !ids.is_empty()),
            ),
        ];
        let known = known
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let evidence = alert
            .evidence
            .iter()
            .filter(|(name, _)| name.as_ref() != "subject");
        known
            .chain(evidence.map(|(name, value)| (name.to_string(), value.to_string())))
            .collect()
    }

    /// All of it, for programs.
    pub(super) fn json(&self) -> Value {
        let Alert {
            id,
            kind,
            subject,
            credential,
            summary,
            count,
            audit,
            evidence,
        } = &self.alert;
        let end = self.end.as_ref().map(|end| {
            let End { by, reason, count } = end;
            json!({"by": by, "reason": reason, "count": count, "time_us": self.time.as_micros()})
        });
        json!({
            "type": self.kind(),
            "tenant": self.tenant,
            "position": self.position.get(),
            "alert": {
                "id": id,
                "kind": kind,
                "subject": subject,
                "credential": credential,
                "summary": summary,
                "count": count,
                "audit": audit,
                "evidence": evidence,
                "raised_us": self.raised.as_micros(),
            },
            "resolved": end,
        })
    }
}
