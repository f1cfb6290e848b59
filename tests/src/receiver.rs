//! Somebody who gets alerts: a webhook and a mail server that keep what they are sent, and refuse it where they are told to.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    HeaderMap, Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// What was posted: path, headers, body.
pub type Posted = (String, HeaderMap, String);

#[derive(Debug, Default)]
struct Kept {
    refusing: AtomicBool,
    refused: Mutex<usize>,
    posted: Mutex<Vec<(String, HeaderMap, Bytes)>>,
    letters: Mutex<Vec<String>>,
}

/// A running receiver.
#[derive(Debug)]
pub struct Receiver {
    /// Where it takes webhooks.
    pub http: SocketAddr,
    /// Where it takes mail.
    pub smtp: SocketAddr,
    kept: Arc<Kept>,
    _serving: JoinSet<()>,
}

impl Receiver {
    /// Starts one on free ports.
    pub async fn start() -> Self {
        let bind = async || TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (web, mail) = (bind().await, bind().await);
        let address = |listener: &TcpListener| listener.local_addr().expect("an address");
        let (http, smtp) = (address(&web), address(&mail));
        let kept = Arc::new(Kept::default());
        let mut serving = JoinSet::new();
        let taking = kept.clone();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = web.accept().await {
                let kept = taking.clone();
                let answer = service_fn(move |request| take(kept.clone(), request));
                let served = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                connections.spawn(async move { drop(served.await) });
            }
        });
        let taking = kept.clone();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = mail.accept().await {
                let kept = taking.clone();
                connections.spawn(async move { drop(letters(kept, stream).await) });
            }
        });
        Self {
            http,
            smtp,
            kept,
            _serving: serving,
        }
    }

    /// Whether webhooks are answered 503 from now on.
    pub fn refuse(&self, refusing: bool) {
        self.kept.refusing.store(refusing, Ordering::SeqCst);
    }

    /// How many were refused.
    pub fn refused(&self) -> usize {
        *self.kept.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was posted and taken.
    pub fn posted(&self) -> Vec<Posted> {
        let text = |body: &Bytes| String::from_utf8_lossy(body).into_owned();
        let posted = self.posted_bytes().into_iter();
        posted
            .map(|(path, headers, body)| (path, headers, text(&body)))
            .collect()
    }

    /// The same where it is no text.
    pub fn posted_bytes(&self) -> Vec<(String, HeaderMap, Bytes)> {
        let posted = self.kept.posted.lock();
        posted.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The mail that came.
    pub fn letters(&self) -> Vec<String> {
        let letters = self.kept.letters.lock();
        letters.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn take(kept: Arc<Kept>, request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes());
    let body = body.unwrap_or_default();
    let mut answer = Response::new(Empty::new());
    match kept.refusing.load(Ordering::SeqCst) {
        true => {
            *kept.refused.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        false => {
            let posted = (head.uri.path().to_owned(), head.headers, body);
            kept.posted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(posted);
        }
    }
    Ok(answer)
}

/// As much of SMTP (RFC 5321) as a client without extensions needs.
async fn letters(kept: Arc<Kept>, stream: TcpStream) -> std::io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"220 sink.example\r\n").await?;
    let mut envelope = String::new();
    while let Some(line) = lines.next_line().await? {
        let answer = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "DATA" => {
                writing.write_all(b"354 go on\r\n").await?;
                let mut letter = std::mem::take(&mut envelope);
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    letter.push_str(&line);
                    letter.push('\n');
                }
                let mut kept = kept.letters.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push(letter);
                "250 taken\r\n"
            }
            "QUIT" => "221 bye\r\n",
            _ => {
                envelope.push_str(&line);
                envelope.push('\n');
                "250 well\r\n"
            }
        };
        writing.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}
