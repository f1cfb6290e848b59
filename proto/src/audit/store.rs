//! Which records a database keeps as they are.

use prost::Message as _;

use super::v1;

/// Whether every text and number of a record can be kept as it is: no NUL, and nothing beyond 63 bits.
pub fn is_storable(bytes: &[u8]) -> bool {
    v1::Record::decode(bytes).is_ok_and(|record| texts_are(&record) && numbers_are(&record))
}

fn texts_are(record: &v1::Record) -> bool {
    let texts = [
        &record.request_id,
        &record.decision_id,
        &record.trace_id,
        &record.tenant,
        &record.principal,
        &record.credential,
        &record.auth_method,
        &record.route,
        &record.action,
        &record.model_requested,
        &record.model_served,
        &record.fallback_from,
        &record.provider,
        &record.environment,
        &record.reason,
        &record.client,
        &record.user_agent,
        &record.region,
        &record.team,
        &record.issuer,
        &record.claim,
        &record.token_id,
        &record.resource,
        &record.subject,
    ];
    let lists = record.grants.iter().chain(&record.groups);
    let pairs = record.metadata.iter().flat_map(|(key, value)| [key, value]);
    texts
        .into_iter()
        .chain(lists)
        .chain(pairs)
        .all(|text| !text.contains('\0'))
}

fn numbers_are(record: &v1::Record) -> bool {
    let numbers = [
        Some(record.latency_us),
        record.first_token_us,
        record.input_tokens,
        record.output_tokens,
        record.cached_tokens,
        record.reasoning_tokens,
        record.cost_nanos,
        Some(record.position),
    ];
    numbers
        .into_iter()
        .flatten()
        .all(|number| i64::try_from(number).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_database_would_change_is_not_storable() {
        let plain = v1::Record {
            request_id: "a".to_owned(),
            cached_tokens: Some(0),
            ..v1::Record::default()
        };
        assert!(is_storable(&plain.encode_to_vec()));
        let mut metadata = plain.clone();
        metadata.metadata.insert("k".to_owned(), "\0".to_owned());
        let mut cost = plain.clone();
        cost.cost_nanos = Some(u64::MAX);
        for other in [metadata, cost] {
            assert!(!is_storable(&other.encode_to_vec()));
        }
        assert!(!is_storable(b"no record"));
    }
}
