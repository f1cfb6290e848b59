//! The command line itself: the words that others rely on.

use clap::{CommandFactory, error::ErrorKind};

use super::*;

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(line.split_whitespace())
}

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn the_nouns_and_their_verbs_are_these() {
    let command = Arguments::command();
    let shown: Vec<String> = command
        .get_subcommands()
        .filter(|noun| !noun.is_hide_set())
        .map(|noun| {
            let verbs: Vec<_> = noun.get_subcommands().map(clap::Command::get_name).collect();
            format!("{} {}", noun.get_name(), verbs.join(" "))
                .trim_end()
                .to_owned()
        })
        .collect();
    assert_eq!(
        shown,
        [
            "tenant create list get update delete",
            "team create list get add-member remove-member delete",
            "user create list get update delete",
            "virtual-account create list get update delete",
            "credential create list get rotate suspend resume revoke narrow revoke-all pick-up report-leak",
            "issuer create list get update delete",
            "token revoke",
            "token-key list rotate remove",
            "provider create list get update delete",
            "model create list get update delete",
            "alias set list get delete",
            "role create list get update delete",
            "grant create list get delete",
            "offer create list get delete",
            "fallback create list get delete",
            "limit create list get update delete",
            "apply",
            "export",
            "edge list enrol revoke drain resume delete wait receipt",
            "audit list tail export sink verify prove",
            "usage report top plot shadow rebuild",
            "alert list get ack silence resolve test destination delivery rule",
            "log list verify",
            "access who what review request requests approve refuse withdraw",
            "check",
            "explain",
            "login",
            "logout",
            "whoami",
            "bootstrap",
            "keyring generate",
            "dev",
        ]
    );
}

#[test]
fn the_commands_of_the_tour_are_understood() {
    for line in [
        "turnpike virtual-account create checkout-bot --team payments",
        "turnpike credential create --owner virtual-account:checkout-bot",
        "turnpike grant create --to virtual-account:checkout-bot --role developer --model openai-main/gpt-4o*",
        "turnpike explain --as virtual-account:checkout-bot --action inference.chat --model openai-main/gpt-4o",
        "turnpike credential revoke abcDEF123456 --wait",
        "turnpike audit list --principal virtual-account:checkout-bot",
        "turnpike audit list --since 1h --outcome refused --status 403 --limit 5 -o json",
        "turnpike provider create openai-main --kind openai --base-url http://x/v1 --secret-from-env OPENAI_API_KEY",
        "turnpike model create openai-main/gpt-4o --family gpt-4 --environment production --tag k=v \
         --input-price 2.50 --output-price 10 --capability tools",
        "turnpike issuer create k --url https://k --jwks-file k.jwks --audience a --require sub=b --leeway 10s",
        "turnpike issuer create o --url https://o --introspection-url https://o/i --client-id t \
         --client-secret-from-env SECRET --audience a --principal email --just-in-time --just-in-time-team payments",
        "turnpike issuer update o --client-secret-from-stdin --no-groups --no-require --no-just-in-time",
        "turnpike token revoke --issuer o --id abc --reason stolen",
        "turnpike token revoke --issuer turnpike --subject user:alice --issued-before 1h",
        "turnpike token revoke --issuer o --all --issued-before 2026-01-01T00:00:00Z",
        "turnpike grant create --to group:okta/engineers --role developer --method jwt:okta --max-token-age 1h",
        "turnpike grant create --to team:a --role developer --deny --expires 30d --resource team:pay*",
    ] {
        assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
    }
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    for line in [
        "turnpike nonsense",
        "turnpike credential create",
        "turnpike model create p/m --input-price cheap",
        "turnpike provider create p --kind openai --base-url x --secret-from-env A --secret-from-file b",
        "turnpike issuer create k --url https://k",
        "turnpike issuer create k --url https://k --audience a --discovery --jwks-url https://k/keys",
        "turnpike issuer create k --url https://k --audience a --jwks-url https://k/keys --client-secret-from-env S",
        "turnpike issuer create k --url https://k --audience a --just-in-time-team t",
        "turnpike issuer create k --url https://k --audience a --client-secret hunter2",
        "turnpike token revoke --issuer k",
        "turnpike token revoke --issuer k --id a --all",
        "turnpike token revoke --issuer k --id a --issued-before 1h",
        "turnpike grant create --to team:a --role r --environment a --not-environment b",
        "turnpike edge list --timeout 1h",
    ] {
        let error = parse(line).err().unwrap();
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn a_secret_cannot_be_given_on_the_command_line() {
    let error = parse("turnpike provider create p --kind openai --base-url x --secret hunter2")
        .err()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::UnknownArgument);
}

#[test]
fn neither_help_nor_debug_shows_a_key() {
    let arguments = parse("turnpike whoami --token tp_pat_secret").unwrap();
    assert!(!format!("{arguments:?}").contains("tp_pat_secret"));
}

#[test]
fn every_command_and_flag_says_what_it_is_for() {
    let mut left = vec![Arguments::command()];
    while let Some(command) = left.pop() {
        assert!(
            command.get_about().is_some(),
            "{} has no help",
            command.get_name()
        );
        for argument in command
            .get_arguments()
            .filter(|argument| argument.get_id() != "help")
        {
            let id = argument.get_id();
            assert!(
                argument.get_help().is_some(),
                "{} --{id} has no help",
                command.get_name()
            );
        }
        left.extend(command.get_subcommands().cloned());
    }
}
