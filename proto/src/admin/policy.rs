//! What a tenant holds its credentials to.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tonic::codegen::http::Uri;
use turnpike_access::tenant::{AutomaticRotation, CredentialPolicy, Delivery};

use super::v1;
use crate::ConversionError;

impl TryFrom<v1::CredentialPolicy> for CredentialPolicy {
    type Error = ConversionError;

    fn try_from(policy: v1::CredentialPolicy) -> Result<Self, ConversionError> {
        let v1::CredentialPolicy {
            max_lifetime_seconds,
            expiry_required,
            max_live,
            rotate_after_seconds,
            warn_before_seconds,
            suspend_overdue,
            warn_unused_seconds,
            suspend_unused_seconds,
            revoke_unused_seconds,
            automatic_rotation,
        } = policy;
        Ok(Self {
            max_lifetime_seconds,
            expiry_required,
            max_live,
            rotate_after_seconds,
            warn_before_seconds,
            suspend_overdue,
            warn_unused_seconds,
            suspend_unused_seconds,
            revoke_unused_seconds,
            automatic_rotation: automatic_rotation.map(AutomaticRotation::try_from).transpose()?,
        })
    }
}

impl TryFrom<v1::AutomaticRotation> for AutomaticRotation {
    type Error = ConversionError;

    fn try_from(rotation: v1::AutomaticRotation) -> Result<Self, ConversionError> {
        let v1::AutomaticRotation {
            overlap_seconds,
            webhook_url,
            webhook_public_key,
        } = rotation;
        let delivery = match (webhook_url.is_empty(), webhook_public_key.is_empty()) {
            (true, true) => Delivery::PickUp {},
            (false, false) => {
                check_url(&webhook_url)?;
                check_key(&webhook_public_key)?;
                Delivery::Webhook {
                    url: webhook_url.into(),
                    public_key: webhook_public_key.into(),
                }
            }
            _ => {
                return Err(ConversionError::new(
                    "automatic_rotation",
                    "needs both webhook_url and webhook_public_key, or neither",
                ));
            }
        };
        Ok(Self {
            overlap_seconds,
            delivery,
        })
    }
}

/// https, or http to this machine; the rest is seen when something is sent there.
fn check_url(url: &str) -> Result<(), ConversionError> {
    let wrong = |problem| ConversionError::new("automatic_rotation.webhook_url", problem);
    let parsed: Uri = url.parse().map_err(|_| wrong("is no URL"))?;
    let host = parsed.host().unwrap_or_default();
    if parsed
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err(wrong(
            "names a user: anybody who sees the policy would see the password",
        ));
    }
    match parsed.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if ["localhost", "127.0.0.1", "[::1]"].contains(&host) => Ok(()),
        _ => Err(wrong("is https, or http to 127.0.0.1, [::1] or localhost")),
    }
}

fn check_key(key: &str) -> Result<(), ConversionError> {
    let decoded = STANDARD.decode(key).unwrap_or_default();
    if decoded.len() == 32 && decoded.iter().any(|byte| *byte != 0) {
        return Ok(());
    }
    Err(ConversionError::new(
        "automatic_rotation.webhook_public_key",
        "is an X25519 key: 32 bytes in base64",
    ))
}

impl From<&CredentialPolicy> for v1::CredentialPolicy {
    fn from(policy: &CredentialPolicy) -> Self {
        let CredentialPolicy {
            max_lifetime_seconds,
            expiry_required,
            max_live,
            rotate_after_seconds,
            warn_before_seconds,
            suspend_overdue,
            warn_unused_seconds,
            suspend_unused_seconds,
            revoke_unused_seconds,
            automatic_rotation,
        } = policy;
        Self {
            max_lifetime_seconds: *max_lifetime_seconds,
            expiry_required: *expiry_required,
            max_live: *max_live,
            rotate_after_seconds: *rotate_after_seconds,
            warn_before_seconds: *warn_before_seconds,
            suspend_overdue: *suspend_overdue,
            warn_unused_seconds: *warn_unused_seconds,
            suspend_unused_seconds: *suspend_unused_seconds,
            revoke_unused_seconds: *revoke_unused_seconds,
            automatic_rotation: automatic_rotation.as_ref().map(v1::AutomaticRotation::from),
        }
    }
}

impl From<&AutomaticRotation> for v1::AutomaticRotation {
    fn from(rotation: &AutomaticRotation) -> Self {
        let AutomaticRotation {
            overlap_seconds,
            delivery,
        } = rotation;
        let (webhook_url, webhook_public_key) = match delivery {
            Delivery::PickUp {} => Default::default(),
            Delivery::Webhook { url, public_key } => (url.to_string(), public_key.to_string()),
        };
        Self {
            overlap_seconds: *overlap_seconds,
            webhook_url,
            webhook_public_key,
        }
    }
}
