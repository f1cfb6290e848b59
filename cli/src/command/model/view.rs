//! A model as it is shown. Prices are US dollars for a million tokens, as text, so that nothing is rounded.

use std::collections::BTreeMap;

use serde::Serialize;
use turnpike_proto::admin::v1 as wire;

use crate::{command::value::some, moment, output::View, price};

#[derive(Serialize)]
pub(super) struct ModelView {
    id: String,
    upstream_name: Option<String>,
    family: Option<String>,
    environment: Option<String>,
    tags: BTreeMap<String, String>,
    input_price: Option<String>,
    output_price: Option<String>,
    cached_price: Option<String>,
    capabilities: Vec<String>,
    context_tokens: Option<u64>,
    created: Option<String>,
}

impl View for ModelView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "family",
        "environment",
        "input_price",
        "output_price",
        "capabilities",
        "tags",
    ];
}

impl From<wire::Model> for ModelView {
    fn from(model: wire::Model) -> Self {
        let wire::Model {
            id,
            upstream_name,
            family,
            environment,
            tags,
            prices,
            capabilities,
            context_tokens,
            created_us,
        } = model;
        let wire::Prices {
            input,
            output,
            cached,
        } = prices.unwrap_or_default();
        Self {
            id,
            upstream_name: some(upstream_name),
            family: some(family),
            environment: some(environment),
            tags,
            input_price: input.map(price::text),
            output_price: output.map(price::text),
            cached_price: cached.map(price::text),
            capabilities,
            context_tokens,
            created: moment::text(created_us),
        }
    }
}
