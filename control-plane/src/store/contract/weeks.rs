//! The audit by weeks, as Postgres keeps it: each is a table, made ahead, and dropped when it is empty.

use futures::future::join_all;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use turnpike_access::{
    audit::{AuditRecord, walk::Verdict},
    id::Timestamp,
};
use turnpike_runtime::clock;

use super::{
    database::{Database, Engine, on},
    records::record,
    retention::{furnished, kept, retiring, verified},
};
use crate::store::{AuditFilter, AuditStore, Page, StoredRecord, migrate, schema};

const DAY: i64 = 86_400_000_000;
/// A row of the time before weeks, from its sequence and its time.
const ROW: &str = "INSERT INTO turnpike.audit (edge, epoch, sequence, time_us, tenant, request_id, route, outcome, reason, grants,
        status, latency_us, streamed, ending, metadata, region, position)
    SELECT 'edge-1', 1, SEQUENCE, TIME, 'acme', 'req', '', 'allowed', '', '[]', 200, 0, false, 'complete', '{}', '', 0";

async fn owner(database: &Database) -> PgConnection {
    PgConnection::connect(&database.owner).await.unwrap()
}

/// The tables of the weeks, or the texts that another statement gives.
async fn texts(database: &Database, sql: &str) -> Vec<String> {
    let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
    query.fetch_all(&mut owner(database).await).await.unwrap()
}

async fn weeks(database: &Database) -> Vec<String> {
    texts(
        database,
        "SELECT name::text FROM turnpike.audit_weeks() ORDER BY 1",
    )
    .await
}

/// Which tables have rows of the audit, in order.
async fn filled(database: &Database) -> Vec<String> {
    let sql = "SELECT DISTINCT relname::text FROM turnpike.audit AS kept JOIN pg_class ON pg_class.oid = kept.tableoid ORDER BY 1";
    texts(database, sql).await
}

async fn week_of(database: &Database, time: i64) -> String {
    let name = "to_char(to_timestamp(turnpike.audit_week_of(TIME) / 1000000) AT TIME ZONE 'UTC', '\"audit_week_\"YYYYMMDD')";
    let sql = format!("SELECT {name}").replace("TIME)", &format!("{time})"));
    texts(database, &sql).await.remove(0)
}

async fn make_week(database: &Database, time: i64) {
    let sql = format!("SELECT turnpike.add_audit_week(turnpike.audit_week_of({time}))");
    database.as_owner(&sql).await.unwrap();
}

async fn listed(store: &dyn AuditStore, since: Option<i64>) -> Vec<StoredRecord> {
    let filter = AuditFilter {
        since: since.map(Timestamp::from_micros),
        ..AuditFilter::default()
    };
    let page = Page {
        limit: 100,
        after: None,
    };
    let acme = "acme".parse().unwrap();
    store.list(&acme, &filter, page).await.unwrap()
}

fn sequences(rows: &[StoredRecord]) -> Vec<u64> {
    rows.iter().map(|row| row.id.sequence).collect()
}

#[tokio::test]
async fn rows_from_before_there_were_weeks_are_in_theirs_and_read_as_before() {
    let database = Database::empty(Engine::Postgres).await;
    let now = clock::now().as_micros();
    let times = [
        now,
        now - 3 * DAY,
        now - 40 * DAY,
        now - 41 * DAY,
        7,
        now + 900 * DAY,
    ];
    let mut connection = owner(&database).await;
    schema::run_postgres(&mut connection, 25).await.unwrap();
    for (sequence, time) in (1..).zip(times) {
        let row = ROW.replace("SEQUENCE", &format!("{sequence}"));
        let row = AssertSqlSafe(row.replace("TIME", &time.to_string()));
        connection.execute(row).await.unwrap();
    }
    let mark = "INSERT INTO turnpike.audit_watermarks VALUES ('edge-1', 1, 6, 6)";
    connection.execute(mark).await.unwrap();
    let ids = texts(&database, "SELECT id::text FROM turnpike.audit ORDER BY sequence").await;

    migrate(&database.owner, database.role.as_deref()).await.unwrap();
    let store = database.stores().await.audit;
    assert_eq!(sequences(&listed(&*store, None).await), [6, 1, 2, 3, 4, 5]);
    let after = "SELECT id::text FROM turnpike.audit ORDER BY sequence";
    assert_eq!(texts(&database, after).await, ids);
    let mut homes = vec!["audit_elsewhere".to_owned()];
    for time in [now, now - 3 * DAY, now - 40 * DAY, now - 41 * DAY] {
        homes.push(week_of(&database, time).await);
    }
    homes.sort();
    homes.dedup();
    assert_eq!(filled(&database).await, homes);

    let again: Vec<_> = (0..7).map(|_| record("acme", now)).collect();
    assert_eq!(store.insert("edge-1", 1, 1, &again).await.unwrap(), 7);
    let rows = listed(&*store, None).await;
    assert_eq!(
        sequences(&rows),
        [6, 7, 1, 2, 3, 4, 5],
        "a new row's number is above the old ones'"
    );
}

#[tokio::test]
async fn weeks_are_made_ahead_once_by_control_planes_at_once_with_the_rows_that_came_before() {
    on(Engine::Postgres, async |database| {
        let made = weeks(database).await;
        assert_eq!(made.len(), 5, "this one and four ahead: {made:?}");
        for week in &made[1..] {
            let drop = format!("DROP TABLE turnpike.{week}");
            database.as_owner(&drop).await.unwrap();
        }
        let now = clock::now().as_micros();
        let ahead = [now, now + 14 * DAY, now + 21 * DAY, now + 300 * DAY];
        let rows: Vec<AuditRecord> = ahead.map(|time| record("acme", time)).into();
        let store = database.stores().await.audit;
        store.insert("edge-1", 1, 1, &rows).await.unwrap();
        assert_eq!(filled(database).await, ["audit_elsewhere", &made[0]]);

        let planes = [(); 4].map(async |()| database.stores().await.audit.add_weeks().await.unwrap());
        assert_eq!(join_all(planes).await.iter().sum::<u64>(), 4);
        assert_eq!(weeks(database).await, made);
        assert_eq!(
            filled(database).await,
            ["audit_elsewhere", &made[0], &made[2], &made[3]]
        );
        assert_eq!(sequences(&listed(&*store, None).await), [4, 3, 2, 1]);
        assert_eq!(store.add_weeks().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_week_is_dropped_when_nothing_of_it_is_kept_and_the_rest_is_proven_as_before() {
    on(Engine::Postgres, async |database| {
        let stores = database.stores().await;
        let (store, retiring, now) = (&*stores.audit, retiring(&stores).await, clock::now());
        let old = now.as_micros() - 40 * DAY;
        make_week(database, old).await;
        let old = week_of(database, old).await;
        furnished(store, now.as_micros()).await;
        assert!(filled(database).await.contains(&old));

        retiring.pass(&kept(&[("acme", 30)]), now).await.unwrap();
        assert!(filled(database).await.contains(&old), "what others keep stays");
        assert_eq!(store.drop_weeks().await.unwrap(), 0);
        let both = kept(&[("acme", 30), ("other", 30)]);
        retiring.pass(&both, now).await.unwrap();
        assert!(!weeks(database).await.contains(&old), "dropped");
        assert_eq!(weeks(database).await.len(), 5, "and no other");
        let whole = Verdict {
            records: 10,
            retired: 20,
            ..Verdict::default()
        };
        assert_eq!(verified(store, 7, 30).await, whole);
        assert_eq!(verified(store, 8, 30).await, whole);
        let late = record("acme", now.as_micros() - 40 * DAY);
        assert_eq!(store.insert("edge-2", 1, 1, &[late]).await.unwrap(), 1, "still");
    })
    .await;
}

#[tokio::test]
async fn who_asks_about_a_time_or_keeps_a_record_waits_for_no_other_week() {
    on(Engine::Postgres, async |database| {
        let now = clock::now().as_micros();
        make_week(database, now - 40 * DAY).await;
        let store = database.stores().await.audit;
        let rows = [record("acme", now - 40 * DAY), record("acme", now)];
        store.insert("edge-1", 1, 1, &rows).await.unwrap();

        let mut held = owner(database).await;
        let mut held = held.begin().await.unwrap();
        let lock = format!(
            "LOCK TABLE turnpike.{} IN ACCESS EXCLUSIVE MODE",
            week_of(database, now - 40 * DAY).await
        );
        held.execute(AssertSqlSafe(lock)).await.unwrap();
        store
            .insert("edge-1", 1, 3, &[record("acme", now)])
            .await
            .unwrap();
        let rows = listed(&*store, Some(now - DAY)).await;
        assert_eq!(sequences(&rows), [3, 2]);
    })
    .await;
}
