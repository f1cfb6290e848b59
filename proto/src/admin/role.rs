//! Roles.

use turnpike_access::role::{self, Role};

use super::{Write, v1};
use crate::{
    ConversionError,
    field::{all, known, parse, required, text, texts},
};

/// A role to be made, or what a role is to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRole {
    /// The role.
    pub role: Role,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::CreateRoleRequest> for NewRole {
    type Error = ConversionError;

    fn try_from(request: v1::CreateRoleRequest) -> Result<Self, ConversionError> {
        let v1::CreateRoleRequest { role, options } = request;
        let v1::Role {
            name,
            actions,
            description,
            built_in: _,
        } = required("role", role)?;
        Ok(Self {
            role: Role {
                name: parse("role.name", &name)?,
                actions: all("role.actions", actions)?,
                description: known(description),
            },
            write: options.try_into()?,
        })
    }
}

impl From<&Role> for v1::Role {
    fn from(role: &Role) -> Self {
        let Role {
            name,
            actions,
            description,
        } = role;
        Self {
            name: name.to_string(),
            actions: texts(actions),
            description: text(description.as_ref()),
            built_in: role::built_in(name.as_str()).is_some(),
        }
    }
}
