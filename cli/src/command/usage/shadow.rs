//! `turnpike usage shadow`.

use serde::Serialize;
use turnpike_proto::admin::v1::{self as wire, ShadowUsageRequest, usage_service_client::UsageServiceClient};

use crate::{
    command::value::some,
    failure::Failure,
    moment::{self, Moment},
    output::View,
    session::{Outcome, Session},
};

#[derive(Serialize)]
struct ShadowView {
    what: String,
    principal: Option<String>,
    credential: Option<String>,
    value: String,
    first: Option<String>,
    requests: Option<u64>,
}

impl View for ShadowView {
    const COLUMNS: &'static [&'static str] =
        &["what", "principal", "credential", "value", "first", "requests"];
}

impl From<wire::ShadowUse> for ShadowView {
    fn from(shadow: wire::ShadowUse) -> Self {
        let wire::ShadowUse {
            what,
            principal,
            credential,
            value,
            first_us,
            requests,
        } = shadow;
        Self {
            what,
            principal: some(principal),
            credential: some(credential),
            value,
            first: first_us.and_then(moment::precise),
            requests,
        }
    }
}

pub(super) async fn list(session: &Session, since: Moment) -> Result<Outcome, Failure> {
    let mut client = UsageServiceClient::new(session.service());
    let since_us = since.ago(moment::now());
    let answer = client.shadow(ShadowUsageRequest { since_us }).await?.into_inner();
    session.list::<ShadowView, _>(answer.uses)
}
