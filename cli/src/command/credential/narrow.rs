//! `turnpike credential narrow`.

use clap::Args;
use turnpike_proto::admin::v1::NarrowCredentialRequest;

use super::ScopeFlags;
use crate::{
    moment::{self, Moment},
    session::{Session, Wait},
};

#[derive(Debug, Args)]
pub(in crate::command) struct Narrow {
    /// Its id
    id: String,
    #[command(flatten)]
    scope: ScopeFlags,
    /// When it ends by itself: a time, or a duration such as 30d; never later than it would now
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    expires: Option<Moment>,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    pub(super) wait: Wait,
}

impl Narrow {
    pub(super) fn request(self, session: &Session) -> NarrowCredentialRequest {
        let Self {
            id,
            scope,
            expires,
            reason,
            wait,
        } = self;
        NarrowCredentialRequest {
            id,
            scope: scope.given(),
            expires_us: expires.map(|when| when.ahead(moment::now())),
            options: session.options(wait),
            reason,
        }
    }
}
