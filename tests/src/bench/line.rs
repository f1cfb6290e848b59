//! One connection to an edge that is kept open, and requests over it at given moments.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::times::Times;

/// A connection. It ends when it is dropped.
pub struct Line {
    sender: http1::SendRequest<Full<Bytes>>,
    host: String,
    _connection: JoinSet<()>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// `/v1/models`, or a completion of this model.
    pub model: Option<&'static str>,
    /// By whom.
    pub key: String,
    /// Judged at this position or later.
    pub position: Option<u64>,
}

impl Question {
    /// A completion.
    pub fn chat(key: &str, model: &'static str) -> Self {
        Self {
            model: Some(model),
            key: key.to_owned(),
            position: None,
        }
    }

    /// Which models there are: nothing that the provider is asked for.
    pub fn models(key: &str) -> Self {
        Self {
            model: None,
            key: key.to_owned(),
            position: None,
        }
    }

    fn request(&self, host: &str) -> Request<Full<Bytes>> {
        let request = match self.model {
            Some(_) => Request::post("/v1/chat/completions").header("content-type", "application/json"),
            None => Request::get("/v1/models"),
        };
        let request = match self.position {
            Some(position) => request.header("x-turnpike-min-position", position),
            None => request,
        };
        let body = self.model.map(|model| {
            let body = json!({"model": model, "messages": [{"role": "user", "content": "good morning"}]});
            Bytes::from(body.to_string())
        });
        request
            .header("host", host)
            .header("authorization", format!("Bearer {}", self.key))
            .body(Full::new(body.unwrap_or_default()))
            .expect("a request")
    }
}

impl Line {
    /// Connects.
    pub async fn to(edge: SocketAddr) -> Self {
        let stream = TcpStream::connect(edge).await.expect("the edge");
        stream.set_nodelay(true).expect("a socket");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        let mut connections = JoinSet::new();
        connections.spawn(async move { drop(connection.await) });
        Self {
            sender,
            host: edge.to_string(),
            _connection: connections,
        }
    }

    /// The status of the answer, all of which has come.
    ///
    /// # Errors
    /// There was none, or it broke off.
    pub async fn ask(&mut self, question: &Question) -> Result<u16, hyper::Error> {
        self.sender.ready().await?;
        let answer = self.sender.send_request(question.request(&self.host)).await?;
        let status = answer.status().as_u16();
        answer.into_body().collect().await?;
        Ok(status)
    }
}

/// Requests that flow at a pace, whatever becomes of them.
pub struct Flow {
    done: Arc<AtomicBool>,
    lines: JoinSet<Flowed>,
}

/// What became of them.
#[derive(Debug, Clone, Default)]
pub struct Flowed {
    /// From the moment when each was due, so that one that had to wait for its turn counts as slow.
    pub times: Times,
    /// Not answered, or broken off.
    pub failed: u64,
    /// Answered with another status than is right.
    pub wrong: u64,
}

impl Flow {
    /// Asks each of these edges every question in turn, with the status that is right, so many times a second.
    pub async fn begin(edges: &[SocketAddr], questions: &[(Question, u16)], rate: u32) -> Self {
        /// Connections to each edge.
        const LINES: u32 = 4;
        let done = Arc::new(AtomicBool::new(false));
        let mut lines = JoinSet::new();
        let begun = Instant::now();
        let every = Duration::from_secs(1) * LINES / rate.max(1);
        for (edge, nth) in edges
            .iter()
            .flat_map(|edge| (0..LINES).map(move |nth| (*edge, nth)))
        {
            let line = Line::to(edge).await;
            let first = begun + every * nth / LINES;
            lines.spawn(flow(line, questions.to_vec(), first, every, done.clone()));
        }
        Self { done, lines }
    }

    /// Ends it.
    pub async fn end(mut self) -> Flowed {
        self.done.store(true, SeqCst);
        let mut all = Flowed::default();
        while let Some(one) = self.lines.join_next().await {
            let Flowed { times, failed, wrong } = one.expect("a line");
            all.times.extend(times);
            all.failed += failed;
            all.wrong += wrong;
        }
        all
    }
}

async fn flow(
    mut line: Line,
    questions: Vec<(Question, u16)>,
    first: Instant,
    every: Duration,
    done: Arc<AtomicBool>,
) -> Flowed {
    let mut flowed = Flowed::default();
    let mut due = first;
    for (question, right) in questions.iter().cycle() {
        sleep_until(due).await;
        if done.load(SeqCst) {
            break;
        }
        match line.ask(question).await {
            Ok(status) => flowed.wrong += u64::from(status != *right),
            Err(_) => {
                flowed.failed += 1;
                return flowed;
            }
        }
        flowed.times.add(due.elapsed());
        due += every;
    }
    flowed
}
