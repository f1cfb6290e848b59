//! Who could grant what was refused.

use serde_json::json;
use turnpike_tests::dev::Dev;

use super::{MODEL, OTHER, declining, explained};

#[tokio::test]
async fn who_leads_a_team_is_named_as_able_to_grant_what_it_has_itself_and_nothing_else() {
    let dev = Dev::start().await;
    let admin = &dev.admin;
    for made in [
        "team create night",
        "user create lead",
        "user create sleeper",
        "team add-member night user:sleeper",
        "role create team-admin --action grants.* --action teams.*",
        "grant create --to user:lead --role team-admin --resource team:night",
    ] {
        admin.words(made).await;
    }
    dev.allow("user:lead", MODEL).await;
    let (lead, sleeper) = (
        dev.key("user:lead", &[]).await,
        dev.key("user:sleeper", &[]).await,
    );
    let grants = "grant create --to team:night --role developer --wait --model";
    for (model, could) in [(OTHER, false), (MODEL, true)] {
        let refused = declining(&dev, &sleeper, model).await;
        assert_eq!(refused.status, 403);
        let story = explained(admin, &refused).await;
        let granters = story["who_can_grant"].as_array().unwrap();
        assert!(granters.contains(&json!("user:admin")), "{story}");
        assert_eq!(granters.contains(&json!("user:lead")), could, "{model}: {story}");
        let tried = admin
            .by(&lead.text)
            .run(&[&grants.split(' ').collect::<Vec<_>>()[..], &[model]].concat())
            .await;
        assert_eq!(tried.status == 0, could, "what is said of her is so: {tried:?}");
    }
    assert_eq!(declining(&dev, &sleeper, MODEL).await.status, 200);
}

/// A lead has its own rights by family and environment, and administers through a team: what is named is whom a grant names.
#[tokio::test]
async fn whoever_is_in_a_team_that_leads_another_is_named_by_it_and_lends_as_it_was_given() {
    let dev = Dev::start().await;
    let admin = &dev.admin;
    for made in [
        "team create night",
        "team create night-leads",
        "user create lead",
        "user create sleeper",
        "team add-member night user:sleeper",
        "team add-member night-leads user:lead",
        "role create team-admin --action grants.* --action teams.*",
        "grant create --to team:night-leads --role team-admin --resource team:night",
        "grant create --to team:night-leads --role developer --family gpt-4 --environment production --wait",
    ] {
        admin.words(made).await;
    }
    let (lead, sleeper) = (
        dev.key("user:lead", &[]).await,
        dev.key("user:sleeper", &[]).await,
    );
    for (model, could) in [(OTHER, false), (MODEL, true)] {
        let refused = declining(&dev, &sleeper, model).await;
        let story = explained(admin, &refused).await;
        let granters = story["who_can_grant"].as_array().unwrap();
        assert_eq!(
            granters.contains(&json!("team:night-leads")),
            could,
            "{model}: {story}"
        );
    }
    let by = admin.by(&lead.text);
    let grant = "grant create --to team:night --role developer --wait";
    let too_much = by.run(&grant.split(' ').collect::<Vec<_>>()).await;
    assert!(
        too_much.status != 0 && too_much.complaint.contains("more than the caller has"),
        "{too_much:?}"
    );
    let lent = by
        .words(&format!("{grant} --family gpt-4 --environment production"))
        .await;
    assert_eq!(
        lent["grant"]["owner"], "user:lead",
        "who makes a grant answers for it: {lent}"
    );
    assert_eq!(declining(&dev, &sleeper, MODEL).await.status, 200);
}
