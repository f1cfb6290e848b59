//! Users and virtual accounts. Which of the two is meant is said by the service that was called.

use std::sync::Arc;

use turnpike_access::{
    grant::Subject,
    id::Name,
    tenant::{Account, AccountProfile},
};

use super::{Write, v1};
use crate::{
    ConversionError,
    field::{all, known, optional, pairs, parse, required, shown, tags, text, texts},
};

/// A user or virtual account to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Its name.
    pub name: Name,
    /// What is known of it.
    pub profile: AccountProfile,
    /// The teams that it is in from the start.
    pub teams: Vec<Name>,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::CreateAccountRequest> for NewAccount {
    type Error = ConversionError;

    fn try_from(request: v1::CreateAccountRequest) -> Result<Self, ConversionError> {
        let v1::CreateAccountRequest { account, options } = request;
        let v1::Account {
            name,
            description,
            email,
            deactivated,
            tags: pairs,
            teams,
            credentials: _,
            created_us: _,
            principal: _,
            subjects,
            owner,
        } = required("account", account)?;
        Ok(Self {
            name: parse("account.name", &name)?,
            profile: AccountProfile {
                description: known(description),
                email: known(email),
                deactivated,
                tags: tags(pairs),
                subjects: shared(subjects),
                owner: optional("account.owner", &owner)?.map(Arc::new),
            },
            teams: all("account.teams", teams)?,
            write: options.try_into()?,
        })
    }
}

/// What is to become of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountChange {
    /// Which account.
    pub name: Name,
    /// How long to wait.
    pub write: Write,
    description: Option<String>,
    email: Option<String>,
    deactivated: Option<bool>,
    tags: Option<turnpike_access::pattern::Tags>,
    subjects: Option<Vec<Arc<str>>>,
    owner: Option<Option<Arc<Subject>>>,
}

impl TryFrom<v1::UpdateAccountRequest> for AccountChange {
    type Error = ConversionError;

    fn try_from(request: v1::UpdateAccountRequest) -> Result<Self, ConversionError> {
        let v1::UpdateAccountRequest {
            name,
            description,
            email,
            deactivated,
            tags: pairs,
            replace_tags,
            options,
            subjects,
            replace_subjects,
            owner,
        } = request;
        if !replace_tags && !pairs.is_empty() {
            return Err(ConversionError::new(
                "tags",
                "are given without replace_tags; set it to replace all tags",
            ));
        }
        if !replace_subjects && !subjects.is_empty() {
            return Err(ConversionError::new(
                "subjects",
                "are given without replace_subjects; set it to replace all subjects",
            ));
        }
        Ok(Self {
            name: parse("name", &name)?,
            write: options.try_into()?,
            description,
            email,
            deactivated,
            tags: replace_tags.then(|| tags(pairs)),
            subjects: replace_subjects.then(|| shared(subjects)),
            owner: match owner {
                Some(text) => Some(optional("owner", &text)?.map(Arc::new)),
                None => None,
            },
        })
    }
}

fn shared(texts: Vec<String>) -> Vec<Arc<str>> {
    texts.into_iter().map(Arc::from).collect()
}

impl AccountChange {
    /// What is known of the account after the change.
    pub fn apply(&self, from: &AccountProfile) -> AccountProfile {
        let AccountProfile {
            description,
            email,
            deactivated,
            tags,
            subjects,
            owner,
        } = from.clone();
        AccountProfile {
            description: self.description.clone().map_or(description, known),
            email: self.email.clone().map_or(email, known),
            deactivated: self.deactivated.unwrap_or(deactivated),
            tags: self.tags.clone().unwrap_or(tags),
            subjects: self.subjects.clone().unwrap_or(subjects),
            owner: self.owner.clone().unwrap_or(owner),
        }
    }
}

impl From<&Account> for v1::Account {
    fn from(account: &Account) -> Self {
        let Account {
            principal,
            profile,
            teams,
            credentials,
            created,
        } = account;
        let AccountProfile {
            description,
            email,
            deactivated,
            tags,
            subjects,
            owner,
        } = profile;
        Self {
            name: principal.name().to_string(),
            description: text(description.as_ref()),
            email: text(email.as_ref()),
            deactivated: *deactivated,
            tags: pairs(tags),
            teams: texts(teams),
            credentials: texts(credentials),
            created_us: created.as_micros(),
            principal: principal.to_string(),
            subjects: texts(subjects),
            owner: shown(owner.as_ref()),
        }
    }
}
