//! `turnpike token`.

use clap::{Args, Subcommand};
use turnpike_proto::admin::v1::{
    AllTokens, RevokeTokensRequest, revoke_tokens_request::Tokens, token_service_client::TokenServiceClient,
};

use crate::{
    failure::Failure,
    moment::{self, Moment},
    session::{Outcome, Session, Wait},
};

/// What can be done with tokens, of other issuers and of Turnpike's own.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Revoke tokens for ever: one, those of a subject, or all that were issued before a moment
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// Whose tokens: an issuer's name, or turnpike for Turnpike's own
    #[arg(long, value_name = "NAME")]
    issuer: String,
    #[command(flatten)]
    which: Which,
    /// Those that were issued before: a time, or so long ago. Absent: now
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse, conflicts_with = "id")]
    issued_before: Option<Moment>,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The one with this `jti`
    #[arg(long, value_name = "JTI")]
    id: Option<String>,
    /// Those with this `sub`
    #[arg(long, value_name = "SUB")]
    subject: Option<String>,
    /// All of them
    #[arg(long)]
    all: bool,
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let Self::Revoke(revoke) = self;
        let wait = revoke.wait;
        let mut client = TokenServiceClient::new(session.service());
        let receipt = client.revoke(revoke.request(session)).await?.into_inner();
        session.deleted(receipt, wait)
    }
}

impl Revoke {
    fn request(self, session: &Session) -> RevokeTokensRequest {
        let Self {
            issuer,
            which: Which { id, subject, all },
            issued_before,
            reason,
            wait,
        } = self;
        let tokens = id
            .map(Tokens::Id)
            .or(subject.map(Tokens::Subject))
            .or(all.then_some(Tokens::All(AllTokens {})));
        RevokeTokensRequest {
            issuer,
            tokens,
            issued_before_us: issued_before.map(|when| when.ago(moment::now())),
            reason,
            options: session.options(wait),
        }
    }
}
