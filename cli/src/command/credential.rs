//! `turnpike credential`.

use std::time::Duration;

use clap::{Args, Subcommand};
use turnpike_proto::admin::v1::{
    ChangeCredentialRequest, CreateCredentialRequest, CredentialRequest, CredentialResponse,
    ListCredentialsRequest, RotateCredentialRequest, SecretResponse,
    credential_service_client::CredentialServiceClient,
};

use super::value::Limit;
use crate::{
    connect::Service,
    failure::Failure,
    moment::{self, Moment},
    session::{Outcome, Session, Wait, fetch_all, present},
};

mod leak;
mod narrow;
mod revoke_all;
mod scope;
mod view;

use narrow::Narrow;
use revoke_all::RevokeAll;
use scope::ScopeFlags;
pub(super) use view::CredentialView;

/// Whose key, and whether a key at all.
const CHOOSING: &str = "\
How to choose:
  For a person trying things out or a script of theirs: a key of a user (tp_pat_…). It does what
    the person may do, and dies when they are deactivated.
  For an application: a key of a virtual account (tp_va_…). It lives on when its creator leaves;
    have it rotated (`turnpike tenant update NAME --rotate-after 90d`).
  For production, where something gives your callers tokens: none of these. See
    `turnpike issuer --help`, and let grants demand them (`turnpike grant create --method jwt`).
  For minutes instead of months: a token for a key, from /oauth/token of the control plane.";

/// What can be done with credentials.
#[derive(Debug, Subcommand)]
#[command(after_help = CHOOSING)]
pub(super) enum Command {
    /// Make a key, and show it this once
    Create(Create),
    /// Show all credentials, dead ones too
    List {
        /// Only of this principal: user:NAME or virtual-account:NAME
        #[arg(long, value_name = "PRINCIPAL", default_value = "", hide_default_value = true)]
        owner: String,
        #[command(flatten)]
        list: Limit,
    },
    /// Show one credential
    Get {
        /// Its id, the twelve characters after `tp_va_` or `tp_pat_`
        id: String,
    },
    /// Give a credential a new key, and show that this once
    Rotate {
        /// Its id
        id: String,
        /// How long the key before goes on working
        #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = moment::duration)]
        overlap: Duration,
        /// Why, for those who ask later
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Refuse a credential until it is resumed
    Suspend(Change),
    /// Accept a suspended credential again
    Resume(Change),
    /// Refuse a credential for ever; with --wait, return when every edge does
    Revoke(Change),
    /// Let a credential open less, or end earlier; it never opens more
    Narrow(Narrow),
    /// Refuse for ever all credentials of a principal, a team or the whole tenant
    RevokeAll(RevokeAll),
    /// Show, this once, the key that Turnpike made when it rotated a credential by itself
    PickUp {
        /// Its id
        id: String,
    },
    /// Find keys in a text, revoke those that are yours, and show what they were used for
    ReportLeak(leak::Report),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Whose: user:NAME or virtual-account:NAME
    #[arg(long, value_name = "PRINCIPAL")]
    owner: String,
    /// What to call it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    label: String,
    /// When it ends by itself: a time, or a duration such as 30d. Absent: never
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    expires: Option<Moment>,
    #[command(flatten)]
    scope: ScopeFlags,
    /// Make a decoy: a key that opens nothing, and whose use raises an alert
    #[arg(long)]
    decoy: bool,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Debug, Args)]
pub(super) struct Change {
    /// Its id
    id: String,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    wait: Wait,
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = CredentialServiceClient::new(session.service());
        match self {
            Self::Create(create) => {
                let wait = create.wait;
                shown_once(
                    session,
                    client.create(create.request(session)).await?.into_inner(),
                    wait,
                )
            }
            Self::List { owner, list } => show_all(session, client, owner, list.limit).await,
            Self::Get { id } => {
                let answer = client.get(CredentialRequest { id }).await?.into_inner();
                session.show::<CredentialView, _>(answer.credential)
            }
            Self::Rotate {
                id,
                overlap,
                reason,
                wait,
            } => {
                let options = session.options(wait);
                let request = RotateCredentialRequest {
                    id,
                    overlap_seconds: overlap.as_secs(),
                    options,
                    reason,
                };
                shown_once(session, client.rotate(request).await?.into_inner(), wait)
            }
            Self::Suspend(change) => changed(
                session,
                client.suspend(change.request(session)).await?.into_inner(),
                change.wait,
            ),
            Self::Resume(change) => changed(
                session,
                client.resume(change.request(session)).await?.into_inner(),
                change.wait,
            ),
            Self::Revoke(change) => changed(
                session,
                client.revoke(change.request(session)).await?.into_inner(),
                change.wait,
            ),
            Self::Narrow(narrow) => {
                let wait = narrow.wait;
                let answer = client.narrow(narrow.request(session)).await?.into_inner();
                changed(session, answer, wait)
            }
            Self::RevokeAll(all) => all.run(session, client).await,
            Self::PickUp { id } => {
                let answer = client.pick_up(CredentialRequest { id }).await?.into_inner();
                shown_once(session, answer, Wait { wait: false })
            }
            Self::ReportLeak(report) => report.run(session, client).await,
        }
    }
}

impl Create {
    fn request(self, session: &Session) -> CreateCredentialRequest {
        let Self {
            owner,
            label,
            expires,
            scope,
            decoy,
            reason,
            wait,
        } = self;
        CreateCredentialRequest {
            owner,
            scope: scope.given(),
            expires_us: expires.map(|when| when.ahead(moment::now())),
            label,
            decoy,
            reason,
            options: session.options(wait),
        }
    }
}

impl Change {
    fn request(&self, session: &Session) -> ChangeCredentialRequest {
        let Self { id, reason, wait } = self;
        ChangeCredentialRequest {
            id: id.clone(),
            reason: reason.clone(),
            options: session.options(*wait),
        }
    }
}

async fn show_all(
    session: &Session,
    mut client: CredentialServiceClient<Service>,
    owner: String,
    limit: Option<u32>,
) -> Result<Outcome, Failure> {
    let credentials = fetch_all(limit, async |page| {
        let request = ListCredentialsRequest {
            owner: owner.clone(),
            page: Some(page),
        };
        let part = client.list(request).await?.into_inner();
        Ok((part.credentials, part.next))
    })
    .await?;
    session.list::<CredentialView, _>(credentials)
}

fn shown_once(session: &Session, answer: SecretResponse, wait: Wait) -> Result<Outcome, Failure> {
    let SecretResponse {
        key,
        credential,
        receipt,
    } = answer;
    session.wrote_key(
        "credential",
        &CredentialView::from(present(credential)?),
        &key,
        receipt,
        wait,
    )
}

fn changed(session: &Session, answer: CredentialResponse, wait: Wait) -> Result<Outcome, Failure> {
    let CredentialResponse { credential, receipt } = answer;
    session.wrote(
        "credential",
        &CredentialView::from(present(credential)?),
        receipt,
        wait,
    )
}
