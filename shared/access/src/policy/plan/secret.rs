//! Secrets of providers and issuers, as far as a plan has to do with them: whether they are others than before.

use std::{collections::BTreeMap, sync::Arc};

use crate::{id::Name, ledger::Refusal, policy::Secret};

/// What was found out about the secrets that a policy speaks of, by whoever holds the keyring.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Of providers.
    pub providers: BTreeMap<Name, GivenSecret>,
    /// Of issuers.
    pub issuers: BTreeMap<Name, GivenSecret>,
}

/// A secret that came with a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenSecret {
    /// It is the one that is held.
    Same,
    /// It is another; sealed for the one whose it is.
    Other(Arc<str>),
}

/// The sealed secret that is wanted, and where it could not be told whether it is another, a note.
pub(super) fn wanted(
    what: &'static str,
    name: &Name,
    secret: &Secret,
    given: Option<&GivenSecret>,
    held: Option<&Arc<str>>,
) -> Result<(Option<Arc<str>>, Option<String>), Refusal> {
    match (secret, given, held) {
        (Secret::None, ..) => Ok((None, None)),
        (Secret::Held, _, Some(held)) | (Secret::FromEnv(_), Some(GivenSecret::Same), Some(held)) => {
            Ok((Some(held.clone()), None))
        }
        (Secret::Held, _, None) => Err(Refusal::NotNow(format!(
            "{what} {name} has no secret here that could stay: write secret-from-env: VARIABLE in the place of secret: held"
        ))),
        (Secret::FromEnv(_), Some(GivenSecret::Other(sealed)), _) => Ok((Some(sealed.clone()), None)),
        (Secret::FromEnv(variable), _, held) => {
            let note = format!("the secret of {what} {name} was not given ({variable}), and is not compared");
            let stays = held.cloned().unwrap_or_else(|| Arc::from("not given"));
            Ok((Some(stays), Some(note)))
        }
    }
}
