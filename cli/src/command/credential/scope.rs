//! What a credential is narrowed to, as flags.

use clap::Args;
use turnpike_proto::admin::v1::Scope;

#[derive(Debug, Args)]
pub(super) struct ScopeFlags {
    /// Narrow it to these models, `provider/name` with *; may be given again
    #[arg(long = "model", value_name = "PATTERN")]
    models: Vec<String>,
    /// Narrow it to these actions, with *; may be given again
    #[arg(long = "action", value_name = "PATTERN")]
    actions: Vec<String>,
    /// Narrow it to models of these environments; may be given again
    #[arg(long = "environment", value_name = "NAME")]
    environments: Vec<String>,
    /// Narrow it to clients in these networks; may be given again
    #[arg(long = "network", value_name = "CIDR")]
    networks: Vec<String>,
}

impl ScopeFlags {
    /// No scope at all, rather than an empty one, where nothing narrows it.
    pub(super) fn given(self) -> Option<Scope> {
        let Self {
            models,
            actions,
            environments,
            networks,
        } = self;
        let scope = Scope {
            models,
            actions,
            environments,
            networks,
        };
        Some(scope).filter(|scope| *scope != Scope::default())
    }
}
