//! What the control plane keeps: the event log with what hangs on it, the audit records, and what is to be sent.
//!
//! Two engines behind three traits, chosen by the URL: Postgres for production, SQLite for one process. One contract
//! suite, `contract`, holds both to what they say. What events mean, and who may
//! append them, is not known here.

use std::sync::Arc;

mod audit;
#[cfg(test)]
pub(crate) mod contract;
mod error;
mod events;
mod lease;
pub mod outbox;
mod postgres;
mod rows;
mod schema;
mod snapshot;
mod sqlite;
mod watch;

pub use audit::{
    Activity, AuditFilter, AuditRetention, AuditStore, Cursor, InvalidCursor, LastUse, Page, StoredRecord,
};
pub use audit::{anomaly, proof, sights, sink, usage};
pub use error::{AppendError, StoreError};
pub use events::{EdgeReport, EventStore, HeldKey, SealedKey, StoredReceipt};
pub use lease::LeaseClaim;
pub use watch::Watch;

/// The stores, in one database.
#[derive(Clone)]
pub struct Stores {
    /// The event log.
    pub events: Arc<dyn EventStore>,
    /// The audit records.
    pub audit: Arc<dyn AuditStore>,
    /// What is to be sent.
    pub outbox: Arc<dyn outbox::Outbox>,
}

impl Stores {
    fn of<S: EventStore + AuditStore + outbox::Outbox>(store: S) -> Self {
        let store = Arc::new(store);
        Self {
            events: store.clone(),
            audit: store.clone(),
            outbox: store,
        }
    }
}

/// Opens the stores at `postgres://…` or `sqlite://PATH`.
///
/// Fails if the database can't be reached (see [`StoreError::is_transient`]) or its schema is not the one that this
/// program was made for; never changes the schema.
pub async fn connect(url: &str) -> Result<Stores, StoreError> {
    match Address::parse(url)? {
        Address::Postgres(options) => Ok(Stores::of(postgres::Postgres::connect(*options).await?)),
        Address::Sqlite(path) => Ok(Stores::of(sqlite::Sqlite::connect(path).await?)),
    }
}

/// Brings the schema up to date; an SQLite file is made if there is none. Safe to run again and at once with others.
///
/// On Postgres run it as the schema's owner; `app_role` is the role that control planes connect as, which may then
/// append events but neither change nor remove any. On SQLite there are no roles.
pub async fn migrate(url: &str, app_role: Option<&str>) -> Result<(), StoreError> {
    match (Address::parse(url)?, app_role) {
        (Address::Postgres(options), role) => postgres::migrate(&options, role).await,
        (Address::Sqlite(path), None) => sqlite::migrate(path).await,
        (Address::Sqlite(_), Some(_)) => Err(StoreError::Role("SQLite has no roles: leave --app-role out")),
    }
}

enum Address<'a> {
    Postgres(Box<sqlx::postgres::PgConnectOptions>),
    Sqlite(&'a std::path::Path),
}

impl<'a> Address<'a> {
    fn parse(url: &'a str) -> Result<Self, StoreError> {
        let refuse = |why: &str| Err(StoreError::Url(why.to_owned()));
        match url.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(Box::new(url.parse()?))),
            Some(("sqlite", "")) => refuse("it names no file"),
            Some(("sqlite", path)) if path.contains('?') => refuse("sqlite:// takes no parameters"),
            Some(("sqlite", path)) => Ok(Self::Sqlite(path.as_ref())),
            Some((scheme, _)) => Err(StoreError::Url(format!(
                "{scheme:?} is not a scheme that it may have"
            ))),
            None => refuse("it has no scheme"),
        }
    }
}
