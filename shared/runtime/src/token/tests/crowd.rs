//! Ten thousand who come at once with tokens that nobody has seen: each token is asked about once.

use std::{collections::BTreeSet, pin::Pin};

use futures::future::join_all;

use super::{
    super::{
        TokenFailure,
        introspect::{AT_A_TIME, UNDER_WAY},
    },
    introspection::{active, setup},
};

const CROWD: usize = 10_000;

/// All of them, begun as soon as this is polled: a budget would let some begin later.
fn at_once<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Pin<Box<impl Future<Output = Vec<T>>>> {
    Box::pin(tokio::task::unconstrained(join_all(all)))
}

/// Has so many present so many different tokens at once, and counts the questions about each.
async fn questions(crowd: usize, different: usize) -> Vec<usize> {
    let setup = setup().await;
    setup.says(active());
    // Nothing is answered until all have come, so that all of them are first sights.
    setup.server.gate.forget_permits(usize::MAX);
    let texts: Vec<String> = (0..different).map(|number| format!("opaque-{number}")).collect();
    let mut all = at_once((0..crowd).map(|number| setup.present(&texts[number % different])));
    assert!(futures::poll!(&mut all).is_pending());
    setup.server.asked(different.min(AT_A_TIME)).await;
    assert!(
        setup.server.count() <= AT_A_TIME,
        "no more are asked about at a time"
    );
    setup.server.gate.add_permits(crowd);
    let outcomes = all.await;
    let refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    assert_eq!(refused.collect::<Vec<_>>(), Vec::<&TokenFailure>::new());
    let bodies = setup.server.bodies.lock().unwrap().clone();
    let expected = texts
        .iter()
        .map(|text| format!("token={text}&token_type_hint=access_token"));
    assert_eq!(
        bodies.keys().cloned().collect::<BTreeSet<_>>(),
        expected.collect()
    );
    bodies.into_values().collect()
}

#[tokio::test]
async fn ten_thousand_first_sights_of_one_token_cause_one_question() {
    assert_eq!(questions(CROWD, 1).await, [1]);
}

#[tokio::test]
async fn ten_thousand_first_sights_of_many_tokens_cause_one_question_for_each() {
    assert_eq!(questions(CROWD, 500).await, [1; 500]);
}

#[tokio::test]
async fn an_issuer_that_hangs_is_asked_no_more_than_a_bound_and_more_than_a_bound_do_not_wait_for_it() {
    let setup = setup().await;
    setup.says(active());
    setup.server.gate.forget_permits(usize::MAX);
    let texts: Vec<String> = (0..UNDER_WAY).map(|number| format!("opaque-{number}")).collect();
    let mut waiting = at_once(texts.iter().map(|text| setup.present(text)));
    assert!(futures::poll!(&mut waiting).is_pending());
    assert_eq!(
        setup.present("one-more").await,
        Err(TokenFailure::IssuerUnavailable)
    );
    setup.server.asked(AT_A_TIME).await;
    assert_eq!(setup.server.count(), AT_A_TIME);
}
