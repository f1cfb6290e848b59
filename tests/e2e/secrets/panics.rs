//! A panic says what it says: a real process that panics with every kind of secret in hand tells none of them.

use turnpike_tests::{place, process};

const CANARY: &str = "panic-canary-6b1f0e9a";

#[tokio::test]
async fn a_process_that_panics_with_secrets_in_hand_tells_none_of_them() {
    let mut command = process::command(place::binary("panicking"));
    let ended = command
        .env("CANARY", CANARY)
        .env("RUST_BACKTRACE", "full")
        .output()
        .await;
    let ended = ended.expect("the binary");
    let told = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    let panics = told.matches("task panicked").count();
    let expected = told.matches("about to panic with ").count();
    assert!(
        expected > 12 && panics == expected,
        "{panics} of {expected}: {told}"
    );
    let numbers: Vec<String> = CANARY.bytes().map(|byte| byte.to_string()).collect();
    // Keys hold letters and digits alone.
    let in_a_key = CANARY.replace('-', "");
    for secret in [CANARY, &in_a_key, &numbers.join(", ")] {
        assert!(!told.contains(secret), "{told}");
    }
}
