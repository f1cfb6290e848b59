//! The decision against another one that shares nothing with it: a naive one, written from the design's words.
//!
//! A [`cases::world`] is plain data: names and texts. [`cases::build`] makes a snapshot of it by commands and events, as the control
//! plane does; [`naive`] reads the data itself. Each [`cases::question`] is put to both. [`changed`] puts questions to worlds that
//! were changed in a way that must not matter, or only in one direction. `tests/cedar` has Cedar judge the same worlds.
//!
//! A world and its questions follow from one number. `TURNPIKE_DIFFERENTIAL_CASES=5000000` asks for more than the usual
//! hundred thousand cases, and `TURNPIKE_DIFFERENTIAL_SEED` begins with a certain number. One that found something is
//! told, and written into `differential/seeds`: keep it there, since those are asked first, for ever.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that meets what it did not expect fails, and says where"
)]

// As a folder's parent, so that its own are found beside it from wherever it is taken.
#[path = "cases.rs"]
mod cases;
mod changed;

use cases::{build::Built, naive, question::Question, random::Random, run, world::World};

/// Of those that once found something.
const SEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/seeds");

#[test]
fn the_core_and_a_naive_evaluator_never_disagree() {
    run::over(SEEDS, 100_000, |seed| {
        let mut random = Random::new(seed);
        let world = World::draw(&mut random);
        let built = Built::of(&world, &mut random);
        for number in 0..run::QUESTIONS {
            let question = Question::draw(&mut random, &world);
            let core = built.answer(&question);
            let naive = naive::answer(&world, &question);
            if core != naive {
                let said = format!("the core says {core:?}, the naive evaluator {naive:?}");
                return Err(run::disagreement(number, &world, &question, &said));
            }
        }
        Ok(run::QUESTIONS)
    });
}
