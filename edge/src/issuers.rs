//! Keeps the verification of tokens in step with the snapshot: which issuers there are, and which of their tokens were
//! verified by what stands no more.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use turnpike_runtime::{
    keyring::Keyring,
    task::Tasks,
    token::{TokenSettings, TokenSetupError, Tokens},
};

use crate::{current::Current, settings::Settings};

/// The most verified tokens that are remembered; beyond it, one of the oldest is verified anew when it comes again.
const REMEMBERED: usize = 100_000;

/// Sets up the verification of tokens, and follows the snapshot until the shutdown.
pub(crate) fn start(
    settings: &Settings,
    authorities: Vec<CertificateDer<'static>>,
    keyring: Arc<Keyring>,
    current: Arc<Current>,
    tasks: &Tasks,
) -> Result<Arc<Tokens>, TokenSetupError> {
    let wanted = TokenSettings {
        allowed_networks: settings.issuer_networks.clone(),
        roots: authorities,
        cache_dir: Some(settings.data_dir.join("issuers")),
        keys_max_age: settings.issuer_keys_max_age,
        remembered: REMEMBERED,
    };
    let tokens = Tokens::new(wanted, keyring, tasks)?;
    tasks.spawn_essential("issuers", follow(tokens.clone(), current, tasks.clone()));
    Ok(tokens)
}

async fn follow(tokens: Arc<Tokens>, current: Arc<Current>, tasks: Tasks) {
    let mut positions = current.positions();
    loop {
        positions.mark_unchanged();
        if let Some(snapshot) = current.load() {
            tokens.follow(&snapshot);
        }
        tokio::select! {
            // Never an error: this task holds the sender.
            _ = positions.changed() => {}
            () = tasks.shutdown().cancelled() => return,
        }
    }
}
