//! Alerts reach those who are to be told, once each, over restarts of control planes and refusals of receivers.

use std::collections::BTreeSet;

use serde_json::Value;
use turnpike_tests::{
    eventually::eventually,
    production::{Plan, Production},
    receiver::Receiver,
};

/// 32 bytes in base64.
const SECRET: &str = "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// What was posted, by the type and the message's id.
fn told(receiver: &Receiver) -> Vec<(String, String)> {
    let told = receiver.posted().into_iter().map(|(_, headers, body)| {
        let body: Value = serde_json::from_str(&body).unwrap();
        let id = headers["webhook-id"].to_str().unwrap().to_owned();
        (body["type"].as_str().unwrap().to_owned(), id)
    });
    told.collect()
}

/// An installation whose tenant has its alerts sent to a receiver.
async fn telling(receiver: &Receiver) -> Production {
    let production = Production::start_as(Plan {
        regions: vec!["eu"],
        environment: vec![
            (
                "TURNPIKE_SMTP_URL".to_owned(),
                format!("smtp://{}", receiver.smtp),
            ),
            (
                "TURNPIKE_SMTP_FROM".to_owned(),
                "turnpike@acme.example".to_owned(),
            ),
        ],
        ..Plan::default()
    })
    .await;
    let url = format!("http://{}/alerts", receiver.http);
    let set = ["alert", "destination", "set", "hook", "--webhook", &url];
    let refused = production.admin.run(&set).await;
    assert_eq!(refused.status, 1, "unsigned: {refused:?}");
    let set = [&set[..], &["--secret-from-env", "HOOK_SECRET"]].concat();
    let set = production.admin.json_with(&set, &[("HOOK_SECRET", SECRET)]).await;
    assert_eq!(set["destination"]["has_secret"], true, "{set}");
    assert!(!set.to_string().contains(SECRET));
    let mail = "alert destination set mail --email ops@acme.example --kind te*";
    production.admin.words(mail).await;

    production
}

#[tokio::test]
async fn alerts_reach_webhook_and_mailbox_also_when_the_control_plane_that_was_about_to_tell_is_killed() {
    let receiver = Receiver::start().await;
    let mut production = telling(&receiver).await;
    let _further = production.start_further_control_plane().await;
    production.admin.words("alert test").await;
    let all = |count: usize| {
        let receiver = &receiver;
        async move || match told(receiver) {
            told if told.len() < count => Err(told),
            told => Ok(told),
        }
    };
    let first = eventually("both ends at the webhook", all(2)).await;
    let kinds: BTreeSet<&str> = first.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["alert.raised", "alert.resolved"]),
        "{first:?}"
    );
    let letters = eventually("both ends in the mailbox", async || match receiver.letters() {
        letters if letters.len() < 2 => Err(letters),
        letters => Ok(letters),
    })
    .await;
    assert!(
        letters[0].contains("RCPT TO:<ops@acme.example>"),
        "{}",
        letters[0]
    );
    assert!(letters[0].contains("tries where alerts go"), "{}", letters[0]);

    receiver.refuse(true);
    production.admin.words("alert test").await;
    eventually("a refusal", async || match receiver.refused() {
        0 => Err(0),
        some => Ok(some),
    })
    .await;
    production.control_plane.kill().await;
    receiver.refuse(false);
    let told = eventually("the rest from the control plane that is left", all(4)).await;
    let ids: BTreeSet<&str> = told.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!((told.len(), ids.len()), (4, 4), "each once: {told:?}");
}
