//! Whether one grant gives nothing that another does not give already. Where it can't be told, the answer is no.
//!
//! For those who may lend only what they have: [`crate::delegate`].

use std::sync::Arc;

use crate::{
    grant::{Conditions, MethodRule},
    pattern::{Glob, Selector, SetOperator, SetTest, TagTest, Tags},
    role::Role,
};

/// Whether a role covers every action that another one covers.
pub fn role(wide: &Role, narrow: &Role) -> bool {
    narrow.actions.iter().all(|one| globs(&wide.actions, one))
}

fn globs(wide: &[Glob], narrow: &Glob) -> bool {
    wide.iter().any(|pattern| pattern.contains(narrow))
}

/// Whether a selector covers every resource that another one covers. What the wide one asks to be as the caller's own
/// tags are is what its holder's tags say.
pub fn selector(wide: &Selector, narrow: &Selector, holder: Option<&Tags>) -> bool {
    let Selector {
        resources,
        families,
        environment,
        tags,
        match_tags,
    } = wide;
    let named = resources.is_empty()
        || (!narrow.resources.is_empty()
            && narrow.resources.iter().all(|one| {
                resources
                    .iter()
                    .any(|wide| wide.kind == one.kind && wide.name.contains(&one.name))
            }));
    let family = families.is_empty()
        || (!narrow.families.is_empty() && narrow.families.iter().all(|one| families.contains(one)));
    let surrounds = environment.as_ref().is_none_or(|wide| {
        let narrow = narrow.environment.as_ref();
        narrow.is_some_and(|narrow| test(wide, narrow))
    });
    let own = |key: &Arc<str>| {
        holder.and_then(|tags| tags.get(key)).is_some_and(|value| {
            let only = SetTest {
                operator: SetOperator::In,
                values: vec![value.clone()],
            };
            tag(key, &only, &narrow.tags)
        })
    };
    named
        && family
        && surrounds
        && tags.iter().all(|one| tag(&one.key, &one.test, &narrow.tags))
        && match_tags.iter().all(own)
}

fn tag(key: &Arc<str>, wide: &SetTest, narrow: &[TagTest]) -> bool {
    narrow.iter().any(|one| one.key == *key && test(wide, &one.test))
}

/// Whether every value, and a missing one, that passes the narrow test passes the wide one.
fn test(wide: &SetTest, narrow: &SetTest) -> bool {
    let among = |all: &[Arc<str>], some: &[Arc<str>]| some.iter().all(|one| all.contains(one));
    let apart = |all: &[Arc<str>], some: &[Arc<str>]| !some.iter().any(|one| all.contains(one));
    match (wide.operator, narrow.operator) {
        (SetOperator::In, SetOperator::In) => among(&wide.values, &narrow.values),
        (SetOperator::In, SetOperator::NotIn) => false,
        (SetOperator::NotIn, SetOperator::In) => apart(&wide.values, &narrow.values),
        (SetOperator::NotIn, SetOperator::NotIn) => among(&narrow.values, &wide.values),
    }
}

/// Whether conditions hold wherever others do.
pub fn conditions(wide: &Conditions, narrow: &Conditions) -> bool {
    let Conditions {
        methods,
        max_token_age_seconds,
        networks,
        not_before,
        expires,
        schedules,
    } = wide;
    all_within(methods, &narrow.methods, |wide: &MethodRule, narrow| {
        wide.method == narrow.method && (wide.issuer.is_none() || wide.issuer == narrow.issuer)
    }) && all_within(networks, &narrow.networks, |wide, narrow| wide.contains(narrow))
        && all_within(schedules, &narrow.schedules, |wide, narrow| wide.contains(narrow))
        && at_most(narrow.max_token_age_seconds, *max_token_age_seconds)
        && at_most(narrow.expires, *expires)
        && not_before.is_none_or(|from| narrow.not_before.is_some_and(|later| later >= from))
}

fn all_within<T>(wide: &[T], narrow: &[T], contains: impl Fn(&T, &T) -> bool) -> bool {
    wide.is_empty()
        || (!narrow.is_empty()
            && narrow
                .iter()
                .all(|one| wide.iter().any(|wide| contains(wide, one))))
}

fn at_most<T: PartialOrd>(narrow: Option<T>, wide: Option<T>) -> bool {
    wide.is_none_or(|wide| narrow.is_some_and(|narrow| narrow <= wide))
}

/// Whether two selectors surely have no resource in common.
pub fn apart(one: &Selector, other: &Selector) -> bool {
    let distinct = !one.resources.is_empty()
        && !other.resources.is_empty()
        && one.resources.iter().all(|one| {
            let mut others = other.resources.iter();
            others.all(|other| one.kind != other.kind || heads_differ(&one.name, &other.name))
        });
    let families = !one.families.is_empty()
        && !other.families.is_empty()
        && !one.families.iter().any(|family| other.families.contains(family));
    distinct || families
}

/// Whether two roles surely have no action in common.
pub fn roles_apart(one: &Role, other: &Role) -> bool {
    let mut actions = one.actions.iter();
    actions.all(|one| other.actions.iter().all(|other| heads_differ(one, other)))
}

/// Whether what stands before the first star differs, so that no text matches both.
fn heads_differ(one: &Glob, other: &Glob) -> bool {
    let head = |glob: &Glob| glob.as_str().split('*').next().unwrap_or_default().to_owned();
    let (one, other) = (head(one), head(other));
    !one.starts_with(&other) && !other.starts_with(&one)
}
