//! Random commands about issuers, their tokens, and the keys of Turnpike's own.

use std::{collections::BTreeMap, sync::Arc};

use turnpike_access::{
    command::Command,
    id::{Name, Timestamp},
    issuer::{Algorithm, IssuerProfile, JustInTime, OWN, PrincipalRule, TokenKey, TokenMatch, Verification},
};

use super::Step;
use crate::world::{Dice, ISSUER_URLS, ISSUERS, PRINCIPALS};

/// An issuer that any tenant may trust.
pub(crate) fn trusted(url: &str, audience: &str, principal: PrincipalRule) -> IssuerProfile {
    IssuerProfile {
        url: Arc::from(url),
        verification: Verification::Discovery {},
        audiences: vec![Arc::from(audience)],
        algorithms: vec![Algorithm::RS256],
        claim: "sub".parse().unwrap(),
        principal,
        just_in_time: None,
        groups: Vec::new(),
        required: BTreeMap::from([("org".parse().unwrap(), vec![Arc::from("ours")])]),
        leeway_seconds: 0,
        access_tokens_only: false,
        accept_sender_constrained: false,
    }
}

fn profile(dice: &mut Dice<'_>) -> IssuerProfile {
    let principal = match dice.below(4) {
        0 => PrincipalRule::Subject {},
        1 => PrincipalRule::Email {},
        2 => PrincipalRule::Name {
            virtual_account: dice.one_in(2),
        },
        _ => PrincipalRule::Fixed {
            principal: dice.named(&PRINCIPALS),
        },
    };
    IssuerProfile {
        just_in_time: dice.one_in(3).then(|| JustInTime { teams: dice.teams() }),
        ..trusted(dice.pick(&ISSUER_URLS), dice.pick(&["a", "b", "c"]), principal)
    }
}

pub(super) fn on_issuer(dice: &mut Dice<'_>) -> Command {
    let name: Name = dice.named(&ISSUERS);
    match dice.below(8) {
        0..3 => Command::CreateIssuer {
            name,
            profile: profile(dice),
        },
        3 | 4 => Command::UpdateIssuer {
            name,
            from: trusted("https://okta.example", "a", PrincipalRule::Subject {}),
            to: profile(dice),
        },
        5 => Command::DeleteIssuer { name },
        _ => Command::RevokeTokens {
            issuer: dice.named(&[ISSUERS[0], ISSUERS[1], OWN]),
            tokens: tokens(dice),
            reason: Arc::from("because"),
        },
    }
}

fn tokens(dice: &mut Dice<'_>) -> TokenMatch {
    match dice.below(3) {
        0 => TokenMatch::Id {
            id: Arc::from(dice.pick(&["1", "2", "3"])),
        },
        1 => TokenMatch::Subject {
            subject: Arc::from(dice.pick(&["1", "2"])),
            issued_before: dice.moment(),
        },
        _ => TokenMatch::All {
            issued_before: dice.moment(),
        },
    }
}

pub(super) fn on_token_keys(dice: &mut Dice<'_>) -> Step {
    let id: Arc<str> = Arc::from(dice.pick(&["k1", "k2", "k3", "k4"]));
    let command = match dice.one_in(3) {
        true => Command::RemoveTokenKey { id },
        false => Command::AddTokenKey(TokenKey {
            issuer: Arc::from("https://turnpike.example"),
            public_key: id.clone(),
            id,
            created: Timestamp::default(),
        }),
    };
    Step {
        // A tenant's administrator tries it too.
        tenant: match dice.one_in(5) {
            true => "acme".parse().unwrap(),
            false => Name::platform(),
        },
        command,
    }
}
