//! Worlds that were changed: in a way that must not matter, or that must matter in one direction alone; and the list of
//! models beside the decision about each.

use std::collections::BTreeSet;

use turnpike_access::choose::INFERENCE_ACTIONS;

use crate::{
    SEEDS,
    cases::{
        build::Built,
        naive,
        question::{About, Answer, Question},
        random::Random,
        run::{self, QUESTIONS, disagreement},
        world::{Account, Grant, PLATFORM, Selector, World, draw_grant},
    },
};

mod rename;
mod split;

/// Answers of a world and of a changed one, to the same questions.
fn compared(
    seed: u64,
    change: impl Fn(&mut Random, &World) -> World,
    fine: impl Fn(&Answer, &Answer) -> bool,
) -> Result<usize, String> {
    let mut random = Random::new(seed);
    let world = World::draw(&mut random);
    let changed = change(&mut random, &world);
    let (built, rebuilt) = (Built::of(&world, &mut random), Built::of(&changed, &mut random));
    for number in 0..QUESTIONS {
        let question = Question::draw(&mut random, &world);
        let (before, after) = (built.answer(&question), rebuilt.answer(&question));
        if !fine(&before, &after) {
            let said = format!("{before:?} before, {after:?} after\n{changed:#?}");
            return Err(disagreement(number, &world, &question, &said));
        }
    }
    Ok(QUESTIONS)
}

fn same(before: &Answer, after: &Answer) -> bool {
    before == after
}

#[test]
fn a_grant_that_is_about_others_changes_no_answer() {
    run::over(SEEDS, 5_000, |seed| {
        let unrelated = |random: &mut Random, world: &World| {
            let mut world = world.clone();
            let about = world.about;
            let mut elsewhere = draw_grant(random, about);
            elsewhere.selector.resources = vec![("cellar".to_owned(), "*".to_owned())];
            let somebody = "virtual-account:somebody";
            let theirs = Grant {
                subject: somebody.to_owned(),
                ..draw_grant(random, about)
            };
            for tenant in world.tenants.iter_mut().filter(|one| one.name != PLATFORM) {
                tenant.accounts.push(Account {
                    principal: somebody.to_owned(),
                    teams: tenant.teams.clone(),
                    tags: Default::default(),
                });
                tenant.grants.extend([elsewhere.clone(), theirs.clone()]);
            }
            world
        };
        compared(seed, unrelated, same)
    });
}

#[test]
fn the_order_in_which_things_were_made_changes_no_answer() {
    run::over(SEEDS, 5_000, |seed| {
        let reordered = |random: &mut Random, world: &World| {
            let mut world = world.clone();
            random.shuffle(&mut world.tenants[1..]);
            for tenant in &mut world.tenants {
                random.shuffle(&mut tenant.teams);
                random.shuffle(&mut tenant.accounts);
                random.shuffle(&mut tenant.roles);
                random.shuffle(&mut tenant.providers);
                random.shuffle(&mut tenant.models);
                random.shuffle(&mut tenant.grants);
                random.shuffle(&mut tenant.offers);
            }
            world
        };
        compared(seed, reordered, same)
    });
}

#[test]
fn a_grant_that_is_split_into_several_changes_no_answer() {
    run::over(SEEDS, 5_000, |seed| compared(seed, split::split, same));
}

#[test]
fn other_names_for_everything_change_nothing_but_the_names() {
    run::over(SEEDS, 5_000, |seed| {
        let mut random = Random::new(seed);
        let world = World::draw(&mut random);
        let renamed = rename::world(&world);
        let (built, rebuilt) = (Built::of(&world, &mut random), Built::of(&renamed, &mut random));
        for number in 0..QUESTIONS {
            let question = Question::draw(&mut random, &world);
            let before = rename::answer(&built.answer(&question));
            let after = rebuilt.answer(&rename::question(&question));
            if before != after {
                let said = format!("{before:?} before, {after:?} after");
                return Err(disagreement(number, &world, &question, &said));
            }
        }
        Ok(QUESTIONS)
    });
}

/// Adds a grant of one effect.
fn with_another(denies: bool) -> impl Fn(&mut Random, &World) -> World {
    move |random, world| {
        let mut world = world.clone();
        let drawn = draw_grant(random, world.about);
        let selector = match random.one_in(2) {
            true => Selector::default(),
            false => drawn.selector.clone(),
        };
        let tenant = random.text(&["acme", "bolt"]);
        world.tenant_mut(&tenant).grants.push(Grant {
            denies,
            selector,
            ..drawn
        });
        world
    }
}

#[test]
fn another_allow_takes_nothing_away_with_fallbacks_and_offers_too() {
    run::over(SEEDS, 5_000, |seed| {
        compared(seed, with_another(false), |before, after| {
            !before.is_yes() || after.is_yes()
        })
    });
}

#[test]
fn another_deny_gives_nothing_with_fallbacks_and_offers_too() {
    run::over(SEEDS, 5_000, |seed| {
        compared(seed, with_another(true), |before, after| {
            before.is_yes() || !after.is_yes()
        })
    });
}

#[test]
fn the_list_of_models_is_what_may_be_used_for_something() {
    run::over(SEEDS, 5_000, |seed| {
        let mut random = Random::new(seed);
        let world = World::draw(&mut random);
        let built = Built::of(&world, &mut random);
        let asked = QUESTIONS / 5;
        for number in 0..asked {
            let question = Question::draw(&mut random, &world);
            let listed: BTreeSet<String> = built.listed(&question).into_iter().collect();
            let usable = usable(&world, &question);
            if listed != usable {
                let said = format!("listed are {listed:?}, usable are {usable:?}");
                return Err(disagreement(number, &world, &question, &said));
            }
        }
        Ok(asked)
    });
}

/// What of the catalogue may be used for something, by the naive evaluator.
fn usable(world: &World, question: &Question) -> BTreeSet<String> {
    let tenant = world.tenant(&question.tenant);
    let all = tenant.models.iter().chain(&world.tenant(PLATFORM).models);
    let there = all.filter(|model| {
        let owner = naive::existing(world, tenant, &model.id);
        owner.is_some_and(|owner| owner.model(&model.id).is_some())
    });
    let may = |id: &String| {
        INFERENCE_ACTIONS.into_iter().any(|action| {
            let asked = Question {
                action: action.to_owned(),
                about: About::Model(id.clone(), None, false),
                ..question.clone()
            };
            naive::answer(world, &asked).is_yes()
        })
    };
    there.map(|model| model.id.clone()).filter(may).collect()
}
