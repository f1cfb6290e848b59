//! The official Python clients, run as their users run them.

use serde_json::Value;

use crate::{place, process};

/// Runs `tests/clients/<script>` with these environment variables, and returns one JSON value for each step.
pub async fn run(script: &str, environment: &[(&str, String)], steps: &[&str]) -> Vec<Value> {
    let mut command = process::command(place::python());
    command
        .arg(place::root().join("tests/clients").join(script))
        .args(steps);
    command.envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
    let output = command.output().await.expect("Python: run ./tests/run");
    let (printed, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{script} failed:\n{printed}\n{errors}");
    let lines = printed
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"));
    lines.collect()
}
