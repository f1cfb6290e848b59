//! Use that nobody may know of.

use turnpike_access::{grant::Effect, id::Timestamp, snapshot::Tenant};
use turnpike_proto::admin::v1;

use crate::store::{
    AuditStore, StoreError,
    sights::{Sight, Spread},
    usage::{Dimension, Order, Part, UsageQuery},
};

/// Models that are looked at, the busiest first.
const MODELS: u32 = 1000;

/// Keys in new places since a moment, models used since that no grant names, and keys that came from many places.
pub(super) async fn uses(
    store: &dyn AuditStore,
    tenant: &Tenant,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<v1::ShadowUse>, StoreError> {
    let (sights, spreads) = store.shadows(tenant.name(), since).await?;
    let query = UsageQuery {
        everybody: false,
        principal: None,
        by: vec![Dimension::Of(Part::Model)],
        since,
        until: now.plus_seconds(60),
        order: Some(Order::Requests),
        limit: MODELS,
    };
    let models = store.usage(tenant.name(), &query).await?.rows.into_iter();
    let models = models.filter_map(|row| {
        let served = row.used.requests.saturating_sub(row.used.refused);
        let model = row.values.into_iter().next()?;
        (served > 0 && !model.is_empty() && !is_named(tenant, &model)).then(|| v1::ShadowUse {
            what: "ungranted_model".to_owned(),
            value: model,
            requests: u64::try_from(served).ok(),
            ..Default::default()
        })
    });
    let uses = sights.into_iter().map(new_place).chain(models);
    Ok(uses.chain(spreads.into_iter().map(shared)).collect())
}

/// Whether a grant allows a model by its very name, and not by a pattern that takes in others.
fn is_named(tenant: &Tenant, model: &str) -> bool {
    tenant.grants().iter().any(|held| {
        let mut resources = held.grant.selector.resources.iter();
        held.grant.effect == Effect::Allow
            && resources.any(|one| one.kind.as_str() == "model" && one.name.as_str() == model)
    })
}

fn new_place(sight: Sight) -> v1::ShadowUse {
    let Sight {
        principal,
        credential,
        aspect,
        value,
        first,
    } = sight;
    v1::ShadowUse {
        what: format!("new_{aspect}"),
        principal,
        credential,
        value,
        first_us: Some(first.as_micros()),
        requests: None,
    }
}

fn shared(spread: Spread) -> v1::ShadowUse {
    let Spread {
        principal,
        credential,
        networks,
        clients,
    } = spread;
    v1::ShadowUse {
        what: "shared_key".to_owned(),
        principal,
        credential,
        value: format!("{networks} networks, {clients} clients"),
        first_us: None,
        requests: None,
    }
}
