//! The schema: its migrations, who may do what with it, and whether this program fits it.

use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, SqliteConnection,
    migrate::{MigrateError, Migrator},
};

use super::StoreError;

static POSTGRES: Migrator = sqlx::migrate!("../migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");

/// Where Postgres keeps which migrations were applied; SQLite has the library's own name.
const APPLIED: &str = "turnpike.schema_migrations";

/// Names the advisory lock under which rights are given. Any constant does.
const GRANTING: i64 = 0x7475_726e_7069_6b67;

/// What the application's role may do with tables, and a sequence. Nothing here lets it change or remove an event or an audit record; `UPDATE` on
/// `head` is what locking its row takes, and a trigger holds it to the last event.
const RIGHTS: &[(&str, &str)] = &[
    ("schema_migrations", "SELECT"),
    ("events", "SELECT, INSERT"),
    ("head", "SELECT, UPDATE"),
    ("snapshots", "SELECT, INSERT, UPDATE, DELETE"),
    ("snapshot_chunks", "SELECT, INSERT, DELETE"),
    ("signing_keys", "SELECT, INSERT"),
    ("token_keys", "SELECT, INSERT, DELETE"),
    ("edge_authority", "SELECT, INSERT"),
    ("edges", "SELECT, INSERT, UPDATE, DELETE"),
    ("held_keys", "SELECT, INSERT, DELETE"),
    ("leases", "SELECT, INSERT, UPDATE"),
    ("receipts", "SELECT, INSERT, UPDATE, DELETE"),
    ("audit", "SELECT, INSERT"),
    ("audit_id", "USAGE"),
    ("audit_watermarks", "SELECT, INSERT, UPDATE"),
    ("audit_checkpoints", "SELECT, INSERT"),
    ("audit_originals", "SELECT, INSERT"),
    ("audit_retired", "SELECT, INSERT"),
    ("audit_retention", "SELECT, INSERT, UPDATE"),
    ("credential_use", "SELECT, INSERT, UPDATE"),
    ("usage", "SELECT, INSERT, UPDATE, DELETE"),
    ("anomalies", "SELECT, INSERT, UPDATE, DELETE"),
    ("sights", "SELECT, INSERT"),
    ("outbox", "SELECT, INSERT, UPDATE"),
    ("audit_sinks", "SELECT, INSERT, UPDATE, DELETE"),
    ("audit_sink_cursors", "SELECT, INSERT, UPDATE, DELETE"),
    ("deliveries", "SELECT, INSERT, UPDATE, DELETE"),
];

/// What it may do by way of functions, which delete what a kept statement says and nothing else, make weeks of the audit
/// ahead, and drop those that are past and empty.
const FUNCTIONS: &[&str] = &[
    "retire_audit(text, bigint, bigint, bigint)",
    "add_audit_weeks()",
    "drop_audit_weeks()",
];

/// Brings a Postgres schema up to date, by its owner, and gives the application's role its rights and no others.
pub(super) async fn migrate_postgres(
    owner: &mut PgConnection,
    app_role: Option<&str>,
) -> Result<(), StoreError> {
    run_postgres(&mut *owner, newest(&POSTGRES)).await?;
    match app_role {
        Some(role) => grant(owner, role).await,
        None => Ok(()),
    }
}

/// The migrations up to one.
pub(super) async fn run_postgres(owner: &mut PgConnection, last: i64) -> Result<(), StoreError> {
    let migrations = POSTGRES.iter().filter(|migration| migration.version <= last);
    let mut migrator = Migrator::with_migrations(migrations.cloned().collect());
    migrator.create_schema("turnpike");
    migrator.dangerous_set_table_name(APPLIED);
    migrator
        .run(&mut *owner)
        .await
        .map_err(|error| explain(error, newest(&POSTGRES)))
}

/// Brings an SQLite schema up to date, all of it or nothing. The library has no lock for SQLite, so that the write lock,
/// taken before looking at what is there, makes those who migrate at once take turns.
pub(super) async fn migrate_sqlite(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    SQLITE
        .run(&mut *transaction)
        .await
        .map_err(|error| explain(error, newest(&SQLITE)))?;
    Ok(transaction.commit().await?)
}

/// Refuses a schema that this program was not made for.
pub(super) async fn check_postgres(connection: &mut PgConnection) -> Result<(), StoreError> {
    let found = sqlx::query_scalar("SELECT max(version) FROM turnpike.schema_migrations WHERE success");
    fits(found.fetch_one(connection).await?, newest(&POSTGRES))
}

/// As [`check_postgres`].
pub(super) async fn check_sqlite(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let table = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
    if sqlx::query_scalar::<_, i64>(table)
        .fetch_one(&mut *connection)
        .await?
        == 0
    {
        return Err(StoreError::NotMigrated);
    }
    let found = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success");
    fits(found.fetch_one(connection).await?, newest(&SQLITE))
}

fn newest(migrator: &Migrator) -> i64 {
    migrator
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or_default()
}

fn fits(found: Option<i64>, known: i64) -> Result<(), StoreError> {
    match found {
        None => Err(StoreError::NotMigrated),
        Some(found) if found < known => Err(StoreError::Outdated { found, needed: known }),
        Some(found) if found > known => Err(StoreError::Newer { found, known }),
        Some(_) => Ok(()),
    }
}

fn explain(error: MigrateError, known: i64) -> StoreError {
    match error {
        MigrateError::VersionMissing(found) => StoreError::Newer { found, known },
        MigrateError::Execute(error) => error.into(),
        other => StoreError::Migration(other),
    }
}

async fn grant(owner: &mut PgConnection, role: &str) -> Result<(), StoreError> {
    // Role names can't be bound; this one is checked to need no quoting rules beyond the quotes.
    let plain = role.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && role.len() <= 63
        && role
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !plain {
        return Err(StoreError::Role(
            "its name must be 1 to 63 of a-z, 0-9 and '_', not starting with a digit",
        ));
    }
    // Superusers are members of every role.
    let known = "SELECT pg_has_role(oid, current_user, 'MEMBER') FROM pg_roles WHERE rolname = $1";
    match sqlx::query_scalar::<_, bool>(known)
        .bind(role)
        .fetch_optional(&mut *owner)
        .await?
    {
        None => {
            return Err(StoreError::Role(
                "there is no such role: make it with CREATE ROLE … LOGIN",
            ));
        }
        Some(true) => {
            return Err(StoreError::Role(
                "it can act as the tables' owner, or is a superuser: name another one",
            ));
        }
        Some(false) => {}
    }
    let mut transaction = owner.begin().await?;
    // Postgres fails one of two that change a table's rights at once.
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(GRANTING)
        .execute(&mut *transaction)
        .await?;
    let mut statements = vec![
        format!(r#"REVOKE ALL ON ALL TABLES IN SCHEMA turnpike FROM "{role}""#),
        format!(r#"REVOKE ALL ON ALL SEQUENCES IN SCHEMA turnpike FROM "{role}""#),
        format!(r#"REVOKE ALL ON ALL FUNCTIONS IN SCHEMA turnpike FROM "{role}""#),
        format!(r#"REVOKE ALL ON SCHEMA turnpike FROM "{role}""#),
        format!(r#"GRANT USAGE ON SCHEMA turnpike TO "{role}""#),
    ];
    statements.extend(
        RIGHTS
            .iter()
            .map(|(table, rights)| format!(r#"GRANT {rights} ON turnpike.{table} TO "{role}""#)),
    );
    statements.extend(
        FUNCTIONS
            .iter()
            .map(|function| format!(r#"GRANT EXECUTE ON FUNCTION turnpike.{function} TO "{role}""#)),
    );
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *transaction)
            .await?;
    }
    Ok(transaction.commit().await?)
}
