//! `kill -9` under load: every response that a client has received has exactly one audit row afterwards.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use tokio::task::JoinSet;
use turnpike_tests::{
    caller::{Answer, Caller, chat, streamed},
    eventually::eventually,
    ground::Key,
    production::Production,
};

mod rounds;

const PATH: &str = "/v1/chat/completions";
const CALLERS: usize = 6;
/// Responses that must have come in each phase before something is killed.
const ENOUGH: usize = 60;

/// Clients that go on calling, whatever happens, and remember what they got.
struct Load {
    received: Arc<Mutex<Vec<String>>>,
    done: Arc<AtomicBool>,
    callers: JoinSet<()>,
}

impl Load {
    fn on(production: &Production, key: &Key) -> Self {
        let mut load = Self {
            received: Arc::default(),
            done: Arc::default(),
            callers: JoinSet::new(),
        };
        for (index, caller) in production
            .callers(key)
            .into_iter()
            .cycle()
            .take(CALLERS)
            .enumerate()
        {
            load.callers.spawn(call_on(
                caller,
                index % 3,
                load.received.clone(),
                load.done.clone(),
            ));
        }
        load
    }

    fn received(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// Waits for a good number of further responses.
    async fn go_on(&self) {
        let wanted = self.received() + ENOUGH;
        eventually("further responses", async || match self.received() {
            count if count < wanted => Err(count),
            _ => Ok(()),
        })
        .await;
    }

    async fn end(mut self) -> Vec<String> {
        self.done.store(true, SeqCst);
        while let Some(ended) = self.callers.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

async fn call_on(caller: Caller, kind: usize, received: Arc<Mutex<Vec<String>>>, done: Arc<AtomicBool>) {
    let model = "fake-openai/gpt-4o";
    let body = [chat(model), streamed(model), chat("nobody/nothing")][kind].clone();
    while !done.load(SeqCst) {
        match Answer::whole(caller.post(PATH, &body)).await {
            Ok(answer) => received.lock().unwrap().push(answer.request_id().to_owned()),
            // Its edge is dead; another will be in its place, elsewhere.
            Err(_) => return,
        }
    }
}

async fn every_response_has_one_row(production: &Production, received: &[String]) {
    let rows = production.audited_all(received.iter().map(String::as_str)).await;
    assert_eq!(rows.len(), received.len(), "a response without its row");
    let twice = "select count(*) - count(distinct request_id) from turnpike.audit";
    assert_eq!(
        production.database.number(twice).await,
        0,
        "a request is stored twice"
    );
    let holes = "select count(*) from (select from turnpike.audit group by edge, epoch
        having max(sequence) <> count(*) or min(sequence) <> 1) holes";
    assert_eq!(
        production.database.number(holes).await,
        0,
        "a row is missing from the middle of a run"
    );
}

#[tokio::test]
async fn an_edge_that_is_killed_under_load_loses_no_audit_of_a_response_and_doubles_none() {
    let mut production = Production::start().await;
    let key = production.granted("busy").await;
    let mut received = Vec::new();
    for _ in 0..3 {
        let load = Load::on(&production, &key);
        load.go_on().await;
        production.edge_processes[0].kill().await;
        production.restart_edge(0).await;
        received.extend(load.end().await);
    }
    every_response_has_one_row(&production, &received).await;
    for caller in production.callers(&key) {
        eventually("service after the restart", async || {
            match caller.chat("fake-openai/gpt-4o").await.status {
                200 => Ok(()),
                other => Err(other),
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_control_plane_that_is_killed_under_load_loses_no_audit_doubles_none_and_stops_nobody() {
    let mut production = Production::start().await;
    let key = production.granted("busy").await;
    let load = Load::on(&production, &key);
    for _ in 0..3 {
        load.go_on().await;
        production.control_plane.kill().await;
        load.go_on().await;
        production.restart_control_plane().await;
    }
    load.go_on().await;
    assert_eq!(load.callers.len(), CALLERS, "nobody's call failed");
    let received = load.end().await;
    every_response_has_one_row(&production, &received).await;
    let verdict = production.operator.words("log verify").await;
    assert_eq!(verdict["intact"], true, "{verdict}");
}

#[tokio::test]
async fn an_edge_that_is_told_to_stop_finishes_what_it_has_begun() {
    let mut production = Production::with_one_edge(&[]).await;
    let key = production.granted("last").await;
    let caller = production.caller(&key);
    let mut stream = caller
        .post(PATH, &streamed("fake-faults/slow-stream"))
        .send()
        .await
        .unwrap();
    let id = stream.headers()["x-request-id"].to_str().unwrap().to_owned();
    let mut text = String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    let mut edge = production.edge_processes.remove(0);
    let (status, ()) = tokio::join!(edge.terminate(), async {
        while let Some(piece) = stream.chunk().await.unwrap() {
            text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    });
    assert!(status.success(), "{status}");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(production.audited(&id).await["ending"], "complete");
}
