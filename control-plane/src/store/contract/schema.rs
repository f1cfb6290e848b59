//! Migrating, and refusing a schema that this program was not made for.

use futures::future::join_all;

use super::{
    chain::{append_surely, verified},
    database::{Database, Engine, on, on_each_engine},
};
use crate::store::{StoreError, connect, migrate};

const ENGINES: [Engine; 2] = [Engine::Postgres, Engine::Sqlite];

fn applied(database: &Database) -> &'static str {
    match database.engine {
        Engine::Postgres => "turnpike.schema_migrations",
        Engine::Sqlite => "_sqlx_migrations",
    }
}

async fn refusal(url: &str) -> StoreError {
    match connect(url).await {
        Ok(_) => panic!("the stores opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_database_that_was_not_migrated_is_refused_with_what_to_do() {
    for engine in ENGINES {
        let database = Database::empty(engine).await;
        let error = refusal(&database.owner).await;
        assert!(matches!(error, StoreError::NotMigrated), "{error:?}");
        assert!(error.to_string().contains("`turnpike-control-plane migrate`"));
    }
}

#[tokio::test]
async fn an_older_schema_is_refused_with_what_to_do_and_a_newer_one_too() {
    on_each_engine(async |database| {
        let applied = applied(database);
        let newer = format!(
            "INSERT INTO {applied} (version, description, success, checksum, execution_time)
                SELECT 9999, description, success, checksum, execution_time FROM {applied} WHERE version = 1"
        );
        database.as_owner(&newer).await.unwrap();
        let error = refusal(&database.url).await;
        assert!(
            matches!(error, StoreError::Newer { found: 9999, .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("newer turnpike-control-plane"));
        let migrated = migrate(&database.owner, None).await;
        assert!(matches!(migrated, Err(StoreError::Newer { found: 9999, .. })));

        let older = format!("DELETE FROM {applied} WHERE version > 1");
        database.as_owner(&older).await.unwrap();
        let error = refusal(&database.url).await;
        assert!(
            matches!(error, StoreError::Outdated { found: 1, .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("`turnpike-control-plane migrate`"));
    })
    .await;
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        append_surely(&*store, "a", 1).await;
        migrate(&database.owner, database.role.as_deref()).await.unwrap();
        append_surely(&*store, "b", 1).await;
        assert_eq!(verified(&*store).await, ["a.0.0", "b.0.0"]);
    })
    .await;
}

#[tokio::test]
async fn operators_who_migrate_at_once_all_succeed() {
    for engine in ENGINES {
        let database = Database::empty(engine).await;
        let runs = [(); 4].map(|()| migrate(&database.owner, database.role.as_deref()));
        for run in join_all(runs).await {
            run.unwrap();
        }
        let store = database.stores().await.events;
        append_surely(&*store, "a", 1).await;
    }
}

#[tokio::test]
async fn a_role_without_rights_is_told_how_to_get_them() {
    on(Engine::Postgres, async |database| {
        let role = database.role.as_deref().unwrap();
        let revoke = format!("REVOKE ALL ON SCHEMA turnpike FROM {role}");
        database.as_owner(&revoke).await.unwrap();
        let error = refusal(&database.url).await;
        assert!(matches!(error, StoreError::Forbidden(_)), "{error:?}");
        assert!(
            error
                .to_string()
                .contains("`turnpike-control-plane migrate --app-role ROLE`")
        );
    })
    .await;
}

#[tokio::test]
async fn rights_beyond_the_due_ones_are_taken_away() {
    on(Engine::Postgres, async |database| {
        let role = database.role.as_deref().unwrap();
        let grant = format!(
            "GRANT ALL ON SCHEMA turnpike TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA turnpike TO {role}"
        );
        database.as_owner(&grant).await.unwrap();
        let excesses = [
            "DELETE FROM turnpike.signing_keys",
            "CREATE TABLE turnpike.more ()",
        ];
        for excess in excesses {
            database.as_control_plane(excess).await.unwrap();
        }
        database.as_owner("DROP TABLE turnpike.more").await.unwrap();
        migrate(&database.owner, Some(role)).await.unwrap();
        for excess in excesses {
            database.as_control_plane(excess).await.unwrap_err();
        }
    })
    .await;
}

#[tokio::test]
async fn a_role_that_could_not_be_held_to_its_rights_is_refused() {
    on(Engine::Postgres, async |database| {
        let role = database.role.as_deref().unwrap();
        for unfit in ["", "no_such_role", "postgres; DROP TABLE x", "\"quoted\"", "1st"] {
            let refused = migrate(&database.owner, Some(unfit)).await;
            assert!(
                matches!(refused, Err(StoreError::Role(_))),
                "{unfit}: {refused:?}"
            );
        }
        database
            .as_owner(&format!("ALTER ROLE {role} SUPERUSER"))
            .await
            .unwrap();
        let refused = migrate(&database.owner, Some(role)).await;
        assert!(matches!(refused, Err(StoreError::Role(_))));
        // Whoever may become the owner may do what the owner may.
        let member = format!(
            "ALTER ROLE {role} NOSUPERUSER;
                DO $$BEGIN EXECUTE format('GRANT %I TO {role}', current_user); END$$"
        );
        database.as_owner(&member).await.unwrap();
        let refused = migrate(&database.owner, Some(role)).await;
        assert!(matches!(refused, Err(StoreError::Role(_))));
    })
    .await;
}

#[tokio::test]
async fn an_sqlite_file_is_for_its_owner_alone_and_has_no_roles() {
    use std::os::unix::fs::PermissionsExt as _;
    on(Engine::Sqlite, async |database| {
        let path = database.url.strip_prefix("sqlite://").unwrap();
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let refused = migrate(&database.owner, Some("app")).await;
        assert!(matches!(refused, Err(StoreError::Role(_))));
    })
    .await;
}

#[tokio::test]
async fn an_url_that_names_no_store_is_refused_without_showing_it() {
    for url in [
        "",
        "turnpike.db",
        "mysql://u:hunter2@h/d",
        "sqlite://",
        "sqlite://x?mode=hunter2",
    ] {
        let error = refusal(url).await;
        assert!(matches!(error, StoreError::Url(_)), "{url}: {error:?}");
        assert!(!error.to_string().contains("hunter2"));
    }
}
