//! What a tenant's audit survives: flags that change it, and how it is shown.

use clap::Args;
use serde::Serialize;
use turnpike_access::audit::settings::AuditMode;
use turnpike_proto::admin::v1::AuditSettings;

#[derive(Debug, Args)]
pub(super) struct AuditFlags {
    /// What the audit survives: `buffered`, as is usual, the death of an edge's process; `strict` power failure, for an fsync
    /// before each answer begins, shared by those that wait for one at the time
    #[arg(long, value_name = "buffered|strict")]
    audit: Option<AuditMode>,
}

impl AuditFlags {
    /// Whether any of them is given.
    pub(super) fn given(&self) -> bool {
        let Self { audit } = self;
        audit.is_some()
    }

    /// What is to hold; what is not given stays.
    pub(super) fn apply(self, current: Option<AuditSettings>) -> AuditSettings {
        let AuditSettings { mode } = current.unwrap_or_default();
        AuditSettings {
            mode: self.audit.map_or(mode, |mode| mode.to_string()),
        }
    }
}

#[derive(Serialize)]
pub(super) struct AuditView {
    mode: String,
}

impl From<AuditSettings> for AuditView {
    fn from(AuditSettings { mode }: AuditSettings) -> Self {
        Self {
            mode: Some(mode)
                .filter(|mode| !mode.is_empty())
                .unwrap_or_else(|| AuditMode::default().to_string()),
        }
    }
}
