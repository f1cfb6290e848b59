//! A receiver of syslog over TLS that keeps what it is sent, strict about RFC 5424, RFC 5425 and octet counting, and that breaks
//! off where it is told to.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// A message of RFC 5424, its structured data being none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// Facility and severity.
    pub priority: (u32, u32),
    /// TIMESTAMP.
    pub time: String,
    /// HOSTNAME, APP-NAME, PROCID, MSGID.
    pub names: [String; 4],
    /// MSG.
    pub text: String,
}

#[derive(Debug, Default)]
struct Kept {
    breaking: AtomicBool,
    broken: AtomicUsize,
    messages: Mutex<Vec<Message>>,
}

/// A running receiver.
#[derive(Debug)]
pub struct SyslogReceiver {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whom to trust to reach it, in PEM.
    pub authority: String,
    kept: Arc<Kept>,
    _serving: JoinSet<()>,
}

impl SyslogReceiver {
    /// Starts one on a free port, with a certificate for 127.0.0.1 that nobody else vouches for.
    pub async fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a certificate and its key");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let kept = Arc::new(Kept::default());
        let mut serving = JoinSet::new();
        let taking = kept.clone();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(take(taking.clone(), acceptor.clone(), stream));
            }
        });
        Self {
            address,
            authority: made.cert.pem(),
            kept,
            _serving: serving,
        }
    }

    /// Whether connections are broken off after their first bytes from now on.
    pub fn break_off(&self, breaking: bool) {
        self.kept.breaking.store(breaking, SeqCst);
    }

    /// How many were broken off.
    pub fn broken(&self) -> usize {
        self.kept.broken.load(SeqCst)
    }

    /// What came and was taken.
    pub fn messages(&self) -> Vec<Message> {
        let messages = self.kept.messages.lock();
        messages.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn take(kept: Arc<Kept>, acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    if kept.breaking.load(SeqCst) {
        let mut first = [0; 16];
        drop(stream.read(&mut first).await);
        // What is unread when it is closed makes TCP reset the connection.
        drop(stream.get_ref().0.set_zero_linger());
        kept.broken.fetch_add(1, SeqCst);
        return;
    }
    let mut bytes = Vec::new();
    if stream.read_to_end(&mut bytes).await.is_err() {
        return;
    }
    let messages = messages(&bytes);
    let mut all = kept.messages.lock().unwrap_or_else(PoisonError::into_inner);
    all.extend(messages);
}

/// `MSG-LEN SP SYSLOG-MSG`, again and again.
fn messages(mut bytes: &[u8]) -> Vec<Message> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').expect("a length");
        let digits = std::str::from_utf8(&bytes[..space]).expect("digits");
        assert!(
            !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()),
            "{digits:?}"
        );
        let (start, length) = (space + 1, digits.parse::<usize>().expect("a length"));
        assert!(bytes.len() >= start + length, "cut off: {length}");
        all.push(message(&bytes[start..start + length]));
        bytes = &bytes[start + length..];
    }
    all
}

fn message(bytes: &[u8]) -> Message {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let mut parts = text.splitn(7, ' ');
    let mut part = || {
        parts
            .next()
            .unwrap_or_else(|| panic!("a part is missing: {text:?}"))
    };
    let priority = part().strip_prefix('<').and_then(|rest| rest.strip_suffix(">1"));
    let priority = priority.unwrap_or_else(|| panic!("no priority and version 1: {text:?}"));
    let number: u32 = priority.parse().expect("a priority");
    assert!(number <= 191 && number.to_string() == priority, "{priority}");
    let time = part().to_owned();
    let (day, clock) = time.split_once('T').expect("a date and a time");
    let shape = |text: &str, pattern: &str| {
        let fits = |(byte, wanted): (u8, u8)| {
            if wanted == b'9' {
                byte.is_ascii_digit()
            } else {
                byte == wanted
            }
        };
        text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(fits)
    };
    assert!(
        shape(day, "9999-99-99") && shape(clock, "99:99:99.999Z"),
        "{time}"
    );
    let names = [255, 48, 128, 32].map(|longest| {
        let name = part();
        let printable = name.bytes().all(|byte| (33..=126).contains(&byte));
        assert!(printable && (1..=longest).contains(&name.len()), "{name:?}");
        name.to_owned()
    });
    let rest = part();
    let text = rest
        .strip_prefix("- ")
        .unwrap_or_else(|| panic!("structured data: {rest:?}"));
    Message {
        priority: (number / 8, number % 8),
        time,
        names,
        text: text.to_owned(),
    }
}
