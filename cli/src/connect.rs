//! The way to the control plane: its address, its certificate, and who is asking.

use std::{path::PathBuf, time::Duration};

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use turnpike_runtime::secret::Secret;

use crate::failure::{Failure, chain};

/// A channel that says who is asking with every call. Cheap to clone.
pub type Service = InterceptedService<Channel, Identity>;

/// How long the network may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the control plane is, and who asks it.
#[derive(Clone)]
pub struct Target {
    /// `http://…` or `https://…`.
    pub url: String,
    /// A key of ours; absent for calls that carry none.
    pub token: Option<Secret>,
    /// For operators: another tenant than the key's own.
    pub tenant: Option<String>,
    /// Names the one change that is asked for.
    pub idempotency_key: Option<String>,
    /// Certificates to trust besides the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// How long one call may take.
    pub timeout: Duration,
}

impl Target {
    /// Connects. Fails at once where nobody listens.
    pub async fn connect(&self) -> Result<Service, Failure> {
        let identity = Identity::new(
            self.token.as_ref().map(Secret::expose),
            self.tenant.as_deref(),
            self.idempotency_key.as_deref(),
        )?;
        let channel = self
            .endpoint()?
            .connect()
            .await
            .map_err(|error| Failure::Unreachable {
                url: self.url.clone(),
                cause: chain(&error),
            })?;
        Ok(InterceptedService::new(channel, identity))
    }

    fn endpoint(&self) -> Result<Endpoint, Failure> {
        let wrong = |error: tonic::transport::Error| {
            Failure::local(format!(
                "--control-plane {} is no usable URL: {}",
                self.url,
                chain(&error)
            ))
        };
        let endpoint = Endpoint::from_shared(self.url.clone())
            .and_then(|endpoint| endpoint.user_agent(concat!("turnpike/", env!("CARGO_PKG_VERSION"))))
            .map_err(wrong)?
            .connect_timeout(CONNECT_TIMEOUT.min(self.timeout))
            .timeout(self.timeout);
        if !self.url.starts_with("https://") {
            return Ok(endpoint);
        }
        let mut tls = ClientTlsConfig::new().with_native_roots();
        if let Some(file) = &self.ca_file {
            let pem = std::fs::read(file).map_err(|error| {
                Failure::local(format!("cannot read --ca-file {}: {error}", file.display()))
            })?;
            tls = tls.ca_certificate(Certificate::from_pem(pem));
        }
        endpoint.tls_config(tls).map_err(wrong)
    }
}

/// Adds the key and the tenant to every call. Has no `Debug`, so that the key is never shown by accident.
#[derive(Clone)]
pub struct Identity {
    authorization: Option<MetadataValue<Ascii>>,
    tenant: Option<MetadataValue<Ascii>>,
    idempotency_key: Option<MetadataValue<Ascii>>,
}

impl Identity {
    fn new(token: Option<&str>, tenant: Option<&str>, key: Option<&str>) -> Result<Self, Failure> {
        let readable = |what: &str, text: String| {
            text.parse::<MetadataValue<Ascii>>()
                .map_err(|_| Failure::local(format!("{what} holds characters that no header may hold")))
        };
        let authorization = token.filter(|token| !token.is_empty());
        let mut authorization = authorization
            .map(|token| readable("the token", format!("Bearer {token}")))
            .transpose()?;
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        let tenant = tenant.filter(|tenant| !tenant.is_empty());
        let tenant = tenant
            .map(|tenant| readable("the tenant's name", tenant.to_owned()))
            .transpose()?;
        let idempotency_key = key.map(|key| readable("the idempotency key", key.to_owned()));
        Ok(Self {
            authorization,
            tenant,
            idempotency_key: idempotency_key.transpose()?,
        })
    }
}

impl Interceptor for Identity {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        if let Some(value) = &self.authorization {
            metadata.insert("authorization", value.clone());
        }
        if let Some(value) = &self.tenant {
            metadata.insert("x-turnpike-tenant", value.clone());
        }
        if let Some(value) = &self.idempotency_key {
            metadata.insert("x-turnpike-idempotency-key", value.clone());
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_carries_the_key_and_the_tenant() {
        let mut identity = Identity::new(Some("tp_pat_x"), Some("dev"), Some("key-00001")).unwrap();
        let request = identity.call(Request::new(())).unwrap();
        assert_eq!(
            request.metadata().get("authorization").unwrap(),
            "Bearer tp_pat_x"
        );
        assert_eq!(request.metadata().get("x-turnpike-tenant").unwrap(), "dev");
        let key = request.metadata().get("x-turnpike-idempotency-key");
        assert_eq!(key.unwrap(), "key-00001");
    }

    #[test]
    fn an_empty_variable_is_as_good_as_none() {
        let mut identity = Identity::new(Some(""), Some(""), None).unwrap();
        assert!(identity.call(Request::new(())).unwrap().metadata().is_empty());
    }

    #[tokio::test]
    async fn a_control_plane_that_does_not_listen_is_named_with_the_flag_to_set() {
        let target = Target {
            url: "http://127.0.0.1:1".to_owned(),
            token: None,
            tenant: None,
            idempotency_key: None,
            ca_file: None,
            timeout: Duration::from_secs(5),
        };
        let text = target.connect().await.err().unwrap().to_string();
        assert!(
            text.starts_with("cannot reach the control plane at http://127.0.0.1:1: "),
            "{text}"
        );
        assert!(
            text.ends_with("set --control-plane or TURNPIKE_CONTROL_PLANE"),
            "{text}"
        );
    }
}
