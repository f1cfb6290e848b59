//! Providers. Their secrets pass through here unsealed, inside the request, and are never kept.

use turnpike_access::{
    id::Name,
    model::{Catalogue, IdentityHeader, Provider, ProviderProfile},
    pattern::Tags,
};

use super::{Write, v1};
use crate::{
    ConversionError,
    field::{known, pairs, parse, required, tags, text},
};

/// A provider to be added.
#[derive(Clone)]
pub struct NewProvider {
    /// Its name.
    pub name: Name,
    /// How to reach it; the secret is not sealed into it yet.
    pub profile: ProviderProfile,
    /// The secret, in the clear; empty: none.
    pub secret: String,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::CreateProviderRequest> for NewProvider {
    type Error = ConversionError;

    fn try_from(request: v1::CreateProviderRequest) -> Result<Self, ConversionError> {
        let v1::CreateProviderRequest {
            provider,
            secret,
            options,
        } = request;
        let v1::Provider {
            name,
            kind,
            base_url,
            api_version,
            catalogue,
            has_secret: _,
            created_us: _,
            tags: pairs,
            identity_header,
            identity_audience,
        } = required("provider", provider)?;
        Ok(Self {
            name: parse("provider.name", &name)?,
            profile: ProviderProfile {
                kind: parse("provider.kind", &kind)?,
                base_url: base_url.into(),
                sealed_secret: None,
                api_version: known(api_version),
                catalogue: read_catalogue("provider.catalogue", &catalogue)?,
                tags: tags(pairs),
                identity: new_identity(identity_header, identity_audience)?,
            },
            secret,
            write: options.try_into()?,
        })
    }
}

/// What is to become of a provider's secret.
#[derive(Clone)]
pub enum SecretChange {
    /// It stays.
    Keep,
    /// There is none any more.
    Remove,
    /// It becomes this, in the clear.
    Replace(String),
}

/// What is to become of a provider.
#[derive(Clone)]
pub struct ProviderChange {
    /// Which provider.
    pub name: Name,
    /// Its secret; not applied by [`ProviderChange::apply`], since it must be sealed first.
    pub secret: SecretChange,
    /// How long to wait.
    pub write: Write,
    base_url: Option<String>,
    api_version: Option<String>,
    catalogue: Option<Catalogue>,
    tags: Option<Tags>,
    identity_header: Option<bool>,
    identity_audience: Option<String>,
}

impl TryFrom<v1::UpdateProviderRequest> for ProviderChange {
    type Error = ConversionError;

    fn try_from(request: v1::UpdateProviderRequest) -> Result<Self, ConversionError> {
        let v1::UpdateProviderRequest {
            name,
            base_url,
            api_version,
            catalogue,
            secret,
            options,
            tags: pairs,
            replace_tags,
            identity_header,
            identity_audience,
        } = request;
        if !replace_tags && !pairs.is_empty() {
            return Err(ConversionError::new(
                "tags",
                "are given without replace_tags; set it to replace all tags",
            ));
        }
        let turned_off = identity_header == Some(false);
        let audience = identity_audience.as_deref().unwrap_or_default();
        new_identity(!turned_off, audience.to_owned())?;
        Ok(Self {
            name: parse("name", &name)?,
            secret: match secret {
                None => SecretChange::Keep,
                Some(secret) if secret.is_empty() => SecretChange::Remove,
                Some(secret) => SecretChange::Replace(secret),
            },
            write: options.try_into()?,
            base_url,
            api_version,
            catalogue: catalogue
                .map(|word| read_catalogue("catalogue", &word))
                .transpose()?,
            tags: replace_tags.then(|| tags(pairs)),
            identity_header,
            identity_audience,
        })
    }
}

impl ProviderChange {
    /// The configuration after the change, with the secret that it had.
    pub fn apply(&self, from: &ProviderProfile) -> ProviderProfile {
        let ProviderProfile {
            kind,
            base_url,
            sealed_secret,
            api_version,
            catalogue,
            tags,
            identity,
        } = from.clone();
        ProviderProfile {
            kind,
            base_url: self.base_url.as_deref().map_or(base_url, Into::into),
            sealed_secret,
            api_version: self.api_version.clone().map_or(api_version, known),
            catalogue: self.catalogue.unwrap_or(catalogue),
            tags: self.tags.clone().unwrap_or(tags),
            identity: self.identity(identity),
        }
    }

    /// To name an audience is to want the header.
    fn identity(&self, from: Option<IdentityHeader>) -> Option<IdentityHeader> {
        match (self.identity_header, &self.identity_audience) {
            (Some(false), _) => None,
            (_, Some(audience)) => Some(IdentityHeader {
                audience: known(audience.clone()),
            }),
            (Some(true), None) => Some(from.unwrap_or_default()),
            (None, None) => from,
        }
    }
}

fn new_identity(wanted: bool, audience: String) -> Result<Option<IdentityHeader>, ConversionError> {
    let refused = |problem| Err(ConversionError::new("identity_audience", problem));
    if audience.len() > 256 || audience.chars().any(char::is_control) {
        return refused("is a text of at most 256 bytes");
    }
    if !wanted && !audience.is_empty() {
        return refused("is given without identity_header");
    }
    Ok(wanted.then(|| IdentityHeader {
        audience: known(audience),
    }))
}

fn read_catalogue(field: &str, word: &str) -> Result<Catalogue, ConversionError> {
    match word {
        "" | "open" => Ok(Catalogue::Open),
        "closed" => Ok(Catalogue::Closed),
        _ => Err(ConversionError::new(field, "is open or closed")),
    }
}

impl From<&Provider> for v1::Provider {
    fn from(provider: &Provider) -> Self {
        let Provider {
            name,
            profile,
            created,
            revision: _,
        } = provider;
        let ProviderProfile {
            kind,
            base_url,
            sealed_secret,
            api_version,
            catalogue,
            tags,
            identity,
        } = profile;
        let catalogue = match catalogue {
            Catalogue::Open => "open",
            Catalogue::Closed => "closed",
        };
        Self {
            name: name.to_string(),
            kind: kind.to_string(),
            base_url: base_url.to_string(),
            api_version: text(api_version.as_ref()),
            catalogue: catalogue.to_owned(),
            has_secret: sealed_secret.is_some(),
            created_us: created.as_micros(),
            tags: pairs(tags),
            identity_header: identity.is_some(),
            identity_audience: text(identity.as_ref().and_then(|identity| identity.audience.as_ref())),
        }
    }
}
