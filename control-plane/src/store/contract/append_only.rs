//! The past can't be changed by going around the store.

use turnpike_access::log::Head;

use super::{
    chain::{grow, verified},
    database::{Database, Engine, on, on_each_engine},
};

async fn assert_refused(database: &Database, statements: &[&str]) {
    for statement in statements {
        let statement = statement
            .replace("EVENTS", &database.table("events"))
            .replace("HEAD", &database.table("head"));
        assert!(
            database.as_control_plane(&statement).await.is_err(),
            "the control plane could: {statement}"
        );
        assert!(
            database.as_owner(&statement).await.is_err(),
            "the owner could: {statement}"
        );
    }
}

#[tokio::test]
async fn events_are_neither_updated_nor_deleted_nor_reordered_even_by_the_owner() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        grow(&*store, 3).await;
        let before = verified(&*store).await;
        assert_refused(
            database,
            &[
                "UPDATE EVENTS SET payload = 'forged'",
                "UPDATE EVENTS SET position = position + 10 WHERE position = 3",
                "DELETE FROM EVENTS",
                "DELETE FROM EVENTS WHERE position = 3",
                "UPDATE HEAD SET position = 2",
                "UPDATE HEAD SET hash = (SELECT hash FROM EVENTS WHERE position = 2), position = 2",
                "UPDATE HEAD SET hash = previous FROM EVENTS e WHERE e.position = 3",
                "DELETE FROM HEAD",
                // Neither behind the head, nor beyond the next position, nor off the chain.
                "INSERT INTO EVENTS SELECT 0, time_us, tenant, actor, correlation, kind, version, payload, previous, hash
                     FROM EVENTS WHERE position = 3",
                "INSERT INTO EVENTS SELECT 5, time_us, tenant, actor, correlation, kind, version, payload, hash, hash
                     FROM EVENTS WHERE position = 3",
                "INSERT INTO EVENTS SELECT 4, time_us, tenant, actor, correlation, kind, version, payload, previous, hash
                     FROM EVENTS WHERE position = 3",
            ],
        )
        .await;
        assert_eq!(verified(&*store).await, before);
        assert_ne!(grow(&*store, 1).await, Head::default());
    })
    .await;
}

#[tokio::test]
async fn replacing_rows_does_not_get_around_the_refusals() {
    on(Engine::Sqlite, async |database| {
        let store = database.stores().await.events;
        grow(&*store, 1).await;
        let before = verified(&*store).await;
        assert_refused(
            database,
            &[
                "INSERT OR REPLACE INTO HEAD VALUES (1, 0, zeroblob(32))",
                "REPLACE INTO EVENTS SELECT 1, time_us, tenant, actor, correlation, kind, version, 'forged', previous, hash
                     FROM EVENTS WHERE position = 1",
                "UPDATE OR REPLACE EVENTS SET payload = 'forged'",
            ],
        )
        .await;
        assert_eq!(verified(&*store).await, before);
    })
    .await;
}

#[tokio::test]
async fn truncating_is_refused() {
    on(Engine::Postgres, async |database| {
        let store = database.stores().await.events;
        grow(&*store, 2).await;
        assert_refused(
            database,
            &[
                "TRUNCATE EVENTS",
                "TRUNCATE EVENTS, HEAD CASCADE",
                "TRUNCATE HEAD",
            ],
        )
        .await;
        assert_eq!(verified(&*store).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn the_control_planes_role_can_rewrite_neither_audit_nor_keys_nor_schema() {
    on(Engine::Postgres, async |database| {
        for statement in [
            "UPDATE turnpike.audit SET tenant = 'acme'",
            "DELETE FROM turnpike.audit",
            "TRUNCATE turnpike.audit",
            "DELETE FROM turnpike.audit_elsewhere",
            "DROP TABLE turnpike.audit_elsewhere",
            "ALTER TABLE turnpike.audit DETACH PARTITION turnpike.audit_elsewhere",
            "SELECT turnpike.add_audit_week(0)",
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT turnpike.drop_audit_weeks()",
            "SELECT setval('turnpike.audit_id', 1)",
            "DELETE FROM turnpike.audit_watermarks",
            "DELETE FROM turnpike.credential_use",
            "UPDATE turnpike.signing_keys SET created_us = 0",
            "DELETE FROM turnpike.signing_keys",
            "DELETE FROM turnpike.schema_migrations",
            "ALTER TABLE turnpike.events DISABLE TRIGGER ALL",
            "SET session_replication_role = replica",
            "DROP TRIGGER events_append_only ON turnpike.events",
            "DROP TABLE turnpike.events",
            "CREATE TABLE turnpike.more ()",
            "CREATE OR REPLACE FUNCTION turnpike.refuse_change() RETURNS trigger LANGUAGE sql AS ''",
        ] {
            let error = database.as_control_plane(statement).await.unwrap_err();
            let code = error.as_database_error().and_then(|error| error.code());
            assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
        }
    })
    .await;
}
