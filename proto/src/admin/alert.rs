//! Alerts, as the log has them.

use turnpike_access::{
    alert::Alert,
    log::{Origin, Position},
};

use super::v1;

impl v1::Alert {
    /// What is shown of an alert that was recorded there and then.
    pub fn at(alert: &Alert, position: Position, origin: &Origin) -> Self {
        let Alert {
            id,
            kind,
            credential,
            summary,
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
        }
    }
}
