//! The `turnpike` binary: reads the command line, runs it, and turns the end into an exit status.

use std::process::ExitCode;

use clap::Parser as _;
use turnpike_cli::{command, failure::Failure, session::Outcome};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = command::Arguments::parse();
    match command::run(arguments).await {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::FAILURE,
        Ok(Outcome::Pending) => ExitCode::from(3),
        Err(failure) => {
            complain(&failure.to_string());
            match failure {
                Failure::Usage(_) => ExitCode::from(2),
                failure if failure.is_done() => ExitCode::SUCCESS,
                _ => ExitCode::FAILURE,
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "where errors go")]
fn complain(text: &str) {
    eprintln!("turnpike: {text}");
}
