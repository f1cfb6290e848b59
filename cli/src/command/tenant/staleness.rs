//! How far behind an edge may be and still serve a tenant: flags that change it, and how it is shown.

use clap::Args;
use serde::Serialize;
use turnpike_proto::admin::v1::Staleness;

use super::policy::{Rule, Seconds};
use crate::moment;

#[derive(Debug, Args)]
pub(super) struct StalenessFlags {
    /// How far behind an edge may be: beyond it, it answers 503 to the tenant. A duration of at least 5s; none: it serves on
    #[arg(long, value_name = "DURATION")]
    max_staleness: Option<Rule<Seconds>>,
    /// A pattern of models that are served all the same; may be given again. Those given take the place of all
    #[arg(long, value_name = "GLOB")]
    serve_stale: Vec<String>,
    /// Serve no model beyond --max-staleness
    #[arg(long, conflicts_with = "serve_stale")]
    no_serve_stale: bool,
}

impl StalenessFlags {
    /// Whether any of them is given.
    pub(super) fn given(&self) -> bool {
        let Self {
            max_staleness,
            serve_stale,
            no_serve_stale,
        } = self;
        max_staleness.is_some() || !serve_stale.is_empty() || *no_serve_stale
    }

    /// What is to hold; what is not given stays.
    pub(super) fn apply(self, current: Option<Staleness>) -> Staleness {
        let Staleness { max_seconds, models } = current.unwrap_or_default();
        let replaced = self.no_serve_stale || !self.serve_stale.is_empty();
        Staleness {
            max_seconds: match self.max_staleness {
                Some(Rule(rule)) => rule.map(|Seconds(seconds)| seconds),
                None => max_seconds,
            },
            models: if replaced { self.serve_stale } else { models },
        }
    }
}

#[derive(Serialize)]
pub(super) struct StalenessView {
    max: Option<String>,
    serve: Vec<String>,
}

impl From<Staleness> for StalenessView {
    fn from(Staleness { max_seconds, models }: Staleness) -> Self {
        Self {
            max: max_seconds.map(moment::written),
            serve: models,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        staleness: StalenessFlags,
    }

    fn applied(line: &str, current: Option<Staleness>) -> Staleness {
        let words = format!("x {line}");
        let line = Line::try_parse_from(words.split_whitespace()).unwrap();
        line.staleness.apply(current)
    }

    #[test]
    fn a_flag_about_staleness_changes_what_it_names_and_leaves_the_rest() {
        let first = applied("--max-staleness 30s --serve-stale a/* --serve-stale b/c", None);
        assert_eq!((first.max_seconds, first.models.len()), (Some(30), 2));
        let second = applied("--max-staleness 1m", Some(first.clone()));
        assert_eq!((second.max_seconds, &second.models), (Some(60), &first.models));
        let third = applied("--no-serve-stale", Some(second));
        assert_eq!((third.max_seconds, third.models.len()), (Some(60), 0));
        assert_eq!(applied("--max-staleness none", Some(third)), Staleness::default());
    }
}
