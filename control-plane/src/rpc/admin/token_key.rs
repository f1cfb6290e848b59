//! The keys of Turnpike's own tokens. For the operators.

use std::sync::Arc;

use tonic::{Request, Response};
use turnpike_access::{
    command::Command,
    id::{Name, Timestamp},
    issuer::TokenKey,
};
use turnpike_proto::admin::{Write, v1};

use super::{Administration, Answer, call::read};
use crate::{rpc::status::Failure, token_key};

#[tonic::async_trait]
impl v1::token_key_service_server::TokenKeyService for Administration {
    async fn list(&self, request: Request<v1::ListTokenKeysRequest>) -> Answer<v1::ListTokenKeysResponse> {
        let (call, v1::ListTokenKeysRequest {}) = self.admit(request).await?;
        call.may("")?;
        let keys = call.snapshot.token_keys();
        let signing = token_key::signing(keys, self.token_keys.issuer(), call.now);
        let shown = keys.iter().map(|key| shown(key, signing));
        Ok(Response::new(v1::ListTokenKeysResponse {
            keys: shown.collect(),
        }))
    }

    async fn rotate(&self, request: Request<v1::RotateTokenKeyRequest>) -> Answer<v1::TokenKeyResponse> {
        let (call, v1::RotateTokenKeyRequest { options }) = self.admit(request).await?;
        let write: Write = read(options)?;
        call.may("")?;
        let key = self.token_keys.fresh().await.map_err(Failure::from)?;
        let command = Command::AddTokenKey(key.clone());
        let written = call.write_in(Name::platform(), vec![command], write).await?;
        let signing = token_key::signing(
            written.snapshot.token_keys(),
            self.token_keys.issuer(),
            key.created,
        );
        Ok(Response::new(v1::TokenKeyResponse {
            key: Some(shown(&key, signing)),
            receipt: written.receipt,
        }))
    }

    async fn remove(&self, request: Request<v1::RemoveTokenKeyRequest>) -> Answer<v1::Receipt> {
        let (call, v1::RemoveTokenKeyRequest { id, options }) = self.admit(request).await?;
        let write: Write = read(options)?;
        let command = Command::RemoveTokenKey { id: Arc::from(id) };
        let written = call.write_in(Name::platform(), vec![command], write).await?;
        Ok(Response::new(written.into_receipt()))
    }
}

fn shown(key: &TokenKey, signing: Option<&TokenKey>) -> v1::TokenKey {
    let TokenKey {
        id,
        issuer,
        public_key,
        created,
    } = key;
    v1::TokenKey {
        id: id.to_string(),
        issuer: issuer.to_string(),
        public_key: public_key.to_string(),
        created_time_us: Timestamp::as_micros(*created),
        signs: signing == Some(key),
    }
}
