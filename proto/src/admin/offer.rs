//! Offers of the operators' models to tenants.

use std::sync::Arc;

use turnpike_access::{
    id::Id,
    offer::{Audience, Offer},
    pattern::{Selector, TagTest},
};

use super::{Write, v1};
use crate::{
    ConversionError,
    field::{all, known, required, text, texts},
};

/// An offer to be made; its id is the server's to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOffer {
    /// How long to wait.
    pub write: Write,
    to: Option<Audience>,
    models: Selector,
    reason: Option<Arc<str>>,
}

impl NewOffer {
    /// The offer under an id; `otherwise` is meant where it names nobody.
    pub fn with_id(self, id: Id, otherwise: Audience) -> Offer {
        Offer {
            id,
            to: self.to.unwrap_or(otherwise),
            models: self.models,
            reason: self.reason,
        }
    }
}

impl TryFrom<v1::CreateOfferRequest> for NewOffer {
    type Error = ConversionError;

    fn try_from(request: v1::CreateOfferRequest) -> Result<Self, ConversionError> {
        let v1::CreateOfferRequest { offer, options } = request;
        let v1::Offer {
            id: _,
            all_tenants,
            tenants,
            tenant_tags,
            models,
            reason,
        } = required("offer", offer)?;
        let to = match (all_tenants, tenants.is_empty(), tenant_tags.is_empty()) {
            (false, true, true) => None,
            (true, true, true) => Some(Audience::All {}),
            (false, false, true) => Some(Audience::Named(all("offer.tenants", tenants)?)),
            (false, true, false) => Some(Audience::Tagged(
                tenant_tags
                    .into_iter()
                    .map(TagTest::try_from)
                    .collect::<Result<_, _>>()
                    .map_err(|error: ConversionError| error.within("offer.tenant_tags"))?,
            )),
            _ => {
                return Err(ConversionError::new(
                    "offer",
                    "is to all tenants, to named ones or to tagged ones: give one of these",
                ));
            }
        };
        let models = Selector::try_from(models.unwrap_or_default());
        Ok(Self {
            write: options.try_into()?,
            to,
            models: models.map_err(|error: ConversionError| error.within("offer.models"))?,
            reason: known(reason),
        })
    }
}

impl From<&Offer> for v1::Offer {
    fn from(offer: &Offer) -> Self {
        let Offer {
            id,
            to,
            models,
            reason,
        } = offer;
        let shown = Self {
            id: id.to_string(),
            models: Some(models.into()),
            reason: text(reason.as_ref()),
            ..Self::default()
        };
        match to {
            Audience::All {} => Self {
                all_tenants: true,
                ..shown
            },
            Audience::Named(names) => Self {
                tenants: texts(names),
                ..shown
            },
            Audience::Tagged(tests) => Self {
                tenant_tags: tests.iter().map(v1::TagTest::from).collect(),
                ..shown
            },
        }
    }
}
