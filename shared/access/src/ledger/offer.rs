//! Commands about what the operators offer to tenants.

use super::{Handled, Refusal, check_selector, check_text, exists, label, not_found};
use crate::{
    command::Command,
    event::Event,
    id::Name,
    offer::{Audience, Offer},
    snapshot::{Snapshot, Tenant},
};

pub(super) fn handle(snapshot: &Snapshot, tenant: &Tenant, command: Command) -> Handled {
    if tenant.name != Name::platform() {
        return Err(Refusal::Invalid(
            "models are offered by the operators' own tenant alone".to_owned(),
        ));
    }
    let known = |id| tenant.offers().iter().any(|offer| offer.id == id);
    match command {
        Command::CreateOffer(offer) if known(offer.id) => Err(exists("offer", offer.id)),
        Command::CreateOffer(offer) => {
            check(snapshot, &offer)?;
            Ok(vec![Event::OfferCreated(offer)])
        }
        Command::DeleteOffer { id } if known(id) => Ok(vec![Event::OfferDeleted { id }]),
        Command::DeleteOffer { id } => Err(not_found("offer", id)),
        _ => Err(Refusal::Invalid("not a command about offers".to_owned())),
    }
}

fn check(snapshot: &Snapshot, offer: &Offer) -> Result<(), Refusal> {
    let nobody = || Refusal::Invalid("an offer needs to say to whom: tenants, their tags, or all".to_owned());
    match &offer.to {
        Audience::All {} => {}
        Audience::Named(names) if names.is_empty() => return Err(nobody()),
        Audience::Named(names) => {
            let missing = names.iter().find(|name| snapshot.tenant(name.as_str()).is_none());
            missing.map_or(Ok(()), |name| Err(not_found("tenant", name)))?;
        }
        Audience::Tagged(tests) if tests.is_empty() => return Err(nobody()),
        Audience::Tagged(tests) => tests.iter().try_for_each(|test| label(&test.key, "tag key"))?,
    }
    if offer
        .models
        .resources
        .iter()
        .any(|one| one.kind.as_str() != "model")
    {
        return Err(Refusal::Invalid("only models can be offered".to_owned()));
    }
    check_selector(&offer.models)?;
    check_text(offer.reason.as_ref(), "reason")
}
