//! `turnpike apply`: shows the plan first, then asks, then carries it out.

use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Read as _},
    path::PathBuf,
};

use clap::Args;
use turnpike_access::policy::{Policy, Secret};
use turnpike_proto::admin::{
    Document, read_policy,
    v1::{
        ApplyPolicyRequest, PlanPolicyRequest, PolicyDocument, WantedPolicy, plan_policy_response::Part,
        policy_service_client::PolicyServiceClient,
    },
};

use crate::{
    failure::Failure,
    moment::{self, Moment},
    output::ReceiptView,
    progress::Progress,
    session::{Outcome, Session, Wait, present},
};

mod found;
mod text;

use found::Found;

/// How it ends, for `--help`.
pub(super) const EXIT: &str = "\
Nothing is changed unless all of the plan can be, every test of the file holds, and the plan is still the one that was shown.
Each step asks for the permission that its own command asks for.

Exit status: 0 applied, or nothing to do; 1 refused, or a test fails, or answered with no; 2 wrong usage: the file cannot be
read, or says what it may not, or a secret's variable is not set; 3 with --dry-run --exit-code: there is something to do.";

/// The flags.
#[derive(Debug, Args)]
pub(super) struct Apply {
    /// The policy file; - for standard input; may be given again, for one policy in several files
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Delete what the file's sections do not name
    #[arg(long)]
    prune: bool,
    /// With --prune: delete also grants that were approved for some time; else they are kept, and end by themselves
    #[arg(long, requires = "prune")]
    prune_approved: bool,
    /// Show the plan, the events that it would write, and the access that it would widen or narrow; change nothing
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: exit 3 if there is something to do
    #[arg(long, requires = "dry_run")]
    exit_code: bool,
    /// With --dry-run: judge the recorded requests since then again, and show which would have gone otherwise
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse, requires = "dry_run")]
    replay: Option<Moment>,
    /// Apply without asking; needed where nobody is at the terminal
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    wait: Wait,
}

impl Apply {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let wanted = self.wanted()?;
        if !self.dry_run && !self.yes && !std::io::stdin().is_terminal() {
            return Err(Failure::Usage(
                "nobody is there to be asked: give --yes to apply, or --dry-run to look".to_owned(),
            ));
        }
        let mut client = PolicyServiceClient::new(session.service()).max_decoding_message_size(usize::MAX);
        let asked = PlanPolicyRequest {
            wanted: Some(wanted.clone()),
            access: self.dry_run,
            replay_since_us: self
                .replay
                .map(|when| when.ago(moment::now()))
                .unwrap_or_default(),
        };
        let mut parts = client.plan(asked).await?.into_inner();
        let mut found = Found::default();
        let mut progress = Progress::on_terminal();
        while let Some(answer) = parts.message().await? {
            match answer.part {
                Some(Part::Plan(plan)) => {
                    session.printer.prose(&text::plan(&plan, self.dry_run))?;
                    found.plan = Some(plan.into());
                }
                Some(Part::Progress(step)) => progress.show(&text::progress(&step)),
                Some(Part::Access(change)) => found.access.push(change.into()),
                Some(Part::Replay(replay)) => found.replay = Some(replay.into()),
                None => {}
            }
        }
        progress.end();
        let plan = present(found.plan.as_ref())?;
        let (pending, holds, digest) = (
            !plan.steps.is_empty(),
            plan.failed.is_empty(),
            plan.digest.clone(),
        );
        if self.dry_run {
            session.printer.prose(&text::found(&found))?;
        } else if pending && holds && (self.yes || text::confirmed()?) {
            let request = ApplyPolicyRequest {
                wanted: Some(wanted),
                digest,
                options: session.options(self.wait),
            };
            let applied = client.apply(request).await?.into_inner();
            let receipt = ReceiptView::new(applied.receipt.unwrap_or_default(), self.wait.wait);
            return session.printer.applied(&found, &receipt).map(Outcome::from);
        } else if pending && holds {
            session.printer.prose("Nothing was changed.\n")?;
            return Ok(Outcome::Refused);
        }
        session.printer.machine(&found)?;
        Ok(match (holds, pending && self.exit_code) {
            (false, _) => Outcome::Refused,
            (true, true) => Outcome::Pending,
            (true, false) => Outcome::Done,
        })
    }

    /// The files, as they are sent: they are read here too, so that what is wrong with them is wrong usage, and to find out
    /// which secrets they ask for.
    fn wanted(&self) -> Result<WantedPolicy, Failure> {
        let documents: Vec<Document> = self.files.iter().map(document).collect::<Result<_, _>>()?;
        let policy = read_policy(&documents).map_err(|error| Failure::Usage(error.to_string()))?;
        let wire = |Document { name, text }| PolicyDocument { name, text };
        Ok(WantedPolicy {
            secrets: self.secrets(&policy)?,
            documents: documents.into_iter().map(wire).collect(),
            prune: self.prune,
            prune_approved: self.prune_approved,
        })
    }

    /// A plan may be looked at without them.
    fn secrets(&self, policy: &Policy) -> Result<BTreeMap<String, String>, Failure> {
        let providers = policy.providers.iter().flatten().map(|entry| &entry.secret);
        let issuers = policy.issuers.iter().flatten().map(|entry| &entry.secret);
        let mut secrets = BTreeMap::new();
        for secret in providers.chain(issuers) {
            let Secret::FromEnv(variable) = secret else {
                continue;
            };
            match std::env::var(variable.as_ref()) {
                Ok(value) if !value.is_empty() => {
                    secrets.insert(variable.as_ref().to_owned(), value);
                }
                _ if self.dry_run => {}
                _ => {
                    return Err(Failure::Usage(format!(
                        "the file takes a secret from the variable {variable}, which is not set"
                    )));
                }
            }
        }
        Ok(secrets)
    }
}

fn document(path: &PathBuf) -> Result<Document, Failure> {
    let name = path.display().to_string();
    let unreadable = |error| Failure::Usage(format!("cannot read {name}: {error}"));
    let text = match name.as_str() {
        "-" => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map(|_| text).map_err(unreadable)?
        }
        _ => std::fs::read_to_string(path).map_err(unreadable)?,
    };
    Ok(Document { name, text })
}
