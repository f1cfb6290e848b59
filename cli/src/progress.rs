//! How far a long question is: one line on standard error, on a terminal alone.

use std::io::{self, IsTerminal as _, Write as _};

/// The line.
pub struct Progress {
    shown: bool,
    terminal: bool,
}

impl Progress {
    /// Nothing is shown yet.
    pub fn on_terminal() -> Self {
        Self {
            shown: false,
            terminal: io::stderr().is_terminal(),
        }
    }

    /// Puts a sentence into the place of the one before.
    pub fn show(&mut self, sentence: &str) {
        if self.terminal {
            self.shown = true;
            let _ = write!(io::stderr(), "\r{sentence}\u{1b}[K");
        }
    }

    /// Takes the line away.
    pub fn end(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}
