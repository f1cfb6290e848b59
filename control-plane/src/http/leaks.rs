//! `POST /leaks`: keys that somebody found in the open, a secret scanner or anybody. Whoever shows a genuine key may have
//! it ended, and learns no more than that it was one.
//!
//! The body is text, or what GitHub sends to its secret scanning partners: an array of objects with `token`, `type`, `url`.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use turnpike_access::{
    alert::Alert,
    command::Command,
    id::{Id, Name},
    leak::keys,
    snapshot::Snapshot,
};
use turnpike_runtime::{clock, random};

use super::{Late, Web};
use crate::{
    execute::{Authority, ExecuteError},
    leak::{self, Genuine},
};

/// The longest body, in bytes.
const BODY_LIMIT: usize = 1024 * 1024;
/// So many reports a second are looked at, from whomever; who is over that is told to come again.
const A_SECOND: u32 = 10;
/// The kind of the alert.
const LEAKED: &str = "credential_leaked";

/// A key that was found, as scanners tell of it.
#[derive(Deserialize)]
struct Report {
    token: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    url: String,
}

/// What is told of it.
#[derive(Serialize)]
struct Verdict {
    /// SHA-256 of the token, in base64: the token itself is not repeated.
    token_hash: String,
    token_type: String,
    /// `true_positive`, `false_positive`
    label: &'static str,
}

/// Why there is no verdict.
enum Refusal {
    Starting,
    TooMany,
    TooLong,
    Unreadable,
    Unavailable(ExecuteError),
}

/// Ends what is genuine, and says of each key whether it was.
pub(super) async fn report(State(late): State<Late>, request: Request) -> Response {
    match answer(&late, request).await {
        Ok(verdicts) => Json(verdicts).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer(late: &Late, request: Request) -> Result<Vec<Verdict>, Refusal> {
    let web = late.get().ok_or(Refusal::Starting)?;
    if !WINDOW.admits(Instant::now()) {
        return Err(Refusal::TooMany);
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await.map_err(|_| Refusal::TooLong)?;
    let kind = parts.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let reports = match kind
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("application/json")
    {
        true => serde_json::from_slice(&body).map_err(|_| Refusal::Unreadable)?,
        false => in_text(&body),
    };
    judge(web, &reports).await
}

/// Each key of a text once.
fn in_text(text: &[u8]) -> Vec<Report> {
    let found = keys(text).filter_map(|found| text.get(found.start..found.end));
    let tokens: std::collections::BTreeSet<&[u8]> = found.collect();
    let reports = tokens.into_iter().map(|token| Report {
        token: String::from_utf8_lossy(token).into_owned(),
        kind: String::new(),
        url: String::new(),
    });
    reports.collect()
}

async fn judge(web: &Web, reports: &[Report]) -> Result<Vec<Verdict>, Refusal> {
    let snapshot = web.executor.snapshot();
    let mut changes: BTreeMap<Name, BTreeMap<Id, [Command; 2]>> = BTreeMap::new();
    let mut verdicts = Vec::with_capacity(reports.len());
    for report in reports {
        let genuine = genuine(web, &snapshot, report);
        verdicts.push(Verdict {
            token_hash: BASE64_STANDARD.encode(Sha256::digest(report.token.as_bytes())),
            token_type: report.kind.clone(),
            label: match genuine.is_empty() {
                true => "false_positive",
                false => "true_positive",
            },
        });
        for one in genuine {
            let Some(revocation) = one.revocation() else {
                continue;
            };
            let change = changes.entry(one.credential.tenant.clone()).or_default();
            if let Entry::Vacant(vacant) = change.entry(one.credential.id) {
                vacant.insert([revocation, Command::RaiseAlert(alert(&one, report))]);
            }
        }
    }
    for (tenant, change) in changes {
        let commands: Vec<Command> = change.into_values().flatten().collect();
        let correlation = Arc::from(random::id().as_str());
        let done = web
            .executor
            .execute(Authority::System("leaks"), tenant, correlation, commands);
        match done.await {
            // It is gone meanwhile, which is as good.
            Ok(_) | Err(ExecuteError::Refused(_)) => {}
            Err(error) => return Err(Refusal::Unavailable(error)),
        }
    }
    Ok(verdicts)
}

fn genuine<'s>(web: &Web, snapshot: &'s Snapshot, report: &Report) -> Vec<Genuine<'s>> {
    let now = clock::now();
    let found = leak::distinct(report.token.as_bytes());
    let known = found
        .iter()
        .filter_map(|key| leak::genuine(snapshot, key, &web.peppers, now));
    known.collect()
}

fn alert(one: &Genuine<'_>, report: &Report) -> Alert {
    let told = [("url", &report.url), ("type", &report.kind)];
    let known = told
        .into_iter()
        .filter_map(|(name, text)| Some((Arc::from(name), plain(text)?)));
    Alert {
        id: random::id(),
        kind: Arc::from(LEAKED),
        subject: Some(Arc::from(one.credential.id.as_str())),
        credential: Some(one.credential.id),
        count: None,
        audit: Vec::new(),
        summary: Arc::from(format!(
            "The key {} of {} was found in the open, and revoked.",
            one.credential.id, one.credential.owner
        )),
        evidence: known.collect(),
    }
}

/// What strangers wrote, if there is no key in it, without what terminals obey.
fn plain(text: &str) -> Option<Arc<str>> {
    let harmless = !text.is_empty() && keys(text.as_bytes()).next().is_none();
    let kept: String = text.chars().filter(|one| !one.is_control()).take(500).collect();
    // A key may be cut apart by what was left out.
    let harmless = harmless && keys(kept.as_bytes()).next().is_none();
    harmless.then(|| Arc::from(kept))
}

/// Counts the reports of the present second, whoever sends them.
struct Window(Mutex<Option<(Instant, u32)>>);

static WINDOW: Window = Window(Mutex::new(None));

impl Window {
    fn admits(&self, now: Instant) -> bool {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (begin, count) = window
            .filter(|(begin, _)| now.duration_since(*begin) < Duration::from_secs(1))
            .unwrap_or((now, 0));
        *window = Some((begin, count.saturating_add(1)));
        count < A_SECOND
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Starting => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the control plane is starting; try again in a moment",
            ),
            Self::TooMany => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many reports; try again in a second",
            ),
            Self::TooLong => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "a report may have up to 1 MiB; send parts",
            ),
            Self::Unreadable => (
                StatusCode::BAD_REQUEST,
                r#"send text, or JSON: [{"token": "tp_…", "type": "…", "url": "…"}]"#,
            ),
            Self::Unavailable(error) => {
                tracing::warn!(%error, "keys that were reported could not be revoked");
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "not everything could be revoked; send the report again",
                )
            }
        };
        let mut response = (status, Json(json!({"error": {"message": message}}))).into_response();
        if matches!(
            status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        ) {
            let second = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, second);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_reports_are_looked_at_a_second_and_no_more() {
        let (window, start) = (Window(Mutex::new(None)), Instant::now());
        let admitted = |after| window.admits(start + Duration::from_millis(after));
        assert_eq!((0..25).filter(|one| admitted(*one)).count(), 10);
        assert_eq!((1000..1025).filter(|one| admitted(*one)).count(), 10);
    }

    #[test]
    fn a_place_that_holds_a_key_is_not_written_down() {
        let secret = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";
        let kind = turnpike_access::credential::KeyKind::VirtualAccount;
        let key = turnpike_access::credential::write_key(kind, "abcDEF123456".parse().unwrap(), secret);
        let (one, other) = key.split_at(30);
        assert_eq!(plain(&format!("https://git.example/?q={key}")), None);
        assert_eq!(plain(&format!("https://git.example/?q={one}\u{7}{other}")), None);
        assert_eq!(
            plain("https://git.example/\u{1b}x").as_deref(),
            Some("https://git.example/x")
        );
    }
}
