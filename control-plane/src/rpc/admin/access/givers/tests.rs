//! What is remembered gives the same answers as the log, however much is remembered, and saves reading it.

use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;
use turnpike_access::{
    command::Command, effective::who, grant::Subject, id::Principal, pattern::Resource, snapshot::Snapshot,
    tenant::AccountProfile,
};

use super::*;
use crate::fixture::{Core, grant, name};

const TENANTS: [&str; 3] = ["acme", "globex", "initech"];

/// Three tenants; in each, four accounts of which the last two are in the team that everything is granted to.
async fn furnished() -> (Core, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    core.bootstrap().await;
    for tenant in TENANTS {
        core.ask_as_root(tenant, vec![Command::CreateTenant(Default::default())])
            .await
            .unwrap();
        let team = Command::CreateTeam {
            name: name("night"),
            profile: Default::default(),
        };
        core.ask_as_root(tenant, vec![team]).await.unwrap();
        for (number, who) in ["anne", "bob", "carol", "dave"].into_iter().enumerate() {
            let account = Command::CreateAccount {
                principal: Principal::User(name(who)),
                profile: AccountProfile::default(),
                teams: (number > 1).then(|| name("night")).into_iter().collect(),
            };
            core.ask_as_root(tenant, vec![account]).await.unwrap();
        }
        for (id, subject) in [("anne", "user:anne"), ("team", "team:night"), ("bob", "user:bob")] {
            let mut command = grant(&format!("{tenant:0<8}{id:0<4}"), "anne", "admin");
            if let Command::CreateGrant(grant) = &mut command {
                grant.subject = subject.parse().unwrap();
            }
            core.ask_as_root(tenant, vec![command]).await.unwrap();
        }
    }
    (core, folder)
}

/// Since which positions those on a page have what they have, and who was the last.
async fn page(
    known: &KnownGivers,
    snapshot: &Snapshot,
    tenant: &str,
    after: Option<&Subject>,
) -> Result<(Vec<(String, u64)>, Option<Subject>), StoreError> {
    let until = snapshot.position();
    let held = snapshot.tenant(tenant).unwrap();
    let teams = ("team", Resource::named("team", "night"));
    let (rows, last) = who(held, &["teams.write"], teams, Default::default(), (after, 1));
    let since = |givers: &Givers| {
        let each = rows.iter().map(|row| {
            let gave = givers.gave(row.access.allows[0].held, &row.subject, until);
            (row.subject.to_string(), gave.unwrap().position.get())
        });
        each.collect()
    };
    let told = known.look(&name(tenant), until, &rows, since).await?;
    Ok((told, last))
}

async fn whole(
    known: &KnownGivers,
    snapshot: &Snapshot,
    tenant: &str,
) -> Result<Vec<(String, u64)>, StoreError> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (some, last) = page(known, snapshot, tenant, after.as_ref()).await?;
        all.extend(some);
        match last {
            Some(last) => after = Some(last),
            None => return Ok(all),
        }
    }
}

#[tokio::test]
async fn however_much_is_remembered_each_page_tells_the_same() {
    let (core, _folder) = furnished().await;
    let snapshot = core.snapshot();
    let mut told = Vec::new();
    for limit in [usize::MAX, 6, 2, 0] {
        let mut known = KnownGivers::new(core.store.clone());
        known.limit = limit;
        let mut each = Vec::new();
        for tenant in [&TENANTS[..], &TENANTS[..]].concat() {
            each.push(whole(&known, &snapshot, tenant).await.unwrap());
            let recent = known.recent.lock().unwrap();
            let others = recent.iter().filter(|one| one.tenant.as_str() != tenant);
            let kept: usize = others.map(|one| one.size).sum();
            assert!(kept <= limit, "{kept} of {limit}");
        }
        told.push(each);
    }
    let first = &told[0][0];
    let names: Vec<&str> = first.iter().map(|(who, _)| who.as_str()).collect();
    assert_eq!(names, ["user:anne", "user:bob", "user:carol", "user:dave"]);
    let [anne, bob, carol, dave] = [0, 1, 2, 3].map(|place| first[place].1);
    assert!(carol == dave && carol > anne && bob > carol, "{first:?}");
    assert!(told.iter().all(|each| *each == told[0]), "{told:?}");
}

#[tokio::test]
async fn a_further_page_does_not_read_the_log_and_a_further_position_does() {
    let (core, _folder) = furnished().await;
    let known = KnownGivers::new(core.store.clone());
    let before = core.snapshot();
    let first = whole(&known, &before, "acme").await.unwrap();
    let leave = Command::DeleteGrant {
        id: "acme0000anne".parse().unwrap(),
    };
    core.ask_as_root("acme", vec![leave]).await.unwrap();
    let after = core.snapshot();

    let mut database = SqliteConnection::connect(&core.url).await.unwrap();
    sqlx::query("DROP TABLE events")
        .execute(&mut database)
        .await
        .unwrap();
    assert_eq!(whole(&known, &before, "acme").await.unwrap(), first);
    assert!(whole(&known, &after, "acme").await.is_err());
    assert!(whole(&known, &before, "globex").await.is_err());
}
