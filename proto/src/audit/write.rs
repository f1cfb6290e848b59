//! Writes an audit record in its wire form without making the message first, which would copy every text once more.
//!
//! The bytes are those of `v1::Record::from(record)`, which a test holds this to.

use std::net::{IpAddr, Ipv4Addr};

use turnpike_access::audit::{AuditRecord, Billing, TokenFacts, Usage};

use super::v1;

/// Wire types (protobuf encoding, "message structure").
const VARINT: u32 = 0;
const LENGTH_DELIMITED: u32 = 2;

/// Appends the record's wire form.
#[expect(
    clippy::too_many_lines,
    reason = "one line for each field of the record, twice"
)]
pub fn write(record: &AuditRecord, out: &mut Vec<u8>) {
    let AuditRecord {
        time,
        request_id,
        decision_id,
        trace_id,
        tenant,
        principal,
        credential,
        auth_method,
        token,
        route,
        action,
        subject,
        resource,
        model_requested,
        model_served,
        fallback_from,
        provider,
        environment,
        outcome,
        reason,
        grants,
        status,
        upstream_status,
        latency_us,
        first_token_us,
        usage,
        billing,
        streamed,
        ending,
        client,
        user_agent,
        metadata,
        region,
        position,
    } = record;
    let Usage {
        input,
        output,
        cached,
        reasoning,
    } = usage;
    let mut fields = Fields(out);
    fields.number(1, time.as_micros().cast_unsigned());
    fields.text(2, request_id);
    fields.known(3, decision_id.as_deref());
    fields.known(4, trace_id.as_deref());
    fields.known(5, tenant.as_deref());
    fields.known(6, principal.as_deref());
    fields.known(7, credential.as_ref().map(|credential| credential.as_str()));
    fields.known(8, auth_method.as_deref());
    fields.text(9, route);
    fields.known(10, action.as_deref());
    fields.known(11, model_requested.as_deref());
    fields.known(12, model_served.as_deref());
    fields.known(13, fallback_from.as_deref());
    fields.known(14, provider.as_deref());
    fields.known(15, environment.as_deref());
    fields.choice(16, v1::Outcome::from(*outcome).into());
    fields.text(17, reason);
    for grant in grants {
        fields.bytes(18, grant.as_str().as_bytes());
    }
    fields.number(19, u64::from(*status));
    fields.given(20, upstream_status.map(u64::from));
    fields.number(21, *latency_us);
    fields.given(22, *first_token_us);
    fields.given(23, *input);
    fields.given(24, *output);
    fields.given(25, *cached);
    fields.given(26, *reasoning);
    fields.number(27, u64::from(*streamed));
    fields.choice(28, v1::Ending::from(*ending).into());
    fields.address(29, *client);
    fields.known(30, user_agent.as_deref());
    // In the order of the keys, which is the one of whoever writes the record again from what a database holds of it.
    match metadata.as_slice() {
        [] => {}
        [(key, value)] => fields.pair(31, key, value),
        pairs => {
            let mut sorted: Vec<_> = pairs.iter().collect();
            sorted.sort_unstable();
            for (key, value) in sorted {
                fields.pair(31, key, value);
            }
        }
    }
    fields.text(32, region);
    fields.number(33, *position);
    if let Some(token) = token {
        fields.token(token);
    }
    fields.known(39, resource.as_deref());
    fields.known(40, subject.as_deref());
    fields.billing(billing);
}

/// The fields of a message, appended in the order of their numbers.
struct Fields<'o>(&'o mut Vec<u8>);

impl Fields<'_> {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn key(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    /// A number that is left out where it is zero.
    fn number(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.given(field, Some(value));
        }
    }

    /// A number that is left out where it is not known.
    fn given(&mut self, field: u32, value: Option<u64>) {
        if let Some(value) = value {
            self.key(field, VARINT);
            self.varint(value);
        }
    }

    fn choice(&mut self, field: u32, value: i32) {
        self.number(field, i64::from(value).cast_unsigned());
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, LENGTH_DELIMITED);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
    }

    fn known(&mut self, field: u32, text: Option<&str>) {
        self.text(field, text.unwrap_or_default());
    }

    /// An entry of a map: a message of key and value.
    fn pair(&mut self, field: u32, key: &str, value: &str) {
        let mut entry = Vec::with_capacity(key.len() + value.len() + 8);
        let mut fields = Fields(&mut entry);
        fields.text(1, key);
        fields.text(2, value);
        self.bytes(field, &entry);
    }

    fn token(&mut self, token: &TokenFacts) {
        let TokenFacts {
            issuer,
            claim,
            groups,
            groups_cut,
            id,
        } = token;
        self.text(34, issuer);
        self.text(35, claim);
        for group in groups.iter() {
            self.bytes(36, group.as_bytes());
        }
        self.number(37, u64::from(*groups_cut));
        self.known(38, id.as_deref());
    }

    fn billing(&mut self, billing: &Billing) {
        let Billing {
            team,
            cost_nanos,
            saved_nanos,
        } = billing;
        self.known(50, team.as_deref());
        self.given(51, *cost_nanos);
        // `sint64`: the sign is in the lowest bit.
        self.given(
            52,
            saved_nanos.map(|saved| (saved << 1 ^ saved >> 63).cast_unsigned()),
        );
    }

    fn address(&mut self, field: u32, address: Option<IpAddr>) {
        match address {
            Some(IpAddr::V4(address)) => self.ipv4(field, address),
            Some(address) => self.text(field, &address.to_string()),
            None => {}
        }
    }

    /// Nearly every request has one, and the library's way to write it is slow.
    fn ipv4(&mut self, field: u32, address: Ipv4Addr) {
        let mut text = [b'.'; 15];
        let mut length = 0;
        let mut put = |byte| {
            // Fits: four numbers of three digits and three dots.
            if let Some(place) = text.get_mut(length) {
                *place = byte;
            }
            length += 1;
        };
        for (place, octet) in address.octets().into_iter().enumerate() {
            if place > 0 {
                put(b'.');
            }
            if octet >= 100 {
                put(b'0' + octet / 100);
            }
            if octet >= 10 {
                put(b'0' + octet / 10 % 10);
            }
            put(b'0' + octet % 10);
        }
        self.bytes(field, text.get(..length).unwrap_or_default());
    }
}
