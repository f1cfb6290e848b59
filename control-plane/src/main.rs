//! The process: reads its command line, does what it says, and turns a failure into a sentence and an exit status.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use turnpike_control_plane::{
    run,
    settings::{Action, CommandLine},
};

#[tokio::main]
async fn main() -> ExitCode {
    let CommandLine { command, settings } = CommandLine::parse();
    let done = match command {
        None => run::serve(settings).await,
        Some(Action::Serve(settings)) => run::serve(*settings).await,
        Some(Action::Migrate(arguments)) => run::migrate(arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without standard error there is nobody left to tell but the exit status.
            let _ = writeln!(io::stderr(), "turnpike-control-plane: {error}");
            ExitCode::FAILURE
        }
    }
}
