//! One line for each step of the start, on standard error, on a terminal and off.

/// Says what is being done.
#[expect(
    clippy::print_stderr,
    reason = "progress is for whoever watches, not part of the result"
)]
pub(super) fn say(step: &str) {
    eprintln!("turnpike dev: {step}");
}
