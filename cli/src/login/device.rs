//! Logging in with a browser somewhere else: the device flow (RFC 8628).

use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{
    Asked,
    issuer::{Discovered, Tokens, Web, plain},
};
use crate::failure::Failure;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Section 3.2: where the issuer names no interval.
const INTERVAL: u64 = 5;
/// Section 3.5: so much slower when told to slow down.
const SLOWER: Duration = Duration::from_secs(5);
/// The longest that a code is waited for, whatever the issuer says.
const LONGEST: u64 = 1800;

/// What the device authorization endpoint gave.
#[derive(Deserialize)]
struct Authorization {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

/// What somebody with a browser must be told.
pub(super) struct Invitation {
    pub(super) uri: String,
    pub(super) code: String,
    /// The same with the code in it.
    pub(super) complete: Option<String>,
}

/// Logs in. `invite` is told what to show.
pub(super) async fn log_in(
    asked: &Asked,
    web: &Web,
    found: &Discovered,
    invite: impl FnOnce(&Invitation),
) -> Result<Tokens, Failure> {
    let no_endpoint = || Failure::local("the issuer does not offer the device flow; leave --device out");
    let url = found
        .device_authorization_endpoint
        .as_deref()
        .ok_or_else(no_endpoint)?;
    let answer = web.post::<Authorization>(url, &asked.form()).await?;
    let given = answer.map_err(|refused| {
        Failure::local(format!(
            "the issuer refuses the device flow: {}; is it permitted for --client-id {}?",
            refused.sentence(),
            asked.client_id
        ))
    })?;
    invite(&Invitation {
        uri: plain(&given.verification_uri),
        code: plain(&given.user_code),
        complete: given.verification_uri_complete.as_deref().map(plain),
    });
    poll(asked, web, found, &given).await
}

async fn poll(
    asked: &Asked,
    web: &Web,
    found: &Discovered,
    given: &Authorization,
) -> Result<Tokens, Failure> {
    let late =
        || Failure::local("the code has expired before anybody used it; run `turnpike login --device` again");
    let end = Instant::now() + Duration::from_secs(given.expires_in.min(LONGEST));
    let mut interval = Duration::from_secs(given.interval.unwrap_or(INTERVAL).clamp(1, LONGEST));
    let mut form = asked.form();
    form.extend([("grant_type", GRANT), ("device_code", given.device_code.as_str())]);
    loop {
        sleep(interval).await;
        if Instant::now() > end {
            return Err(late());
        }
        match web.tokens(&found.token_endpoint, &form).await? {
            Ok(tokens) => return Ok(tokens),
            Err(refused) => match refused.error.as_str() {
                "authorization_pending" => {}
                "slow_down" => interval += SLOWER,
                "expired_token" => return Err(late()),
                _ => {
                    return Err(Failure::local(format!(
                        "the issuer refuses the login: {}",
                        refused.sentence()
                    )));
                }
            },
        }
    }
}
