//! A database of a test's own in the Postgres server that all tests share.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, postgres::PgRow};
use turnpike_access::{
    id::Timestamp,
    log::{Hash, Origin, Position, Recorded},
};

use crate::place;

/// A database that nobody else uses. It stays behind; the server's folder is removed with the server.
#[derive(Debug)]
pub struct Database {
    /// As its owner.
    pub url: String,
    name: String,
    /// Whom control planes are, where that is not the owner.
    role: Option<Role>,
}

/// A role with a password.
#[derive(Debug)]
struct Role {
    name: String,
    password: String,
}

impl Database {
    /// Makes one.
    pub async fn create(name: &str) -> Self {
        let server = place::postgres();
        let mut connection = PgConnection::connect(&server).await.expect("the tests' Postgres");
        connection
            .execute(AssertSqlSafe(format!("create database {name}")))
            .await
            .expect("a database");
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        Self {
            url: format!("{base}/{name}"),
            name: name.to_owned(),
            role: None,
        }
    }

    /// Makes a role for control planes, and says what it is called.
    pub async fn add_role(&mut self, password: &str) -> String {
        let name = format!("{}_app", self.name);
        let mut connection = PgConnection::connect(&self.url)
            .await
            .expect("the test's database");
        let create = AssertSqlSafe(format!("create role {name} login password '{password}'"));
        connection.execute(create).await.expect("a role");
        self.role = Some(Role {
            name: name.clone(),
            password: password.to_owned(),
        });
        name
    }

    /// What control planes connect to, by way of another host and port, such as those of a cable to it.
    pub fn url_by_way_of(&self, address: std::net::SocketAddr) -> String {
        if let Some(Role { name, password }) = &self.role {
            return format!("postgres://{name}:{password}@{address}/{}", self.name);
        }
        let (head, _) = self.url.rsplit_once('@').expect("a URL with a user");
        format!("{head}@{address}/{}", self.name)
    }

    /// Where its server listens.
    pub fn server(&self) -> std::net::SocketAddr {
        let (_, place) = self.url.rsplit_once('@').expect("a URL with a user");
        let (address, _) = place.split_once('/').expect("a URL with a database");
        address.parse().expect("an address")
    }

    /// Every row of every table of the schema `public` and of Turnpike's own, as text.
    pub async fn dump(&self) -> String {
        let mut connection = PgConnection::connect(&self.url)
            .await
            .expect("the test's database");
        let tables = "select format('%I.%I', schemaname, tablename) from pg_tables
            where schemaname not in ('pg_catalog', 'information_schema')";
        let tables = sqlx::query(tables)
            .fetch_all(&mut connection)
            .await
            .expect("tables");
        let mut text = String::new();
        for table in tables {
            let table: String = table.get(0);
            let query = AssertSqlSafe(format!("select whole::text from {table} whole"));
            for row in sqlx::query(query).fetch_all(&mut connection).await.expect("rows") {
                text.push_str(&format!("{table}: {}\n", row.get::<String, _>(0)));
            }
        }
        text
    }

    /// Runs statements as the owner, who may do what no process of Turnpike may; all of them or none.
    pub async fn execute(&self, statements: &str) {
        let mut connection = PgConnection::connect(&self.url)
            .await
            .expect("the test's database");
        let statements = AssertSqlSafe(format!("BEGIN; {statements}; COMMIT"));
        sqlx::raw_sql(statements)
            .execute(&mut connection)
            .await
            .expect("done");
    }

    /// Runs a statement of the owner with a number bound to `$1`.
    pub async fn execute_with(&self, statement: &'static str, number: i64) {
        let mut connection = PgConnection::connect(&self.url)
            .await
            .expect("the test's database");
        let statement = sqlx::query(statement).bind(number);
        statement.execute(&mut connection).await.expect("done");
    }

    /// A number that a query yields.
    pub async fn number(&self, query: &'static str) -> i64 {
        let mut connection = PgConnection::connect(&self.url)
            .await
            .expect("the test's database");
        sqlx::query_scalar(query)
            .fetch_one(&mut connection)
            .await
            .expect("a number")
    }

    /// A column of texts that a query yields.
    pub async fn texts(&self, query: &str) -> Vec<String> {
        let mut connection = PgConnection::connect(&self.url)
            .await
            .expect("the test's database");
        sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .fetch_all(&mut connection)
            .await
            .expect("texts")
    }

    /// The event log, as committed.
    pub async fn events(&self) -> Vec<Recorded> {
        let mut connection = PgConnection::connect(&self.url)
            .await
            .expect("the test's database");
        let rows = sqlx::query("select * from turnpike.events order by position");
        let rows = rows.fetch_all(&mut connection).await.expect("events");
        rows.iter().map(event).collect()
    }
}

fn event(row: &PgRow) -> Recorded {
    let text = |column: &str| row.get::<String, _>(column);
    let hash = |column: &str| Hash::new(row.get::<Vec<u8>, _>(column).try_into().expect("32 bytes"));
    Recorded {
        position: Position::new(row.get::<i64, _>("position").cast_unsigned()),
        origin: Origin {
            time: Timestamp::from_micros(row.get("time_us")),
            tenant: text("tenant").parse().expect("a name"),
            actor: text("actor").into(),
            correlation: text("correlation").into(),
        },
        kind: text("kind").into(),
        version: u16::try_from(row.get::<i64, _>("version")).expect("a version"),
        payload: text("payload").into(),
        previous: hash("previous"),
        hash: hash("hash"),
    }
}
