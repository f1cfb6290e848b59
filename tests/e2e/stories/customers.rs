//! A SaaS with many customers: one grant for all of them, and none can reach, see or learn of another's models.

use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Answer, chat},
    dev::Dev,
    eventually::eventually,
    ground::Key,
};

use super::{key_of, models, tell};

const CUSTOMERS: [&str; 3] = ["acme", "bolt", "crux"];

async fn furnish(dev: &Dev) -> Vec<Key> {
    tell(
        dev,
        &[
            "tenant update dev --hide-models true",
            "team create customers",
            "grant create --to team:customers --role developer --match-tag customer",
        ],
    )
    .await;
    let mut keys = Vec::new();
    for customer in CUSTOMERS {
        let model = format!(
            "model create fake-openai/{customer}-tuned --upstream-name gpt-4o --input-price 2.50 \
             --output-price 10 --tag customer={customer}"
        );
        let account = format!("virtual-account create {customer} --team customers --tag customer={customer}");
        tell(dev, &[&model, &account]).await;
        keys.push(key_of(dev, &format!("virtual-account:{customer}")).await);
    }
    keys
}

async fn ask(dev: &Dev, key: &Key, model: &str, customer: &str) -> Answer {
    let request = dev.caller(key).post("/v1/chat/completions", &chat(model));
    let metadata = json!({"customer-id": customer}).to_string();
    Answer::of(request.header("x-turnpike-metadata", metadata)).await
}

/// A refusal without what names the request.
fn told(answer: &Answer, model: &str) -> (u16, String) {
    (
        answer.status,
        answer.text().replace(model, "").replace(answer.request_id(), ""),
    )
}

#[tokio::test]
async fn one_grant_serves_a_customer_each_and_none_learns_of_another() {
    let dev = Dev::start().await;
    let keys = furnish(&dev).await;
    let mut requests = Vec::new();
    for (customer, key) in CUSTOMERS.iter().zip(&keys) {
        let own = format!("fake-openai/{customer}-tuned");
        let answer = ask(&dev, key, &own, customer).await;
        assert_eq!(
            (answer.status, answer.header("x-turnpike-model")),
            (200, own.as_str()),
            "{answer:?}"
        );
        requests.push((*customer, answer.request_id().to_owned()));
        assert_eq!(models(&dev, key).await, [own]);
        let nothing = "fake-openai/nobodys-tuned";
        let unknown = told(&ask(&dev, key, nothing, customer).await, nothing);
        assert_eq!(unknown.0, 404);
        for other in CUSTOMERS.iter().filter(|other| *other != customer) {
            let theirs = format!("fake-openai/{other}-tuned");
            let refused = ask(&dev, key, &theirs, customer).await;
            assert_eq!(
                told(&refused, &theirs),
                unknown,
                "{other}'s model is as good as none"
            );
            let bare = format!("{other}-tuned");
            let refused = ask(&dev, key, &bare, customer).await;
            assert_eq!(told(&refused, &bare).0, 404);
        }
    }
    for (customer, request) in requests {
        let row = dev.audited(&request).await;
        assert_eq!(row["metadata"], json!({"customer-id": customer}));
        assert_eq!(row["principal"], format!("virtual-account:{customer}"));
        assert!(row["input_tokens"].as_u64().unwrap() > 0, "{row}");
    }
    billing(&dev).await;
}

/// What a bill is made of: of each customer its own requests alone.
async fn billing(dev: &Dev) {
    for customer in CUSTOMERS {
        let rows = dev
            .audit(&[
                "--principal",
                &format!("virtual-account:{customer}"),
                "--outcome",
                "allowed",
            ])
            .await;
        let of_models = rows.iter().filter(|row| row["model_served"] != Value::Null);
        let named: Vec<&Value> = of_models.map(|row| &row["metadata"]["customer-id"]).collect();
        assert_eq!(named, [&json!(customer)]);
    }
    // For each an answer, a list of models, and what it was refused: nobody's model, and each of the others' by two names.
    let told = eventually("usage by customer", async || {
        let report = dev.admin.words("usage report --by metadata:customer-id").await;
        match report["total"]["requests"].as_u64() {
            Some(21) => Ok(report),
            _ => Err(report),
        }
    })
    .await;
    // A list of models has no metadata.
    let mut rows = told["rows"].as_array().unwrap().clone();
    rows.retain(|row| !row["metadata:customer-id"].is_null());
    for (customer, row) in CUSTOMERS.iter().zip(&rows) {
        assert_eq!(row["metadata:customer-id"], *customer);
        assert_eq!((&row["requests"], &row["refused"]), (&json!(6), &json!(5)));
        assert_ne!(row["cost_usd"], "0.00", "{row}");
    }
    assert_eq!(rows.len(), CUSTOMERS.len());
}

#[tokio::test]
async fn a_new_customer_needs_an_account_and_a_tag_and_no_other_grant() {
    let dev = Dev::start().await;
    let keys = furnish(&dev).await;
    tell(&dev, &["virtual-account update bolt --tag customer=acme --wait"]).await;
    let answer = ask(&dev, &keys[1], "fake-openai/acme-tuned", "bolt").await;
    assert_eq!(answer.status, 200, "the tag says whose customer it is");
    tell(&dev, &["virtual-account update bolt --no-tags --wait"]).await;
    assert_eq!(
        models(&dev, &keys[1]).await,
        [""; 0],
        "without the tag there is nothing"
    );
    let asked = "explain --as virtual-account:bolt --action inference.chat --model fake-openai/bolt-tuned";
    let why = dev.admin.words(asked).await;
    assert_eq!(
        why["considered"][0]["sentence"],
        "it asks for the same tag customer, and the caller has none"
    );
}
