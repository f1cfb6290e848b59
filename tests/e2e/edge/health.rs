//! What an edge, and a control plane, say of themselves: what they wait for, and what they have measured.

use turnpike_tests::{
    caller::{Answer, Caller},
    eventually::eventually,
    production::Production,
};

async fn get(address: std::net::SocketAddr, path: &str) -> Answer {
    Answer::of(Caller::new(&format!("http://{address}"), None).request(reqwest::Method::GET, path)).await
}

#[tokio::test]
async fn an_edge_without_a_control_plane_says_what_it_waits_for_and_refuses_nobody_for_good() {
    let production = Production::with_one_edge(&[]).await;
    let key = production.granted("early").await;
    let grpc = production.to_control_plane.cut();
    let (_process, edge) = production.start_edge("ap").await;
    assert_eq!(get(edge.operations, "/healthz").await.status, 200, "it is alive");
    let ready = eventually("a reason", async || {
        let ready = get(edge.operations, "/readyz").await;
        let reason = ready.json()["conditions"]["snapshot"]["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if reason.contains("control plane") {
            Ok(ready)
        } else {
            Err(reason)
        }
    })
    .await;
    assert_eq!(ready.status, 503);
    let caller = Caller::new(&edge.url(), Some(&key.text));
    let answer = caller.chat("fake-openai/gpt-4o").await;
    assert_eq!(
        (answer.status, answer.json()["error"]["code"].as_str()),
        (503, Some("authz_unavailable")),
        "{answer:?}"
    );
    assert!(!answer.header("retry-after").is_empty());
    let answer = caller.messages("fake-anthropic/claude-sonnet-5", false).await;
    assert_eq!(
        (answer.status, answer.json()["error"]["type"].as_str()),
        (503, Some("overloaded_error")),
        "{answer:?}"
    );

    production.to_control_plane.connect(grpc.unwrap());
    eventually("readiness", async || {
        match get(edge.operations, "/readyz").await.status {
            200 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    assert_eq!(caller.chat("fake-openai/gpt-4o").await.status, 200);
}

#[tokio::test]
async fn a_control_plane_without_postgres_says_what_it_waits_for_and_serves_when_it_is_there() {
    let mut production = Production::with_one_edge(&[]).await;
    let postgres = production.to_postgres.cut();
    production.control_plane.kill().await;
    let operations = production.start_control_plane_waiting().await;
    let ready = get(operations, "/readyz").await;
    assert_eq!(ready.status, 503, "{ready:?}");
    let reason = ready.json()["conditions"]["database"]["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        reason.contains("database") || reason.contains("postgres"),
        "{reason}"
    );
    let refused = production.admin.run(&["--timeout", "1s", "team", "list"]).await;
    assert_eq!(refused.status, 1, "{refused:?}");
    production.to_postgres.connect(postgres.unwrap());
    eventually("the control plane", async || {
        let ended = production.admin.run(&["team", "list"]).await;
        if ended.status == 0 { Ok(()) } else { Err(ended) }
    })
    .await;
    assert_eq!(get(operations, "/readyz").await.status, 200);
}

#[tokio::test]
async fn the_metrics_have_the_names_that_dashboards_know() {
    let production = Production::with_one_edge(&[]).await;
    let key = production.granted("measured").await;
    let caller = production.caller(&key);
    caller.chat("fake-openai/gpt-4o").await;
    caller.stream("fake-openai/gpt-4o").await;
    caller.chat("fake-faults/fault-no-usage").await;
    caller.chat("unheard/of").await;
    let metrics = get(production.edges[0].operations, "/metrics").await.text();
    for name in [
        "gen_ai_client_operation_duration_seconds_bucket",
        "gen_ai_client_token_usage",
        "gen_ai_server_request_duration_seconds_bucket",
        "gen_ai_server_time_to_first_token_seconds_bucket",
        "gen_ai_server_time_per_output_token_seconds_bucket",
        "http_server_request_duration_seconds_bucket",
        "turnpike_authn_duration_seconds",
        "turnpike_decisions_total",
        "turnpike_snapshot_position",
        "turnpike_snapshot_age_seconds",
        "turnpike_propagation_delay_seconds",
        "turnpike_audit_queued",
        "turnpike_usage_missing_total",
    ] {
        assert!(
            metrics.contains(&format!("\n{name}")),
            "{name} is missing in:\n{metrics}"
        );
    }
    for label in [
        "gen_ai_operation_name=\"chat\"",
        "gen_ai_request_model=\"fake-openai/gpt-4o\"",
        "gen_ai_token_type=\"input\"",
        "http_route=\"/v1/chat/completions\"",
    ] {
        assert!(metrics.contains(label), "{label} is missing in:\n{metrics}");
    }
    for secret in [key.id.as_str(), "unheard"] {
        assert!(!metrics.contains(secret), "labels are bounded: {secret} is there");
    }
    let metrics = get(production.operations, "/metrics").await;
    assert_eq!(metrics.status, 200);
}

#[tokio::test]
async fn whoever_has_just_changed_something_may_ask_to_be_judged_by_it() {
    let production = Production::with_one_edge(&[]).await;
    let key = production.application("eager").await;
    let caller = production.caller(&key);
    let grant = [
        "grant",
        "create",
        "--to",
        &key.owner,
        "--role",
        "developer",
        "--model",
        "fake-*",
    ];
    let position = production.admin.json(&grant).await["receipt"]["position"]
        .as_u64()
        .unwrap();
    let ask = async |position: u64| {
        let request = caller.post(
            "/v1/chat/completions",
            &turnpike_tests::caller::chat("fake-openai/gpt-4o"),
        );
        Answer::of(request.header("x-turnpike-min-position", position.to_string())).await
    };
    let answer = ask(position).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.header("x-turnpike-position").parse::<u64>().unwrap() >= position);
    let answer = ask(position + 1_000_000).await;
    assert_eq!(
        answer.status, 503,
        "a position that is not reached is no statement about the caller: {answer:?}"
    );
    assert_eq!(
        production.audited_all([answer.request_id()]).await[answer.request_id()]["reason"],
        "position_not_reached"
    );
}
