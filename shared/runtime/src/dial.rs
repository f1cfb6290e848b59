//! Delivering bytes to where a tenant chooses, over TLS, or over plain TCP on this machine: no address inside is reached unless
//! its network is allowed.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use ipnet::IpNet;
use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    reach::{is_local_name, judge, may_reach, this_machine},
    tls,
};

/// The longest wait for a connection, and then for the other side to have taken everything.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why nothing was delivered.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Not one that may be called.
    #[error("the address is not one that may be called: tls://HOST:PORT, and no address inside")]
    Refused,
    /// No connection.
    #[error("the server could not be reached, or its name leads to addresses inside")]
    Unreachable,
    /// It is not whom it is said to be, or broke off.
    #[error("the connection failed: {0}")]
    Broken(#[from] io::Error),
    /// It did not say that it has everything.
    #[error("the server did not close the connection after everything was sent, so that it may not have it")]
    Unconfirmed,
    /// Of authorities that were given.
    #[error("the authorities to trust are not certificates in PEM")]
    Authorities,
    /// TLS can't be set up.
    #[error("TLS cannot be set up")]
    Tls,
}

/// What calls. Clones share what they trust.
#[derive(Debug, Clone)]
pub struct Dialer {
    allowed: Arc<[IpNet]>,
    system: Arc<OnceLock<Arc<ClientConfig>>>,
}

/// Where to.
#[derive(Debug, PartialEq, Eq)]
struct Place<'u> {
    /// Without the brackets of an IPv6 address.
    host: &'u str,
    port: u16,
    tls: bool,
}

impl Dialer {
    /// Calls public addresses, and those in the networks that are allowed.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self {
            allowed: allowed.into(),
            system: Arc::default(),
        }
    }

    /// Connects, sends everything, ends its side, and waits until the other side has ended its own: it has read everything
    /// then. `ca`: whom to trust and nobody else, in PEM.
    ///
    /// # Errors
    /// It is not certain that everything was taken.
    pub async fn deliver(&self, url: &str, ca: Option<&str>, bytes: &[u8]) -> Result<(), DialError> {
        let place = check(url, &self.allowed).ok_or(DialError::Refused)?;
        let connected = timeout(PATIENCE, self.connect(&place)).await;
        let stream = connected.map_err(|_| DialError::Unreachable)??;
        if !place.tls {
            return hand_over(stream, bytes).await;
        }
        let name = ServerName::try_from(place.host.to_owned()).map_err(|_| DialError::Refused)?;
        let connector = TlsConnector::from(self.trust(ca)?);
        let shaken = timeout(PATIENCE, connector.connect(name, stream)).await;
        hand_over(shaken.map_err(|_| DialError::Unreachable)??, bytes).await
    }

    /// What is connected to is what was judged.
    async fn connect(&self, place: &Place<'_>) -> Result<TcpStream, DialError> {
        let found = tokio::net::lookup_host((place.host, place.port)).await;
        let found: Vec<SocketAddr> = found.map_err(|_| DialError::Unreachable)?.collect();
        for address in judge(&found, !place.tls, &self.allowed) {
            if let Ok(stream) = TcpStream::connect(address).await {
                return Ok(stream);
            }
        }
        Err(DialError::Unreachable)
    }

    fn trust(&self, ca: Option<&str>) -> Result<Arc<ClientConfig>, DialError> {
        let Some(pem) = ca else {
            if let Some(config) = self.system.get() {
                return Ok(config.clone());
            }
            let config = Arc::new(tls::client_config(Vec::new()).map_err(|_| DialError::Tls)?);
            return Ok(self.system.get_or_init(|| config).clone());
        };
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let found = found.ok().filter(|found| !found.is_empty());
        let found = found.ok_or(DialError::Authorities)?;
        let config = tls::client_config_of(found).map_err(|_| DialError::Tls)?;
        Ok(Arc::new(config))
    }
}

async fn hand_over(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> Result<(), DialError> {
    let given = async {
        stream.write_all(bytes).await?;
        stream.shutdown().await?;
        let mut rest = [0; 512];
        loop {
            match stream.read(&mut rest).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // It ended without a last word of TLS.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(DialError::Broken(error)),
            }
        }
    };
    let handed = timeout(PATIENCE, given).await;
    handed.unwrap_or(Err(DialError::Unconfirmed))
}

/// Whether a URL may be called. Names are judged again by the addresses that they lead to.
fn check<'u>(url: &'u str, allowed: &[IpNet]) -> Option<Place<'u>> {
    let (scheme, rest) = url.split_once("://")?;
    let (written, port) = rest.rsplit_once(':')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
    let host = written.trim_matches(['[', ']']);
    if host.is_empty() || !written.bytes().all(plain) {
        return None;
    }
    let (tls, fits) = match scheme {
        // Plain TCP is for this machine alone, and for it only where that is allowed.
        "tcp" => {
            let local = this_machine(written);
            (false, local.is_some_and(|address| may_reach(address, allowed)))
        }
        "tls" => {
            let literal = host.parse().ok();
            let may = |address| may_reach(address, allowed);
            (true, literal.map_or(!is_local_name(host), may))
        }
        _ => return None,
    };
    let port = port.parse().ok().filter(|port| *port > 0)?;
    fits.then_some(Place { host, port, tls })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_are_not_called_however_they_are_written() {
        let allowed: [IpNet; 2] = ["10.1.0.0/16", "127.0.0.0/8"].map(|net| net.parse().unwrap());
        for url in [
            "tls://10.0.0.1:6514",
            "tls://127.0.0.1:6514",
            "tls://localhost:6514",
            "tls://[::1]:6514",
            "tls://[::ffff:169.254.169.254]:80",
            "tls://169.254.169.254:80",
            "tcp://siem.example:514",
            "tcp://127.0.0.1:514",
            "udp://siem.example:514",
            "tls://siem.example",
            "tls://siem.example:0",
            "tls://user@siem.example:1",
            "tls://a b:1",
            "",
        ] {
            assert_eq!(check(url, &[]), None, "{url}");
        }
        for url in [
            "tls://siem.example:6514",
            "tls://93.184.215.14:6514",
            "tls://10.1.2.3:6514",
            "tls://127.0.0.1:6514",
            "tcp://127.0.0.1:514",
            "tcp://localhost:514",
        ] {
            assert!(check(url, &allowed).is_some(), "{url}");
        }
        assert_eq!(check("tcp://10.1.2.3:514", &allowed), None, "not in the clear");
    }

    #[tokio::test]
    async fn a_name_or_number_that_leads_inside_is_not_connected_to() {
        let dialer = Dialer::new(Vec::new());
        for url in [
            "tls://ip6-localhost.:6514",
            "tls://2130706433:6514",
            "tls://0x7f.1:6514",
        ] {
            let refused = dialer.deliver(url, None, b"").await;
            assert!(
                matches!(refused, Err(DialError::Unreachable)),
                "{url}: {refused:?}"
            );
        }
    }
}
