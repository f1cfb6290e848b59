//! The question whether somebody may do something.

use std::net::IpAddr;

use turnpike_access::{
    grant::Subject,
    id::{Id, Name, Principal, Timestamp},
    log::Position,
    needs::{Capability, Needs, PassedOver},
    pattern::Tags,
    review::Row,
};

use super::{Page, v1};
use crate::{
    ConversionError,
    field::{micros, moment, optional, parse, shown, tags, texts},
};

/// What the question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedResource {
    /// A model, as a client would write it.
    Model(String),
    /// Any other thing, by type and name.
    Other {
        /// Its type.
        kind: Name,
        /// Its name.
        name: String,
        /// Its family.
        family: Option<Name>,
        /// Its environment.
        environment: Option<Name>,
        /// Its tags.
        tags: Tags,
    },
}

/// Whether somebody may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessQuestion {
    /// Who.
    pub principal: Principal,
    /// The dotted verb.
    pub action: String,
    /// To what.
    pub resource: AskedResource,
    /// With this credential.
    pub credential: Option<Id>,
    /// From where.
    pub client: Option<IpAddr>,
    /// When; absent: now.
    pub time: Option<Timestamp>,
    /// By which state; absent: the one at that time.
    pub position: Option<Position>,
    /// Whether fallback rules are tried.
    pub accepts_fallback: bool,
    /// What a substitute must be able to do.
    pub needs: Needs,
}

impl TryFrom<v1::AccessRequest> for AccessQuestion {
    type Error = ConversionError;

    fn try_from(request: v1::AccessRequest) -> Result<Self, ConversionError> {
        let v1::AccessRequest {
            principal,
            action,
            model,
            resource,
            credential,
            client,
            time_us,
            accept_fallback,
            family,
            environment,
            tags: pairs,
            position,
            needs,
            context_tokens,
        } = request;
        if action.is_empty() {
            return Err(ConversionError::new(
                "action",
                "is missing; name one such as inference.chat",
            ));
        }
        let facts = (
            optional("family", &family)?,
            optional("environment", &environment)?,
            tags(pairs),
        );
        let client = match client.as_str() {
            "" => None,
            text => Some(parse("client", text)?),
        };
        Ok(Self {
            principal: parse("principal", &principal)?,
            action,
            resource: read_resource(model, resource, facts)?,
            credential: optional("credential", &credential)?,
            client,
            time: moment(time_us),
            position: position.map(Position::new),
            accepts_fallback: accept_fallback,
            needs: Needs {
                capabilities: needs
                    .iter()
                    .map(|text| capability(text))
                    .collect::<Result<_, _>>()?,
                context_tokens,
            },
        })
    }
}

/// Who may do something to a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhoQuestion {
    /// To what.
    pub resource: AskedResource,
    /// The dotted verb; absent: each that there is.
    pub action: Option<String>,
    /// When; absent: now.
    pub time: Option<Timestamp>,
    /// By which state; absent: the one at that time.
    pub position: Option<Position>,
    /// Which part, by subject.
    pub page: Page,
}

/// What somebody may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatQuestion {
    /// Who.
    pub subject: Subject,
    /// When; absent: now.
    pub time: Option<Timestamp>,
    /// By which state; absent: the one at that time.
    pub position: Option<Position>,
}

impl TryFrom<v1::WhoRequest> for WhoQuestion {
    type Error = ConversionError;

    fn try_from(request: v1::WhoRequest) -> Result<Self, ConversionError> {
        let v1::WhoRequest {
            model,
            resource,
            action,
            time_us,
            position,
            page,
        } = request;
        Ok(Self {
            resource: read_resource(model, resource, Default::default())?,
            action: (!action.is_empty()).then_some(action),
            time: moment(time_us),
            position: position.map(Position::new),
            page: page.try_into()?,
        })
    }
}

impl TryFrom<v1::WhatRequest> for WhatQuestion {
    type Error = ConversionError;

    fn try_from(request: v1::WhatRequest) -> Result<Self, ConversionError> {
        let v1::WhatRequest {
            subject,
            time_us,
            position,
        } = request;
        Ok(Self {
            subject: parse("subject", &subject)?,
            time: moment(time_us),
            position: position.map(Position::new),
        })
    }
}

fn capability(text: &str) -> Result<Capability, ConversionError> {
    let known = Capability::ALL.into_iter().find(|one| one.as_str() == text);
    known.ok_or_else(|| ConversionError::new("needs", "is tools, vision or json"))
}

impl From<&Row<'_>> for v1::ReviewedAccess {
    fn from(row: &Row<'_>) -> Self {
        let Row {
            subject,
            owner,
            held,
            used,
            findings,
        } = row;
        Self {
            subject: subject.to_string(),
            owner: shown(*owner),
            grant: held.map(Into::into),
            actions: held.map(|held| texts(&held.role.actions)).unwrap_or_default(),
            uses: used.times,
            last_used_us: micros(used.last),
            used_actions: used.actions.iter().map(ToString::to_string).collect(),
            findings: findings
                .iter()
                .map(|finding| v1::ReviewFinding {
                    kind: finding.as_str().to_owned(),
                    sentence: finding.to_string(),
                })
                .collect(),
        }
    }
}

impl From<&PassedOver> for v1::PassedOver {
    fn from(passed_over: &PassedOver) -> Self {
        let PassedOver { rule, to, why } = passed_over;
        Self {
            fallback: rule.to_string(),
            to: to.to_string(),
            sentence: why.to_string(),
        }
    }
}

fn read_resource(
    model: String,
    resource: Option<v1::ResourcePattern>,
    (family, environment, tags): (Option<Name>, Option<Name>, Tags),
) -> Result<AskedResource, ConversionError> {
    let told = family.is_some() || environment.is_some() || !tags.is_empty();
    match (model.is_empty(), resource) {
        (false, None) if told => Err(ConversionError::new(
            "model",
            "has the family, environment and tags of the catalogue; leave them out",
        )),
        (false, None) => Ok(AskedResource::Model(model)),
        (true, Some(v1::ResourcePattern { kind, name })) => Ok(AskedResource::Other {
            kind: parse("resource.kind", &kind)?,
            name,
            family,
            environment,
            tags,
        }),
        _ => Err(ConversionError::new(
            "model",
            "or resource must be given, and only one of them",
        )),
    }
}
