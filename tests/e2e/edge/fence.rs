//! The fence: an edge that hears nothing of the control plane serves a tenant only for as long as the tenant accepts.
//!
//! NATS is left standing, and brings what changes: it can tell news, and cannot make an edge certain that it has all.

use turnpike_tests::{
    caller::{Answer, Caller},
    cli::Cli,
    eventually::eventually,
    ground::Key,
    production::Production,
};

const MODEL: &str = "fake-openai/gpt-4o";
const SPARED: &str = "fake-openai/gpt-4o-mini";

/// What each edge answers to a chat with a model, once all of them answer so.
async fn all_answer(what: &str, callers: &[Caller], model: &str, status: u16) -> Vec<Answer> {
    eventually(what, async || {
        let mut answers = Vec::new();
        for caller in callers {
            let answer = caller.chat(model).await;
            if answer.status != status {
                return Err(answer);
            }
            answers.push(answer);
        }
        Ok(answers)
    })
    .await
}

/// Another tenant, which accepts any staleness.
async fn carefree(production: &Production) -> Vec<Caller> {
    let made = production
        .operator
        .words("tenant create carefree --administrator admin")
        .await;
    let admin = production.admin.by(made["key"].as_str().unwrap());
    production.catalogue(&admin).await;
    admin.words("virtual-account create bot").await;
    admin
        .words("grant create --to virtual-account:bot --role developer --model fake-*")
        .await;
    let made = admin
        .words("credential create --owner virtual-account:bot --wait")
        .await;
    let key = Key {
        text: made["key"].as_str().unwrap().to_owned(),
        id: String::new(),
        owner: "virtual-account:bot".to_owned(),
    };
    production.callers(&key)
}

async fn metric(production: &Production, edge: usize, name: &str) -> Option<f64> {
    let url = format!("http://{}/metrics", production.edges[edge].operations);
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with(name) && !line.starts_with('#'))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// A revocation comes by way of NATS: it is known, and still nothing is said about the caller.
async fn a_revoked_key_is_answered_nothing(production: &Production, revoked: &Key, admin: Cli) {
    let revoke = admin.json(&["credential", "revoke", &revoked.id]).await;
    let position = revoke["receipt"]["position"].as_f64().unwrap();
    for (index, caller) in production.callers(revoked).iter().enumerate() {
        eventually("the news by NATS", async || {
            let at = metric(production, index, "turnpike_snapshot_position").await;
            at.filter(|at| *at >= position).ok_or(at)
        })
        .await;
        assert_eq!(caller.chat(MODEL).await.status, 503, "never a 401");
    }
}

/// Metrics and the log of each edge.
async fn the_fence_is_told(production: &Production) {
    for index in 0..production.edges.len() {
        eventually("the metric of fenced tenants", async || {
            match metric(production, index, "turnpike_snapshot_fenced_tenants").await {
                Some(1.0) => Ok(()),
                other => Err(other),
            }
        })
        .await;
        let age = metric(production, index, "turnpike_snapshot_age_seconds").await;
        assert!(age.unwrap() >= 5.0, "{age:?}");
        let log = production.edge_processes[index].printed();
        assert!(log.contains("fenced: the tenant accepts no state"), "{log}");
    }
}

#[tokio::test]
async fn an_edge_that_is_cut_off_serves_a_tenant_only_as_long_as_it_accepts() {
    let production = Production::start().await;
    let (key, revoked) = (
        production.granted("careful").await,
        production.granted("leaked").await,
    );
    let others = carefree(&production).await;
    let update = format!("tenant update dev --max-staleness 5s --serve-stale {SPARED} --wait");
    production.admin.words(&update).await;
    let callers = production.callers(&key);
    all_answer("service while connected", &callers, MODEL, 200).await;

    let around = production.to_control_plane.cut().unwrap();
    let refused = all_answer("the fence", &callers, MODEL, 503).await;
    for answer in &refused {
        assert_eq!(answer.json()["error"]["code"], "authz_unavailable", "{answer:?}");
        assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
    }
    let admin = Cli::new(around, production.admin.token());
    a_revoked_key_is_answered_nothing(&production, &revoked, admin).await;
    the_fence_is_told(&production).await;
    for caller in &callers {
        let spared = caller.chat(SPARED).await.status;
        assert_eq!(spared, 200, "the tenant has it served all the same");
        let listed = Answer::of(caller.request(reqwest::Method::GET, "/v1/models")).await;
        assert_eq!(listed.status, 503, "a list would be of the old state");
    }
    for caller in &others {
        let status = caller.chat(MODEL).await.status;
        assert_eq!(status, 200, "a tenant that accepts any staleness");
    }

    production.to_control_plane.connect(around);
    all_answer("service once connected again", &callers, MODEL, 200).await;
    all_answer("the revocation", &production.callers(&revoked), MODEL, 401).await;
    let ids = refused.iter().map(Answer::request_id);
    for row in production.audited_all(ids).await.values() {
        let seen = (row["reason"].as_str(), row["principal"].as_str());
        assert_eq!(seen, (Some("fenced"), Some("virtual-account:careful")), "{row}");
    }
}

#[tokio::test]
async fn a_control_plane_without_its_database_confirms_nothing() {
    let production = Production::with_one_edge(&[]).await;
    let key = production.granted("careful").await;
    production
        .admin
        .words("tenant update dev --max-staleness 5s --wait")
        .await;
    let callers = production.callers(&key);
    all_answer("service", &callers, MODEL, 200).await;
    let postgres = production.to_postgres.cut().unwrap();
    // Others may write to Postgres meanwhile: a control plane that cannot look does not know.
    all_answer("the fence", &callers, MODEL, 503).await;
    production.to_postgres.connect(postgres);
    all_answer("service with the database", &callers, MODEL, 200).await;
}

#[tokio::test]
async fn a_staleness_that_could_not_be_kept_is_refused() {
    let production = Production::with_one_edge(&[]).await;
    let refused = production
        .admin
        .run(&["tenant", "update", "dev", "--max-staleness", "1s"])
        .await;
    assert_eq!(refused.status, 1, "{refused:?}");
    let shown = production
        .admin
        .words("tenant update dev --max-staleness 30s --serve-stale fake-*")
        .await;
    let staleness = &shown["tenant"]["staleness"];
    assert_eq!(
        (staleness["max"].as_str(), staleness["serve"][0].as_str()),
        (Some("30s"), Some("fake-*"))
    );
    let off = production
        .admin
        .words("tenant update dev --max-staleness none --no-serve-stale")
        .await;
    assert!(off["tenant"]["staleness"].is_null(), "{off}");
}
