//! Every method of the table of demands, walked by callers of all kinds: without a key, with a bad one, with one that is
//! over, from another tenant, with everything but what it demands, and with nothing but that.

use std::time::Duration;

use axum::{body::Body, http};
use tonic::{Code, Status};
use tower::ServiceExt as _;
use turnpike_access::{
    command::Command,
    credential::{Credential, KeyKind, write_key},
    digest::Peppers,
    grant::{Conditions, Effect, Grant},
    id::{Principal, Timestamp},
    pattern::Selector,
    role::Role,
    tenant::AccountProfile,
};
use turnpike_runtime::{clock, random};

use super::{
    super::demand::{DEMANDS, Demand, Reach},
    Served, served,
};
use crate::{
    execute::Authority,
    fixture::{create_team, name},
};

pub(super) mod messages;

use messages::{Things, message};

/// Nothing has these names.
const UNKNOWN: Things = Things {
    tenant: "acme",
    name: "thing",
    model: "main/thing",
    id: "aaaaaaaaaaaa",
};
/// Both are asked about requests, and may see them by either.
const REQUESTS: [&str; 2] = ["access.request", "access.approve"];

/// Makes users and their keys in a tenant, all in one change.
struct Maker<'s> {
    served: &'s Served,
    tenant: &'static str,
    commands: Vec<Command>,
}

impl Maker<'_> {
    fn key_of(&mut self, owner: &str, expires: Option<Timestamp>) -> (Credential, String) {
        let (id, secret) = (random::id(), "s".repeat(43));
        let peppers = Peppers::new(self.served.keyring.peppers());
        let owner: Principal = owner.parse().unwrap();
        let made = (clock::now(), "test".into());
        let text = write_key(KeyKind::of(&owner), id, &secret);
        let digest = peppers.digest(id, &secret).unwrap();
        let credential = Credential {
            expires,
            ..Credential::new(id, name(self.tenant), owner, digest, made)
        };
        (credential, text)
    }

    /// A user with a key, and these roles.
    fn user(&mut self, user: &str, grants: &[(&str, Effect)]) -> String {
        let principal = Principal::User(name(user));
        let grants = grants.iter().map(|(role, effect)| {
            Command::CreateGrant(Grant {
                id: random::id(),
                subject: turnpike_access::grant::Subject::Principal(principal.clone()),
                role: name(role),
                effect: *effect,
                selector: Selector::default(),
                conditions: Conditions::default(),
                reason: None,
                owner: None,
            })
        });
        self.commands.push(Command::CreateAccount {
            principal: principal.clone(),
            profile: AccountProfile::default(),
            teams: Vec::new(),
        });
        self.commands.extend(grants);
        let (credential, key) = self.key_of(&principal.to_string(), None);
        self.commands.push(Command::IssueCredential(credential));
        key
    }

    fn role(&mut self, role: &str, actions: &[&str]) {
        self.commands.push(Command::CreateRole(Role {
            name: name(role),
            actions: actions.iter().map(|action| action.parse().unwrap()).collect(),
            description: None,
        }));
    }

    async fn make(self) {
        let tenant = self.tenant;
        let asked = self
            .served
            .core
            .ask(Authority::System("test"), tenant, self.commands);
        asked.await.unwrap();
    }
}

/// Who has nothing but what a method demands, and who has everything else.
struct Measured {
    demand: &'static Demand,
    only: String,
    all_but: String,
    nothing: String,
}

fn measured(maker: &mut Maker<'_>, number: usize, demand: &'static Demand) -> Measured {
    let action = demand.action.unwrap();
    let alternatives = match REQUESTS.contains(&action) {
        true => REQUESTS.to_vec(),
        false => vec![action],
    };
    let (demanded, withheld) = (format!("demanded-{number}"), format!("withheld-{number}"));
    maker.role(&demanded, &[action]);
    maker.role(&withheld, &alternatives);
    let admin = ("admin", Effect::Allow);
    Measured {
        demand,
        only: maker.user(&format!("only-{number}"), &[(&demanded, Effect::Allow)]),
        all_but: maker.user(&format!("all-but-{number}"), &[admin, (&withheld, Effect::Deny)]),
        nothing: maker.user(&format!("nothing-{number}"), &[]),
    }
}

fn home(demand: &Demand) -> &'static str {
    match demand.reach {
        Reach::Operators => "platform",
        Reach::AnyTenant | Reach::OwnTenant => "acme",
    }
}

fn things(method: &str) -> Things {
    // It is deleted when somebody may.
    let tenant = match method {
        "TenantService/Delete" => "spare",
        _ => UNKNOWN.tenant,
    };
    Things { tenant, ..UNKNOWN }
}

impl Served {
    /// Calls a method, by whoever has the key, about its own tenant or the named one.
    async fn call(&self, method: &str, message: &[u8], key: Option<&str>, tenant: Option<&str>) -> Status {
        self.answered(method, message, key, tenant).await.0
    }

    /// The same with the answer's bytes.
    pub(super) async fn answered(
        &self,
        method: &str,
        message: &[u8],
        key: Option<&str>,
        tenant: Option<&str>,
    ) -> (Status, Vec<u8>) {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let frame = [&[0][..], &length, message].concat();
        let mut request = http::Request::post(format!("/turnpike.admin.v1.{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if let Some(tenant) = tenant {
            request = request.header("x-turnpike-tenant", tenant);
        }
        let request = request.body(Body::from(frame)).unwrap();
        let answered = self.routes.clone().oneshot(request).await.unwrap();
        let status = Status::from_header_map(answered.headers()).unwrap_or_else(|| Status::ok(""));
        let body = axum::body::to_bytes(Body::new(answered.into_body()), usize::MAX)
            .await
            .unwrap();
        (status, body.to_vec())
    }

    async fn walked(&self, demand: &Demand, key: Option<&str>, tenant: Option<&str>) -> (Code, String) {
        let message = message(demand.method, things(demand.method));
        let status = self.call(demand.method, &message, key, tenant).await;
        (status.code(), status.message().to_owned())
    }

    /// Keys that open nothing, each for another reason.
    async fn bad_keys(&self, root: &str) -> Vec<(&'static str, String)> {
        let mut maker = Maker {
            served: self,
            tenant: "acme",
            commands: Vec::new(),
        };
        let end = Timestamp::from_micros(clock::now().as_micros() + 300_000);
        let made = ["expired", "revoked", "suspended", "of somebody who has left"];
        let mut keys = Vec::new();
        for (number, why) in made.into_iter().enumerate() {
            let leaver = format!("leaver-{number}");
            maker.user(&leaver, &[("admin", Effect::Allow)]);
            let owner = format!("user:{leaver}");
            let expires = (why == "expired").then_some(end);
            let (credential, key) = maker.key_of(&owner, expires);
            let id = credential.id;
            maker.commands.push(Command::IssueCredential(credential));
            match why {
                "revoked" => maker.commands.push(Command::RevokeCredential {
                    id,
                    reason: why.into(),
                }),
                "suspended" => maker.commands.push(Command::SuspendCredential {
                    id,
                    reason: why.into(),
                }),
                "of somebody who has left" => maker.commands.push(Command::UpdateAccount {
                    principal: owner.parse().unwrap(),
                    from: AccountProfile::default(),
                    to: AccountProfile {
                        deactivated: true,
                        ..AccountProfile::default()
                    },
                }),
                _ => {}
            }
            keys.push((why, key));
        }
        maker.make().await;
        let unknown = write_key(KeyKind::PersonalAccessToken, random::id(), &"s".repeat(43));
        let id = root.split('_').nth(2).unwrap().parse().unwrap();
        let forged = write_key(KeyKind::PersonalAccessToken, id, &"A".repeat(43));
        keys.extend([
            ("mistyped", format!("{}!", &root[..root.len() - 1])),
            ("unknown", unknown),
            ("with another secret", forged),
            ("no key at all", "eyJhbGciOiJub25lIn0.e30.".to_owned()),
            ("empty", String::new()),
        ]);
        self.expired(&keys[0].1).await;
        keys
    }

    /// Waits for the end of a key.
    async fn expired(&self, key: &str) {
        let until = async {
            while self
                .call("AccessService/WhoAmI", &[], Some(key), None)
                .await
                .code()
                == Code::Ok
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), until)
            .await
            .unwrap();
    }
}

fn guarded() -> impl Iterator<Item = &'static Demand> {
    DEMANDS.iter().filter(|one| one.action.is_some())
}

#[tokio::test]
async fn every_method_tells_whoever_has_no_key_or_a_dead_one_the_same_and_does_nothing() {
    let served = served().await;
    served.tenant("acme").await;
    let bad = served.bad_keys(&served.root).await;
    let before = served.core.snapshot().position();
    for demand in DEMANDS {
        let without = served.walked(demand, None, None).await;
        assert_eq!(without.0, Code::Unauthenticated, "{}: {without:?}", demand.method);
        for (why, key) in &bad {
            for tenant in [None, Some("acme"), Some("platform"), Some("nowhere")] {
                let told = served.walked(demand, Some(key), tenant).await;
                assert_eq!(told, without, "{} with a key that is {why}", demand.method);
            }
        }
    }
    assert_eq!(served.core.snapshot().position(), before);
}

#[tokio::test]
async fn every_method_is_for_those_who_have_what_the_table_demands_and_for_nobody_else() {
    let served = served().await;
    let boss = served.tenant("acme").await;
    served.tenant("spare").await;
    let mut all = Vec::new();
    for tenant in ["platform", "acme"] {
        let mut maker = Maker {
            served: &served,
            tenant,
            commands: vec![create_team("crew")],
        };
        let of_tenant = guarded().enumerate().filter(|(_, one)| home(one) == tenant);
        all.extend(of_tenant.map(|(number, demand)| measured(&mut maker, number, demand)));
        maker.make().await;
    }
    let before = served.core.snapshot().position();
    for Measured {
        demand,
        all_but,
        nothing,
        ..
    } in &all
    {
        let (method, action) = (demand.method, demand.action.unwrap());
        let operator_elsewhere = (demand.reach == Reach::OwnTenant).then_some((&served.root, Some("acme")));
        let tenants_own = (demand.reach == Reach::Operators).then_some((&boss, None));
        let too_little = [
            Some((all_but, None)),
            Some((nothing, None)),
            operator_elsewhere,
            tenants_own,
        ];
        for (key, tenant) in too_little.into_iter().flatten() {
            let (code, text) = served.walked(demand, Some(key), tenant).await;
            assert_eq!(code, Code::PermissionDenied, "{method}: {text}");
            assert!(text.contains(action), "{method} demands {action}: {text}");
        }
    }
    assert_eq!(
        served.core.snapshot().position(),
        before,
        "a refused call has changed something"
    );
    for Measured { demand, only, .. } in &all {
        let told = served.walked(demand, Some(only), None).await;
        let let_in = [
            Code::Ok,
            Code::NotFound,
            Code::AlreadyExists,
            Code::FailedPrecondition,
        ];
        assert!(let_in.contains(&told.0), "{}: {told:?}", demand.method);
    }
    let me = served
        .call("AccessService/WhoAmI", &[], Some(&all[0].nothing), None)
        .await;
    assert_eq!(me.code(), Code::Ok, "everybody may ask who they are");
}

#[tokio::test]
async fn every_method_tells_another_tenants_administrator_what_it_tells_of_a_tenant_that_is_not_there() {
    let served = served().await;
    let (_, rival) = (served.tenant("acme").await, served.tenant("rival").await);
    let before = served.core.snapshot().position();
    for demand in DEMANDS
        .iter()
        .filter(|one| one.method != "BootstrapService/Bootstrap")
    {
        let mut told = Vec::new();
        for tenant in ["acme", "platform", "nowhere"] {
            let (code, text) = served.walked(demand, Some(&rival), Some(tenant)).await;
            assert_eq!(code, Code::NotFound, "{} about {tenant}: {text}", demand.method);
            told.push(text.replace(tenant, "TENANT"));
        }
        assert!(
            told.iter().all(|one| *one == told[0]),
            "{}: {told:?}",
            demand.method
        );
    }
    assert_eq!(served.core.snapshot().position(), before);
}
