//! Tokens as attackers, standards and failing issuers present them.

mod algorithms;
mod attacks;
mod crowd;
mod examples;
mod introspection;
mod keys;
mod own_tokens;
mod profiles;
mod selection;
mod world;
