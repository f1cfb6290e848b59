//! Globs, tests on sets, and selectors: which resources and actions a grant is about.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::id::{InvalidName, Name};

/// A pattern in which `*` stands for any run of characters, the empty one and slashes included.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Glob(Arc<str>);

impl Glob {
    /// The pattern that matches everything.
    pub fn any() -> Self {
        Self(Arc::from("*"))
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether everything that `other` matches is surely matched by this one too. Where it can't be told: no.
    pub fn contains(&self, other: &Self) -> bool {
        // A star of the other stands for itself here, and only a star matches a star.
        self.matches(&other.0)
    }

    /// Whether the whole of `text` matches. Case-sensitive. Linear in `text` for each star.
    pub fn matches(&self, text: &str) -> bool {
        // Most patterns that fail do so here; the rest would cost ten times as much.
        let first = self.0.bytes().next().filter(|first| *first != b'*');
        if first.is_some() && first != text.bytes().next() {
            return false;
        }
        let mut pieces = self.0.split('*');
        let Some(rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else {
            return false;
        };
        let Some(last) = pieces.next_back() else {
            return rest.is_empty();
        };
        let Some(mut middle) = rest.strip_suffix(last) else {
            return false;
        };
        for piece in pieces {
            let Some(found) = middle.find(piece) else {
                return false;
            };
            middle = middle.get(found + piece.len()..).unwrap_or_default();
        }
        true
    }
}

impl FromStr for Glob {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(Arc::from(text)))
        } else {
            Err(InvalidName::new(
                text,
                "pattern",
                "use 1 to 200 visible ASCII characters; '*' stands for any run",
            ))
        }
    }
}

impl TryFrom<String> for Glob {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> Self {
        glob.0.as_ref().to_owned()
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Tags of a resource: `customer` to `tenantA`.
pub type Tags = BTreeMap<Arc<str>, Arc<str>>;

/// Which way a [`SetTest`] looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetOperator {
    /// The value must be there and be one of these.
    In,
    /// The value must be none of these; a missing value passes.
    NotIn,
}

/// A test of one value against a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetTest {
    /// Which way it looks.
    pub operator: SetOperator,
    /// The set.
    pub values: Vec<Arc<str>>,
}

impl SetTest {
    /// Whether the value passes.
    pub fn passes(&self, value: Option<&str>) -> bool {
        let member = value.is_some_and(|value| self.values.iter().any(|one| one.as_ref() == value));
        match self.operator {
            SetOperator::In => member,
            SetOperator::NotIn => !member,
        }
    }
}

/// A test of one tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagTest {
    /// The tag's key.
    pub key: Arc<str>,
    /// What its value must be.
    pub test: SetTest,
}

/// Resources of one type by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourcePattern {
    /// The resource's type: `model`, `provider`, `team` or any other that a tenant names.
    pub kind: Name,
    /// Its name.
    pub name: Glob,
}

/// Which resources a grant is about. Every part that is given must hold; an empty selector covers everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// One of these, where any is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourcePattern>,
    /// One of these families, where any is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub families: Vec<Name>,
    /// What the environment must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<SetTest>,
    /// What the tags must be, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TagTest>,
    /// The keys of tags of which the resource must have the same as the caller. One that is missing is the same as none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_tags: Vec<Arc<str>>,
}

/// What an action is judged on. Models have all parts; other resources a type and a name, and what else is told of them.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a> {
    /// `model`, `tenant`, `credential` …
    pub kind: &'a str,
    /// For models `provider/name`.
    pub name: &'a str,
    /// The model's family.
    pub family: Option<&'a Name>,
    /// The environment.
    pub environment: Option<&'a Name>,
    /// The tags.
    pub tags: Option<&'a Tags>,
    /// The tags that count where its own have no such key: a model's provider's.
    pub inherited: Option<&'a Tags>,
}

impl<'a> Resource<'a> {
    /// A resource that is known by type and name alone.
    pub fn named(kind: &'a str, name: &'a str) -> Self {
        Self {
            kind,
            name,
            family: None,
            environment: None,
            tags: None,
            inherited: None,
        }
    }

    /// The value of a tag, its own or an inherited one.
    pub fn tag(&self, key: &str) -> Option<&'a str> {
        let own = self.tags.and_then(|tags| tags.get(key));
        own.or_else(|| self.inherited?.get(key)).map(AsRef::as_ref)
    }
}

/// The first part of a selector that a resource fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectorMismatch {
    /// None of the resource patterns fits.
    Resource,
    /// Another family.
    Family,
    /// Another environment.
    Environment,
    /// The named tag has another value.
    Tag(Arc<str>),
    /// The caller has no such tag, and should have the resource's.
    CallerTagMissing(Arc<str>),
    /// The resource has no such tag, and should have the caller's.
    ResourceTagMissing(Arc<str>),
    /// Caller and resource have different values of the named tag.
    TagDiffers(Arc<str>),
}

impl Selector {
    /// Whether the resource is covered for a caller with these tags, or which part it fails first.
    pub fn covers(&self, resource: &Resource<'_>, caller: Option<&Tags>) -> Result<(), SelectorMismatch> {
        let Self {
            resources,
            families,
            environment,
            tags,
            match_tags,
        } = self;
        let named =
            |one: &ResourcePattern| one.kind.as_str() == resource.kind && one.name.matches(resource.name);
        if !resources.is_empty() && !resources.iter().any(named) {
            return Err(SelectorMismatch::Resource);
        }
        if !families.is_empty() && !resource.family.is_some_and(|family| families.contains(family)) {
            return Err(SelectorMismatch::Family);
        }
        if let Some(test) = environment
            && !test.passes(resource.environment.map(Name::as_str))
        {
            return Err(SelectorMismatch::Environment);
        }
        match tags.iter().find(|one| !one.test.passes(resource.tag(&one.key))) {
            Some(failed) => Err(SelectorMismatch::Tag(failed.key.clone())),
            None => match_tags
                .iter()
                .try_for_each(|key| matches_caller(key, resource, caller)),
        }
    }
}

fn matches_caller(
    key: &Arc<str>,
    resource: &Resource<'_>,
    caller: Option<&Tags>,
) -> Result<(), SelectorMismatch> {
    let of_caller = caller.and_then(|tags| tags.get(key)).map(AsRef::as_ref);
    match (of_caller, resource.tag(key)) {
        (None, _) => Err(SelectorMismatch::CallerTagMissing(key.clone())),
        (_, None) => Err(SelectorMismatch::ResourceTagMissing(key.clone())),
        (Some(own), Some(other)) if own == other => Ok(()),
        _ => Err(SelectorMismatch::TagDiffers(key.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        pattern.parse::<Glob>().unwrap().matches(text)
    }

    #[test]
    fn a_star_stands_for_any_run_and_nothing_else_does() {
        assert!(matches("*", ""));
        assert!(matches("openai-main/gpt-4o*", "openai-main/gpt-4o-mini"));
        assert!(matches("openai-main/gpt-4o*", "openai-main/gpt-4o"));
        assert!(!matches("openai-main/gpt-4o", "openai-main/gpt-4o-mini"));
        assert!(!matches("openai-main/gpt-4?", "openai-main/gpt-4o"));
        assert!(matches("a*b*c", "a-b-b-c"));
        assert!(!matches("a*b*c", "a-c-b"));
        assert!(!matches("ab*ba", "aba"), "the two ends may not overlap");
        assert!(matches("inference.*", "inference.chat"));
        assert!(!matches("inference.*", "inferences"));
    }

    #[test]
    fn a_missing_value_is_in_no_set_and_not_in_every_set() {
        let values = vec![Arc::from("staging")];
        assert!(
            !SetTest {
                operator: SetOperator::In,
                values: values.clone()
            }
            .passes(None)
        );
        assert!(
            SetTest {
                operator: SetOperator::NotIn,
                values
            }
            .passes(None)
        );
    }
}
