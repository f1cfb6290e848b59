//! Every route of the data listener, walked by callers of all kinds: without a key, with a bad one, with one that is
//! over, from another tenant, with too little, and with just enough.
//!
//! `routes.txt` lists the routes; a unit test of the edge compares it with what the edge has. The one where Envoy asks is on
//! another listener, and walked in `proxies::walk`.

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use turnpike_access::credential::{KeyKind, write_key};
use turnpike_tests::{
    caller::{Answer, Caller, chat},
    dev::Dev,
    eventually::eventually,
    ground::{Ground, Key},
};

use super::refusals::forged;

const ROUTES: &str = include_str!("routes.txt");
/// The route on Envoy's listener.
pub(crate) const ENVOYS: &str = "/envoy.service.auth.v3.Authorization/Check";
pub(crate) const MODEL: &str = "fake-openai/gpt-4o";
pub(crate) const NOBODYS: &str = "fake-nobody/gpt-4o";

/// A row of the table: method, template, what is demanded, and where the model is.
pub(crate) struct Route {
    method: Method,
    pub(crate) template: &'static str,
    action: &'static str,
    model_in: &'static str,
}

impl Route {
    /// Those of the data listener.
    pub(crate) fn all() -> Vec<Self> {
        let rows = ROUTES.lines().filter(|line| !line.starts_with('#'));
        let read = |line: &'static str| {
            let mut words = line.split_whitespace();
            let mut word = || words.next().unwrap_or_else(|| panic!("{line}"));
            Self {
                method: word().parse().unwrap(),
                template: word(),
                action: word(),
                model_in: word(),
            }
        };
        let rows = rows.map(read);
        rows.filter(|route| route.template != ENVOYS).collect()
    }

    /// Everybody may ask.
    pub(crate) fn is_public(&self) -> bool {
        self.action == "public"
    }

    /// The request names what it wants to do.
    fn action(&self) -> &'static str {
        match self.action {
            "named" => "inference.chat",
            action => action,
        }
    }

    pub(crate) fn lists(&self) -> bool {
        self.action == "models.list"
    }

    fn request(&self, caller: &Caller, model: &str) -> RequestBuilder {
        let path = self.template.replace("{model}", &model.replace('/', "%2F"));
        let request = caller.request(self.method.clone(), &path);
        match (self.model_in, self.action) {
            ("body", _) => {
                let mut body = chat(model);
                body["max_tokens"] = json!(8);
                request.json(&body)
            }
            ("path", "models.list") => request,
            ("path", _) => request.json(&json!({"messages": []})),
            ("form", _) => {
                let part = format!(
                    "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--x--\r\n"
                );
                request
                    .header("content-type", "multipart/form-data; boundary=x")
                    .body(part)
            }
            (_, "access.check") => request.json(&json!({
                "subject": {"type": "user", "id": "nobody"},
                "action": {"name": "read"},
                "resource": {"type": "record", "id": "one"},
            })),
            (_, "named") => request
                .header("x-turnpike-action", self.action())
                .header("x-turnpike-model", model),
            _ => request,
        }
    }

    /// As the answer is compared: its status, and its body without what names the request or the decision.
    pub(crate) async fn told(&self, caller: &Caller, model: &str) -> (u16, String) {
        let answer = Answer::of(self.request(caller, model)).await;
        let ids = [answer.request_id(), answer.header("x-turnpike-decision")];
        let named = ids.iter().filter(|id| !id.is_empty());
        let text = named.fold(answer.text(), |text, id| text.replace(id, "ID"));
        // AuthZEN tells the decision in its body alone.
        let words = text.split('"');
        let text: Vec<&str> = words
            .map(|word| if word.starts_with("dec_") { "ID" } else { word })
            .collect();
        (answer.status, text.join("\"").replace(model, "MODEL"))
    }
}

/// Keys that open nothing, each for another reason.
pub(crate) async fn bad_keys(dev: &Ground) -> Vec<(&'static str, Option<String>)> {
    let good = dev.granted("good").await;
    let [revoked, suspended] = [dev.granted("revoked").await, dev.granted("suspended").await];
    let admin = &dev.admin;
    admin
        .words(&format!("credential revoke {} --wait", revoked.id))
        .await;
    let suspend = format!("credential suspend {} --reason test --wait", suspended.id);
    admin.words(&suspend).await;
    let expired = dev.key(&good.owner, &["--expires", "1s"]).await;
    eventually("the key's end", async || {
        match dev.caller(&expired).chat(MODEL).await.status {
            401 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    let unknown = write_key(
        KeyKind::VirtualAccount,
        "aaaaaaaaaaaa".parse().unwrap(),
        &"B".repeat(43),
    );
    vec![
        (
            "mistyped",
            Some(format!("{}!", &good.text[..good.text.len() - 1])),
        ),
        ("unknown", Some(unknown)),
        ("with another secret", Some(forged(&good))),
        ("revoked", Some(revoked.text)),
        ("suspended", Some(suspended.text)),
        ("expired", Some(expired.text)),
        ("somebody else's", Some("sk-somebody-elses".to_owned())),
    ]
}

#[tokio::test]
async fn every_route_tells_whoever_has_no_key_or_a_dead_one_the_same() {
    let dev = Dev::start().await;
    let (url, bad) = (dev.edges[0].url(), bad_keys(&dev).await);
    for route in Route::all() {
        let without = route.told(&Caller::new(&url, None), MODEL).await;
        assert_eq!(
            without.0 == 200,
            route.is_public(),
            "{}: {without:?}",
            route.template
        );
        if route.is_public() {
            continue;
        }
        assert_eq!(without.0, 401, "{}: {without:?}", route.template);
        for (why, key) in &bad {
            let told = route.told(&Caller::new(&url, key.as_deref()), MODEL).await;
            assert_eq!(told, without, "{} with a key that is {why}", route.template);
        }
    }
}

/// An application that may do one thing and nothing else.
pub(crate) async fn only(dev: &Ground, action: &str) -> Key {
    let name = format!("only-{}", action.replace('.', "-"));
    let existing = dev.admin.run(&["role", "get", &name]).await;
    let key = match existing.status {
        0 => dev.key(&format!("virtual-account:{name}"), &[]).await,
        _ => {
            dev.admin
                .words(&format!("role create {name} --action {action}"))
                .await;
            dev.application(&name).await
        }
    };
    let grant = format!("grant create --to {} --role {name} --wait", key.owner);
    dev.admin.words(&grant).await;
    key
}

#[tokio::test]
async fn every_route_is_for_those_who_have_what_it_demands_and_for_nobody_else() {
    let dev = Dev::start().await;
    let nothing = dev.caller(&dev.application("nothing").await);
    let elsewhere = only(&dev, "prompts.edit").await;
    let elsewhere = dev.caller(&elsewhere);
    for route in Route::all().iter().filter(|route| !route.is_public()) {
        let template = route.template;
        for caller in [&nothing, &elsewhere] {
            let (status, text) = route.told(caller, MODEL).await;
            match (route.lists(), route.model_in) {
                // Who may use nothing is shown nothing.
                (true, "path") => assert_eq!(status, 404, "{template}: {text}"),
                (true, _) => assert_eq!(
                    (status, text.contains("gpt-4o")),
                    (200, false),
                    "{template}: {text}"
                ),
                _ => assert_eq!(status, 403, "{template}: {text}"),
            }
        }
        let allowed = match route.lists() {
            true => "inference.chat",
            false => route.action(),
        };
        let caller = dev.caller(&only(&dev, allowed).await);
        let (status, text) = route.told(&caller, MODEL).await;
        // What the provider says to it is not for us to say.
        let let_in = ![401, 403, 405].contains(&status) && !text.contains("model_not_found");
        assert!(let_in, "{template}: {status} {text}");
    }
}

/// The key of another tenant's application, which may do everything there.
pub(crate) async fn rivals_key(dev: &Ground) -> String {
    let made = dev
        .operator
        .words("tenant create rival --administrator admin")
        .await;
    let rival = dev.admin.by(made["key"].as_str().unwrap());
    rival.words("virtual-account create bot").await;
    rival
        .words("grant create --to virtual-account:bot --role admin --wait")
        .await;
    let key = rival
        .words("credential create --owner virtual-account:bot --wait")
        .await;
    key["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_route_tells_another_tenants_caller_of_a_model_what_it_tells_of_one_that_is_not_there() {
    let dev = Dev::start().await;
    let key = rivals_key(&dev).await;
    let caller = Caller::new(&dev.edges[0].url(), Some(&key));
    for route in Route::all().iter().filter(|route| !route.is_public()) {
        let theirs = route.told(&caller, MODEL).await;
        let nobodys = route.told(&caller, NOBODYS).await;
        assert_eq!(theirs, nobodys, "{}", route.template);
        assert!(!theirs.1.contains("gpt-4o"), "{}: {theirs:?}", route.template);
        if !matches!(route.model_in, "nowhere") {
            assert_eq!(theirs.0, 404, "{}: {theirs:?}", route.template);
        }
    }
}
