//! From what was written to what is judged: the parts that are required, the defaults, and the bounds.
//!
//! A resource of the type `model` is the catalogue's, whatever is said of it. Of any other the client knows more than
//! Turnpike: `environment`, `family` and `tags` are what grants select by, every other simple property counts as a tag of
//! its name, and those of the subject and the action as tags with `subject.` and `action.` before it.

use std::{fmt, net::IpAddr, sync::Arc};

use turnpike_access::{
    authenticate::Caller,
    grant::{AuthMethod, Circumstances, MethodRule},
    id::{Name, Timestamp},
    pattern::{Resource, Tags},
};

use super::{
    properties::{NotSimple, Properties, Property},
    read::{Action, Entity, Evaluation, Object},
};
use crate::proxy::ruling::Thing;

/// Longest type, name or identifier, in bytes.
pub const MAX_TEXT: usize = 256;

/// Why a question can't be judged: a sentence for the client.
pub type Unclear = String;

/// The subject, by its type and id.
#[derive(Debug, Clone, Copy)]
pub struct Who<'q> {
    /// `user` …
    pub kind: &'q str,
    /// Unique within the type.
    pub id: &'q str,
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

/// The resource, by its type and id, and what is known of it.
#[derive(Debug, Clone)]
pub struct What<'q> {
    /// `model`, or any other.
    pub kind: &'q str,
    /// Unique within the type.
    pub id: &'q str,
    family: Option<Name>,
    environment: Option<Name>,
    tags: Tags,
}

/// When, from where, and how the subject proved who it is: as far as the client says.
#[derive(Debug, Clone)]
pub struct Setting {
    now: Timestamp,
    client: Option<IpAddr>,
    method: MethodRule,
}

/// The parts of an evaluation, each its own or the default. Nothing is required yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts<'q> {
    subject: Option<&'q Entity>,
    action: Option<&'q Action>,
    resource: Option<&'q Entity>,
    context: Option<&'q Properties>,
}

impl<'q> Parts<'q> {
    /// Each part that an evaluation leaves out is the default's, as a whole.
    pub fn of(own: &'q Evaluation, defaults: &'q Evaluation) -> Self {
        fn inner<'q, T>(own: &'q Option<Object<T>>, default: &'q Option<Object<T>>) -> Option<&'q T> {
            own.as_ref().or(default.as_ref()).map(|Object(part)| part)
        }
        Self {
            subject: inner(&own.subject, &defaults.subject),
            action: inner(&own.action, &defaults.action),
            resource: inner(&own.resource, &defaults.resource),
            context: own.context.as_ref().or(defaults.context.as_ref()),
        }
    }

    /// Who is asked about.
    ///
    /// # Errors
    /// It is not said.
    pub fn who(&self) -> Result<Who<'q>, Unclear> {
        let kind = self.subject_type()?;
        let id = self.subject.and_then(|subject| subject.id.as_deref());
        let id = required("subject.id", id)?;
        Ok(Who { kind, id })
    }

    /// The type of subjects that are looked for.
    ///
    /// # Errors
    /// It is not said.
    pub fn subject_type(&self) -> Result<&'q str, Unclear> {
        let subject = self.subject.ok_or_else(|| missing("subject"))?;
        required("subject.type", subject.r#type.as_deref())
    }

    /// The action.
    ///
    /// # Errors
    /// It is not said.
    pub fn action(&self) -> Result<&'q str, Unclear> {
        let action = self.action.ok_or_else(|| missing("action"))?;
        required("action.name", action.name.as_deref())
    }

    /// What it is done to.
    ///
    /// # Errors
    /// It is not said, or said in two ways.
    pub fn what(&self) -> Result<What<'q>, Unclear> {
        let resource = self.resource.ok_or_else(|| missing("resource"))?;
        let kind = self.resource_type()?;
        let id = required("resource.id", resource.id.as_deref())?;
        self.described(kind, id)
    }

    /// The type of resources that are looked for.
    ///
    /// # Errors
    /// It is not said.
    pub fn resource_type(&self) -> Result<&'q str, Unclear> {
        let resource = self.resource.ok_or_else(|| missing("resource"))?;
        required("resource.type", resource.r#type.as_deref())
    }

    /// A resource with the properties that were written.
    ///
    /// # Errors
    /// They say something in two ways.
    pub fn described<'n>(&self, kind: &'n str, id: &'n str) -> Result<What<'n>, Unclear> {
        let mut what = What {
            kind,
            id,
            family: None,
            environment: None,
            tags: Tags::new(),
        };
        if let Some(properties) = self.resource.and_then(|resource| resource.properties.as_ref()) {
            let name = |member| named(properties, member);
            (what.family, what.environment) = (name("family")?, name("environment")?);
            what.tag(properties, "", &["family", "environment", "tags"])?;
            match properties.get("tags") {
                None | Some(Property::Nothing) => {}
                Some(Property::Members(tags)) => what.tag(tags, "", &[])?,
                Some(_) => return Err("resource.properties.tags must be an object of strings.".to_owned()),
            }
        }
        let subject = self.subject.and_then(|subject| subject.properties.as_ref());
        let action = self.action.and_then(|action| action.properties.as_ref());
        for (properties, prefix) in [(subject, "subject."), (action, "action.")] {
            if let Some(properties) = properties {
                what.tag(properties, prefix, &[])?;
            }
        }
        Ok(what)
    }

    /// The circumstances: of the context `time`, `ip` and `auth_method` count.
    ///
    /// # Errors
    /// One of them is not what it must be.
    pub fn setting(&self, now: Timestamp) -> Result<Setting, Unclear> {
        let text = |member: &str| match self.context.map(|context| context.text(member)) {
            None => Ok(None),
            Some(Ok(text)) => Ok(text),
            Some(Err(NotSimple)) => Err(format!("context.{member} must be a string.")),
        };
        let time = |text: &str| {
            let time: Result<jiff::Timestamp, _> = text.parse();
            time.map(|time| Timestamp::from_micros(time.as_microsecond()))
                .map_err(|_| "context.time must be a time such as 2026-03-01T09:30:00Z.".to_owned())
        };
        let ip = |text: &str| {
            text.parse::<IpAddr>()
                .map(|ip| ip.to_canonical())
                .map_err(|_| "context.ip must be an IP address.".to_owned())
        };
        let method = |text: &str| {
            text.parse::<MethodRule>()
                .map_err(|error| format!("context.auth_method: {error}."))
        };
        Ok(Setting {
            now: text("time")?.map_or(Ok(now), time)?,
            client: text("ip")?.map(ip).transpose()?,
            method: text("auth_method")?.map_or(Ok(AuthMethod::ApiKey.into()), method)?,
        })
    }
}

impl What<'_> {
    fn tag(&mut self, properties: &Properties, prefix: &str, but: &[&str]) -> Result<(), Unclear> {
        for (name, value) in properties.texts().filter(|(name, _)| !but.contains(name)) {
            let (key, value) = (format!("{prefix}{name}"), Arc::from(value));
            match self.tags.get(key.as_str()) {
                Some(known) if *known != value => {
                    return Err(format!("The properties give the tag {key:?} two values."));
                }
                _ => self.tags.insert(Arc::from(key), value),
            };
        }
        Ok(())
    }

    /// What is judged.
    pub(in crate::proxy) fn thing(&self) -> Thing<'_> {
        match self.kind {
            "model" => Thing::Model {
                requested: self.id,
                provider: None,
            },
            kind => Thing::Other(Resource {
                kind,
                name: self.id,
                family: self.family.as_ref(),
                environment: self.environment.as_ref(),
                tags: Some(&self.tags),
                inherited: None,
            }),
        }
    }
}

impl Setting {
    /// How the subject proved who it is.
    pub fn method(&self) -> AuthMethod {
        self.method.method
    }

    /// What conditions look at.
    pub fn circumstances<'s>(&'s self, caller: &Caller<'s>) -> Circumstances<'s> {
        Circumstances {
            issuer: self.method.issuer.as_ref(),
            ..caller.circumstances(self.now, self.client)
        }
    }
}

fn required<'q>(what: &str, text: Option<&'q str>) -> Result<&'q str, Unclear> {
    match text {
        None => Err(missing(what)),
        Some(text) if text.is_empty() || text.len() > MAX_TEXT || text.contains(char::is_control) => Err(
            format!("{what} must have 1 to {MAX_TEXT} bytes and no control characters."),
        ),
        Some(text) => Ok(text),
    }
}

fn missing(what: &str) -> Unclear {
    format!("{what} is missing.")
}

/// A name that could be no environment's or family's is nobody's, which is what an unknown one is.
fn named(properties: &Properties, member: &str) -> Result<Option<Name>, Unclear> {
    let text = properties
        .text(member)
        .map_err(|NotSimple| format!("resource.properties.{member} must be a string."))?;
    Ok(text.and_then(|text| text.parse().ok()))
}
