//! Whether a caller may ask for a command, by the one decision function, on the state that the command meets.

use turnpike_access::{
    authenticate::{self, Caller},
    command::{Command, Permission},
    credential::HandOver,
    decide::{self, Reason, decide},
    delegate::{self, Delegated},
    id::{Id, Name, Timestamp},
    ledger::Refusal,
    pattern::Resource,
    request,
    snapshot::Snapshot,
    token,
};

use super::{Authority, ExecuteError};

/// Creating and deleting tenants is the operators' alone, whatever a tenant grants its own people.
const OPERATORS_ACTION: &str = "tenants.write";

/// Judges a command and says who asks, as the log writes it: `user:alice`, `platform/user:root`, `system`.
pub(super) fn judge(
    snapshot: &Snapshot,
    authority: &Authority,
    tenant: &Name,
    command: &Command,
    now: Timestamp,
) -> Result<String, ExecuteError> {
    match (authority, command.permission()) {
        (Authority::System(_), _) => Ok("system".to_owned()),
        (Authority::BootstrapToken, None) if *tenant == Name::platform() => Ok("system".to_owned()),
        // Whoever has the version before is who the new one is for.
        (Authority::Credential(own), Some(_)) if is_own_pick_up(*own, command) => {
            let credential = snapshot.credential(*own).ok_or(ExecuteError::Unauthenticated)?;
            let caller = authenticate::admit(snapshot, credential, now)
                .map_err(|_failure| ExecuteError::Unauthenticated)?;
            Ok(actor(&caller, tenant))
        }
        (Authority::Credential(id), Some(permission)) => {
            let credential = snapshot.credential(*id).ok_or(ExecuteError::Unauthenticated)?;
            let caller = authenticate::admit(snapshot, credential, now)
                .map_err(|_failure| ExecuteError::Unauthenticated)?;
            judge_command(snapshot, &caller, tenant, (command, permission), now)?;
            Ok(actor(&caller, tenant))
        }
        (Authority::Token(verified), Some(permission)) => {
            let caller =
                token::admit(snapshot, verified, now).map_err(|_failure| ExecuteError::Unauthenticated)?;
            judge_command(snapshot, &caller, tenant, (command, permission), now)?;
            Ok(actor(&caller, tenant))
        }
        (Authority::BootstrapToken, _) | (Authority::Credential(_) | Authority::Token(_), None) => Err(
            forbidden("platform.bootstrap", "tenant", tenant.as_str(), Reason::NoGrant),
        ),
    }
}

fn is_own_pick_up(own: Id, command: &Command) -> bool {
    matches!(command, Command::HandOverCredential { id, by: HandOver::PickUp, .. } if *id == own)
}

/// Beside the command's own permission: an approval is for those who could make the grant themselves, lending nothing
/// that they have not got, and nobody decides about a request of their own.
fn judge_command(
    snapshot: &Snapshot,
    caller: &Caller<'_>,
    tenant: &Name,
    command: (&Command, Permission),
    now: Timestamp,
) -> Result<(), ExecuteError> {
    let asked = command.0;
    judge_lending(snapshot, caller, tenant, command, now)?;
    if let Some(held) = snapshot.tenant(tenant.as_str()) {
        request::may_decide(held, caller, asked).map_err(ExecuteError::NotTheirs)?;
    }
    let Command::ApproveAccess { grant, .. } = asked else {
        return Ok(());
    };
    let grants = Command::CreateGrant(grant.clone());
    match grants.permission() {
        Some(permission) => judge_lending(snapshot, caller, tenant, (&grants, permission), now),
        None => Ok(()),
    }
}

/// What the caller may do itself, or by the teams that it administers; then it lends nothing that it has not got.
fn judge_lending(
    snapshot: &Snapshot,
    caller: &Caller<'_>,
    tenant: &Name,
    (command, permission): (&Command, Permission),
    now: Timestamp,
) -> Result<(), ExecuteError> {
    let circumstances = caller.circumstances(now, None);
    let own = caller.tenant.name() == tenant;
    let lent = || match own {
        true => delegate::commanded(snapshot, caller, command, permission.action, circumstances),
        false => Delegated::Elsewhere,
    };
    let limited = || own && delegate::is_limited(snapshot, caller, command, permission.action, circumstances);
    let judged = judge_itself(snapshot, caller, tenant, &permission, now);
    let by_teams = match &judged {
        Ok(()) => limited(),
        Err(ExecuteError::Forbidden { reason, .. }) => *reason == Reason::NoGrant,
        Err(_) => false,
    };
    match by_teams.then(lent) {
        None => judged,
        Some(Delegated::Elsewhere) if judged.is_err() => judged,
        Some(Delegated::Follows) => Ok(()),
        Some(Delegated::Exceeds) => Err(ExecuteError::Lends {
            action: permission.action.to_owned(),
            resource: format!("{} {}", permission.kind, permission.name),
        }),
        Some(Delegated::Elsewhere) => Err(forbidden(
            permission.action,
            permission.kind,
            &permission.name,
            Reason::NoGrant,
        )),
    }
}

/// Whether the caller may do something to a thing itself, or to the teams that the thing belongs to.
pub(crate) fn judge_caller(
    snapshot: &Snapshot,
    caller: &Caller<'_>,
    tenant: &Name,
    permission: &Permission,
    now: Timestamp,
) -> Result<(), ExecuteError> {
    let circumstances = caller.circumstances(now, None);
    match judge_itself(snapshot, caller, tenant, permission, now) {
        Err(ExecuteError::Forbidden {
            reason: Reason::NoGrant,
            ..
        }) if caller.tenant.name() == tenant
            && delegate::permitted(snapshot, caller, permission, circumstances) =>
        {
            Ok(())
        }
        judged => judged,
    }
}

/// Whether the caller may do something to a thing itself.
pub(crate) fn judge_itself(
    snapshot: &Snapshot,
    caller: &Caller<'_>,
    tenant: &Name,
    permission: &Permission,
    now: Timestamp,
) -> Result<(), ExecuteError> {
    let Permission { action, kind, name } = permission;
    let (action, kind) = (*action, *kind);
    let is_operator = *caller.tenant.name() == Name::platform();
    let own = caller.tenant.name() == tenant;
    if !own && !is_operator {
        // As if there were no such tenant: its existence is nobody else's business.
        return Err(ExecuteError::Refused(Refusal::NotFound {
            what: "tenant",
            name: tenant.to_string(),
        }));
    }
    if action == OPERATORS_ACTION && !is_operator {
        return Err(forbidden(action, kind, tenant.as_str(), Reason::NoGrant));
    }
    let (kind, name) = match (own, kind) {
        (true, kind) if kind != "tenant" => (kind, name.as_str()),
        _ => ("tenant", tenant.as_str()),
    };
    let request = decide::Request {
        action,
        resource: Resource::named(kind, name),
        // Not known here is the client's address: what asks for a network does not hold for changes.
        circumstances: caller.circumstances(now, None),
    };
    match decide(snapshot, caller, &request).reason {
        Reason::Granted => Ok(()),
        reason => Err(forbidden(action, kind, name, reason)),
    }
}

fn forbidden(action: &str, kind: &str, name: &str, reason: Reason) -> ExecuteError {
    ExecuteError::Forbidden {
        action: action.to_owned(),
        resource: format!("{kind} {name}"),
        reason,
    }
}

pub(crate) fn actor(caller: &Caller<'_>, tenant: &Name) -> String {
    let principal = caller.principal;
    match caller.tenant.name() {
        own if own == tenant => principal.to_string(),
        other => format!("{other}/{principal}"),
    }
}
