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
