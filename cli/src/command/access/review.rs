//! `turnpike access review`: who was given what, whether they use it, and what could go.

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, ReviewProposal, ReviewRequest, access_service_client::AccessServiceClient,
    review_response::Part,
};

use crate::{
    command::{grant::GrantView, value::some},
    failure::Failure,
    moment::{self, Moment},
    output::View,
    progress::Progress,
    session::{Outcome, Session},
};

/// What can be looked for.
const FINDINGS: [&str; 4] = ["unused", "wider_than_use", "standing_privilege", "no_owner"];

/// What is explained in `--help`.
pub(in crate::command) const HELP: &str = "\
Use is what was recorded since then: requests that a grant lets through, as things are now, and changes in the log. Reading the
administration leaves no record. Findings:
  unused              nobody has used the grant, though it was there all the time and its use would show
  wider_than_use      the role covers what nobody did
  standing_privilege  it may change the administration, and has no end; see `turnpike access request`
  no_owner            nobody answers for the virtual account; see `turnpike virtual-account update --owner`
What is denied is not taken off; `turnpike access what` tells that.";

/// Who was given what by which grant, and do they use it?
#[derive(Debug, Args)]
pub(in crate::command) struct Review {
    /// Since then, or for so long: what was not used is unused
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse, default_value = "30d")]
    unused_for: Moment,
    /// Leave use out: then neither audit.read nor log.read is needed
    #[arg(long, conflicts_with_all = ["unused_for", "propose"])]
    without_use: bool,
    /// Only what this was found of; may be given again. Absent: everything
    #[arg(long, value_name = "FINDING", value_parser = FINDINGS)]
    only: Vec<String>,
    /// Write a narrower policy to this file, for `turnpike apply --prune`: without what nobody used, with roles that cover what
    /// was done. By it the requests that were looked at go as they do now. - shows it in the place of the rows
    #[arg(long, value_name = "FILE")]
    propose: Option<PathBuf>,
}

#[derive(Serialize)]
struct ReviewView {
    subject: String,
    owner: Option<String>,
    through: Option<String>,
    grant: Option<String>,
    role: Option<String>,
    actions: Vec<String>,
    on: Vec<String>,
    conditions: Vec<String>,
    expires: Option<String>,
    uses: u64,
    last_used: Option<String>,
    used_actions: Vec<String>,
    findings: Vec<String>,
    sentences: Vec<String>,
}

impl View for ReviewView {
    const COLUMNS: &'static [&'static str] = &[
        "subject",
        "owner",
        "through",
        "grant",
        "role",
        "on",
        "conditions",
        "expires",
        "uses",
        "last_used",
        "used_actions",
        "findings",
    ];
}

impl From<wire::ReviewedAccess> for ReviewView {
    fn from(row: wire::ReviewedAccess) -> Self {
        let wire::ReviewedAccess {
            subject,
            owner,
            grant,
            actions,
            uses,
            last_used_us,
            used_actions,
            findings,
        } = row;
        let through = grant.as_ref().map(|grant| grant.subject.clone());
        let (id, role) = grant
            .as_ref()
            .map(|grant| (grant.id.clone(), grant.role.clone()))
            .unzip();
        let grant = grant.map(GrantView::from);
        let list = |all: fn(&GrantView) -> Vec<String>| grant.as_ref().map(all).unwrap_or_default();
        Self {
            through: through.filter(|through| *through != subject),
            subject,
            owner: some(owner),
            grant: id,
            role,
            actions,
            on: list(GrantView::about),
            conditions: list(GrantView::conditions),
            expires: grant.as_ref().and_then(GrantView::expires).cloned(),
            uses,
            last_used: last_used_us.and_then(moment::text),
            used_actions,
            findings: kinds(&findings),
            sentences: findings.into_iter().map(|one| one.sentence).collect(),
        }
    }
}

/// Each once: a role may be wider by several patterns.
fn kinds(findings: &[wire::ReviewFinding]) -> Vec<String> {
    let mut kinds: Vec<String> = findings.iter().map(|one| one.kind.clone()).collect();
    kinds.dedup();
    kinds
}

impl Review {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let asked = ReviewRequest {
            since_us: match self.without_use {
                true => 0,
                false => self.unused_for.ago(moment::now()),
            },
            propose: self.propose.is_some(),
        };
        let mut client = AccessServiceClient::new(session.service()).max_decoding_message_size(usize::MAX);
        let mut parts = client.review(asked).await?.into_inner();
        let (mut views, mut progress): (Vec<ReviewView>, _) = (Vec::new(), Progress::on_terminal());
        let wanted = |view: &ReviewView| {
            self.only.is_empty() || view.findings.iter().any(|kind| self.only.contains(kind))
        };
        while let Some(answer) = parts.message().await? {
            match answer.part {
                Some(Part::Progress(step)) => progress.show(&sentence(&step)),
                Some(Part::Rows(wire::ReviewRows { rows })) => {
                    views.extend(rows.into_iter().map(ReviewView::from).filter(wanted));
                }
                Some(Part::Proposal(proposal)) => {
                    progress.end();
                    if self.proposed(session, &proposal)? {
                        return Ok(Outcome::Done);
                    }
                }
                None => {}
            }
        }
        progress.end();
        session.printer.list(&views)?;
        Ok(Outcome::Done)
    }

    /// Writes the proposal, and says whether that is all that is to be shown.
    fn proposed(&self, session: &Session, proposal: &ReviewProposal) -> Result<bool, Failure> {
        let Some(path) = &self.propose else {
            return Ok(false);
        };
        let text = text(proposal);
        if path.as_os_str() == "-" {
            session.printer.text(&text)?;
            return Ok(true);
        }
        std::fs::write(path, text)
            .map_err(|error| Failure::local(format!("cannot write {}: {error}", path.display())))?;
        Ok(false)
    }
}

/// The policy, and before it as comments what is different in it. Names come from people: none ends its comment.
fn text(proposal: &ReviewProposal) -> String {
    let ReviewProposal { policy, notes } = proposal;
    let mut text = String::from(
        "# Proposed by `turnpike access review`: look at it, then\n#   turnpike apply -f FILE --prune --dry-run --replay 30d\n",
    );
    if notes.is_empty() {
        text.push_str("# Nothing is different.\n");
    }
    for note in notes {
        let _ = writeln!(text, "# {}", note.replace(char::is_control, " "));
    }
    text.push_str(policy);
    text
}

fn sentence(progress: &wire::ReviewProgress) -> String {
    let wire::ReviewProgress {
        phase,
        done,
        total: _,
    } = progress;
    match phase.as_str() {
        "changes" => format!("{done} recorded requests and changes looked at"),
        _ => format!("{done} recorded requests looked at"),
    }
}
