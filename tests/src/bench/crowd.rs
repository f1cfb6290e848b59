//! Very many edges in one process: of each the part that attaches to a control plane and follows it, as the edge itself has it, and
//! nothing that serves.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use turnpike_access::{edge::Duty, log::Position};
use turnpike_edge::{
    connect::{self, EdgeToken},
    current::Current,
    sync::{Identity, Sync},
};
use turnpike_runtime::{
    identity::EdgeSigner, keyring::Keyring, readiness::Readiness, secret::Secret, shutdown::Shutdown,
    task::Tasks,
};

use crate::eventually::eventually;

/// Which run of theirs this is.
const RUN: u64 = 1;

/// The edges. They end with this.
pub struct Crowd {
    edges: Vec<Arc<Current>>,
    tasks: Tasks,
    done: CancellationToken,
}

impl Crowd {
    /// So many, which call a control plane there.
    pub fn call(count: usize, control_plane: SocketAddr, keyring: &str) -> Self {
        let keyring = Keyring::parse(&Secret::new(keyring)).expect("a keyring");
        let (tasks, done) = (Tasks::new(Shutdown::new()), CancellationToken::new());
        let readiness = Readiness::new();
        let keys = tempfile::tempdir().expect("a folder");
        let uri: http::Uri = format!("http://{control_plane}").parse().expect("a URL");
        let edge = |number| {
            let current = Arc::new(Current::default());
            let name: Arc<str> = Arc::from(format!("crowd-{number}"));
            let own = keys.path().join(&*name);
            std::fs::create_dir(&own).expect("a folder");
            let signer = EdgeSigner::keep(&own, name.clone()).expect("a key");
            let token = EdgeToken::of(Some(&keyring));
            let sync = Sync {
                channel: connect::channel(&uri.clone().into(), None, token).expect("a channel"),
                control_plane: uri.to_string(),
                bus: None,
                on_bus: None,
                identity: Identity {
                    edge: name,
                    region: Arc::from("crowd"),
                    version: Arc::from("0"),
                    epoch: RUN,
                    key: Arc::from(signer.public_key()),
                    proof: Arc::from(signer.proof(RUN)),
                    signer: Some(Arc::new(signer)),
                },
                current: current.clone(),
                on_disk: None,
                duty: Arc::new(tokio::sync::watch::Sender::new(Duty::Serve)),
                condition: readiness.condition("snapshot", "starting"),
            };
            sync.start(&tasks, &done);
            current
        };
        let edges = (0..count).map(edge).collect();
        Self { edges, tasks, done }
    }

    /// Waits until a control plane has confirmed to every one of them, since this moment, that it is at this position.
    pub async fn all_at(&self, position: Position, since: Instant) {
        eventually("every edge of the crowd at the head", async || {
            match self.behind(position, since) {
                0 => Ok(()),
                behind => Err(format!("{behind} of {} are not", self.edges.len())),
            }
        })
        .await;
    }

    /// How long it takes until that is so, however long.
    pub async fn time_until_all_at(&self, position: Position, since: Instant) -> Duration {
        while self.behind(position, since) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        since.elapsed()
    }

    fn behind(&self, position: Position, since: Instant) -> usize {
        let is_behind = |edge: &&Arc<Current>| {
            let heard = edge.freshness().age().is_some_and(|age| age < since.elapsed());
            !heard || edge.position() < Some(position)
        };
        self.edges.iter().filter(is_behind).count()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.tasks.shutdown().trigger("the crowd has gone home");
        self.done.cancel();
    }
}
