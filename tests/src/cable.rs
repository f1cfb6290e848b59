//! A TCP connection through the test, which can be cut: how outages are made, without stopping the server behind it.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
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
    _forwarding: JoinSet<()>,
}

impl Cable {
    /// A cable to a server, or one that leads nowhere yet.
    pub async fn lay(to: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let end = Arc::new(watch::Sender::new(to));
        let mut forwarding = JoinSet::new();
        forwarding.spawn(accept(listener, end.clone()));
        Self {
            address,
            end,
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

async fn accept(listener: TcpListener, end: Arc<watch::Sender<Option<SocketAddr>>>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((near, _)) = listener.accept().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        connections.spawn(forward(near, end.subscribe()));
    }
}

/// Ends when either side does, or when the cable is cut or led elsewhere; dropping both sockets closes them.
async fn forward(mut near: TcpStream, mut end: watch::Receiver<Option<SocketAddr>>) {
    let Some(to) = *end.borrow_and_update() else {
        return;
    };
    let Ok(mut far) = TcpStream::connect(to).await else {
        return;
    };
    drop((near.set_nodelay(true), far.set_nodelay(true)));
    tokio::select! {
        ended = copy_bidirectional(&mut near, &mut far) => drop(ended),
        changed = end.changed() => drop(changed),
    }
}
