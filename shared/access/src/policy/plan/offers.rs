//! What the operators' tenant offers to others. An offer is not changed: one that says something else is another.

use super::{Draft, Phase, Verb, change};
use crate::{
    command::Command,
    id::Id,
    offer::{Audience, Offer},
    policy::OfferEntry,
};

impl Draft<'_, '_> {
    /// Each that is held counts for one entry that says the same; the others are made, or ended.
    pub(super) fn offers(&mut self) {
        let Some(entries) = &self.wanted.policy.offers else {
            return;
        };
        let mut left: Vec<&Offer> = self.tenant.offers().iter().collect();
        for OfferEntry { offer } in entries {
            if let Some(place) = left.iter().position(|held| same(held, offer)) {
                left.remove(place);
                continue;
            }
            let id = (self.ids)();
            let offer = Offer { id, ..offer.clone() };
            let (details, name) = (told(&offer), named(&offer));
            self.step(
                Phase::Offers,
                (Verb::Create, "offer", name),
                details,
                Command::CreateOffer(offer),
            );
        }
        for held in left {
            let command = Command::DeleteOffer { id: held.id };
            self.left_over(Phase::OffersEnd, ("offer", named(held)), told(held), command);
        }
    }
}

fn same(one: &Offer, other: &Offer) -> bool {
    let of = |offer: &Offer| Offer {
        id: Id::from_random(0),
        ..offer.clone()
    };
    of(one) == of(other)
}

fn named(offer: &Offer) -> String {
    match &offer.to {
        Audience::All {} => "to all tenants".to_owned(),
        Audience::Named(names) => {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            format!("to {}", names.join(", "))
        }
        Audience::Tagged(tests) => {
            let keys: Vec<&str> = tests.iter().map(|one| one.key.as_ref()).collect();
            format!("to tenants by {}", keys.join(", "))
        }
    }
}

fn told(offer: &Offer) -> Vec<String> {
    let all = change::of(offer).into_iter();
    all.filter(|field| !field.starts_with("id: ")).collect()
}
