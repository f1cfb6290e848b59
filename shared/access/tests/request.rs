//! Access for some time: it is asked for, decided by somebody else, expires by itself, and is all in the log.

use std::sync::Arc;

use turnpike_access::{
    authenticate::Caller,
    command::Command,
    decide::{Request, decide},
    grant::{AuthMethod, Circumstances, Effect},
    id::{Id, Name, Timestamp},
    ledger::Refusal,
    pattern::{Resource, ResourcePattern, Selector},
    request::{AccessRequest, DEFAULT_MAX_SECONDS, MAX_HELD, MAX_OPEN, NotTheirs, WAITS_SECONDS, may_decide},
    tenant::{AccountProfile, TenantSettings},
};

use crate::{
    commands::Step,
    history::{History, caller, render},
    world::PRINCIPALS,
};

const HOUR: u32 = 3_600;

fn acme() -> Name {
    "acme".parse().unwrap()
}

fn id(number: usize) -> Id {
    Id::from_random(5_000 + u128::try_from(number).unwrap())
}

fn perform(history: &mut History, command: Command) -> Result<usize, Refusal> {
    history.perform(&Step {
        tenant: acme(),
        command,
    })
}

fn wanted(history: &History, number: usize) -> AccessRequest {
    AccessRequest {
        id: id(number),
        principal: PRINCIPALS[0].parse().unwrap(),
        role: "developer".parse().unwrap(),
        selector: Selector {
            resources: vec![ResourcePattern {
                kind: "model".parse().unwrap(),
                name: "open/*".parse().unwrap(),
            }],
            ..Selector::default()
        },
        seconds: HOUR,
        reason: Arc::from("incident 42"),
        lapses: history.now().plus_seconds(WAITS_SECONDS),
    }
}

fn ask(history: &mut History, number: usize) -> Result<usize, Refusal> {
    let request = wanted(history, number);
    perform(history, Command::RequestAccess(request))
}

fn approval(history: &History, number: usize, at_most: Option<u32>) -> Command {
    let held = history
        .tenant("acme")
        .unwrap()
        .access_request(id(number))
        .unwrap();
    let grant = held.request.grant(id(100 + number), history.now(), at_most);
    Command::ApproveAccess {
        id: id(number),
        grant,
    }
}

fn status(history: &History, number: usize, now: Timestamp) -> &'static str {
    let held = history.tenant("acme").unwrap().access_request(id(number));
    held.unwrap().status(now)
}

fn may_chat(history: &History, now: Timestamp) -> bool {
    let tenant = history.tenant("acme").unwrap();
    let request = Request {
        action: "inference.chat",
        resource: Resource::named("model", "open/large"),
        circumstances: Circumstances {
            now,
            method: AuthMethod::ApiKey,
            issuer: None,
            issued: None,
            client: None,
        },
    };
    decide(&history.snapshot, &caller(tenant, PRINCIPALS[0]), &request).allowed()
}

#[test]
fn approved_access_lasts_as_long_as_was_asked_for_and_then_ends_by_itself() {
    let mut history = History::of(&[]);
    ask(&mut history, 1).unwrap();
    assert!(!may_chat(&history, history.now()), "asking gives nothing");
    let approve = approval(&history, 1, None);
    let approved = history.now();
    perform(&mut history, approve.clone()).unwrap();
    let last: Vec<_> = history
        .log
        .iter()
        .rev()
        .take(2)
        .map(|one| one.kind.to_string())
        .collect();
    assert_eq!(last, ["grant.created", "access.approved"]);
    let end = approved.plus_seconds(HOUR.into());
    assert!(may_chat(&history, end.plus_seconds(-1)));
    assert!(!may_chat(&history, end));
    assert_eq!(status(&history, 1, approved), "approved");
    assert_eq!(status(&history, 1, end), "expired");
    assert!(perform(&mut history, approve).is_err(), "it is decided");
}

#[test]
fn less_can_be_approved_and_never_more() {
    let mut history = History::of(&[]);
    ask(&mut history, 1).unwrap();
    let asked = history
        .tenant("acme")
        .unwrap()
        .access_request(id(1))
        .unwrap()
        .request
        .clone();
    let now = history.now().plus_seconds(1);
    let proper = asked.grant(id(9), now, None);
    let mut longer = proper.clone();
    longer.conditions.expires = Some(now.plus_seconds(i64::from(HOUR) + 1));
    let mut endless = proper.clone();
    endless.conditions.expires = None;
    let mut wider = proper.clone();
    wider.selector = Selector::default();
    let mut mightier = proper.clone();
    mightier.role = "admin".parse().unwrap();
    let mut other = proper.clone();
    other.subject = PRINCIPALS[1].parse().unwrap();
    let mut opposite = proper;
    opposite.effect = Effect::Deny;
    for grant in [longer, endless, wider, mightier, other, opposite] {
        let approve = Command::ApproveAccess { id: id(1), grant };
        assert!(perform(&mut history, approve.clone()).is_err(), "{approve:?}");
    }
    let approve = approval(&history, 1, Some(60));
    let approved = history.now();
    perform(&mut history, approve).unwrap();
    assert!(!may_chat(&history, approved.plus_seconds(60)));
}

#[test]
fn the_tenant_says_for_how_long_access_may_be_asked_for() {
    let mut history = History::of(&[]);
    let long = AccessRequest {
        seconds: DEFAULT_MAX_SECONDS,
        ..wanted(&history, 1)
    };
    perform(&mut history, Command::RequestAccess(long.clone())).unwrap();
    let to = TenantSettings {
        max_access_seconds: Some(HOUR),
        ..TenantSettings::default()
    };
    let from = TenantSettings::default();
    perform(&mut history, Command::UpdateTenant { from, to }).unwrap();
    let too_long = AccessRequest { id: id(2), ..long };
    assert!(perform(&mut history, Command::RequestAccess(too_long)).is_err());
    let approve = approval(&history, 1, None);
    assert!(perform(&mut history, approve).is_err(), "what holds now counts");
    let approve = approval(&history, 1, Some(HOUR));
    perform(&mut history, approve).unwrap();
}

#[test]
fn refused_withdrawn_and_old_requests_can_no_longer_be_approved() {
    let mut history = History::of(&[]);
    let role: Name = "developer".parse().unwrap();
    for number in [1, 2, 3] {
        ask(&mut history, number).unwrap();
    }
    let refuse = Command::RefuseAccess {
        id: id(1),
        role: role.clone(),
        reason: Arc::from("use staging"),
    };
    let withdraw = Command::WithdrawAccess { id: id(2), role };
    perform(&mut history, refuse).unwrap();
    perform(&mut history, withdraw).unwrap();
    let now = history.now();
    let seen = [1, 2, 3].map(|number| status(&history, number, now));
    assert_eq!(seen, ["refused", "withdrawn", "open"]);
    history.wait(WAITS_SECONDS);
    assert_eq!(status(&history, 3, history.now()), "lapsed");
    for number in [1, 2, 3] {
        let approve = approval(&history, number, None);
        assert!(perform(&mut history, approve).is_err(), "{number}");
    }
    assert!(!may_chat(&history, history.now()));
}

#[test]
fn requests_of_whoever_is_deactivated_end_for_good() {
    let mut history = History::of(&[]);
    ask(&mut history, 1).unwrap();
    for deactivated in [true, false] {
        let to = AccountProfile {
            deactivated,
            ..AccountProfile::default()
        };
        let update = Command::UpdateAccount {
            principal: PRINCIPALS[0].parse().unwrap(),
            from: AccountProfile::default(),
            to,
        };
        perform(&mut history, update).unwrap();
        let approve = approval(&history, 1, None);
        assert!(perform(&mut history, approve).is_err());
        assert_eq!(ask(&mut history, 2).is_err(), deactivated);
    }
    assert_eq!(status(&history, 1, history.now()), "withdrawn");
}

#[test]
fn a_principal_waits_for_few_decisions_and_old_ones_leave_the_state() {
    let mut history = History::of(&[]);
    for number in 0..MAX_OPEN {
        ask(&mut history, number).unwrap();
    }
    assert!(ask(&mut history, MAX_OPEN).is_err(), "too many wait");
    for number in 0..60 {
        let approve = approval(&history, number, Some(2));
        perform(&mut history, approve).unwrap();
        history.wait(3);
        ask(&mut history, number + MAX_OPEN).unwrap();
    }
    let tenant = history.tenant("acme").unwrap();
    assert_eq!(tenant.access_requests().len(), MAX_HELD);
    let held = tenant.grants().len();
    assert!(held <= MAX_HELD, "expired grants pile up: {held}");
    let gone = Command::DeleteAccount {
        principal: PRINCIPALS[0].parse().unwrap(),
    };
    perform(&mut history, gone).unwrap();
    assert!(history.tenant("acme").unwrap().access_requests().is_empty());
    assert!(!render(&history.snapshot).contains("access_request"));
}

#[test]
fn nobody_decides_about_their_own_and_nobody_asks_for_others() {
    let mut history = History::of(&[]);
    ask(&mut history, 1).unwrap();
    let tenant = history.tenant("acme").unwrap();
    let role: Name = "developer".parse().unwrap();
    let refuse = Command::RefuseAccess {
        id: id(1),
        role: role.clone(),
        reason: Arc::from("no"),
    };
    let withdraw = Command::WithdrawAccess { id: id(1), role };
    let asks = Command::RequestAccess(wanted(&history, 2));
    let judged = |who: &Caller<'_>| {
        let commands = [&approval(&history, 1, None), &refuse, &withdraw, &asks];
        commands.map(|command| may_decide(tenant, who, command))
    };
    let (own, others) = (Err(NotTheirs::Own), Err(NotTheirs::Others));
    assert_eq!(judged(&caller(tenant, PRINCIPALS[0])), [own, own, Ok(()), Ok(())]);
    assert_eq!(
        judged(&caller(tenant, PRINCIPALS[1])),
        [Ok(()), Ok(()), others, others]
    );
    // Of the same name, in another tenant.
    let elsewhere = history.tenant("bolt").unwrap();
    assert_eq!(
        judged(&caller(elsewhere, PRINCIPALS[0])),
        [Ok(()), Ok(()), others, others]
    );
}
