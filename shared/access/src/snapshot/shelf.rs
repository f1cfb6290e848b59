//! A catalogue in order, its models told apart by all that rules can see of them beside their names.

use std::{collections::HashMap, ops::Range, sync::Arc};

use crate::{
    id::Name,
    model::Model,
    pattern::{Glob, Tags},
};

/// What rules see of a model beside its name. Its provider stands for the provider's own tags.
type Class<'m> = (&'m str, Option<&'m Name>, Option<&'m Name>, &'m Tags);

/// The models of a tenant in the order of their names.
#[derive(Debug)]
pub(crate) struct Shelf {
    models: Vec<Arc<Model>>,
    classes: Vec<u32>,
    class_count: usize,
}

/// The models that a pattern may match. They lie together: all of them begin as it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) range: Range<usize>,
    /// Whether it matches each of them.
    pub(crate) exact: bool,
}

impl Shelf {
    pub(super) fn of(mut models: Vec<Arc<Model>>) -> Self {
        models.sort_by(|one, other| one.id.cmp(&other.id));
        let mut numbers: HashMap<Class<'_>, u32> = HashMap::new();
        let mut classes = Vec::with_capacity(models.len());
        for model in &models {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            classes.push(*numbers.entry(class(model)).or_insert(next));
        }
        let class_count = numbers.len();
        Self {
            models,
            classes,
            class_count,
        }
    }

    pub(crate) fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// How many classes there are. Models of one class are alike in all but their names.
    pub(crate) fn class_count(&self) -> usize {
        self.class_count
    }

    /// The models of a range, each with the number of its class.
    pub(crate) fn classed(&self, range: Range<usize>) -> impl Iterator<Item = (&Model, usize)> {
        let models = self.models.get(range.clone()).unwrap_or_default();
        let classes = self.classes.get(range).unwrap_or_default();
        let class = |class: &u32| usize::try_from(*class).unwrap_or(usize::MAX);
        models.iter().map(AsRef::as_ref).zip(classes.iter().map(class))
    }

    pub(crate) fn run(&self, pattern: &Glob) -> Run {
        let text = pattern.as_str();
        let (head, tail) = match text.split_once('*') {
            Some((head, tail)) => (head, Some(tail)),
            None => (text, None),
        };
        let start = self.models.partition_point(|model| model.id.as_str() < head);
        let from = self.models.get(start..).unwrap_or_default();
        let length = from.partition_point(|model| match tail {
            Some(_) => model.id.as_str().starts_with(head),
            None => model.id.as_str() == head,
        });
        Run {
            range: start..start + length,
            exact: tail.is_none_or(str::is_empty),
        }
    }
}

fn class(model: &Model) -> Class<'_> {
    let profile = &model.profile;
    (
        model.id.provider(),
        profile.family.as_ref(),
        profile.environment.as_ref(),
        &profile.tags,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::Timestamp, model::ModelProfile};

    #[test]
    fn what_a_pattern_matches_lies_in_its_run_and_is_all_of_it_where_that_is_exact() {
        let names = ["a/b", "a/b/c", "a/bc", "ab/b", "b/a", "b/a-b", "b/b"];
        let model = |name: &&str| {
            Arc::new(Model {
                id: name.parse().unwrap(),
                profile: ModelProfile::default(),
                created: Timestamp::from_micros(0),
            })
        };
        let shelf = Shelf::of(names.iter().map(model).collect());
        for text in [
            "*", "a/*", "a/b", "a/b*", "*/b", "a*b", "b/a*", "b/a*b", "c", "z*",
        ] {
            let pattern: Glob = text.parse().unwrap();
            let run = shelf.run(&pattern);
            for (place, model) in shelf.models().iter().enumerate() {
                let matches = pattern.matches(model.id.as_str());
                let inside = run.range.contains(&place);
                assert!(inside || !matches, "{text} {}", model.id);
                assert!(!run.exact || inside == matches, "{text} {}", model.id);
            }
        }
    }
}
