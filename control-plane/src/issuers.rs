//! Keeps the verification of tokens in step with the state: which issuers there are, and whose keys to fetch ahead.

use std::sync::Arc;

use turnpike_runtime::{
    task::Tasks,
    token::{TokenSettings, TokenSetupError, Tokens},
};

use crate::{projection::Projection, settings::Settings};

/// The most verified tokens that are remembered: those of administrators, and of those who exchange theirs.
const REMEMBERED: usize = 10_000;

/// Sets up the verification of tokens, and follows the state until the tasks are told to end.
///
/// # Errors
/// TLS cannot be set up.
pub(crate) fn start(
    settings: &Settings,
    projection: Arc<Projection>,
    tasks: &Tasks,
) -> Result<Arc<Tokens>, TokenSetupError> {
    let wanted = TokenSettings {
        cache_dir: Some(settings.data_dir.join("issuers")),
        allowed_networks: settings.issuer_networks.clone(),
        keys_max_age: settings.issuer_keys_max_age,
        remembered: REMEMBERED,
        roots: Vec::new(),
    };
    let tokens = Tokens::new(wanted, settings.keyring.clone(), tasks)?;
    let (followed, stop) = (tokens.clone(), tasks.shutdown().token());
    tasks.spawn_essential("issuers", async move {
        let mut heads = projection.heads();
        loop {
            heads.mark_unchanged();
            followed.follow(&projection.snapshot());
            tokio::select! {
                changed = heads.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
        }
    });
    Ok(tokens)
}
