//! The decision against Cedar: the worlds and questions of `shared/access/tests/differential`, judged by the core, by the
//! naive evaluator, and by policies.

#![expect(
    dead_code,
    unused_imports,
    reason = "what is shared has another user, who needs more of it"
)]

#[path = "../../../shared/access/tests/differential/cases.rs"]
mod cases;
mod policies;

use cases::{
    build::Built,
    naive,
    question::{About, Question},
    random::Random,
    run,
    world::World,
};
use policies::Policies;

#[test]
fn the_core_a_naive_evaluator_and_cedar_never_disagree() {
    let seeds = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/access/tests/differential/seeds"
    );
    run::over(seeds, 100_000, |seed| {
        let mut random = Random::new(seed);
        let world = World::draw(&mut random);
        let built = Built::of(&world, &mut random);
        let policies = Policies::of(&world);
        for number in 0..run::QUESTIONS {
            let mut question = Question::draw(&mut random, &world);
            // Which of several would be served is no question for Cedar.
            if let About::Model(_, _, another_will_do) = &mut question.about {
                *another_will_do = false;
            }
            let core = built.answer(&question);
            let naive = naive::answer(&world, &question);
            let cedar = naive::judged(&world, &question)
                .ok()
                .map(|thing| policies.allow(&world, &question, &thing));
            if core != naive || cedar.is_some_and(|allows| allows != core.is_yes()) {
                let said =
                    format!("the core says {core:?}, the naive evaluator {naive:?}, Cedar allows: {cedar:?}");
                return Err(run::disagreement(number, &world, &question, &said));
            }
        }
        Ok(run::QUESTIONS)
    });
}
