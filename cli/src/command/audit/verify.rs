//! Holds the audit to what edges signed: over the control plane's answer, or over what was exported, with nobody asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use clap::Args;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use turnpike_access::audit::{chain::Leaf, walk::Walk};
use turnpike_proto::admin::v1::{ProveAuditRequest, audit_service_client::AuditServiceClient};
use turnpike_runtime::identity;

use super::proof::{self, Line};
use crate::{
    failure::Failure,
    session::{Outcome, Session},
};

/// So many problems are shown; all are counted.
const SHOWN: usize = 200;

#[derive(Debug, Args)]
pub(in crate::command) struct Verify {
    /// A proof that `turnpike audit prove` wrote, instead of asking the control plane
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// Rows that `turnpike audit export` wrote: each must be in the proof as it is. May be repeated
    #[arg(long, value_name = "FILE")]
    rows: Vec<PathBuf>,
    /// Believe only these keys of edges, as EDGE=KEY, and of control planes, as control-plane=KEY; absent: whichever signed, and
    /// they are shown. May be repeated
    #[arg(long, value_name = "EDGE=KEY", value_parser = trusted)]
    trust: Vec<(String, String)>,
}

/// Under what name the keys are shown that sign for what is deleted.
const CONTROL_PLANE: &str = "control-plane";

/// Whether a signer's key is to be believed.
fn believed(trust: &[(String, String)], signer: &str, key: &str) -> bool {
    trust.is_empty() || trust.iter().any(|(of, known)| of == signer && known == key)
}

fn trusted(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=');
    let pair = pair.filter(|(edge, key)| !edge.is_empty() && !key.is_empty());
    let (edge, key) = pair.ok_or("write EDGE=KEY, as `turnpike audit verify` shows them")?;
    Ok((edge.to_owned(), key.to_owned()))
}

/// What was found.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct VerdictView {
    intact: bool,
    epochs: u64,
    records: u64,
    /// Of them nothing is proven: written by edges that sign nothing, or not yet signed.
    unproven: u64,
    /// Deleted because their tenant keeps them no longer, as a control plane signed.
    retired: u64,
    /// Exported rows that were compared.
    rows: u64,
    problem_count: u64,
    problems: Vec<String>,
    /// By edge.
    keys: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Default)]
struct Verification {
    trust: Vec<(String, String)>,
    rows: BTreeMap<(String, u64, u64), Leaf>,
    compared: u64,
    at: Option<(String, u64, u64, Walk)>,
    epochs: u64,
    records: u64,
    unproven: u64,
    retired: u64,
    problem_count: u64,
    problems: Vec<String>,
    keys: BTreeMap<String, BTreeSet<String>>,
}

impl Verify {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let Self { proof, rows, trust } = self;
        let mut verification = Verification {
            trust,
            ..Verification::default()
        };
        for file in &rows {
            read::<Row>(file, |row| verification.expect(row))?;
        }
        match proof {
            Some(file) => read(&file, |line| verification.take(line))?,
            None => {
                let mut client = AuditServiceClient::new(session.service());
                let mut parts = client.prove(ProveAuditRequest {}).await?.into_inner();
                while let Some(part) = parts.message().await? {
                    verification.take(part.try_into()?)?;
                }
            }
        }
        let verdict = verification.end();
        session.printer.one(&verdict)?;
        Ok(Outcome::from(verdict.intact))
    }
}

/// An exported row, of which only this matters here.
#[derive(Debug, Deserialize)]
struct Row {
    edge: String,
    epoch: u64,
    sequence: u64,
    record: String,
}

fn read<T: DeserializeOwned>(
    file: &Path,
    mut take: impl FnMut(T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let wrong = |what: String| Failure::local(format!("{}: {what}", file.display()));
    let opened = File::open(file).map_err(|error| wrong(error.to_string()))?;
    for (number, line) in (1..).zip(BufReader::new(opened).lines()) {
        let line = line.map_err(|error| wrong(error.to_string()))?;
        let read = serde_json::from_str(&line);
        take(read.map_err(|error| wrong(format!("line {number} was not written by turnpike: {error}")))?)?;
    }
    Ok(())
}

impl Verification {
    fn expect(&mut self, row: Row) -> Result<(), Failure> {
        let Row {
            edge,
            epoch,
            sequence,
            record,
        } = row;
        let leaf = Leaf::of(&proof::bytes(&record)?);
        if self
            .rows
            .insert((edge.clone(), epoch, sequence), leaf)
            .is_some_and(|other| other != leaf)
        {
            self.problem(format!(
                "{edge} {epoch}: record {sequence} was exported twice, and differently"
            ));
        }
        Ok(())
    }

    fn take(&mut self, line: Line) -> Result<(), Failure> {
        if let Line::Epoch { edge, epoch, highest } = line {
            self.finish();
            self.at = Some((edge, epoch, highest, Walk::new(epoch)));
            return Ok(());
        }
        let Some((edge, epoch, _, walk)) = &mut self.at else {
            return Err(Failure::local("the proof does not begin with an epoch"));
        };
        let (edge, epoch) = (edge.clone(), *epoch);
        if let Line::Leaves { first, hashes } = line {
            for (sequence, hash) in (first..).zip(&hashes) {
                let leaf = proof::leaf(hash)?;
                walk.record(sequence, leaf);
                let row = match self.rows.is_empty() {
                    true => None,
                    false => self.rows.remove(&(edge.clone(), epoch, sequence)),
                };
                self.compared += u64::from(row.is_some());
                if row.is_some_and(|row| row != leaf) {
                    self.problem_count += 1;
                    let problem =
                        format!("{edge} {epoch}: the exported record {sequence} is not the one in the proof");
                    self.problems.push(problem);
                }
            }
        } else if matches!(line, Line::Retired { .. }) {
            let Some(said) = proof::retired(&edge, epoch, line)? else {
                return Ok(());
            };
            let trusted = believed(&self.trust, CONTROL_PLANE, &said.key);
            let signed = identity::signed(&said.key, &said.statement(), &said.signature);
            if signed {
                let keys = self.keys.entry(CONTROL_PLANE.to_owned()).or_default();
                keys.insert(said.key.clone());
            }
            walk.retired(said, signed && trusted);
        } else if let Some(said) = proof::checkpoint(&edge, epoch, line)? {
            let trusted = believed(&self.trust, &edge, &said.key);
            let signed = identity::signed(&said.key, &said.statement(), &said.signature);
            walk.checkpoint(&said, signed && trusted);
            if signed {
                self.keys.entry(edge).or_default().insert(said.key);
            }
        }
        Ok(())
    }

    fn finish(&mut self) {
        let Some((edge, epoch, highest, walk)) = self.at.take() else {
            return;
        };
        let verdict = walk.end(highest);
        self.epochs += 1;
        self.records += verdict.records;
        self.unproven += verdict.unproven;
        self.retired += verdict.retired;
        for problem in verdict.problems {
            self.problem(format!("{edge} {epoch}: {problem}"));
        }
    }

    fn problem(&mut self, problem: String) {
        self.problem_count += 1;
        if self.problems.len() < SHOWN {
            self.problems.push(problem);
        }
    }

    fn end(mut self) -> VerdictView {
        self.finish();
        for ((edge, epoch, sequence), _) in std::mem::take(&mut self.rows) {
            self.problem(format!(
                "{edge} {epoch}: the exported record {sequence} is not in the proof"
            ));
        }
        VerdictView {
            intact: self.problem_count == 0,
            epochs: self.epochs,
            records: self.records,
            unproven: self.unproven,
            retired: self.retired,
            rows: self.compared,
            problem_count: self.problem_count,
            problems: self.problems,
            keys: self.keys,
        }
    }
}
