//! First sights: when a principal, with a credential, first used a model, came from a network, by a client, or at an hour of the
//! day. Kept beside the records, in the transaction that keeps them; what is unexpected is found in them.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use sqlx::{ColumnIndex, Decode, Row, Type};
use turnpike_access::{
    audit::{AuditRecord, Outcome},
    id::Timestamp,
};

use super::columns::clean;
use crate::store::StoreError;

/// What may be seen for the first time.
pub const ASPECTS: [&str; 4] = ["client", "hour", "model", "network"];
/// The longest name of a model or a client that is told apart.
const LONGEST: usize = 120;
const HOUR: i64 = 3_600_000_000;

/// Something that was seen for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Of whom.
    pub principal: String,
    /// With which credential; empty: with a token.
    pub credential: String,
    /// One of [`ASPECTS`].
    pub aspect: String,
    /// Which.
    pub value: String,
    /// When.
    pub first: Timestamp,
}

/// A row, as a batch leads to it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct Seen<'a> {
    pub(in crate::store) tenant: Cow<'a, str>,
    pub(in crate::store) principal: Cow<'a, str>,
    pub(in crate::store) credential: &'a str,
    pub(in crate::store) aspect: &'static str,
    pub(in crate::store) value: String,
}

/// Everything that a batch may see for the first time, each once with its earliest moment, in one order whoever asks, so that
/// two batches never wait for each other.
pub(in crate::store) fn seen_in(records: &[AuditRecord]) -> BTreeMap<Seen<'_>, i64> {
    let mut all = BTreeMap::new();
    for record in records {
        let (Some(tenant), Some(principal)) = (&record.tenant, &record.principal) else {
            continue;
        };
        let time = record.time.as_micros();
        let model = record
            .model_served
            .as_deref()
            .or(record.model_requested.as_deref());
        let values = [
            (
                "model",
                model.filter(|_| record.outcome == Outcome::Allowed).map(cut),
            ),
            ("network", record.client.map(network)),
            ("client", record.user_agent.as_deref().and_then(product)),
            ("hour", Some((time.rem_euclid(24 * HOUR) / HOUR).to_string())),
        ];
        for (aspect, value) in values {
            let Some(value) = value else { continue };
            let seen = Seen {
                tenant: clean(tenant),
                principal: clean(principal),
                credential: record.credential.as_ref().map_or("", |id| id.as_str()),
                aspect,
                value,
            };
            let first = all.entry(seen).or_insert(time);
            *first = time.min(*first);
        }
    }
    all
}

fn cut(text: &str) -> String {
    clean(text).chars().take(LONGEST).collect()
}

/// The network of an address, as providers give them to one customer: /24, or /48.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

/// The name of a client without its version, which changes all the time.
fn product(user_agent: &str) -> Option<String> {
    let name = user_agent.split(|one: char| one.is_ascii_digit()).next()?;
    let name = name.trim_end_matches(|one: char| !one.is_ascii_alphanumeric());
    (!name.is_empty()).then(|| cut(name))
}

/// Two of the statements, for tables whose names begin with this.
pub(in crate::store) mod sql {
    /// What principals saw for the first time in a span, whoever of their credentials it was; of those that were seen before
    /// a moment.
    pub(in crate::store) fn unexpected(schema: &str) -> String {
        format!(
            "SELECT principal, credential, aspect, value, first_us FROM {schema}sights AS s
            WHERE tenant = $1 AND first_us >= $2 AND first_us < $3
                AND NOT EXISTS (SELECT 1 FROM {schema}sights AS o WHERE o.tenant = s.tenant
                    AND o.principal = s.principal AND o.aspect = s.aspect AND o.value = s.value
                    AND o.first_us < s.first_us)
                AND EXISTS (SELECT 1 FROM {schema}sights AS o WHERE o.tenant = s.tenant
                    AND o.principal = s.principal AND o.first_us < $4)
            ORDER BY first_us, principal, aspect, value LIMIT 10000"
        )
    }

    /// Networks and clients that credentials came from for the first time since a moment, of those that were seen before it.
    pub(in crate::store) fn shadows(schema: &str) -> String {
        format!(
            "SELECT principal, credential, aspect, value, first_us FROM {schema}sights AS s
            WHERE tenant = $1 AND first_us >= $2 AND credential <> '' AND aspect IN ('client', 'network')
                AND EXISTS (SELECT 1 FROM {schema}sights AS o WHERE o.tenant = s.tenant
                    AND o.principal = s.principal AND o.credential = s.credential AND o.first_us < $2)
            ORDER BY first_us DESC, credential, aspect, value LIMIT 1000"
        )
    }

    /// Credentials with the number of networks and clients that they ever came from, those with the most first.
    pub(in crate::store) fn spread(schema: &str) -> String {
        format!(
            "SELECT principal, credential,
                sum(CASE WHEN aspect = 'network' THEN 1 ELSE 0 END) AS networks,
                sum(CASE WHEN aspect = 'client' THEN 1 ELSE 0 END) AS clients
            FROM {schema}sights WHERE tenant = $1 AND credential <> '' GROUP BY principal, credential
            HAVING sum(CASE WHEN aspect = 'network' THEN 1 ELSE 0 END) >= 3
                AND sum(CASE WHEN aspect = 'client' THEN 1 ELSE 0 END) >= 2
            ORDER BY 3 DESC, 2 LIMIT 1000"
        )
    }
}

/// A credential that came from many places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    /// Whose.
    pub principal: String,
    /// Its id.
    pub credential: String,
    /// From so many networks.
    pub networks: i64,
    /// By so many clients.
    pub clients: i64,
}

/// Reads a sight.
pub(in crate::store) fn sight<R>(row: &R) -> Result<Sight, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(Sight {
        principal: row.try_get("principal")?,
        credential: row.try_get("credential")?,
        aspect: row.try_get("aspect")?,
        value: row.try_get("value")?,
        first: Timestamp::from_micros(row.try_get("first_us")?),
    })
}

/// Reads a spread.
pub(in crate::store) fn spread<R>(row: &R) -> Result<Spread, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(Spread {
        principal: row.try_get("principal")?,
        credential: row.try_get("credential")?,
        networks: row.try_get("networks")?,
        clients: row.try_get("clients")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_by_its_name_and_an_address_by_its_network() {
        assert_eq!(product("OpenAI/Python 1.2.3").as_deref(), Some("OpenAI/Python"));
        assert_eq!(product("curl/8.1").as_deref(), Some("curl"));
        assert_eq!(product("python-requests/2").as_deref(), Some("python-requests"));
        assert_eq!(product("42"), None);
        assert_eq!(network("192.0.2.77".parse().unwrap()), "192.0.2.0/24");
        assert_eq!(network("::ffff:192.0.2.77".parse().unwrap()), "192.0.2.0/24");
        assert_eq!(network("2001:db8:1:2::3".parse().unwrap()), "2001:db8:1::/48");
    }
}
