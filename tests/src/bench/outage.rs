//! Requests at an edge while control plane, Postgres and NATS are all gone: for the whole of the load, from before its
//! first request to after its last.

use std::time::Duration;

use super::{
    line::{Flow, Flowed, Question},
    revoking::{self, make_keys},
};
use crate::{process, production::Production};

const MODEL: &str = "fake-openai/gpt-4o";

/// Takes all of it away, and asks every edge for so long, so many times a second, with a key that is good, one that is
/// revoked, one that is nobody's, and one that may not use the model.
pub async fn all_down(mut production: Production, rate: u32, lasting: Duration) -> Flowed {
    let good = production.granted("good").await;
    let idle = production.application("idle").await;
    production.granted("measured").await;
    let client = revoking::client(&production).await;
    let (mut made, _, _) = make_keys(&client, 1, 1).await;
    let revoked = made.pop().expect("a key");
    let revoke = ["credential", "revoke", &revoked.id, "--wait"];
    production.admin.json(&revoke).await;
    let nobodys = revoked.text.replace("tp_va_", "tp_pat_");
    let edges: Vec<_> = production.edges.iter().map(|edge| edge.data).collect();
    production.control_plane.kill().await;
    production.nats.kill().await;
    if let Ok(postgres) = std::env::var("TURNPIKE_BENCH_POSTGRES_PID") {
        let stop = process::command("kill").args(["-s", "QUIT", &postgres]).status();
        assert!(stop.await.expect("kill").success(), "Postgres is not stopped");
    }
    let questions = [
        (Question::chat(&good.text, MODEL), 200),
        (Question::chat(&revoked.text, MODEL), 401),
        (Question::models(&good.text), 200),
        (Question::chat(&idle.text, MODEL), 403),
        (Question::chat(&nobodys, MODEL), 401),
    ];
    let flow = Flow::begin(&edges, &questions, rate).await;
    tokio::time::sleep(lasting).await;
    flow.end().await
}
