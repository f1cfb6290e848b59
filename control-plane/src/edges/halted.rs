//! Raises an alert at once when an edge stands still before an event that it does not know: it serves on by what it has, and
//! what is revoked from then on is not revoked there. That it is over is found by [`crate::anomaly`].

use std::{collections::BTreeMap, sync::Arc};

use tokio_util::sync::CancellationToken;
use turnpike_access::{alert::Alert, command::Command, id::Name};
use turnpike_runtime::random;

use super::Edges;
use crate::{
    execute::{Authority, ExecuteError, Executor},
    store::EdgeReport,
};

/// The kind of the alert.
const HALTED: &str = "edge_halted";

/// Of which edges' runs it was told, and why they stood still.
type Told = BTreeMap<String, (u64, String)>;

impl Edges {
    /// Raises alerts in the operators' tenant until `stop`, for edges that are attached to this control plane. What could
    /// not be raised is raised with the next report of any edge.
    pub(crate) async fn watch_halted(self, executor: Executor, stop: CancellationToken) {
        let mut news = self.0.roster.subscribe();
        let mut told = Told::new();
        loop {
            let halted = news.borrow_and_update().halted();
            told.retain(|edge, _| halted.iter().any(|report| report.name == *edge));
            for report in halted {
                let why = report.halted.clone().unwrap_or_default();
                let now = (report.epoch, why);
                if told.get(&report.name) == Some(&now) {
                    continue;
                }
                match raise(&executor, &report).await {
                    Ok(()) => drop(told.insert(report.name, now)),
                    Err(error) => {
                        tracing::warn!(%error, edge = %report.name, "could not raise an alert about an edge")
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = news.changed() => if changed.is_err() { return },
            }
        }
    }
}

async fn raise(executor: &Executor, report: &EdgeReport) -> Result<(), ExecuteError> {
    let why = report.halted.as_deref().unwrap_or_default();
    tracing::error!(edge = %report.name, why, "an edge stands still");
    let position = report.position.to_string();
    let evidence = [
        ("edge", report.name.as_str()),
        ("region", &report.region),
        ("version", &report.version),
        ("position", &position),
        ("why", why),
    ];
    let alert = Alert {
        id: random::id(),
        kind: Arc::from(HALTED),
        subject: Some(Arc::from(report.name.as_str())),
        credential: None,
        count: None,
        audit: Vec::new(),
        summary: Arc::from(format!(
            "Edge {} stands still at position {}: it serves by the state of then. Upgrade it.",
            report.name, report.position
        )),
        evidence: evidence
            .into_iter()
            .map(|(key, value)| (Arc::from(key), Arc::from(value)))
            .collect(),
    };
    let correlation = Arc::from(random::id().as_str());
    let commands = vec![Command::RaiseAlert(alert)];
    executor
        .execute(
            Authority::System("edges"),
            Name::platform(),
            correlation,
            commands,
        )
        .await
        .map(drop)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's runtime ends with the test")]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;
    use turnpike_access::{event::Event, log::Position};

    use super::*;
    use crate::fixture::Core;

    /// Far longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(30);

    async fn raised(core: &Core) -> Vec<Alert> {
        let events = core.store.read(Position::ZERO, 1000).await.unwrap();
        let decode = |kind: &str, version, payload: &str| Event::decode(kind, version, payload).ok();
        let alerts =
            events
                .iter()
                .filter_map(|event| match decode(&event.kind, event.version, &event.payload) {
                    Some(Event::AlertRaised(alert)) => Some(alert),
                    _ => None,
                });
        alerts.collect()
    }

    #[tokio::test]
    async fn an_edge_that_stands_still_raises_one_alert_whatever_the_reason_becomes() {
        let folder = tempfile::tempdir().unwrap();
        let core = Core::in_folder(folder.path()).await;
        core.bootstrap().await;
        let edges = Edges::new(core.store.clone(), core.projection.clone());
        let stop = CancellationToken::new();
        tokio::spawn(edges.clone().watch_halted(core.executor.clone(), stop.clone()));
        let mut heads = core.projection.heads();
        let report = |why: Option<&str>, position| EdgeReport {
            halted: why.map(str::to_owned),
            ..super::super::tests::report("old", position)
        };
        let mut until = async |count: usize| {
            while raised(&core).await.len() < count {
                timeout(PATIENCE, heads.changed()).await.unwrap().unwrap();
            }
        };
        edges.report(report(None, 3));
        edges.report(report(Some("an event of type x"), 3));
        until(1).await;
        edges.report(report(Some("an event of type x"), 4));
        edges.report(report(Some("an event of type y"), 4));
        edges.report(super::super::tests::report("old", 5));
        edges.report(EdgeReport {
            name: "other".to_owned(),
            ..report(Some("an event of type x"), 3)
        });
        until(2).await;
        let alerts = raised(&core).await;
        assert_eq!(alerts.len(), 2, "{alerts:?}");
        assert_eq!(&*alerts[0].kind, HALTED);
        assert_eq!(alerts[0].evidence["why"].as_ref(), "an event of type x");
        assert_eq!(alerts[1].subject.as_deref(), Some("other"));
        stop.cancel();
    }
}
