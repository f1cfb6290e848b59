//! Settings: defaults, bounds, and what is shown of them.

use clap::{CommandFactory, Parser};

use super::*;

fn parse(flags: &[&str]) -> Settings {
    let given = ["turnpike-edge", "--keyring", "secret-keyring"]
        .into_iter()
        .chain(flags.iter().copied());
    Settings::try_parse_from(given).expect("settings")
}

#[test]
fn the_flags_are_sound_and_each_has_its_environment_variable() {
    let command = Settings::command();
    command.clone().debug_assert();
    for flag in command
        .get_arguments()
        .filter(|flag| !["help", "version"].contains(&flag.get_id().as_str()))
    {
        let expected = format!("TURNPIKE_{}", flag.get_id().as_str().to_uppercase());
        assert_eq!(
            flag.get_env().and_then(|name| name.to_str()),
            Some(expected.as_str())
        );
        assert!(flag.get_help().is_some(), "{expected} has no help");
    }
}

#[test]
fn the_effective_settings_name_every_flag_and_no_secret() {
    let settings = parse(&["--nats-url", "nats://user:hunter2@nats:4222"]);
    let shown = settings.effective();
    for flag in Settings::command()
        .get_arguments()
        .filter_map(|flag| flag.get_long())
    {
        let known = shown.iter().any(|(name, _)| *name == flag) || ["help", "version"].contains(&flag);
        assert!(known, "--{flag} is not shown");
    }
    let text = format!("{shown:?}");
    assert!(
        !text.contains("secret-keyring") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn plaintext_to_another_machine_must_be_allowed_expressly() {
    for (url, allowed) in [
        ("http://127.0.0.1:7070", true),
        ("http://[::1]:7070", true),
        ("http://localhost:7070", true),
        ("https://control.example:7070", true),
        ("http://control.example:7070", false),
        ("ftp://127.0.0.1", false),
        ("nonsense", false),
        ("http://127.0.0.1:7070,https://control.example:7070", true),
        ("https://control.example:7070, http://other.example:7070", false),
        ("https://control.example:7070,", false),
    ] {
        assert_eq!(
            parse(&["--control-plane", url]).control_planes().is_ok(),
            allowed,
            "{url}"
        );
    }
    let url = [
        "--control-plane",
        "http://control.example:7070",
        "--allow-plaintext",
    ];
    assert!(parse(&url).control_planes().is_ok());
}

#[test]
fn networks_are_read_as_a_list_and_shown() {
    let settings = parse(&["--trusted-proxies", "10.0.0.0/8, fd00::/8,192.0.2.1"]);
    let shown = settings.effective();
    let trusted = shown.iter().find(|(name, _)| *name == "trusted-proxies");
    assert_eq!(trusted.expect("shown").1, "10.0.0.0/8,fd00::/8,192.0.2.1/32");
    for wrong in ["10.0.0.0/33", "proxy.example", ""] {
        let flags = ["turnpike-edge", "--keyring", "x", "--trusted-proxies", wrong];
        assert!(Settings::try_parse_from(flags).is_err(), "{wrong}");
    }
}

#[test]
fn sizes_are_read_and_written_alike() {
    for (text, bytes) in [("1GiB", 1 << 30), ("32KiB", 32 << 10), ("4097", 4097)] {
        let size: ByteSize = text.parse().expect(text);
        assert_eq!((size.get(), size.to_string().as_str()), (bytes, text));
    }
    for text in ["", "0", "-1", "1.5MiB", "MiB", "99999999999GiB"] {
        assert!(text.parse::<ByteSize>().is_err(), "{text}");
    }
}

#[test]
fn a_name_is_made_up_once_and_then_kept() {
    let folder = tempfile::tempdir().expect("folder");
    let first = name::keep(folder.path(), 12345).expect("name");
    assert_eq!(name::keep(folder.path(), 99999).expect("name"), first);
}
