//! Tenants can neither see nor use, nor even name, each other's things.

use serde_json::Value;
use turnpike_tests::{caller::Caller, cli::Cli, dev::Dev, eventually::eventually, ground::Ground};

/// One tenant's half: a bot of the same name as in the other, and the ids of its things.
struct Half {
    admin: Cli,
    key: String,
    credential: String,
    grant: String,
    fallback: String,
}

async fn furnish(admin: Cli, base_url: &str, secret: &str) -> Half {
    let create = [
        "provider",
        "create",
        "main",
        "--kind",
        "openai",
        "--base-url",
        base_url,
    ];
    let create = [&create[..], &["--secret-from-env", "SECRET"]].concat();
    admin.json_with(&create, &[("SECRET", secret)]).await;
    admin.words("team create crew").await;
    admin.words("virtual-account create bot --team crew").await;
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    let grant = admin
        .words("grant create --to team:crew --role developer --model main/*")
        .await;
    let fallback = admin.words("fallback create --from main/a --to main/b").await;
    let made = admin
        .words("credential create --owner virtual-account:bot --wait")
        .await;
    Half {
        key: made["key"].as_str().unwrap().to_owned(),
        credential: id(&made["credential"]),
        grant: id(&grant["grant"]),
        fallback: id(&fallback["fallback"]),
        admin,
    }
}

async fn two_halves(dev: &Dev) -> (Half, Half) {
    let made = dev
        .operator
        .words("tenant create rival --administrator admin")
        .await;
    let rival = dev.admin.by(made["key"].as_str().unwrap());
    let provider = dev.admin.words("provider get fake-openai").await;
    let (url, secret) = (
        provider["base_url"].as_str().unwrap(),
        dev.secret("fake-provider"),
    );
    (
        furnish(dev.admin.clone(), url, &secret).await,
        furnish(rival, url, &secret).await,
    )
}

#[tokio::test]
async fn the_same_names_in_two_tenants_are_different_things() {
    let dev = Dev::start().await;
    let (ours, theirs) = two_halves(&dev).await;
    let call = async |half: &Half, model: &str| {
        Caller::new(&dev.edges[0].url(), Some(&half.key))
            .chat(model)
            .await
    };
    for half in [&ours, &theirs] {
        assert_eq!(call(half, "main/gpt-4o").await.status, 200);
    }
    theirs
        .admin
        .json(&["grant", "delete", &theirs.grant, "--wait"])
        .await;
    assert_eq!(call(&ours, "main/gpt-4o").await.status, 200);
    assert_eq!(call(&theirs, "main/gpt-4o").await.status, 403);
    theirs.admin.json(&["fallback", "delete", &theirs.fallback]).await;
    theirs.admin.words("provider delete main --wait").await;
    assert_eq!(call(&theirs, "main/gpt-4o").await.status, 404);
    assert_eq!(call(&ours, "main/gpt-4o").await.status, 200);
    assert_eq!(
        call(&theirs, "fake-openai/gpt-4o").await.status,
        404,
        "the other tenant's model"
    );
    each_sees_its_own_calls(&dev, &theirs).await;
}

async fn each_sees_its_own_calls(ground: &Ground, theirs: &Half) {
    let list = ["audit", "list", "--principal", "virtual-account:bot"];
    eventually("both audits", async || {
        let ours = ground.admin.json(&list).await.as_array().unwrap().len();
        let theirs = theirs.admin.json(&list).await.as_array().unwrap().len();
        if (ours, theirs) == (3, 4) {
            Ok(())
        } else {
            Err((ours, theirs))
        }
    })
    .await;
}

#[tokio::test]
async fn an_id_of_another_tenant_is_not_found_and_nothing_happens_to_it() {
    let dev = Dev::start().await;
    let (ours, theirs) = two_halves(&dev).await;
    for (line, id) in [
        ("credential get", &ours.credential),
        ("credential revoke", &ours.credential),
        ("credential rotate", &ours.credential),
        ("grant get", &ours.grant),
        ("grant delete", &ours.grant),
        ("fallback get", &ours.fallback),
        ("fallback delete", &ours.fallback),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let foreign = theirs.admin.run(&[&words[..], &[id.as_str()]].concat()).await;
        let nothing = theirs.admin.run(&[&words[..], &["aaaaaaaaaaaa"]].concat()).await;
        assert_eq!(
            (foreign.status, nothing.status),
            (1, 1),
            "{line}: {foreign:?} {nothing:?}"
        );
        let without_id = |text: &str, id: &str| text.replace(id, "");
        assert_eq!(
            without_id(&foreign.complaint, id),
            without_id(&nothing.complaint, "aaaaaaaaaaaa"),
            "{line}: somebody else's is no different from none"
        );
    }
    let sneaky = theirs.admin.within("dev");
    let (foreign, nothing) = (
        sneaky.run(&["team", "list"]).await,
        theirs.admin.within("nowhere").run(&["team", "list"]).await,
    );
    assert_eq!(foreign.status, 1, "{foreign:?}");
    assert_eq!(
        foreign.complaint.replace("dev", ""),
        nothing.complaint.replace("nowhere", "")
    );
    let credential = ours.admin.json(&["credential", "get", &ours.credential]).await;
    assert_eq!(credential["status"], "active", "nothing has happened to it");
    let served = Caller::new(&dev.edges[0].url(), Some(&ours.key))
        .chat("main/gpt-4o")
        .await;
    assert_eq!(served.status, 200);
}

#[tokio::test]
async fn the_operators_act_in_any_tenant_and_a_suspended_tenant_in_none() {
    let dev = Dev::start().await;
    let (ours, theirs) = two_halves(&dev).await;
    let within = dev.operator.within("rival").words("team list").await.to_string();
    assert!(within.contains("crew"), "{within}");
    dev.operator
        .words("tenant update rival --suspended true --wait")
        .await;
    let call = async |half: &Half| {
        Caller::new(&dev.edges[0].url(), Some(&half.key))
            .chat("main/gpt-4o")
            .await
            .status
    };
    assert_eq!((call(&ours).await, call(&theirs).await), (200, 401));
    assert_eq!(
        theirs.admin.run(&["team", "list"]).await.status,
        1,
        "its administrators neither"
    );
    dev.operator
        .words("tenant update rival --suspended false --wait")
        .await;
    assert_eq!(call(&theirs).await, 200);
}
