//! How this edge becomes known, and stays so: by its token once, from then on by its key, with a certificate that it asks for
//! again long before it ends.
//!
//! Nothing but the key is kept for long. A certificate is asked for at each start, so that an edge that was away for longer
//! than one lives needs nobody's help.

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use opentelemetry::metrics::Counter;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status, transport::Identity};
use turnpike_access::{edge::Duty, id::Name};
use turnpike_proto::sync::v1::{CertifyRequest, CertifyResponse, enrolment_client::EnrolmentClient};
use turnpike_runtime::{
    enrolment::EnrolmentToken, random, retry::Backoff, secret::Secret, telemetry::metrics,
};

use self::kept::{Folder, Kept};
use crate::{
    connect::{self, ControlPlanes, Failover, Trust, Unconnectable},
    edge::StartError,
    settings::{InvalidSettings, Settings},
};

mod kept;

/// What this edge enrolled as, or is about to.
pub(crate) struct Enrolment {
    kept: Kept,
    folder: Folder,
    /// While it was not shown, or not answered.
    token: Option<Secret>,
    control_planes: ControlPlanes,
    /// What everything else speaks by; it gets a certificate from here.
    channels: Failover,
    certified: Counter<u64>,
}

impl Enrolment {
    /// By the token that is given, or by what an earlier run left; `None`: this edge comes in by its keyring.
    ///
    /// # Errors
    /// The token is none, or what is kept can't be read.
    pub(crate) fn of(settings: &Settings) -> Result<Option<Self>, StartError> {
        let unusable = |error| StartError::Data(settings.data_dir.display().to_string(), error);
        let folder = Folder::of(&settings.data_dir).map_err(unusable)?;
        let token = token(settings)?;
        let parsed = token.as_ref().map(EnrolmentToken::parse).transpose();
        let parsed = parsed.map_err(InvalidSettings::EnrolToken)?;
        let Some((kept, asked)) = folder.find(parsed.as_ref()).map_err(unusable)? else {
            return match settings.enrol_token_file.clone() {
                Some(missing) => Err(InvalidSettings::NoToken(missing).into()),
                None => Ok(None),
            };
        };
        let control_planes = settings.control_planes()?;
        if let Some(plain) = control_planes.plain() {
            return Err(InvalidSettings::PlainEnrolment(plain.to_string()).into());
        }
        if let Some(name) = settings.name.as_ref().filter(|name| **name != kept.edge) {
            return Err(InvalidSettings::OtherName(name.clone(), kept.edge).into());
        }
        Ok(Some(Self {
            kept,
            folder,
            token: token.filter(|_| asked),
            control_planes,
            channels: Failover::new(Vec::new(), usize::from(u16::from_le_bytes(random::bytes()))),
            certified: metrics::edge_certificates(),
        }))
    }

    /// What this edge is called.
    pub(crate) fn edge(&self) -> &Name {
        &self.kept.edge
    }

    /// Whether an earlier run was told that this edge is sent away.
    pub(crate) fn is_revoked(&self) -> bool {
        self.kept.revoked
    }

    /// Whether a control plane has ever let this edge in.
    pub(crate) fn is_known(&self) -> bool {
        self.token.is_none()
    }

    /// To the control planes, once there is a certificate.
    pub(crate) fn channels(&self) -> Failover {
        self.channels.clone()
    }

    /// Keeps a certificate that is good until `done`, or until this edge is sent away.
    pub(crate) async fn keep(mut self, duty: Arc<watch::Sender<Duty>>, done: CancellationToken) {
        let mut stands = duty.subscribe();
        tokio::select! {
            () = self.renew() => {}
            _ = stands.wait_for(|duty| *duty == Duty::Revoked) => {}
            () = done.cancelled() => return,
        }
        duty.send_replace(Duty::Revoked);
        self.channels.replace(Vec::new());
        self.kept.revoked = true;
        match self.folder.keep(&self.kept) {
            Ok(()) => {
                tracing::error!("this edge was revoked: it serves nobody, also when it is started again")
            }
            Err(error) => tracing::error!(%error, "this edge was revoked, and that cannot be written down"),
        }
    }

    /// Ends when this edge is sent away.
    async fn renew(&mut self) {
        let mut backoff = Backoff::default();
        let mut told = false;
        loop {
            match self.certify().await {
                Ok(life) => {
                    backoff.reset();
                    told = false;
                    self.certified.add(1, &[]);
                    tokio::time::sleep(life * 2 / 3).await;
                    continue;
                }
                Err(Refused::Call(status)) if status.code() == Code::PermissionDenied => return,
                // Once for each interruption, not once for each attempt.
                Err(error) if !told => {
                    tracing::warn!(%error, edge = %self.kept.edge, "no certificate for this edge yet, trying again");
                    told = true;
                }
                Err(_) => {}
            }
            backoff.wait().await;
        }
    }

    /// Gets a certificate and speaks by it from then on. For how long it is good.
    async fn certify(&mut self) -> Result<Duration, Refused> {
        let trust = Trust::Authority(self.kept.authority, None);
        let unknown = Failover::new(connect::channels(&self.control_planes, &trust)?, 0);
        let key = &self.kept.key;
        let mut request = Request::new(CertifyRequest {
            edge: self.kept.edge.to_string(),
            public_key: key.public_key().to_owned(),
            proof: key.proof(self.kept.edge.as_str()),
        });
        if let Some(token) = &self.token {
            let value = format!("Bearer {}", token.expose().trim()).parse();
            let mut value: tonic::metadata::AsciiMetadataValue =
                value.map_err(|_| Status::invalid_argument("the enrolment token is no text"))?;
            value.set_sensitive(true);
            request.metadata_mut().insert("authorization", value);
        }
        let answer = EnrolmentClient::new(unknown).certify(request).await?;
        let CertifyResponse { certificate, seconds } = answer.into_inner();
        if self.token.take().is_some() {
            self.folder.keep(&self.kept)?;
            tracing::info!(edge = %self.kept.edge, "enrolled");
        }
        let pem = key.pem().map_err(|error| Status::internal(error.to_string()))?;
        let identity = Identity::from_pem(certificate, pem.expose());
        let trust = Trust::Authority(self.kept.authority, Some(identity));
        self.channels
            .replace(connect::channels(&self.control_planes, &trust)?);
        Ok(Duration::from_secs(u64::from(seconds.max(1))))
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{}", _0.message())]
    Call(#[from] Status),
    #[error(transparent)]
    Connect(#[from] Unconnectable),
    #[error("what was enrolled cannot be kept: {0}")]
    Kept(#[from] io::Error),
}

/// The token that is given, in a file or itself.
fn token(settings: &Settings) -> Result<Option<Secret>, StartError> {
    let read = |path: &PathBuf| match fs::read_to_string(path) {
        Ok(text) => Ok(Some(Secret::new(text))),
        // It is good once; whoever takes it away afterwards does well.
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StartError::Data(path.display().to_string(), error)),
    };
    match (&settings.enrol_token, &settings.enrol_token_file) {
        (Some(token), _) => Ok(Some(token.clone())),
        (None, Some(path)) => read(path),
        (None, None) => Ok(None),
    }
}
