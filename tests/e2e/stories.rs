//! The three stories of the README, command for command: gpt-4 for managers, many customers, staging for QA.

mod customers;
mod managers;
mod staging;

use turnpike_tests::{dev::Dev, ground::Key};

/// Administers the tenant `dev` by these commands.
async fn tell(dev: &Dev, commands: &[&str]) {
    for command in commands {
        dev.admin.words(command).await;
    }
}

/// The key of somebody who is there already.
async fn key_of(dev: &Dev, owner: &str) -> Key {
    dev.key(owner, &[]).await
}

/// What `GET /v1/models` shows.
async fn models(dev: &Dev, key: &Key) -> Vec<String> {
    let request = dev.caller(key).request(reqwest::Method::GET, "/v1/models");
    let answer = turnpike_tests::caller::Answer::of(request).await;
    let data = answer.json()["data"].as_array().unwrap().clone();
    data.iter()
        .map(|model| model["id"].as_str().unwrap().to_owned())
        .collect()
}
