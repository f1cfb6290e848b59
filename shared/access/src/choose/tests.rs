//! That the time of an answer can tell nothing of what another tenant has: every lookup is counted, since a test that measures
//! time is no test.

use std::sync::Arc;

use super::*;
use crate::{
    event::Event,
    fixture::{NOW, fold},
    grant::{AuthMethod, Effect, Grant},
    listing::usable,
    model::{Catalogue, ModelProfile, ProviderKind, ProviderProfile},
    table::counted,
    tenant::{AccountProfile, TenantSettings},
};

const ALICE: &str = "user:alice";

fn account(snapshot: &mut Snapshot, tenant: &str, principal: &str) {
    let account = Event::AccountCreated {
        principal: principal.parse().unwrap(),
        profile: AccountProfile::default(),
    };
    fold(snapshot, tenant, &account);
}

/// A provider and a model of it, `PROVIDER/giant`, also known as `PROVIDER-best`.
fn catalogue(snapshot: &mut Snapshot, tenant: &str, provider: &str) {
    let profile = ProviderProfile {
        kind: ProviderKind::Openai,
        base_url: Arc::from("https://models.example/v1"),
        sealed_secret: None,
        api_version: None,
        catalogue: Catalogue::Open,
        tags: Default::default(),
        identity: None,
    };
    let name = provider.parse().unwrap();
    fold(snapshot, tenant, &Event::ProviderCreated { name, profile });
    let id: ModelId = format!("{provider}/giant-of-{provider}").parse().unwrap();
    let profile = ModelProfile::default();
    fold(
        snapshot,
        tenant,
        &Event::ModelCreated {
            id: id.clone(),
            profile,
        },
    );
    let alias = Event::AliasSet {
        alias: Arc::from(format!("{provider}-best")),
        target: id,
    };
    fold(snapshot, tenant, &alias);
}

/// Alice of acme may use all that acme has. Whether the other tenant has anything.
fn world(others: bool) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for tenant in ["platform", "acme", "umbrella"] {
        fold(
            &mut snapshot,
            tenant,
            &Event::TenantCreated(TenantSettings::default()),
        );
    }
    account(&mut snapshot, "acme", ALICE);
    catalogue(&mut snapshot, "acme", "open");
    let grant = Grant {
        id: Id::from_random(1),
        subject: ALICE.parse().unwrap(),
        role: "developer".parse().unwrap(),
        effect: Effect::Allow,
        selector: Default::default(),
        conditions: Default::default(),
        reason: None,
        owner: None,
    };
    fold(&mut snapshot, "acme", &Event::GrantCreated(grant));
    if others {
        account(&mut snapshot, "umbrella", "user:bob");
        catalogue(&mut snapshot, "umbrella", "hidden");
    }
    snapshot
}

/// Whether it is allowed, or why there is nothing to decide about, and what was looked up for it.
fn ask(snapshot: &Snapshot, requested: &str, provider: Option<&str>) -> (Result<bool, Unresolved>, u32) {
    let tenant = snapshot.tenant("acme").unwrap();
    let held = tenant.account(&ALICE.parse().unwrap()).unwrap();
    let caller = Caller::of(tenant, held, AuthMethod::ApiKey);
    let request = ModelRequest {
        action: "inference.chat",
        requested,
        provider,
        circumstances: caller.circumstances(NOW, None),
        accepts_fallback: true,
    };
    counted::take();
    let choice = choose(snapshot, &caller, &request).map(|choice| choice.decision.allowed());
    (choice, counted::take())
}

#[test]
fn what_another_tenant_has_is_not_looked_up() {
    let (with, without) = (world(true), world(false));
    for (requested, provider) in [
        ("hidden/giant-of-hidden", None),
        ("giant-of-hidden", None),
        ("giant-of-hidden", Some("hidden")),
        ("hidden-best", None),
        ("hidden/anything", None),
    ] {
        let theirs = ask(&with, requested, provider);
        assert_eq!(theirs, ask(&without, requested, provider), "{requested}");
        assert_eq!(theirs.0, Err(Unresolved::Unknown), "{requested}");
        assert!(theirs.1 > 0, "something was looked for");
    }
    let own = ask(&with, "open-best", None);
    assert_eq!(own, ask(&without, "open-best", None));
    assert_eq!(own.0, Ok(true));
}

#[test]
fn a_list_of_models_looks_nothing_up_that_another_tenant_has() {
    let list = |snapshot: &Snapshot| {
        let tenant = snapshot.tenant("acme").unwrap();
        let held = tenant.account(&ALICE.parse().unwrap()).unwrap();
        let caller = Caller::of(tenant, held, AuthMethod::ApiKey);
        counted::take();
        let listed = usable(snapshot, &caller, caller.circumstances(NOW, None)).count();
        (listed, counted::take())
    };
    assert_eq!(list(&world(true)), list(&world(false)));
}
