//! What a fresh development installation is given: a tenant, people, providers, models, grants and keys.
//!
//! It goes through the admin API, as anybody would. Every step may be repeated, so that a start that was
//! interrupted is finished by the next; what was changed by hand afterwards is left alone.

use std::net::SocketAddr;

use tonic::{Code, Response, Status};
use turnpike_runtime::secret::Secret;

use super::{folder::Folder, keys::Keys, progress::say};
use crate::{
    connect::{Service, Target},
    failure::Failure,
};

mod catalogue;
mod grants;
mod people;
mod plan;

pub(super) use catalogue::RealProvider;

/// Under which the keys are kept that `dev.env` needs.
pub(super) const ADMINISTRATOR: &str = "dev/user:admin";
/// The demonstration application's.
pub(super) const APPLICATION: &str = "dev/virtual-account:demo-app";
/// What the control plane takes for making the first administrator.
pub(super) const BOOTSTRAP: &str = "bootstrap";
/// What the fake provider asks of its callers.
pub(super) const FAKE_PROVIDER: &str = "fake-provider";

/// There once everything was made; its text is the version of the plan.
const MARK: &str = "dev.seeded";
const VERSION: &str = "1";

/// How long one call may take; the machine may be busy building.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// What the seeds are made from.
pub(super) struct Ground<'a> {
    /// Where the control plane serves administration.
    pub(super) control_plane: SocketAddr,
    /// What the control plane takes for making the first administrator.
    pub(super) bootstrap_token: &'a str,
    /// Where the fake provider is in this run.
    pub(super) fake_provider: SocketAddr,
    /// A real provider, where a key for one was given.
    pub(super) real_provider: Option<&'a RealProvider>,
}

/// Makes what is not there yet, and tells the fake providers' present address.
pub(super) async fn sow(ground: &Ground<'_>, folder: &Folder, keys: &mut Keys<'_>) -> Result<(), Failure> {
    people::administrators(ground, keys).await?;
    let service = connect(ground.control_plane, keys.get(ADMINISTRATOR), None).await?;
    let fresh = folder.read(MARK)?.is_none_or(|mark| mark.trim() != VERSION);
    if fresh {
        say("making teams, users and the virtual account demo-app");
        people::make(&service).await?;
    }
    catalogue::providers(&service, ground.fake_provider, &keys.get_or_make(FAKE_PROVIDER)?).await?;
    if fresh {
        say("making models, roles and grants");
        catalogue::models(&service).await?;
        grants::make(&service).await?;
    }
    if let Some(real) = ground.real_provider {
        say("making the provider openai");
        catalogue::real_provider(&service, real).await?;
        grants::for_real_provider(&service).await?;
    }
    people::keys(&service, keys).await?;
    if fresh {
        folder.write(MARK, VERSION)?;
    }
    Ok(())
}

async fn connect(address: SocketAddr, key: Option<&str>, tenant: Option<&str>) -> Result<Service, Failure> {
    let target = Target {
        url: format!("http://{address}"),
        token: key.map(Secret::new),
        tenant: tenant.map(str::to_owned),
        idempotency_key: None,
        ca_file: None,
        timeout: TIMEOUT,
    };
    target.connect().await
}

/// Whether the thing was made just now; `false` where an earlier start had made it.
fn made<T>(answer: Result<Response<T>, Status>) -> Result<bool, Failure> {
    match answer {
        Ok(_) => Ok(true),
        Err(status) if status.code() == Code::AlreadyExists => Ok(false),
        Err(status) => Err(status.into()),
    }
}
