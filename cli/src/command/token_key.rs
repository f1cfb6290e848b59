//! `turnpike token-key`.

use clap::Subcommand;
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, ListTokenKeysRequest, RemoveTokenKeyRequest, RotateTokenKeyRequest,
    token_key_service_client::TokenKeyServiceClient,
};

use crate::{
    failure::Failure,
    moment,
    output::View,
    session::{Outcome, Session, Wait, present},
};

/// What can be done with the keys that sign Turnpike's own tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the keys, oldest first, and which of them signs
    List,
    /// Make another key; it signs once it was published for five minutes
    Rotate(Wait),
    /// Stop believing what a key signed, at once
    Remove {
        /// Its id
        id: String,
        #[command(flatten)]
        wait: Wait,
    },
}

#[derive(Serialize)]
struct TokenKeyView {
    id: String,
    issuer: String,
    created: Option<String>,
    signs: bool,
}

impl View for TokenKeyView {
    const COLUMNS: &'static [&'static str] = &["id", "issuer", "created", "signs"];
}

impl From<wire::TokenKey> for TokenKeyView {
    fn from(key: wire::TokenKey) -> Self {
        let wire::TokenKey {
            id,
            issuer,
            public_key: _,
            created_time_us,
            signs,
        } = key;
        Self {
            id,
            issuer,
            created: moment::precise(created_time_us),
            signs,
        }
    }
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = TokenKeyServiceClient::new(session.service());
        match self {
            Self::List => {
                let keys = client.list(ListTokenKeysRequest {}).await?.into_inner().keys;
                session.list::<TokenKeyView, _>(keys)
            }
            Self::Rotate(wait) => {
                let options = session.options(wait);
                let made = client
                    .rotate(RotateTokenKeyRequest { options })
                    .await?
                    .into_inner();
                session.show::<TokenKeyView, _>(Some(present(made.key)?))
            }
            Self::Remove { id, wait } => {
                let options = session.options(wait);
                let request = RemoveTokenKeyRequest { id, options };
                session.deleted(client.remove(request).await?.into_inner(), wait)
            }
        }
    }
}
