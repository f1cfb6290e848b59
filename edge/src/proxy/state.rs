//! What every request shares: built once, never locked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ipnet::IpNet;
use turnpike_access::digest::Peppers;
use turnpike_runtime::{identity::EdgeSigner, keyring::Keyring, random, task::Tasks, token::Tokens};

use super::{forward::Upstream, identity::Identities, sentinel::Sentinel, target::Targets};
use crate::{audit::Audit, current::Current, metrics::Metrics, settings::limits::Limits};

/// How long a request waits for the position that it asks for.
pub(super) const POSITION_WAIT: Duration = Duration::from_secs(2);

/// What [`State`] is put together from.
pub struct Parts {
    /// Where the snapshot is.
    pub current: Arc<Current>,
    /// Where records go.
    pub audit: Arc<Audit>,
    /// Verifies keys and opens the providers' secrets.
    pub keyring: Arc<Keyring>,
    /// Verifies tokens, and remembers them.
    pub tokens: Arc<Tokens>,
    /// Signs what providers are told of who calls.
    pub signer: Arc<EdgeSigner>,
    /// The networks of proxies that are believed about the client's address.
    pub trusted_proxies: Vec<IpNet>,
    /// What clients call this edge, where that was set.
    pub public_url: Option<Arc<str>>,
    /// Whether clients speak TLS with it.
    pub speaks_tls: bool,
    /// The bounds of a request.
    pub limits: Limits,
    /// Further authorities to trust towards providers, DER.
    pub authorities: Vec<rustls::pki_types::CertificateDer<'static>>,
    /// The edge's region.
    pub region: Arc<str>,
    /// Where connections and drains run.
    pub tasks: Tasks,
    /// What is counted and timed.
    pub metrics: Metrics,
}

/// What every request shares.
pub struct State {
    pub(super) current: Arc<Current>,
    pub(super) audit: Arc<Audit>,
    pub(super) peppers: Peppers,
    pub(super) tokens: Arc<Tokens>,
    pub(super) identities: Identities,
    pub(super) trusted_proxies: Vec<IpNet>,
    pub(super) public_url: Option<Arc<str>>,
    pub(super) speaks_tls: bool,
    pub(super) targets: Targets,
    pub(super) upstream: Upstream,
    pub(super) limits: Limits,
    pub(super) region: Arc<str>,
    pub(super) tasks: Tasks,
    pub(super) metrics: Metrics,
    pub(super) sentinel: Arc<Sentinel>,
    ids: Ids,
}

impl State {
    /// Puts the state together.
    ///
    /// # Errors
    /// The TLS towards providers can't be set up.
    pub fn new(parts: Parts) -> Result<Self, rustls::Error> {
        let Parts {
            current,
            audit,
            keyring,
            tokens,
            signer,
            trusted_proxies,
            public_url,
            speaks_tls,
            limits,
            authorities,
            region,
            tasks,
            metrics,
        } = parts;
        Ok(Self {
            current,
            audit,
            peppers: Peppers::new(keyring.peppers()),
            tokens,
            identities: Identities::new(signer),
            trusted_proxies,
            public_url,
            speaks_tls,
            targets: Targets::new(keyring),
            upstream: Upstream::new(&limits, authorities)?,
            limits,
            region,
            tasks,
            metrics,
            sentinel: Arc::default(),
            ids: Ids::new(),
        })
    }

    /// What the next request is called, in responses, logs and the audit.
    pub(super) fn next_id(&self) -> RequestId {
        self.ids.next()
    }
}

/// Request ids: random for the process, counted within it. Unique, not secret.
struct Ids {
    process: String,
    next: AtomicU64,
}

impl Ids {
    fn new() -> Self {
        Self {
            process: random::id().to_string(),
            next: AtomicU64::new(1),
        }
    }

    fn next(&self) -> RequestId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let digits = 10.max(u64::BITS.div_ceil(4) - number.leading_zeros() / 4);
        let mut text = String::with_capacity(32);
        text.push_str("req_");
        text.push_str(&self.process);
        // What `{number:010x}` writes, for each request.
        text.extend(
            (0..digits)
                .rev()
                .filter_map(|place| char::from_digit((number >> (4 * place) & 0xf) as u32, 16)),
        );
        RequestId(text.into())
    }
}

/// The id of a request, and of its decision, which differ in their prefix.
#[derive(Debug, Clone)]
pub(super) struct RequestId(Arc<str>);

impl RequestId {
    /// `req_…`
    pub(super) fn request(&self) -> &Arc<str> {
        &self.0
    }

    /// `dec_…`
    pub(super) fn decision(&self) -> String {
        ["dec_", self.0.strip_prefix("req_").unwrap_or_default()].concat()
    }
}
