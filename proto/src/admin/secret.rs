//! How messages with secrets in them are shown, in a log or in the words of a panic: without the secrets.
//!
//! `build.rs` has no `Debug` made for these; what is left of each message is shown as it is anywhere else.

use std::fmt;

use super::v1;

/// In the place of a secret.
const HIDDEN: &str = "[secret]";

impl fmt::Debug for v1::BootstrapRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            token: _,
            administrator,
        } = self;
        f.debug_struct("BootstrapRequest")
            .field("token", &HIDDEN)
            .field("administrator", administrator)
            .finish()
    }
}

impl fmt::Debug for v1::BootstrapResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key: _,
            credential,
            receipt,
        } = self;
        f.debug_struct("BootstrapResponse")
            .field("key", &HIDDEN)
            .field("credential", credential)
            .field("receipt", receipt)
            .finish()
    }
}

impl fmt::Debug for v1::TenantResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tenant,
            receipt,
            administrator_key: _,
        } = self;
        f.debug_struct("TenantResponse")
            .field("tenant", tenant)
            .field("receipt", receipt)
            .field("administrator_key", &HIDDEN)
            .finish()
    }
}

impl fmt::Debug for v1::SecretResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key: _,
            credential,
            receipt,
        } = self;
        f.debug_struct("SecretResponse")
            .field("key", &HIDDEN)
            .field("credential", credential)
            .field("receipt", receipt)
            .finish()
    }
}

impl fmt::Debug for v1::EnrolEdgeResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            token: _,
            expires_time_us,
            receipt,
        } = self;
        f.debug_struct("EnrolEdgeResponse")
            .field("token", &HIDDEN)
            .field("expires_time_us", expires_time_us)
            .field("receipt", receipt)
            .finish()
    }
}

impl fmt::Debug for v1::ReportLeakRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            text: _,
            since_us,
            dry_run,
            options,
        } = self;
        f.debug_struct("ReportLeakRequest")
            .field("text", &HIDDEN)
            .field("since_us", since_us)
            .field("dry_run", dry_run)
            .field("options", options)
            .finish()
    }
}

impl fmt::Debug for v1::Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            url,
            client_id,
            client_secret: _,
        } = self;
        f.debug_struct("Introspection")
            .field("url", url)
            .field("client_id", client_id)
            .field("client_secret", &HIDDEN)
            .finish()
    }
}

impl fmt::Debug for v1::CreateProviderRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            provider,
            secret: _,
            options,
        } = self;
        f.debug_struct("CreateProviderRequest")
            .field("provider", provider)
            .field("secret", &HIDDEN)
            .field("options", options)
            .finish()
    }
}

impl fmt::Debug for v1::UpdateProviderRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateProviderRequest")
            .field("name", &self.name)
            .field("base_url", &self.base_url)
            .field("secret", &HIDDEN)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for v1::SetAlertDestinationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            destination,
            secret: _,
            options,
        } = self;
        f.debug_struct("SetAlertDestinationRequest")
            .field("destination", destination)
            .field("secret", &HIDDEN)
            .field("options", options)
            .finish()
    }
}

impl fmt::Debug for v1::SetAuditSinkRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sink,
            secret: _,
            options,
        } = self;
        f.debug_struct("SetAuditSinkRequest")
            .field("sink", sink)
            .field("secret", &HIDDEN)
            .field("options", options)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "hunter2";

    #[test]
    fn a_message_with_a_secret_is_shown_without_it() {
        let secret = || CANARY.to_owned();
        let introspection = v1::Introspection {
            client_secret: secret(),
            ..Default::default()
        };
        let issuer = v1::Issuer {
            verification: Some(v1::issuer::Verification::Introspection(introspection)),
            ..Default::default()
        };
        let all: [&dyn fmt::Debug; 11] = [
            &v1::BootstrapRequest {
                token: secret(),
                ..Default::default()
            },
            &v1::BootstrapResponse {
                key: secret(),
                ..Default::default()
            },
            &v1::TenantResponse {
                administrator_key: secret(),
                ..Default::default()
            },
            &v1::SecretResponse {
                key: secret(),
                ..Default::default()
            },
            &v1::EnrolEdgeResponse {
                token: secret(),
                ..Default::default()
            },
            &v1::ReportLeakRequest {
                text: secret(),
                ..Default::default()
            },
            &v1::CreateIssuerRequest {
                issuer: Some(issuer),
                options: None,
            },
            &v1::CreateProviderRequest {
                secret: secret(),
                ..Default::default()
            },
            &v1::UpdateProviderRequest {
                secret: Some(secret()),
                ..Default::default()
            },
            &v1::SetAlertDestinationRequest {
                secret: secret(),
                ..Default::default()
            },
            &v1::SetAuditSinkRequest {
                secret: secret(),
                ..Default::default()
            },
        ];
        for message in all {
            let shown = format!("{message:?} {message:#?}");
            assert!(!shown.contains(CANARY) && shown.contains(HIDDEN), "{shown}");
        }
    }

    /// So that a new field is thought of: these names mean something that is not to be shown.
    #[test]
    fn every_field_that_is_called_a_secret_is_hidden() {
        let proto = include_str!("../../turnpike/admin/v1/admin.proto");
        let mut message = "";
        let mut found = Vec::new();
        for line in proto.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("message ") {
                message = rest.split(' ').next().unwrap_or_default();
            }
            let field = line.trim_start_matches("optional ").strip_prefix("string ");
            let name = field
                .and_then(|field| field.split(" =").next())
                .unwrap_or_default();
            let secret = ["key", "secret", "password"]
                .iter()
                .any(|word| name.ends_with(word))
                || name == "token";
            // A tag's key, public keys, and those that signatures of edges and control planes are verified by are no secrets.
            let shown = ["TagTest", "EdgeReceipt", "AuditCheckpoint", "AuditRetired"];
            if secret && !name.ends_with("public_key") && !shown.contains(&message) {
                found.push(message);
            }
        }
        assert_eq!(
            found,
            [
                "BootstrapRequest",
                "BootstrapResponse",
                "TenantResponse",
                "SecretResponse",
                "SetAlertDestinationRequest",
                "Introspection",
                "CreateProviderRequest",
                "UpdateProviderRequest",
                "EnrolEdgeResponse",
                "SetAuditSinkRequest",
            ]
        );
    }
}
