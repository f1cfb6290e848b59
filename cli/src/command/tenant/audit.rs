//! What a tenant's audit survives and for how long it is kept: flags that change it, and how it is shown.

use clap::Args;
use serde::Serialize;
use turnpike_access::audit::settings::AuditMode;
use turnpike_proto::admin::v1::AuditSettings;

use super::policy::Rule;

#[derive(Debug, Args)]
pub(super) struct AuditFlags {
    /// What the audit survives: `buffered`, as is usual, the death of an edge's process; `strict` power failure, for an fsync
    /// before each answer begins, shared by those that wait for one at the time
    #[arg(long, value_name = "buffered|strict")]
    audit: Option<AuditMode>,
    /// For how many days the audit's records are kept, at least 2; `none` for ever, as is usual
    #[arg(long, value_name = "DAYS")]
    audit_days: Option<Rule<u32>>,
}

impl AuditFlags {
    /// Whether any of them is given.
    pub(super) fn given(&self) -> bool {
        let Self { audit, audit_days } = self;
        audit.is_some() || audit_days.is_some()
    }

    /// What is to hold; what is not given stays.
    pub(super) fn apply(self, current: Option<AuditSettings>) -> AuditSettings {
        let AuditSettings { mode, keep_days } = current.unwrap_or_default();
        AuditSettings {
            mode: self.audit.map_or(mode, |mode| mode.to_string()),
            keep_days: self.audit_days.map_or(keep_days, |Rule(days)| days),
        }
    }
}

#[derive(Serialize)]
pub(super) struct AuditView {
    mode: String,
    keep_days: Option<u32>,
}

impl From<AuditSettings> for AuditView {
    fn from(AuditSettings { mode, keep_days }: AuditSettings) -> Self {
        Self {
            keep_days,
            mode: Some(mode)
                .filter(|mode| !mode.is_empty())
                .unwrap_or_else(|| AuditMode::default().to_string()),
        }
    }
}
