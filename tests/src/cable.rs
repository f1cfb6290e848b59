//! A TCP connection through the test, which can be cut, slowed and narrowed: how outages are made, without stopping the server
//! behind it.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

/// Listens on a port of its own and passes everything on to a server, which may move.
#[derive(Debug)]
pub struct Cable {
    /// Where to connect to.
    pub address: SocketAddr,
    /// Where it leads; `None` while it is cut.
    end: Arc<watch::Sender<Option<SocketAddr>>>,
    strain: Arc<Strain>,
    _forwarding: JoinSet<()>,
}

/// How badly it passes things on.
#[derive(Debug, Default)]
struct Strain {
    /// Milliseconds until something comes out again.
    delay: AtomicU64,
    /// The most bytes that come out at once; 0: as many as there are.
    at_once: AtomicU64,
}

impl Cable {
    /// From now on everything takes so long each way, and comes in pieces of at most so many bytes, one after the other.
    pub fn strain(&self, delay: Duration, at_once: u64) {
        let millis = u64::try_from(delay.as_millis()).expect("a delay");
        self.strain.delay.store(millis, SeqCst);
        self.strain.at_once.store(at_once, SeqCst);
    }

    /// A cable to a server, or one that leads nowhere yet.
    pub async fn lay(to: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let end = Arc::new(watch::Sender::new(to));
        let mut forwarding = JoinSet::new();
        let strain = Arc::new(Strain::default());
        forwarding.spawn(accept(listener, end.clone(), strain.clone()));
        Self {
            address,
            end,
            strain,
            _forwarding: forwarding,
        }
    }

    /// Cuts every connection, refuses new ones, and says where it led.
    pub fn cut(&self) -> Option<SocketAddr> {
        self.end.send_replace(None)
    }

    /// Where it leads; nowhere while it is cut.
    pub fn leads_to(&self) -> Option<SocketAddr> {
        *self.end.borrow()
    }

    /// Leads to this server from now on; connections to another are cut.
    pub fn connect(&self, to: SocketAddr) {
        self.end.send_replace(Some(to));
    }
}

async fn accept(listener: TcpListener, end: Arc<watch::Sender<Option<SocketAddr>>>, strain: Arc<Strain>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((near, _)) = listener.accept().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        connections.spawn(forward(near, end.subscribe(), strain.clone()));
    }
}

/// Ends when either side does, or when the cable is cut or led elsewhere; dropping both sockets closes them.
async fn forward(mut near: TcpStream, mut end: watch::Receiver<Option<SocketAddr>>, strain: Arc<Strain>) {
    let Some(to) = *end.borrow_and_update() else {
        return;
    };
    let Ok(mut far) = TcpStream::connect(to).await else {
        return;
    };
    drop((near.set_nodelay(true), far.set_nodelay(true)));
    let (mut from_near, mut to_near) = near.split();
    let (mut from_far, mut to_far) = far.split();
    let both = async {
        tokio::try_join!(
            pass(&mut from_near, &mut to_far, &strain),
            pass(&mut from_far, &mut to_near, &strain)
        )
    };
    tokio::select! {
        ended = both => drop(ended),
        changed = end.changed() => drop(changed),
    }
}

/// Passes on what comes, until it ends. Whoever sends more than goes through has to wait.
async fn pass(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, strain: &Strain) -> io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let most = match strain.at_once.load(SeqCst) {
            0 => bytes.len(),
            most => bytes.len().min(usize::try_from(most).expect("small")),
        };
        let length = from.read(&mut bytes[..most]).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        let delay = strain.delay.load(SeqCst);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        to.write_all(&bytes[..length]).await?;
    }
}
