//! What the operators offer exists for those it is offered to, while it is offered, and for nobody else.

use std::sync::Arc;

use turnpike_access::{
    codec::Decoder,
    command::Command,
    id::{Id, ModelId, Name},
    ledger::Refusal,
    model::{Catalogue, ModelProfile, ProviderKind, ProviderProfile},
    offer::{Audience, Offer},
    pattern::{ResourcePattern, Selector},
    resolve::{Unresolved, resolve},
    snapshot::Snapshot,
    tenant::TenantSettings,
};

use crate::{
    commands::Step,
    history::{History, lines},
};

fn on(tenant: &str, command: Command) -> Step {
    Step {
        tenant: tenant.parse().unwrap(),
        command,
    }
}

fn named(name: &str) -> Audience {
    Audience::Named(vec![name.parse().unwrap()])
}

fn offer(number: u128, to: Audience, models: &str) -> Command {
    let resources = vec![ResourcePattern {
        kind: "model".parse().unwrap(),
        name: models.parse().unwrap(),
    }];
    Command::CreateOffer(Offer {
        id: Id::from_random(number),
        to,
        models: Selector {
            resources,
            ..Selector::default()
        },
        reason: None,
    })
}

fn provider() -> ProviderProfile {
    ProviderProfile {
        kind: ProviderKind::Openai,
        base_url: Arc::from("https://models.example/v1"),
        sealed_secret: None,
        api_version: None,
        catalogue: Catalogue::Closed,
        tags: Default::default(),
        identity: None,
    }
}

/// The operators have two models that nobody is offered yet.
fn furnished() -> History {
    let mut history = History::of(&[]);
    let create = Command::CreateProvider {
        name: "shared".parse().unwrap(),
        profile: provider(),
    };
    history.perform(&on("platform", create)).unwrap();
    for id in ["shared/one", "shared/two"] {
        let create = Command::CreateModel {
            id: id.parse().unwrap(),
            profile: ModelProfile::default(),
        };
        history.perform(&on("platform", create)).unwrap();
    }
    history
}

fn finds(snapshot: &Snapshot, tenant: &str, requested: &str) -> Result<ModelId, Unresolved> {
    let tenant = snapshot.tenant(tenant).unwrap();
    resolve(snapshot, tenant, requested, None).map(|found| found.id)
}

fn is_found(history: &History, tenant: &str, requested: &str) -> bool {
    finds(&history.snapshot, tenant, requested).is_ok()
}

#[test]
fn an_offered_model_exists_for_those_it_is_offered_to_and_until_it_is_withdrawn() {
    let mut history = furnished();
    assert!(!is_found(&history, "acme", "shared/one"));
    history
        .perform(&on("platform", offer(1, named("acme"), "shared/one")))
        .unwrap();
    for requested in ["shared/one", "one"] {
        assert!(is_found(&history, "acme", requested), "{requested}");
        assert!(
            !is_found(&history, "bolt", requested),
            "{requested} in another tenant"
        );
    }
    assert!(!is_found(&history, "acme", "shared/two"));
    let tenant = history.tenant("acme").unwrap();
    let found = resolve(&history.snapshot, tenant, "shared/one", None).unwrap();
    assert_eq!(found.owner.name(), &Name::platform());
    let withdraw = Command::DeleteOffer {
        id: Id::from_random(1),
    };
    history.perform(&on("platform", withdraw)).unwrap();
    assert!(!is_found(&history, "acme", "shared/one"));
}

#[test]
fn an_offer_is_in_the_snapshot_as_it_is_stored() {
    let mut history = furnished();
    history
        .perform(&on("platform", offer(1, Audience::All {}, "shared/*")))
        .unwrap();
    let mut decoder = Decoder::default();
    for line in lines(&history.snapshot) {
        decoder.feed(line.as_bytes()).unwrap();
    }
    let read = decoder.finish().unwrap();
    assert!(finds(&read, "bolt", "shared/two").is_ok());
}

#[test]
fn a_tenants_own_provider_hides_an_offered_one_of_its_name() {
    let mut history = furnished();
    history
        .perform(&on("platform", offer(1, Audience::All {}, "*")))
        .unwrap();
    let create = Command::CreateProvider {
        name: "shared".parse().unwrap(),
        profile: provider(),
    };
    history.perform(&on("acme", create)).unwrap();
    for requested in ["shared/one", "one"] {
        assert!(!is_found(&history, "acme", requested), "{requested}");
        assert!(is_found(&history, "bolt", requested), "{requested}");
    }
}

#[test]
fn a_tenant_that_gets_the_name_of_a_deleted_one_is_offered_nothing_by_it() {
    let mut history = furnished();
    let to = Audience::Named(vec!["acme".parse().unwrap(), "bolt".parse().unwrap()]);
    history.perform(&on("platform", offer(1, to, "*"))).unwrap();
    history
        .perform(&on("platform", offer(2, named("acme"), "*")))
        .unwrap();
    history.perform(&on("acme", Command::DeleteTenant)).unwrap();
    history
        .perform(&on("acme", Command::CreateTenant(TenantSettings::default())))
        .unwrap();
    assert!(!is_found(&history, "acme", "shared/one"));
    assert!(is_found(&history, "bolt", "shared/one"));
}

#[test]
fn only_the_operators_offer_and_only_they_say_which_tags_a_tenant_has() {
    let mut history = furnished();
    let refused = history.perform(&on("acme", offer(1, Audience::All {}, "*")));
    assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
    for to in [
        Audience::Named(Vec::new()),
        Audience::Tagged(Vec::new()),
        named("nobody"),
    ] {
        let refused = history.perform(&on("platform", offer(1, to.clone(), "*")));
        assert!(refused.is_err(), "{to:?}");
    }
    let tagged = TenantSettings {
        tags: [(Arc::from("tier"), Arc::from("gold"))].into(),
        ..TenantSettings::default()
    };
    let update = |from: &TenantSettings, to: &TenantSettings| {
        let (from, to) = (from.clone(), to.clone());
        Command::UpdateTenant { from, to }.permission().unwrap().action
    };
    let plain = TenantSettings::default();
    assert_eq!(update(&plain, &tagged), "tenants.write");
    assert_eq!(update(&tagged, &plain), "tenants.write");
    let hiding = TenantSettings {
        hide_models: true,
        ..tagged.clone()
    };
    assert_eq!(update(&tagged, &hiding), "tenants.update");
}
