//! Between the messages of edges and what is meant by them, as far as it is the control plane's own affair.

use tonic::Status;
use turnpike_access::{
    id::{Name, Timestamp},
    log::{Head, Position},
};
use turnpike_proto::sync::{self, v1};
use turnpike_runtime::{
    clock,
    identity::{Applied, proves, stated},
};

use crate::store::{EdgeReport, StoreError};

/// Texts of an edge about itself are cut at so many characters.
const TEXT_LIMIT: usize = 200;

/// Where the log ends, as of now.
pub(super) fn head_now(head: Head) -> v1::Head {
    sync::head(head, clock::now())
}

/// What an edge has proven on a stream. Most of its reports say again what it has, and that is not verified again.
#[derive(Debug, Default)]
pub(super) struct Proven {
    /// Name, run, public key and proof.
    identity: Option<(String, u64, String, Vec<u8>)>,
    /// What was said under that key, and the statement.
    applied: Option<(Applied, String)>,
}

impl Proven {
    /// What an edge says of itself, heard now.
    pub(super) fn report(&mut self, report: v1::Report) -> Result<EdgeReport, Status> {
        self.check(&report)?;
        heard(report)
    }

    fn check(&mut self, report: &v1::Report) -> Result<(), Status> {
        let v1::Report {
            edge,
            region,
            applied,
            applied_time_us,
            epoch,
            identity_key,
            identity_proof,
            statement,
            ..
        } = report;
        let same = |(name, run, key, proof): &(String, u64, String, Vec<u8>)| {
            (name, run, key, proof) == (edge, epoch, identity_key, identity_proof)
        };
        if !self.identity.as_ref().is_some_and(same) {
            *self = Self::default();
            if !identity_key.is_empty() && !proves(edge, *epoch, identity_key, identity_proof) {
                return Err(Status::invalid_argument(
                    "the edge does not prove that the key for identity headers is its own",
                ));
            }
            let proven = (edge.clone(), *epoch, identity_key.clone(), identity_proof.clone());
            self.identity = Some(proven);
        }
        let said = Applied {
            edge: edge.clone(),
            region: region.clone(),
            run: *epoch,
            position: Position::new(*applied),
            since: Timestamp::from_micros(*applied_time_us),
        };
        let same = |(before, word): &(Applied, String)| *before == said && word == statement;
        // Builds that sign no statements send none.
        if statement.is_empty() || self.applied.as_ref().is_some_and(same) {
            return Ok(());
        }
        if stated(edge, identity_key, statement).as_ref() != Some(&said) {
            return Err(Status::invalid_argument(
                "the edge's signed statement is not what it reports",
            ));
        }
        self.applied = Some((said, statement.clone()));
        Ok(())
    }
}

fn heard(report: v1::Report) -> Result<EdgeReport, Status> {
    let v1::Report {
        edge,
        region,
        version,
        applied,
        applied_time_us,
        halted,
        goodbye,
        epoch,
        identity_key,
        identity_proof: _,
        number: _,
        statement,
        certain_ago_us,
    } = report;
    let now = clock::now();
    let ago = certain_ago_us.map(|ago| i64::try_from(ago).unwrap_or(i64::MAX));
    Ok(EdgeReport {
        name: edge_name(&edge)?,
        region: cut(&region),
        version: cut(&version),
        epoch,
        position: Position::new(applied),
        applied: Timestamp::from_micros(applied_time_us),
        halted: Some(cut(&halted)).filter(|why| !why.is_empty()),
        last_seen: now,
        departed: goodbye,
        identity_key: Some(identity_key).filter(|key| !key.is_empty()),
        statement: Some(statement).filter(|statement| !statement.is_empty()),
        certain: ago.map(|ago| Timestamp::from_micros(now.as_micros().saturating_sub(ago))),
    })
}

/// What became of a call to the store, for an edge: it will try again.
pub(super) fn unavailable(error: StoreError) -> Status {
    tracing::warn!(%error, "could not serve an edge");
    Status::unavailable(error.to_string())
}

fn edge_name(text: &str) -> Result<String, Status> {
    let name: Name = text
        .parse()
        .map_err(|error| Status::invalid_argument(format!("the edge's name: {error}")))?;
    Ok(name.into())
}

fn cut(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(TEXT_LIMIT)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tonic::Code;
    use turnpike_runtime::identity::EdgeSigner;

    use super::*;

    /// What an edge says that has applied position 7, with its word that it has applied this one.
    fn saying(signer: &EdgeSigner, signed: u64) -> v1::Report {
        let applied = Applied {
            edge: "edge-1".to_owned(),
            region: "eu".to_owned(),
            run: 3,
            position: Position::new(signed),
            since: Timestamp::from_micros(1_790_000_000_000_000),
        };
        v1::Report {
            edge: applied.edge.clone(),
            region: applied.region.clone(),
            applied: 7,
            applied_time_us: applied.since.as_micros(),
            epoch: applied.run,
            identity_key: signer.public_key().to_owned(),
            identity_proof: signer.proof(applied.run),
            statement: signer.state(&applied),
            ..v1::Report::default()
        }
    }

    #[test]
    fn an_edge_is_believed_only_what_it_signed_itself() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [own, other] = folders
            .each_ref()
            .map(|folder| EdgeSigner::keep(folder.path(), Arc::from("edge-1")).unwrap());
        let mut proven = Proven::default();
        let believed = proven.report(saying(&own, 7)).unwrap();
        assert_eq!(believed.position, Position::new(7));
        assert!(believed.statement.is_some());
        let of_another = v1::Report {
            statement: saying(&other, 7).statement,
            ..saying(&own, 7)
        };
        let with_anothers_proof = v1::Report {
            identity_proof: other.proof(3),
            ..saying(&own, 7)
        };
        for refused in [saying(&own, 6), of_another, with_anothers_proof] {
            for mut proven in [Proven::default(), std::mem::take(&mut proven)] {
                let status = proven.report(refused.clone()).map(|_| ()).unwrap_err();
                assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
            }
            // What it has proven does not count for what it says next.
            assert!(proven.report(saying(&own, 7)).is_ok());
        }
    }
}
