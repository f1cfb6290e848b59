//! Real connections to the listener of an edge that has no snapshot yet: what is sound gets as far as 401 or 503.

use std::{fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use clap::Parser as _;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use turnpike_access::credential::{KeyKind, write_key};
use turnpike_runtime::{
    identity::EdgeSigner,
    keyring::Keyring,
    shutdown::Shutdown,
    task::Tasks,
    token::{TokenSettings, Tokens},
};

use crate::{
    audit::{Audit, Fsync, SpoolSettings, WhenFull},
    current::Current,
    metrics::Metrics,
    proxy::{Parts, State, serve},
    settings::Settings,
};

const HEAD: &str = "POST /v1/chat/completions HTTP/1.1\r\nhost: edge\r\n";
const PATIENCE: Duration = Duration::from_secs(10);

struct Listening {
    address: SocketAddr,
    audit: Arc<Audit>,
    folder: TempDir,
    tasks: Tasks,
}

impl Listening {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let spool = SpoolSettings {
            folder: folder.path().to_owned(),
            max_bytes: 1 << 20,
            when_full: WhenFull::Refuse,
            lanes: 1,
            fsync: Fsync::default(),
        };
        let audit = Audit::open(&spool, 1).expect("spool").audit;
        let keyring = Keyring::generate();
        let settings = Settings::try_parse_from(["turnpike-edge", "--keyring", keyring.expose()]);
        let tasks = Tasks::new(Shutdown::new());
        let keyring = Arc::new(Keyring::parse(&keyring).expect("keyring"));
        let keys = tempfile::tempdir().expect("folder");
        let signer = Arc::new(EdgeSigner::keep(keys.path(), Arc::from("edge-1")).expect("key"));
        let state = State::new(Parts {
            signer,
            current: Arc::new(Current::default()),
            audit: audit.clone(),
            tokens: Tokens::new(TokenSettings::default(), keyring.clone(), &tasks).expect("tokens"),
            keyring,
            public_url: None,
            speaks_tls: false,
            trusted_proxies: Vec::new(),
            limits: settings.expect("settings").limits,
            authorities: Vec::new(),
            region: Arc::from("here"),
            tasks: tasks.clone(),
            metrics: Metrics::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        tasks.spawn("serve", serve(listener, None, Arc::new(state.expect("state"))));
        Self {
            address,
            audit,
            folder,
            tasks,
        }
    }

    async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.expect("connect");
        stream.set_nodelay(true).expect("no delay");
        stream
    }

    /// Sends all of it, in pieces of that size, and reads until the edge closes.
    async fn exchange(&self, text: &str, size: usize) -> String {
        let mut stream = self.connect().await;
        for piece in text.as_bytes().chunks(size) {
            // An edge that has refused already does not take the rest.
            if stream.write_all(piece).await.is_err() {
                break;
            }
        }
        read_to_end(&mut stream).await
    }

    /// Whether the spool has a record in which all these words are.
    fn has_recorded(&self, words: &[&str]) -> bool {
        let spool = read_files(self.folder.path());
        words
            .iter()
            .all(|word| memchr::memmem::find(&spool, word.as_bytes()).is_some())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.tasks.shutdown().trigger("the test ends");
    }
}

fn read_files(folder: &Path) -> Vec<u8> {
    let entries = fs::read_dir(folder)
        .expect("folder")
        .map(|entry| entry.expect("entry").path());
    entries.filter_map(|path| fs::read(path).ok()).flatten().collect()
}

/// What comes before the end, or before the connection is reset for what the edge has not read.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    drop(
        timeout(PATIENCE, stream.read_to_end(&mut all))
            .await
            .expect("the edge closes"),
    );
    String::from_utf8(all).expect("text")
}

/// A header with a key that is well formed, so that the answer is 503, and comes after small bodies were read.
fn authorization() -> String {
    let id = "abcDEF123456".parse().expect("id");
    let key = write_key(
        KeyKind::VirtualAccount,
        id,
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg",
    );
    format!("authorization: Bearer {key}\r\n")
}

fn statuses(text: &str) -> Vec<&str> {
    text.split("HTTP/1.1 ")
        .skip(1)
        .map(|response| &response[..3])
        .collect()
}

fn closing(head: &str, body: &str) -> String {
    format!("{HEAD}{head}connection: close\r\n\r\n{body}")
}

#[tokio::test]
async fn a_request_that_says_in_two_ways_where_it_ends_is_refused_and_recorded_in_either_order() {
    for pair in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "content-length: 5\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
    ] {
        let edge = Listening::start().await;
        for size in [1, 7, usize::MAX] {
            let before = edge.audit.waiting();
            let answer = edge.exchange(&format!("{HEAD}{pair}\r\n0\r\n\r\n"), size).await;
            assert_eq!(statuses(&answer), ["400"], "{pair} {answer}");
            assert!(answer.contains(r#""code":"invalid_request""#), "{answer}");
            assert!(
                answer.contains("connection: close") && answer.contains("x-request-id: req_"),
                "{answer}"
            );
            assert_eq!(edge.audit.waiting(), before + 1, "{pair}");
        }
        assert!(edge.has_recorded(&["malformed"]), "{pair}");
    }
}

#[tokio::test]
async fn the_second_of_two_pipelined_requests_is_refused_for_itself_alone() {
    let edge = Listening::start().await;
    let first = format!("{HEAD}content-length: 2\r\n\r\n{{}}");
    let second = format!("{HEAD}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    for size in [3, usize::MAX] {
        let answer = edge.exchange(&format!("{first}{second}{second}"), size).await;
        assert_eq!(statuses(&answer), ["401", "400"], "{answer}");
    }
}

#[tokio::test]
async fn uploads_whose_text_reads_like_headers_are_not_refused_for_it() {
    let edge = Listening::start().await;
    let part = "--b\r\ncontent-transfer-encoding: binary\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\nx\r\n";
    let body = format!("{part}\r\n\r\n{part}--b--");
    let multipart = format!(
        "{}content-type: multipart/form-data; boundary=b\r\n",
        authorization()
    );
    let sized = closing(&format!("{multipart}content-length: {}\r\n", body.len()), &body);
    let chunks = format!(
        "{:x}\r\n{body}\r\n{:X};e=1\r\n{body}\r\n0\r\ncontent-length: 1\r\n\r\n",
        body.len(),
        body.len()
    );
    let chunked = closing(&format!("{multipart}transfer-encoding: chunked\r\n"), &chunks);
    for request in [sized, chunked] {
        for size in [11, usize::MAX] {
            let answer = edge.exchange(&request, size).await;
            assert_eq!(statuses(&answer), ["503"], "{answer}");
        }
    }
}

#[tokio::test]
async fn a_connection_is_kept_alive_over_large_bodies() {
    let edge = Listening::start().await;
    let mut stream = edge.connect().await;
    // As large as bodies can be that are read before the caller is looked up.
    let body = "\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n".repeat(1200);
    let request = format!(
        "{HEAD}{}content-length: {}\r\n\r\n{body}",
        authorization(),
        body.len()
    );
    for _ in 0..3 {
        stream
            .write_all(request.as_bytes())
            .await
            .expect("the connection is open");
        let mut answer = [0; 12];
        timeout(PATIENCE, stream.read_exact(&mut answer))
            .await
            .expect("in time")
            .expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 503");
        let mut rest = String::new();
        while !rest.ends_with("}}") {
            let read = timeout(PATIENCE, stream.read_u8())
                .await
                .expect("in time")
                .expect("the answer's rest");
            rest.push(char::from(read));
        }
    }
}

#[tokio::test]
async fn what_is_not_http_gets_the_body_that_every_refusal_has_and_a_record() {
    let many: String = (0..150).map(|number| format!("x-{number}: 1\r\n")).collect();
    let large = format!("x-large: {}\r\n", "x".repeat(100_000));
    for (request, status, code) in [
        ("GET /\u{1} nonsense\r\n\r\n".to_owned(), "400", "invalid_request"),
        (format!("{HEAD}bad header: 1\r\n\r\n"), "400", "invalid_request"),
        (
            format!("{HEAD}content-length: many\r\n\r\n"),
            "400",
            "invalid_request",
        ),
        (format!("{HEAD}{many}\r\n"), "431", "headers_too_large"),
        (format!("{HEAD}{large}\r\n"), "431", "headers_too_large"),
    ] {
        let edge = Listening::start().await;
        let answer = edge.exchange(&request, usize::MAX).await;
        assert_eq!(statuses(&answer), [status], "{answer}");
        assert!(answer.contains(&format!(r#""code":"{code}""#)), "{answer}");
        assert!(
            answer.contains("x-request-id: req_") && answer.contains("connection: close"),
            "{answer}"
        );
        assert_eq!(edge.audit.waiting(), 1);
        let reason = if status == "400" {
            "malformed"
        } else {
            "headers_too_large"
        };
        assert!(edge.has_recorded(&["unknown", reason]), "{status}");
    }
}

#[tokio::test]
async fn what_is_not_http_behind_a_sound_request_is_refused_in_the_dialect_of_its_own_path() {
    let edge = Listening::start().await;
    let sound = format!("{HEAD}content-length: 2\r\n\r\n{{}}");
    let answer = edge
        .exchange(
            &format!("{sound}POST /v1/messages HTTP/1.1\r\nbad header: 1\r\n\r\n"),
            9,
        )
        .await;
    assert_eq!(statuses(&answer), ["401", "400"], "{answer}");
    assert!(
        answer.ends_with('}') && answer.contains(r#"{"type":"error","error":{"#),
        "{answer}"
    );
    assert_eq!(edge.audit.waiting(), 2);
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_let_through() {
    let edge = Listening::start().await;
    let io = hyper_util::rt::TokioIo::new(edge.connect().await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io)
        .await
        .expect("handshake");
    edge.tasks.spawn("client", async move { drop(connection.await) });
    for _ in 0..3 {
        let request = http::Request::post(format!("http://{}/v1/chat/completions", edge.address))
            .body("{}".to_owned())
            .expect("request");
        let response = timeout(PATIENCE, sender.send_request(request))
            .await
            .expect("in time")
            .expect("response");
        assert_eq!(response.status(), 401);
    }
}
