//! Which columns of a request in the audit a table has.

use turnpike_proto::admin::AuditLine;

use crate::output::View;

impl View for AuditLine {
    const COLUMNS: &'static [&'static str] = &[
        "time",
        "principal",
        "action",
        "model_requested",
        "outcome",
        "reason",
        "status",
        "input_tokens",
        "output_tokens",
        "latency_ms",
        "edge",
    ];
}
