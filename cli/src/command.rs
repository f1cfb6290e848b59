//! The words of the command line: every noun, the flags that all of them share, and where each command goes.

mod access;
mod account;
mod alert;
mod alias;
mod apply;
mod audit;
mod bootstrap;
mod credential;
mod edge;
mod export;
mod fake_provider;
mod fallback;
mod global;
mod grant;
mod issuer;
mod keyring;
mod limit;
mod log;
mod model;
mod offer;
mod provider;
mod role;
mod team;
mod tenant;
mod token;
mod token_key;
mod usage;
mod value;

use clap::{Parser, Subcommand};

use crate::{dev, failure::Failure, login::Login, session::Outcome};

const EXAMPLES: &str = "\
Examples:
  turnpike dev                                     everything in one process, to try it out
  turnpike virtual-account create checkout-bot --team payments
  turnpike credential create --owner virtual-account:checkout-bot
  turnpike grant create --to virtual-account:checkout-bot --role developer --model 'openai-main/gpt-4o*'
  turnpike explain --as virtual-account:checkout-bot --action inference.chat --model openai-main/gpt-4o
  turnpike explain dec_4hXkPq2Wv0aB0000000001c3         why a request was refused
  turnpike credential revoke abcDEF123456 --wait
  turnpike audit list --principal virtual-account:checkout-bot --since 1h --output json

Exit status: 0 done, 1 refused or failed, 2 wrong usage; 3 with `apply --dry-run --exit-code`: there is something to do.";

/// Says who may call which AI model, and shows who did.
#[derive(Debug, Parser)]
#[command(name = "turnpike", version, after_help = EXAMPLES, propagate_version = true, max_term_width = 110)]
pub struct Arguments {
    #[command(flatten)]
    global: global::Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tenants: the isolation boundary. For the operators
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Teams, and who is in them
    #[command(subcommand)]
    Team(team::Command),
    /// Users: people
    #[command(subcommand)]
    User(account::Command),
    /// Virtual accounts: applications
    #[command(subcommand)]
    VirtualAccount(account::Command),
    /// Keys of users and virtual accounts
    #[command(subcommand)]
    Credential(credential::Command),
    /// Issuers: whose tokens are accepted, and whom they speak for
    #[command(subcommand)]
    Issuer(issuer::Command),
    /// Tokens of issuers and of Turnpike's own
    #[command(subcommand)]
    Token(token::Command),
    /// Keys that sign Turnpike's own tokens. For the operators
    #[command(subcommand)]
    TokenKey(token_key::Command),
    /// Providers: the upstreams that serve models
    #[command(subcommand)]
    Provider(provider::Command),
    /// Models: `provider/name`, with family, environment, tags and prices
    #[command(subcommand)]
    Model(model::Command),
    /// Other names for models
    #[command(subcommand)]
    Alias(alias::Command),
    /// Roles: named sets of actions
    #[command(subcommand)]
    Role(role::Command),
    /// Grants: who may, or may not, do what with which models
    #[command(subcommand)]
    Grant(grant::Command),
    /// Offers: which of the operators' models exist for other tenants. For the operators
    #[command(subcommand)]
    Offer(offer::Command),
    /// Fallback rules: what is served to those who are not allowed what they asked for
    #[command(subcommand)]
    Fallback(fallback::Command),
    /// Limits: what may be spent in a day, a week or a month
    #[command(subcommand)]
    Limit(limit::Command),
    /// Make the tenant's access state what a policy file says: shows the plan first
    #[command(after_long_help = apply_help())]
    Apply(apply::Apply),
    /// Write the whole access state of the tenant as a policy file
    #[command(after_long_help = export::FORMAT)]
    Export(export::Export),
    /// Edges: where requests are decided and proxied
    #[command(subcommand)]
    Edge(edge::Command),
    /// The audit: every request, allowed or refused
    #[command(subcommand)]
    Audit(audit::Command),
    /// Usage: requests, tokens and cost, by whom and for what
    #[command(subcommand)]
    Usage(usage::Command),
    /// Alerts: what somebody should look at
    #[command(subcommand)]
    Alert(alert::Command),
    /// The event log: every change
    #[command(subcommand)]
    Log(log::Command),
    /// Access: who may do what, now and in the past; and asking for it for some time
    #[command(subcommand)]
    Access(access::Command),
    /// Ask whether a principal may do something; exit 0 if so, 1 if not
    Check(access::Question),
    /// Explain a decision by its id, or what would be decided: every grant that was considered, and what it lacks
    Explain(access::Explain),
    /// Log in with your issuer, so that no key is needed
    Login(Box<Login>),
    /// Forget the login, and have the issuer forget it too
    Logout,
    /// Show who is asking
    Whoami,
    /// Make the operators' tenant and its first administrator; works once
    Bootstrap(bootstrap::Bootstrap),
    /// Keyrings: what provider secrets are sealed under
    #[command(subcommand)]
    Keyring(keyring::Command),
    /// Run control plane, edge and a fake provider in one process, for development
    Dev(dev::Dev),
    /// Run the fake provider alone
    #[command(hide = true)]
    FakeProvider(fake_provider::FakeProvider),
}

fn apply_help() -> String {
    format!("{}\n\n{}", apply::EXIT, export::FORMAT)
}

/// Runs what was asked for.
pub async fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let Arguments { global, command } = arguments;
    match command {
        Command::Keyring(command) => return command.run(),
        Command::Dev(command) => return command.run().await,
        Command::FakeProvider(command) => return command.run().await,
        Command::Login(login) => return global.log_in(*login).await,
        Command::Logout => return global.log_out().await,
        _ => {}
    }
    let session = &global.session().await?;
    match command {
        Command::Tenant(command) => command.run(session).await,
        Command::Team(command) => command.run(session).await,
        Command::User(command) => command.run(session, account::Kind::User).await,
        Command::VirtualAccount(command) => command.run(session, account::Kind::VirtualAccount).await,
        Command::Credential(command) => command.run(session).await,
        Command::Issuer(command) => command.run(session).await,
        Command::Token(command) => command.run(session).await,
        Command::TokenKey(command) => command.run(session).await,
        Command::Provider(command) => command.run(session).await,
        Command::Model(command) => command.run(session).await,
        Command::Alias(command) => command.run(session).await,
        Command::Role(command) => command.run(session).await,
        Command::Grant(command) => command.run(session).await,
        Command::Offer(command) => command.run(session).await,
        Command::Fallback(command) => command.run(session).await,
        Command::Limit(command) => command.run(session).await,
        Command::Edge(command) => command.run(session).await,
        Command::Audit(command) => command.run(session).await,
        Command::Usage(command) => command.run(session).await,
        Command::Alert(command) => command.run(session).await,
        Command::Log(command) => command.run(session).await,
        Command::Apply(command) => command.run(session).await,
        Command::Export(command) => command.run(session).await,
        Command::Access(command) => command.run(session).await,
        Command::Check(question) => question.check(session).await,
        Command::Explain(explain) => explain.explain(session).await,
        Command::Whoami => access::whoami(session).await,
        Command::Bootstrap(command) => command.run(session).await,
        Command::Keyring(_)
        | Command::Dev(_)
        | Command::FakeProvider(_)
        | Command::Login(_)
        | Command::Logout => Ok(Outcome::Done),
    }
}

#[cfg(test)]
mod tests;
