//! The models that a caller may use, out of very many: judged by the decision, once where the rules see no difference.
//!
//! The catalogue is in order, so that what a pattern may match lies together. Between the ends of such runs the same rules
//! are left for every model, most of them few. Where all of those match whatever is there, models of one class are alike
//! to them, and the answer about the first is the answer about each.

use std::{collections::BTreeSet, ops::Range};

use crate::{
    authenticate::Caller,
    choose::INFERENCE_ACTIONS,
    credential::Scope,
    decide::{Standing, scopes},
    grant::Circumstances,
    model::Provider,
    offer::Offer,
    pattern::{Glob, Selector},
    resolve::{self, ResolvedModel, Shelved},
    snapshot::{HeldGrant, Run, Shelf, Snapshot},
};

/// The models that the caller may use for something: the tenant's own and then those that are offered to it, each in
/// the order of their names.
pub fn usable<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller<'s>,
    circumstances: Circumstances<'_>,
) -> impl Iterator<Item = ResolvedModel<'s>> {
    let standings = standings(caller, circumstances);
    let mut found = Vec::new();
    for shelved in resolve::shelved(snapshot, caller.tenant) {
        let listing = Listing::new(snapshot, caller, &standings, &shelved);
        listing.find(&mut found);
    }
    found.into_iter()
}

fn standings<'s, 'a>(caller: &Caller<'s>, circumstances: Circumstances<'a>) -> Vec<Standing<'s, 'a>> {
    let mut different: Vec<Standing<'s, 'a>> = Vec::new();
    for action in INFERENCE_ACTIONS {
        let standing = Standing::of(caller, action, circumstances);
        if !standing.is_hopeless(caller) && !different.iter().any(|one| one.is_like(&standing)) {
            different.push(standing);
        }
    }
    different
}

/// Where the names are that a rule speaks of; `None`: it speaks of every name.
struct Reach(Option<Vec<Run>>);

impl Reach {
    fn of<'p>(shelf: &Shelf, patterns: impl Iterator<Item = &'p Glob>) -> Self {
        Self(Some(patterns.map(|pattern| shelf.run(pattern)).collect()))
    }

    fn of_selector(shelf: &Shelf, selector: &Selector) -> Self {
        let resources = selector.resources.iter();
        let models = resources.filter(|one| one.kind.as_str() == "model");
        match selector.resources.is_empty() {
            true => Self(None),
            false => Self::of(shelf, models.map(|one| &one.name)),
        }
    }

    fn of_scope(shelf: &Shelf, scope: &Scope) -> Self {
        match scope.models.is_empty() {
            true => Self(None),
            false => Self::of(shelf, scope.models.iter()),
        }
    }

    fn ends(&self) -> impl Iterator<Item = usize> {
        let runs = self.0.iter().flatten();
        runs.flat_map(|run| [run.range.start, run.range.end])
    }

    /// Between two ends: whether it may speak of what is there, and if so whether it speaks of each.
    fn at(&self, place: usize) -> Option<bool> {
        let Some(runs) = &self.0 else {
            return Some(true);
        };
        let here = runs.iter().filter(|run| run.range.contains(&place));
        here.map(|run| run.exact).max()
    }
}

/// A shelf, and all the rules about it with their reaches.
struct Listing<'s, 'l, 'a> {
    snapshot: &'s Snapshot,
    caller: &'l Caller<'s>,
    shelved: &'l Shelved<'s>,
    shelf: &'s Shelf,
    standings: Vec<(&'l Standing<'s, 'a>, Vec<Reach>)>,
    scopes: Vec<Reach>,
    offers: Vec<Reach>,
}

/// What was found out about the models of a class, in one part of the shelf.
#[derive(Clone, Copy)]
struct Known<'s> {
    part: usize,
    /// Who serves them, where the caller may use them.
    usable: Option<&'s Provider>,
}

impl<'s, 'l, 'a> Listing<'s, 'l, 'a> {
    fn new(
        snapshot: &'s Snapshot,
        caller: &'l Caller<'s>,
        standings: &'l [Standing<'s, 'a>],
        shelved: &'l Shelved<'s>,
    ) -> Self {
        let shelf = shelved.owner().shelf();
        let reaches = |standing: &'l Standing<'s, 'a>| {
            let grants = standing.grants().iter();
            let reach = |held: &&HeldGrant| Reach::of_selector(shelf, &held.grant.selector);
            (standing, grants.map(reach).collect())
        };
        let offer = |offer: &&Offer| Reach::of_selector(shelf, &offer.models);
        Self {
            snapshot,
            caller,
            shelved,
            shelf,
            standings: standings.iter().map(reaches).collect(),
            scopes: scopes(caller)
                .map(|scope| Reach::of_scope(shelf, scope))
                .collect(),
            offers: shelved.offers().iter().map(offer).collect(),
        }
    }

    fn find(&self, found: &mut Vec<ResolvedModel<'s>>) {
        let of_grants = self.standings.iter().flat_map(|(_, reaches)| reaches);
        let all = of_grants.chain(&self.scopes).chain(&self.offers);
        let length = self.shelf.models().len();
        let mut ends: BTreeSet<usize> = all.flat_map(Reach::ends).filter(|end| *end < length).collect();
        ends.extend([0, length]);
        let ends: Vec<usize> = ends.into_iter().collect();
        let nothing = Known {
            part: usize::MAX,
            usable: None,
        };
        let mut known = vec![nothing; self.shelf.class_count()];
        for (part, two) in ends.windows(2).enumerate() {
            if let [start, end] = *two {
                self.find_in(part, start..end, &mut known, found);
            }
        }
    }

    /// Looks through a part in which the same rules speak of every model.
    fn find_in(
        &self,
        part: usize,
        range: Range<usize>,
        known: &mut [Known<'s>],
        found: &mut Vec<ResolvedModel<'s>>,
    ) {
        let Some((left, alike)) = self.left(range.start) else {
            return;
        };
        for (model, class) in self.shelf.classed(range) {
            let usable = match known.get(class) {
                Some(told) if alike && told.part == part => told.usable,
                _ => {
                    let resolved = self.shelved.model(model);
                    let usable = resolved
                        .filter(|model| self.is_usable(&left, model))
                        .map(|one| one.provider);
                    if let Some(told) = known.get_mut(class) {
                        *told = Known { part, usable };
                    }
                    usable
                }
            };
            found.extend(usable.map(|provider| self.shelved.served(model, provider)));
        }
    }

    /// The rules that may speak of what lies there, and whether each of them speaks of all of it. `None`: nothing can be
    /// allowed there.
    fn left(&self, place: usize) -> Option<(Vec<Standing<'s, 'a>>, bool)> {
        let mut alike = true;
        for scope in &self.scopes {
            alike &= scope.at(place)?;
        }
        let offers: Vec<bool> = self.offers.iter().filter_map(|offer| offer.at(place)).collect();
        if offers.is_empty() && !self.offers.is_empty() {
            return None;
        }
        alike &= offers.into_iter().all(|exact| exact);
        let mut left = Vec::new();
        for (standing, reaches) in &self.standings {
            let here: Vec<Option<bool>> = reaches.iter().map(|reach| reach.at(place)).collect();
            let standing = standing.only(|number| here.get(number).copied().flatten().is_some());
            if !standing.is_hopeless(self.caller) {
                alike &= here.into_iter().flatten().all(|exact| exact);
                left.push(standing);
            }
        }
        (!left.is_empty()).then_some((left, alike))
    }

    fn is_usable(&self, left: &[Standing<'s, 'a>], model: &ResolvedModel<'s>) -> bool {
        let decide = |one: &Standing<'s, 'a>| one.decide(self.snapshot, self.caller, model.resource());
        left.iter().any(|one| decide(one).allowed())
    }
}
