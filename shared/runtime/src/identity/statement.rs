//! An edge's word that it has applied a position, signed with its own key: whoever has the published keys can check a
//! receipt that was kept, without believing the control plane that kept it.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use turnpike_access::{id::Timestamp, log::Position};

use super::{EdgeSigner, key_id};

/// `typ`: nothing else takes it for a token of its own (RFC 8725, section 3.11).
const KIND: &str = "turnpike-applied+jwt";

/// What is said. The times are of the edge's own clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The edge's name.
    pub edge: String,
    /// Its region.
    pub region: String,
    /// The run of its process.
    pub run: u64,
    /// The last event by which it decides.
    pub position: Position,
    /// Since when.
    pub since: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    iat: i64,
    turnpike: State,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    region: String,
    run: u64,
    position: u64,
    applied_us: i64,
}

impl EdgeSigner {
    /// The statement: a JWS in its compact form (RFC 7515).
    pub fn state(&self, applied: &Applied) -> String {
        let Applied {
            edge,
            region,
            run,
            position,
            since,
        } = applied;
        let claims = Claims {
            sub: edge.clone(),
            iat: since.as_micros().div_euclid(1_000_000),
            turnpike: State {
                region: region.clone(),
                run: *run,
                position: position.get(),
                applied_us: since.as_micros(),
            },
        };
        self.signer.sign_json(KIND, &self.key_id, &claims)
    }
}

/// What a statement says, if it is one of the edge with this public key.
pub fn stated(edge: &str, public_key: &str, statement: &str) -> Option<Applied> {
    let (signed, signature) = statement.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let key = decode(public_key).filter(|key| key.len() == 32)?;
    UnparsedPublicKey::new(&ED25519, key)
        .verify(signed.as_bytes(), &decode(signature)?)
        .ok()?;
    let header: serde_json::Value = serde_json::from_slice(&decode(header)?).ok()?;
    let claims: Claims = serde_json::from_slice(&decode(claims)?).ok()?;
    let is_one = header.get("typ")? == KIND
        && header.get("kid")? == key_id(edge, public_key).as_str()
        && claims.sub == edge;
    let State {
        region,
        run,
        position,
        applied_us,
    } = claims.turnpike;
    is_one.then(|| Applied {
        edge: claims.sub,
        region,
        run,
        position: Position::new(position),
        since: Timestamp::from_micros(applied_us),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn applied() -> Applied {
        Applied {
            edge: "edge-1".to_owned(),
            region: "eu".to_owned(),
            run: 1_700_000_000_000_000,
            position: Position::new(42),
            since: Timestamp::from_micros(1_700_000_000_123_456),
        }
    }

    #[test]
    fn a_statement_is_of_the_edge_whose_key_signed_it_and_says_what_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let signer = EdgeSigner::keep(folder.path(), Arc::from("edge-1")).unwrap();
        let statement = signer.state(&applied());
        let key = signer.public_key();
        assert_eq!(stated("edge-1", key, &statement), Some(applied()));
        assert_eq!(stated("edge-2", key, &statement), None);
        let elsewhere = tempfile::tempdir().unwrap();
        let other = EdgeSigner::keep(elsewhere.path(), Arc::from("edge-1")).unwrap();
        assert_eq!(stated("edge-1", other.public_key(), &statement), None);
        // A signature of this very edge over another position is none over this.
        let further = Applied {
            position: Position::new(43),
            ..applied()
        };
        let further = signer.state(&further);
        let (claimed, _) = further.rsplit_once('.').unwrap();
        let (_, signature) = statement.rsplit_once('.').unwrap();
        assert_eq!(stated("edge-1", key, &format!("{claimed}.{signature}")), None);
        for cut in ["", ".", "..", "a.b.c"] {
            assert_eq!(stated("edge-1", key, cut), None, "{cut:?}");
        }
    }

    #[test]
    fn another_token_of_the_same_edge_is_no_statement() {
        let folder = tempfile::tempdir().unwrap();
        let signer = EdgeSigner::keep(folder.path(), Arc::from("edge-1")).unwrap();
        let claims = serde_json::json!({
            "sub": "edge-1", "iat": 1, "turnpike": {"region": "eu", "run": 1, "position": 9, "applied_us": 1},
        });
        let token = signer
            .signer
            .sign_json("turnpike-identity+jwt", &signer.key_id, &claims);
        assert_eq!(stated("edge-1", signer.public_key(), &token), None);
    }
}
