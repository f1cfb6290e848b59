//! Asks the edges' listener as anybody may who can reach it: with a token, a certificate, somebody else's, or nothing.

use std::{fs, path::Path};

use futures::stream;
use serde_json::Value;
use tonic::{
    Code, Request, Status,
    metadata::AsciiMetadataValue,
    transport::{Channel, ClientTlsConfig, Endpoint, Identity},
};
use turnpike_proto::{
    audit::v1::{Batch, ingest_client::IngestClient},
    sync::v1::{
        CertifyRequest, ChangesRequest, Report, SnapshotRequest, enrolment_client::EnrolmentClient,
        sync_client::SyncClient,
    },
};
use turnpike_runtime::{
    enrolment::{AuthorityKey, EdgeKey, EnrolmentToken, SERVER_NAME},
    secret::{Secret, SecretBytes},
};
use turnpike_tests::production::Production;

/// To the edges' listener, as whoever this identity is of.
pub(super) fn channel(
    production: &Production,
    authority: AuthorityKey,
    identity: Option<Identity>,
) -> Channel {
    let mut tls = ClientTlsConfig::new()
        .trust_anchor(authority.anchor())
        .domain_name(SERVER_NAME);
    if let Some(identity) = identity {
        tls = tls.identity(identity);
    }
    let to = format!("https://{}", production.to_edge_listener.address);
    Endpoint::from_shared(to)
        .unwrap()
        .tls_config(tls)
        .unwrap()
        .connect_lazy()
}

/// What each method for edges answers; `Ok` is what an edge of that name is told.
pub(super) async fn asked(channel: &Channel, bearer: Option<&str>, edge: &str) -> Vec<Result<(), Status>> {
    let bearer: Option<AsciiMetadataValue> = bearer.map(|token| format!("Bearer {token}").parse().unwrap());
    let with = move |mut request: Request<()>| {
        if let Some(bearer) = &bearer {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        Ok(request)
    };
    let mut sync = SyncClient::with_interceptor(channel.clone(), with.clone());
    let mut ingest = IngestClient::with_interceptor(channel.clone(), with);
    let report = Report {
        edge: edge.to_owned(),
        region: "eu".to_owned(),
        ..Report::default()
    };
    let batch = Batch {
        edge: edge.to_owned(),
        ..Batch::default()
    };
    let (held, reports) = (stream::pending(), stream::iter([report]));
    let reports = stream::StreamExt::chain(reports, held);
    let mut answers = Vec::new();
    answers.push(match sync.snapshot(SnapshotRequest {}).await {
        Ok(mut chunks) => chunks.get_mut().message().await.map(drop),
        Err(status) => Err(status),
    });
    answers.push(match sync.changes(ChangesRequest { after: 0 }).await {
        Ok(mut batches) => batches.get_mut().message().await.map(drop),
        Err(status) => Err(status),
    });
    answers.push(match sync.attach(reports).await {
        // The first notice may come before the report is read.
        Ok(mut notices) => match notices.get_mut().message().await {
            Ok(_) => notices.get_mut().message().await.map(drop),
            Err(status) => Err(status),
        },
        Err(status) => Err(status),
    });
    answers.push(match ingest.upload(stream::iter([batch])).await {
        Ok(mut acknowledged) => acknowledged.get_mut().message().await.map(drop),
        Err(status) => Err(status),
    });
    answers
}

pub(super) fn codes(answers: &[Result<(), Status>]) -> Vec<Code> {
    let code = |answer: &Result<(), Status>| answer.as_ref().map_or_else(Status::code, |()| Code::Ok);
    answers.iter().map(code).collect()
}

/// Asks for a certificate, and says who comes with it.
pub(super) async fn certify(
    production: &Production,
    (edge, key): (&str, &EdgeKey),
    authority: AuthorityKey,
    token: Option<&str>,
) -> Result<Identity, Status> {
    let mut request = Request::new(CertifyRequest {
        edge: edge.to_owned(),
        public_key: key.public_key().to_owned(),
        proof: key.proof(edge),
    });
    if let Some(token) = token {
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
    }
    let mut client = EnrolmentClient::new(channel(production, authority, None));
    let certificate = client.certify(request).await?.into_inner().certificate;
    Ok(Identity::from_pem(certificate, key.pem().unwrap().expose()))
}

pub(super) fn authority_of(token: &str) -> AuthorityKey {
    EnrolmentToken::parse(&Secret::new(token)).unwrap().authority
}

/// What a thief finds on an edge's disk.
pub(super) fn stolen(folder: &Path) -> (EdgeKey, AuthorityKey) {
    let kept: Value =
        serde_json::from_slice(&fs::read(folder.join("edge-eu/enrolment.json")).unwrap()).unwrap();
    let key: Vec<u8> = serde_json::from_value(kept["key"].clone()).unwrap();
    let authority = kept["authority"].as_str().unwrap().parse().unwrap();
    (EdgeKey::from_pkcs8(SecretBytes::new(key)).unwrap(), authority)
}
