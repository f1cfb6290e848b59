//! What can go wrong with a store, in sentences that say what to do. What the drivers report is sorted here, once.

use sqlx::migrate::MigrateError;
use turnpike_access::{
    id::InvalidName,
    log::{BrokenChain, Head, Position},
};

/// A store could not do what was asked. Unless a method says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Worth another try: no connection, no room, a lock not got in time.
    #[error("the database can't be reached or is too busy: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// No answer in time.
    #[error("the database did not answer in time")]
    TimedOut,
    /// There is a database, but nothing of ours in it.
    #[error("the database has no Turnpike schema: run `turnpike-control-plane migrate`")]
    NotMigrated,
    /// The schema is older than this program.
    #[error(
        "the database schema is at version {found}, this program needs {needed}: run `turnpike-control-plane migrate`"
    )]
    Outdated {
        /// What the database has.
        found: i64,
        /// What this program needs.
        needed: i64,
    },
    /// The schema is newer than this program.
    #[error(
        "the database schema is at version {found}, this program knows {known}: run a newer turnpike-control-plane"
    )]
    Newer {
        /// What the database has.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The role may not do this.
    #[error(
        "the database role lacks a right ({0}): as the owner, run `turnpike-control-plane migrate --app-role ROLE`"
    )]
    Forbidden(#[source] sqlx::Error),
    /// The URL names no store of ours. The text never holds the URL, which may hold a password.
    #[error("the database URL can't be used: {0}; write postgres://USER@HOST/DATABASE or sqlite://PATH")]
    Url(String),
    /// The application role can't be given its rights.
    #[error("the application role can't be used: {0}")]
    Role(&'static str),
    /// A migration failed; on Postgres those before it are in place.
    #[error("the schema could not be migrated: {0}")]
    Migration(#[source] MigrateError),
    /// The caller passed what no caller may.
    #[error("the store was given what it can't hold: {0}")]
    Invalid(&'static str),
    /// The database refused a statement.
    #[error("the database refused a statement: {0}")]
    Refused(#[source] sqlx::Error),
    /// A row that this program can't have written.
    #[error("the database holds a damaged row: {0}")]
    Damaged(String),
    /// The file of an embedded store can't be used.
    #[error("the database file can't be used: {0}")]
    File(#[from] std::io::Error),
}

impl StoreError {
    /// Whether the same call may well succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TimedOut)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(cause) => match cause.code().as_deref().unwrap_or_default() {
                "3F000" | "42P01" => Self::NotMigrated,
                "42501" => Self::Forbidden(error),
                // SQLite's SQLITE_BUSY and SQLITE_LOCKED, then classes of SQLSTATE.
                "5" | "6" | "55P03" => Self::Unavailable(error),
                code if ["08", "40", "53", "57"]
                    .iter()
                    .any(|class| code.len() == 5 && code.starts_with(class)) =>
                {
                    Self::Unavailable(error)
                }
                _ => Self::Refused(error),
            },
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                Self::Damaged(error.to_string())
            }
            sqlx::Error::Configuration(_) => Self::Url("its parts don't parse".to_owned()),
            _ => Self::Unavailable(error),
        }
    }
}

impl From<InvalidName> for StoreError {
    fn from(error: InvalidName) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Why a batch was not appended, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another writer was first and nothing was committed: reload, decide again, retry.
    #[error("another writer was first: the log now ends at position {}", head.position)]
    Conflict {
        /// Where the log really ends.
        head: Head,
    },
    /// Nothing was committed; the same batch may be appended later.
    #[error("nothing was recorded: {0}")]
    Unavailable(#[source] StoreError),
    /// The commit was sent and its answer lost: ask [`super::EventStore::committed`] before doing anything else.
    #[error("it is not known whether the change was recorded: {0}")]
    Unknown(#[source] StoreError),
    /// The batch is not a chain that starts at the expected head; nothing was sent.
    #[error("the batch does not continue the log: {0}")]
    Invalid(#[from] BrokenChain),
    /// A text holds a NUL character, which no database keeps; nothing was sent.
    #[error("the event at position {0} holds a NUL character")]
    Nul(Position),
}
