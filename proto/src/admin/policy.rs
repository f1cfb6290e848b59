//! What a tenant holds its credentials to.

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
            (false, false) => Delivery::Webhook {
                url: webhook_url.into(),
                public_key: webhook_public_key.into(),
            },
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
