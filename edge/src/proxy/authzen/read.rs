//! The messages of the Authorization API, read strictly where they matter: what is unknown is passed over, as section
//! 10.1.1 demands, and what could be read in two ways is refused.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::properties::Properties;

/// Most evaluations in one request.
pub const MAX_EVALUATIONS: usize = 1000;

/// A JSON object, and nothing that merely could be taken for one: serde would read an array as a struct's fields in
/// order.
#[derive(Debug, Clone, Default)]
pub struct Object<T>(pub T);

/// A subject or a resource. What is required is asked for where it is needed: a search leaves out what it looks for.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Entity {
    /// `user`, `model` …
    pub r#type: Option<String>,
    /// Unique within the type.
    pub id: Option<String>,
    /// Further attributes.
    pub properties: Option<Properties>,
}

/// What is to be done.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Action {
    /// A dotted verb.
    pub name: Option<String>,
    /// Further attributes.
    pub properties: Option<Properties>,
}

/// One evaluation, or the defaults of many.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Evaluation {
    /// Who.
    pub subject: Option<Object<Entity>>,
    /// Does what.
    pub action: Option<Object<Action>>,
    /// To what.
    pub resource: Option<Object<Entity>>,
    /// Under which circumstances.
    pub context: Option<Properties>,
}

/// Many evaluations, and what they share.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Evaluations {
    subject: Option<Object<Entity>>,
    action: Option<Object<Action>>,
    resource: Option<Object<Entity>>,
    context: Option<Properties>,
    /// Absent or empty: this is a single one.
    #[serde(default)]
    evaluations: Option<Vec<Object<Evaluation>>>,
    #[serde(default)]
    options: Option<Object<Options>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Options {
    evaluations_semantic: Option<Semantic>,
}

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Semantic {
    /// Never.
    #[default]
    ExecuteAll,
    /// After the first no.
    DenyOnFirstDeny,
    /// After the first yes.
    PermitOnFirstPermit,
}

/// A batch, taken apart.
#[derive(Debug, Clone)]
pub struct Batch {
    /// What an evaluation that leaves a part out inherits, each part as a whole.
    pub defaults: Evaluation,
    /// The evaluations; empty: the defaults are the only one.
    pub evaluations: Vec<Evaluation>,
    /// When to stop.
    pub semantic: Semantic,
}

/// Which part of the results of a search is wanted.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Page {
    /// The `next_token` of the page before.
    pub token: Option<String>,
    /// Most results.
    pub limit: Option<u32>,
}

/// A search: an evaluation that leaves out what is looked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Search {
    subject: Option<Object<Entity>>,
    action: Option<Object<Action>>,
    resource: Option<Object<Entity>>,
    context: Option<Properties>,
    page: Option<Object<Page>>,
}

/// Reads the body of `/access/v1/evaluation`.
///
/// # Errors
/// A sentence for the client.
pub fn evaluation(body: &[u8]) -> Result<Evaluation, String> {
    read(body)
}

/// Reads the body of `/access/v1/evaluations`.
///
/// # Errors
/// A sentence for the client.
pub fn evaluations(body: &[u8]) -> Result<Batch, String> {
    let Evaluations {
        subject,
        action,
        resource,
        context,
        evaluations,
        options,
    } = read(body)?;
    let evaluations = evaluations.unwrap_or_default();
    if evaluations.len() > MAX_EVALUATIONS {
        return Err(format!(
            "A request may have at most {MAX_EVALUATIONS} evaluations."
        ));
    }
    Ok(Batch {
        defaults: Evaluation {
            subject,
            action,
            resource,
            context,
        },
        evaluations: evaluations.into_iter().map(|Object(one)| one).collect(),
        semantic: options
            .and_then(|Object(options)| options.evaluations_semantic)
            .unwrap_or_default(),
    })
}

/// Reads the body of a search.
///
/// # Errors
/// A sentence for the client.
pub fn search(body: &[u8]) -> Result<(Evaluation, Option<Page>), String> {
    let Search {
        subject,
        action,
        resource,
        context,
        page,
    } = read(body)?;
    let known = Evaluation {
        subject,
        action,
        resource,
        context,
    };
    Ok((known, page.map(|Object(page)| page)))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    if body.is_empty() {
        return Err("The body is empty: send a JSON object.".to_owned());
    }
    // Members that are passed over are not looked into, and must be text all the same.
    let text = std::str::from_utf8(body).map_err(|_| "The body is not UTF-8.".to_owned())?;
    let read = serde_json::from_str::<Object<T>>(text);
    read.map(|Object(read)| read)
        .map_err(|error| format!("The body is not a valid request: {error}."))
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(std::marker::PhantomData))
    }
}

struct ObjectVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}
