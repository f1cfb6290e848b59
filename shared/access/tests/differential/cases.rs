//! Worlds, questions about them, and who answers: for the tests beside it and for those of `tests/cedar`.

pub(crate) mod build;
pub(crate) mod naive;
pub(crate) mod question;
pub(crate) mod random;
pub(crate) mod run;
mod translate;
pub(crate) mod world;
