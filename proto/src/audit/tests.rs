//! Audit records come back from the wire as they went.

use std::{net::IpAddr, sync::Arc};

use proptest::{collection::vec, option, prelude::*};
use prost::Message as _;
use turnpike_access::id::{Id, Timestamp};

use super::*;

fn text() -> impl Strategy<Value = Arc<str>> {
    ".{1,20}".prop_map(Arc::from)
}

fn id() -> impl Strategy<Value = Id> {
    any::<u128>().prop_map(Id::from_random)
}

fn usage() -> impl Strategy<Value = Usage> {
    any::<[Option<u64>; 4]>().prop_map(|[input, output, cached, reasoning]| Usage {
        input,
        output,
        cached,
        reasoning,
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Outcome::Allowed), Just(Outcome::Refused)]
}

fn ending() -> impl Strategy<Value = Ending> {
    proptest::sample::select(&Ending::ALL)
}

prop_compose! {
    fn token()(
        (issuer, claim, id) in (text(), text(), option::of(text())),
        groups in vec(text(), 0..3),
        groups_cut in any::<bool>(),
    ) -> Arc<TokenFacts> {
        Arc::new(TokenFacts { issuer, claim, groups, groups_cut, id })
    }
}

prop_compose! {
    fn record()(
        texts in vec(text(), 3),
        maybe in vec(option::of(text()), 14),
        (cost_nanos, saved_nanos) in any::<(Option<u64>, Option<i64>)>(),
        (credential, grants) in (option::of(id()), vec(id(), 0..3)),
        (status, upstream_status) in any::<(u16, Option<u16>)>(),
        (time, latency_us, first_token_us, position, streamed) in any::<(i64, u64, Option<u64>, u64, bool)>(),
        (usage, outcome, ending, client) in (usage(), outcome(), ending(), any::<Option<IpAddr>>()),
        token in option::of(token()),
        metadata in prop::collection::btree_map(text(), text(), 0..3),
    ) -> AuditRecord {
        AuditRecord {
            time: Timestamp::from_micros(time),
            request_id: texts[0].clone(),
            decision_id: maybe[0].clone(),
            trace_id: maybe[1].clone(),
            tenant: maybe[2].clone(),
            principal: maybe[3].clone(),
            credential,
            auth_method: maybe[4].clone(),
            token,
            route: texts[1].clone(),
            action: maybe[5].clone(),
            subject: maybe[13].clone(),
            resource: maybe[12].clone(),
            model_requested: maybe[6].clone(),
            model_served: maybe[7].clone(),
            fallback_from: maybe[8].clone(),
            provider: maybe[9].clone(),
            environment: maybe[10].clone(),
            outcome,
            reason: texts[2].clone(),
            grants,
            status,
            upstream_status,
            latency_us,
            first_token_us,
            usage,
            billing: Billing { team: maybe[13].clone(), cost_nanos, saved_nanos },
            streamed,
            ending,
            client,
            user_agent: maybe[11].clone(),
            metadata: metadata.into_iter().collect(),
            region: texts[0].clone(),
            position,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn records_survive_the_wire_unchanged(record in record()) {
        let bytes = v1::Record::from(&record).encode_to_vec();
        let mut written = Vec::new();
        write(&record, &mut written);
        prop_assert_eq!(&written, &bytes);
        let read = AuditRecord::try_from(v1::Record::decode(bytes.as_slice()).unwrap()).unwrap();
        prop_assert_eq!(read, record);
    }
}

#[test]
fn a_record_of_unknown_outcome_is_refused_with_its_batch() {
    let batch = v1::Batch {
        edge: "eu-1".to_owned(),
        records: vec![v1::Record::default().encode_to_vec()],
        ..Default::default()
    };
    let refused = Batch::try_from(batch).unwrap_err();
    assert_eq!(refused.field, "records.outcome");
}

/// A record as it was written before tokens were recorded: it stands in spools, and edges of that time send it.
const OLDER: &str = "088080f9c0c1c4820312057265715f311a056465635f312a0461636d65320a757365723a616c69636542036a77744a19504f53\
    54202f76312f636861742f636f6d706c6574696f6e73520e696e666572656e63652e636861748001018a01076772616e7465649801c801a0\
    01c801a801d209e001018202026575880207";

#[test]
fn a_record_of_an_older_edge_is_read_with_nothing_known_of_a_token() {
    let digits: Vec<_> = OLDER.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let bytes: Vec<u8> = digits.chunks(2).map(byte).collect();
    let read = AuditRecord::try_from(v1::Record::decode(bytes.as_slice()).unwrap()).unwrap();
    assert_eq!(
        (read.principal.as_deref(), read.status, read.position),
        (Some("user:alice"), 200, 7)
    );
    assert_eq!((read.token, read.resource, read.subject), (None, None, None));
}
