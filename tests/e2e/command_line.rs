//! `turnpike` as scripts rely on it: exit statuses, complaints, and refusals that change nothing.

use turnpike_tests::dev::Dev;

/// What an administrator writes, how it ends, and what the complaint holds.
const LINES: &[(&str, i32, &str)] = &[
    ("no-such-noun list", 2, "unrecognized subcommand"),
    ("credential create", 2, "--owner"),
    (
        "audit list --outcome maybe",
        2,
        "[possible values: allowed, refused]",
    ),
    (
        "credential create --owner virtual-account:worker --expires yesterday",
        2,
        "--expires",
    ),
    ("team get nowhere", 1, "nowhere"),
    ("team create Not/Valid", 1, "not valid"),
    ("team create payments", 1, "payments"),
    ("virtual-account create lost --team nowhere", 1, "nowhere"),
    (
        "grant create --to virtual-account:nobody --role developer",
        1,
        "nobody",
    ),
    (
        "grant create --to virtual-account:worker --role nothing",
        1,
        "nothing",
    ),
    ("credential revoke aaaaaaaaaaaa", 1, "aaaaaaaaaaaa"),
    (
        "check --as virtual-account:worker --action inference.chat --model fake-openai/gpt-4o",
        1,
        "",
    ),
    (
        "check --as virtual-account:demo-app --action inference.chat --model fake-openai/gpt-4o",
        0,
        "",
    ),
    ("team list", 0, ""),
];

#[tokio::test]
async fn wrong_usage_ends_with_2_a_refusal_with_1_and_success_with_0() {
    let dev = Dev::start().await;
    let nobody = dev.admin.by("");
    let stranger = dev.admin.by("tp_pat_nobody");
    let application = dev.admin.by(&dev.application("worker").await.text);
    let others = [
        (&nobody, ("team list", 1, "TURNPIKE_TOKEN")),
        (&stranger, ("team list", 1, "TURNPIKE_TOKEN")),
        (&application, ("team create sneaky", 1, "refused")),
        (
            &application,
            ("credential create --owner user:admin", 1, "refused"),
        ),
    ];
    for (cli, (line, status, complaint)) in LINES.iter().map(|line| (&dev.admin, *line)).chain(others) {
        let ended = cli.run(&line.split_whitespace().collect::<Vec<_>>()).await;
        assert_eq!(ended.status, status, "{line}: {ended:?}");
        assert!(ended.complaint.contains(complaint), "{line}: {ended:?}");
        assert!(!ended.complaint.contains("panicked"), "{line}: {ended:?}");
    }
    let teams = dev.admin.words("team list").await.to_string();
    assert!(
        !teams.contains("sneaky") && !teams.contains("Not/Valid"),
        "{teams}"
    );
    let accounts = dev.admin.words("virtual-account list").await.to_string();
    assert!(
        !accounts.contains("lost"),
        "a refused command changes nothing: {accounts}"
    );
}

#[tokio::test]
async fn a_control_plane_that_is_not_there_is_named_with_what_to_do() {
    let nowhere = turnpike_tests::cli::Cli::new("127.0.0.1:9".parse().unwrap(), "tp_pat_x");
    let ended = nowhere.run(&["team", "list"]).await;
    assert_eq!(ended.status, 1);
    assert!(
        ended.complaint.contains("cannot reach the control plane") && ended.complaint.contains("127.0.0.1:9")
    );
}

#[tokio::test]
async fn the_three_formats_tell_the_same() {
    let dev = Dev::start().await;
    let json = dev.admin.words("model list").await;
    let yaml = dev.admin.run(&["model", "list", "--output", "yaml"]).await;
    let yaml: serde_json::Value = serde_norway::from_str(&yaml.printed).unwrap();
    assert_eq!(json, yaml);
    let table = dev.admin.run(&["model", "list"]).await.printed;
    for model in json.as_array().unwrap() {
        assert!(table.contains(model["id"].as_str().unwrap()), "{table}");
    }
}

#[tokio::test]
async fn the_log_holds_together_after_everything_that_dev_did() {
    let dev = Dev::start().await;
    let verdict = dev.operator.words("log verify").await;
    assert_eq!(verdict["intact"], true, "{verdict}");
    assert!(verdict["events"].as_u64().unwrap() > 10, "{verdict}");
}
