//! Keys that a caller found in a text: which of its tenant's they are, what they were used for, and their end.

use std::collections::BTreeMap;

use turnpike_access::{
    credential::Credential,
    id::{Id, Timestamp},
    leak::Version,
};
use turnpike_proto::{
    ConversionError,
    admin::{LeakReport, v1},
};

use super::{Administration, call::Call};
use crate::{
    leak::{self, Genuine},
    rpc::status::Failure,
    store::Activity,
};

/// Different keys in one report: each of the tenant's own costs a few queries.
const MOST: usize = 1000;

impl Administration {
    /// Carries out a report about the caller's own tenant.
    pub(super) async fn leaked(
        &self,
        call: &Call,
        report: LeakReport,
    ) -> Result<v1::ReportLeakResponse, Failure> {
        let LeakReport {
            text,
            since,
            dry_run,
            write,
        } = report;
        let found = leak::distinct(text.as_bytes());
        if found.len() > MOST {
            let problem = format!("has more than {MOST} different keys; report it in parts");
            return Err(ConversionError::new("text", problem).into());
        }
        let genuine = found
            .iter()
            .filter_map(|key| leak::genuine(&call.snapshot, key, &self.peppers, call.now));
        let mut own: BTreeMap<Id, Genuine<'_>> = BTreeMap::new();
        let mut not_yours = found.len();
        for one in genuine.filter(|one| one.credential.tenant == call.identity.own) {
            not_yours -= 1;
            // Of two versions of one credential the newer is told.
            let held = own.entry(one.credential.id).or_insert(one);
            if one.version < held.version {
                *held = one;
            }
        }
        let mut credentials = Vec::with_capacity(own.len());
        for one in own.values() {
            let id = one.credential.id;
            let activity = self.audit.activity(&call.identity.own, id, since).await?;
            credentials.push(told(one, activity, dry_run, call.now));
        }
        let commands: Vec<_> = own.values().filter_map(Genuine::revocation).collect();
        let receipt = match dry_run || commands.is_empty() {
            true => None,
            false => call.write(commands, write).await?.receipt,
        };
        Ok(v1::ReportLeakResponse {
            credentials,
            not_yours: u32::try_from(not_yours).unwrap_or(u32::MAX),
            receipt,
        })
    }
}

fn told(one: &Genuine<'_>, activity: Activity, dry_run: bool, now: Timestamp) -> v1::LeakedCredential {
    let credential: &Credential = one.credential;
    let shown = v1::Credential::at(credential, now);
    let version = match one.version {
        Version::Present => "present",
        Version::Previous => "previous",
        Version::Past => "past",
    };
    v1::LeakedCredential {
        id: shown.id,
        owner: shown.owner,
        label: shown.label,
        status: shown.status,
        version: version.to_owned(),
        decoy: shown.decoy,
        revoked: !dry_run && one.revocation().is_some(),
        activity: Some(counted(activity)),
    }
}

fn counted(activity: Activity) -> v1::CredentialActivity {
    let Activity {
        requests,
        refused,
        first,
        last,
        models,
        addresses,
    } = activity;
    let counts = |counts: Vec<(String, u64)>| {
        let named = counts.into_iter();
        named
            .map(|(name, requests)| v1::CountedRequests { name, requests })
            .collect()
    };
    v1::CredentialActivity {
        requests,
        refused,
        first_us: first.map(Timestamp::as_micros),
        last_us: last.map(Timestamp::as_micros),
        models: counts(models),
        addresses: counts(addresses),
    }
}
