//! Every route, and the paths that lead nowhere.

use super::*;

fn post(path: &str) -> Result<(Endpoint, Option<String>), RouteError> {
    find(&Method::POST, path).map(|found| (found.route.endpoint, found.model.map(Cow::into_owned)))
}

fn get(path: &str) -> Result<(Endpoint, Option<String>), RouteError> {
    find(&Method::GET, path).map(|found| (found.route.endpoint, found.model.map(Cow::into_owned)))
}

#[test]
fn every_plain_template_finds_itself_and_openai_ones_also_without_version() {
    for route in ROUTES.iter().filter(|route| !route.template.contains('{')) {
        assert_eq!(find(&route.method, route.template).unwrap().route, route);
        let Some(bare) = route.template.strip_prefix("/v1") else {
            assert!(
                route.dialect == Dialect::AuthZen || route.endpoint == Endpoint::ForwardAuth,
                "{route:?}"
            );
            continue;
        };
        match route.dialect {
            Dialect::OpenAi => assert_eq!(find(&route.method, bare).unwrap().route, route),
            _ => assert_eq!(find(&route.method, bare), Err(RouteError::NotFound)),
        }
    }
}

#[test]
fn the_routes_that_are_walked_end_to_end_are_these() {
    let walked = include_str!("../../../../tests/e2e/edge/routes.txt");
    let walked: Vec<&str> = walked.lines().filter(|line| !line.starts_with('#')).collect();
    let row = |route: &Route| {
        let demanded = match (route.action, route.endpoint) {
            ("", Endpoint::AuthZenConfiguration) => "public",
            ("", _) => "named",
            (action, _) => action,
        };
        let place = match route.model {
            ModelIn::Body => "body",
            ModelIn::Path => "path",
            ModelIn::Form => "form",
            ModelIn::Nowhere => "nowhere",
        };
        format!("{} {} {demanded} {place}", route.method, route.template)
    };
    let all = ROUTES.iter().chain([&EXT_AUTHZ]);
    assert_eq!(all.map(row).collect::<Vec<_>>(), walked);
}

#[test]
fn no_two_rows_share_a_path_and_dialects_follow_the_path() {
    for (index, route) in ROUTES.iter().enumerate() {
        assert!(
            ROUTES
                .iter()
                .skip(index + 1)
                .all(|other| other.template != route.template)
        );
        assert_eq!(dialect_of(route.template), route.dialect, "{}", route.template);
        assert_eq!(route.template.contains("{model}"), route.model == ModelIn::Path);
    }
}

#[test]
fn a_model_in_the_path_is_found_with_slashes_encoded_or_not() {
    let model = Some("openai-main/gpt-4o".to_owned());
    assert_eq!(
        get("/v1/models/openai-main/gpt-4o"),
        Ok((Endpoint::GetModel, model.clone()))
    );
    assert_eq!(
        get("/v1/models/openai-main%2Fgpt-4o"),
        Ok((Endpoint::GetModel, model.clone()))
    );
    assert_eq!(
        get("/models/openai-main%2fgpt-4o"),
        Ok((Endpoint::GetModel, model.clone()))
    );
    let azure = "/openai/deployments/openai-main%2Fgpt-4o/chat/completions";
    assert_eq!(post(azure), Ok((Endpoint::ChatCompletions, model)));
    let azure = "/openai/deployments/gpt-4o/completions";
    assert_eq!(
        post(azure),
        Ok((Endpoint::Completions, Some("gpt-4o".to_owned())))
    );
}

#[test]
fn a_path_that_can_be_read_in_two_ways_is_refused() {
    for path in [
        "/v1/chat%2Fcompletions",
        "/v1%2fchat/completions",
        "/v1//chat/completions",
        "//v1/chat/completions",
        "/v1/./chat/completions",
        "/v1/../v1/chat/completions",
        "/v1/%2e%2E/v1/chat/completions",
        "/v1/.%2e/chat/completions",
        "/v1\\chat\\completions",
        "/v1/chat%5ccompletions",
        "/v1/chat/completions%00",
        "/v1/chat/completions%0a",
        "/v1/chat/completions%",
        "/v1/chat/completions%2",
        "/v1/chat/completions%zz",
        "/v1/chat/completions%ff",
        "/openai/deployments/../chat/completions",
        "/openai/deployments/a%2F..%2Fb/chat/completions",
        "/openai/deployments/a//b/embeddings",
    ] {
        assert!(
            matches!(post(path), Err(RouteError::Malformed(_))),
            "{path}: {:?}",
            post(path)
        );
    }
    for path in [
        "/v1/models//x",
        "/v1/models/%2Fx",
        "/v1/models/x/",
        "/v1/models/..",
        "/v1/models/a%2F%2Fb",
        "/v1/models/a%5Cb",
    ] {
        assert!(
            matches!(get(path), Err(RouteError::Malformed(_))),
            "{path}: {:?}",
            get(path)
        );
    }
}

#[test]
fn an_unknown_path_is_not_found_even_when_it_is_nearly_right() {
    for path in [
        "/",
        "/v1",
        "/v1/chat/completions/",
        "/V1/chat/completions",
        "/v1/chat/completion",
        "/v1/chat/c%6fmpletions",
        "/v1/v1/chat/completions",
        "/openai/deployments//chat/completions/x",
    ] {
        assert!(
            !matches!(post(path), Ok(_) | Err(RouteError::MethodNotAllowed { .. })),
            "{path}"
        );
    }
    assert_eq!(get("/v1/models/"), Err(RouteError::NotFound));
}

#[test]
fn the_wrong_method_is_told_the_right_one() {
    assert_eq!(
        get("/v1/chat/completions"),
        Err(RouteError::MethodNotAllowed { allow: "POST" })
    );
    assert_eq!(
        post("/v1/models"),
        Err(RouteError::MethodNotAllowed { allow: "GET" })
    );
    assert_eq!(
        post("/v1/models/x"),
        Err(RouteError::MethodNotAllowed { allow: "GET" })
    );
}

proptest::proptest! {
    #[test]
    fn no_path_breaks_the_search(path in "[/a-z%.0-9\\\\{}]{0,40}|\\PC{0,40}") {
        let _verdict = find(&Method::POST, &path);
        let _verdict = find(&Method::GET, &path);
    }
}

#[test]
fn a_proxy_in_front_may_ask_with_any_method_and_an_authzen_client_only_by_post() {
    for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE] {
        assert_eq!(
            find(&method, "/authz").unwrap().route.endpoint,
            Endpoint::ForwardAuth
        );
    }
    assert_eq!(
        find(&Method::GET, "/access/v1/evaluation"),
        Err(RouteError::MethodNotAllowed { allow: "POST" })
    );
    assert_eq!(dialect_of("/access/v1/unheard-of"), Dialect::AuthZen);
}
