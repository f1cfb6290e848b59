//! `turnpike credential report-leak`: the text is read here, and only the keys in it are sent.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use clap::Args;
use serde::Serialize;
use turnpike_access::{credential::KEY_LENGTHS, leak::keys};
use turnpike_proto::admin::v1::{
    self as wire, ReportLeakRequest, ReportLeakResponse, credential_service_client::CredentialServiceClient,
};

use crate::{
    command::value::some,
    connect::Service,
    failure::Failure,
    moment::{self, Moment},
    output::View,
    session::{Outcome, Session, Wait},
};

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;
/// Keys sent at a time.
const PART: usize = 1000;

#[derive(Debug, Args)]
pub(in crate::command) struct Report {
    /// Where the text is, such as a log or a patch. Absent: standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Count requests since this time, or so long ago, such as 7d. Absent: all of them
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    since: Option<Moment>,
    /// Show what is known of the keys, and revoke none
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Serialize)]
struct LeakedView {
    id: String,
    owner: String,
    label: Option<String>,
    status_before: String,
    version: String,
    decoy: bool,
    revoked: bool,
    requests: u64,
    refused: u64,
    first_used: Option<String>,
    last_used: Option<String>,
    models: Vec<CountView>,
    addresses: Vec<CountView>,
}

#[derive(Serialize)]
struct CountView {
    name: String,
    requests: u64,
}

impl View for LeakedView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "owner",
        "status_before",
        "revoked",
        "requests",
        "refused",
        "first_used",
        "last_used",
        "models",
        "addresses",
    ];
}

#[derive(Serialize)]
struct SummaryView {
    keys: usize,
    yours: usize,
    not_yours: u32,
    revoked: usize,
    /// Absent where nothing was revoked, or nobody waited.
    applied_everywhere: Option<bool>,
}

impl Report {
    pub(super) async fn run(
        self,
        session: &Session,
        mut client: CredentialServiceClient<Service>,
    ) -> Result<Outcome, Failure> {
        let Self {
            file,
            since,
            dry_run,
            wait,
        } = self;
        let found: Vec<String> = found_in(file)?.into_iter().collect();
        let (mut credentials, mut not_yours, mut applied) = (Vec::new(), 0, None);
        for part in found.chunks(PART) {
            let request = ReportLeakRequest {
                text: part.join("\n"),
                since_us: since.map(|when| when.ago(moment::now())),
                dry_run,
                options: session.options(wait),
            };
            let answer: ReportLeakResponse = client.report_leak(request).await?.into_inner();
            credentials.extend(answer.credentials);
            not_yours += answer.not_yours;
            if let Some(receipt) = answer.receipt.filter(|_| wait.wait) {
                applied = Some(applied.unwrap_or(true) && receipt.applied);
            }
        }
        let views: Vec<LeakedView> = credentials.into_iter().map(LeakedView::from).collect();
        let summary = SummaryView {
            keys: found.len(),
            yours: views.len(),
            not_yours,
            revoked: views.iter().filter(|view| view.revoked).count(),
            applied_everywhere: applied,
        };
        session.printer.whole(&summary, "credentials", &views)?;
        Ok(Outcome::from(applied.unwrap_or(true)))
    }
}

impl From<wire::LeakedCredential> for LeakedView {
    fn from(leaked: wire::LeakedCredential) -> Self {
        let wire::LeakedCredential {
            id,
            owner,
            label,
            status,
            version,
            decoy,
            revoked,
            activity,
        } = leaked;
        let wire::CredentialActivity {
            requests,
            refused,
            first_us,
            last_us,
            models,
            addresses,
        } = activity.unwrap_or_default();
        let counts = |counted: Vec<wire::CountedRequests>| {
            let pairs = counted.into_iter();
            pairs
                .map(|wire::CountedRequests { name, requests }| CountView { name, requests })
                .collect()
        };
        Self {
            id,
            owner,
            label: some(label),
            status_before: status,
            version,
            decoy,
            revoked,
            requests,
            refused,
            first_used: first_us.and_then(moment::text),
            last_used: last_us.and_then(moment::text),
            models: counts(models),
            addresses: counts(addresses),
        }
    }
}

fn found_in(file: Option<PathBuf>) -> Result<BTreeSet<String>, Failure> {
    match file {
        None => scan(io::stdin().lock())
            .map_err(|error| Failure::local(format!("cannot read standard input: {error}"))),
        Some(path) => File::open(&path)
            .and_then(scan)
            .map_err(|error| Failure::local(format!("cannot read --file {}: {error}", path.display()))),
    }
}

/// The different keys in a text of any length, which is never held whole.
fn scan(mut text: impl Read) -> io::Result<BTreeSet<String>> {
    let longest = KEY_LENGTHS.into_iter().max().unwrap_or_default();
    let (mut found, mut held) = (BTreeSet::new(), Vec::with_capacity(CHUNK + longest));
    loop {
        let read = (&mut text).take(CHUNK as u64).read_to_end(&mut held)?;
        let whole = keys(&held).filter_map(|key| held.get(key.start..key.end));
        found.extend(whole.map(|key| String::from_utf8_lossy(key).into_owned()));
        if read == 0 {
            return Ok(found);
        }
        // A key may go on in the next part.
        held.drain(..held.len().saturating_sub(longest - 1));
    }
}

#[cfg(test)]
mod tests {
    use turnpike_access::credential::{KeyKind, write_key};

    use super::*;

    #[test]
    fn a_key_is_found_wherever_a_part_ends_within_it() {
        let secret = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";
        let key = write_key(KeyKind::VirtualAccount, "abcDEF123456".parse().unwrap(), secret);
        for before in [0, 1, CHUNK - 71, CHUNK - 40, CHUNK - 1, CHUNK, 2 * CHUNK - 3] {
            let text = format!("{}{key}\n{key}", "x".repeat(before));
            let found = scan(text.as_bytes()).unwrap();
            assert_eq!(found, BTreeSet::from([key.clone()]), "{before}");
        }
    }
}
