//! TLS on every side: listeners from PEM files, and clients that trust the system's authorities and those given.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

/// A file that TLS needs can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Missing, unreadable, or not PEM.
    #[error("cannot read {what} from {path}: {detail}")]
    File {
        /// The certificate, the key …
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The two do not belong together, or are of an unsupported kind.
    #[error("the certificate and the key cannot be used together: {0}")]
    Mismatch(#[source] rustls::Error),
}

/// What a listener presents: a certificate chain and its key from PEM files. `alpn` in order of preference.
///
/// # Errors
/// A file can't be used.
pub fn server_config(certificate: &Path, key: &Path, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(certificate, "the certificate")?;
    let unusable = |error: &dyn std::fmt::Display| TlsError::File {
        what: "the private key",
        path: key.to_owned(),
        detail: error.to_string(),
    };
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(&error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Mismatch)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Mismatch)?;
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(config))
}

/// What a client trusts: the system's authorities and `further` ones.
///
/// # Errors
/// The cryptography can't be set up.
pub fn client_config(further: Vec<CertificateDer<'static>>) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(%error, "some of the system's certificate authorities cannot be read");
    }
    roots.add_parsable_certificates(system.certs);
    roots.add_parsable_certificates(further);
    trusting(roots)
}

/// The same, trusting these authorities and no other.
///
/// # Errors
/// The cryptography can't be set up.
pub fn client_config_of(authorities: Vec<CertificateDer<'static>>) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities);
    trusting(roots)
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// The certificates of a PEM file.
///
/// # Errors
/// It can't be read, or holds none.
pub fn certificates(path: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unusable = |detail: String| TlsError::File {
        what,
        path: path.to_owned(),
        detail,
    };
    let text = fs::read(path).map_err(|error: io::Error| unusable(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| unusable(error.to_string()))?;
    if found.is_empty() {
        Err(unusable("it holds no certificate in PEM".to_owned()))
    } else {
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let error = certificates(Path::new("/nowhere/ca.pem"), "the authorities").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot read the authorities from /nowhere/ca.pem"),
            "{error}"
        );
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = certificates(file.path(), "the authorities").unwrap_err();
        assert!(error.to_string().contains("no certificate"), "{error}");
    }

    #[test]
    fn a_client_needs_no_further_authorities() {
        assert!(client_config(Vec::new()).is_ok());
    }
}
