//! Versions that differ by one minor version understand each other: what was released stays on the wire as it was, and what
//! is added is passed over by whoever does not know it.
//!
//! `released/0.1.0` holds the schema of that version, a line for each field, value and method, and messages as it encoded them.
//! A release adds a folder; nothing in one changes. `TURNPIKE_RECORD=1` writes what is missing in the newest.

use std::{collections::BTreeSet, fs, path::PathBuf};

use prost::Message;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorSet, field_descriptor_proto::Label};
use turnpike_access::{
    event::Event,
    id::Timestamp,
    log::{Head, Origin, Recorded},
    tenant::TenantSettings,
};

use crate::{
    DESCRIPTORS, audit,
    sync::{self, v1},
};

const RELEASED: [&str; 1] = ["0.1.0"];

fn path(version: &str, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("released")
        .join(version)
        .join(name)
}

/// What a file of a version holds; the newest version's may be written first.
fn recorded(version: &str, name: &str, today: &str) -> String {
    let path = path(version, name);
    let newest = RELEASED.last() == Some(&version);
    if newest && !path.exists() && std::env::var_os("TURNPIKE_RECORD").is_some() {
        fs::write(&path, today).unwrap();
    }
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A line for everything that others rely on.
fn schema() -> BTreeSet<String> {
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap().file;
    let mut lines = BTreeSet::new();
    for file in files
        .iter()
        .filter(|file| file.package().starts_with("turnpike."))
    {
        let within = format!(".{}", file.package());
        file.message_type
            .iter()
            .for_each(|message| tell_message(&within, message, &mut lines));
        file.enum_type
            .iter()
            .for_each(|kind| tell_enum(&within, kind, &mut lines));
        for service in &file.service {
            for method in &service.method {
                let stream = |streams: bool| if streams { "stream " } else { "" };
                lines.insert(format!(
                    "{within}.{}.{} {}{} -> {}{}",
                    service.name(),
                    method.name(),
                    stream(method.client_streaming()),
                    method.input_type(),
                    stream(method.server_streaming()),
                    method.output_type(),
                ));
            }
        }
    }
    lines
}

fn tell_message(within: &str, message: &DescriptorProto, lines: &mut BTreeSet<String>) {
    let name = format!("{within}.{}", message.name());
    for field in &message.field {
        let label = match field.label() {
            Label::Repeated => "repeated ",
            _ if field.proto3_optional() => "optional ",
            _ => "",
        };
        let kind = match field.type_name() {
            "" => field.r#type().as_str_name(),
            named => named,
        };
        lines.insert(format!(
            "{name} {} {label}{kind} {}",
            field.number(),
            field.name()
        ));
    }
    message
        .nested_type
        .iter()
        .for_each(|nested| tell_message(&name, nested, lines));
    message
        .enum_type
        .iter()
        .for_each(|kind| tell_enum(&name, kind, lines));
}

fn tell_enum(within: &str, kind: &EnumDescriptorProto, lines: &mut BTreeSet<String>) {
    for value in &kind.value {
        lines.insert(format!(
            "{within}.{} {} {}",
            kind.name(),
            value.number(),
            value.name()
        ));
    }
}

#[test]
fn nothing_that_was_released_has_gone_from_the_wire_or_means_something_else() {
    let today = schema();
    let text = today.iter().fold(String::new(), |text, line| text + line + "\n");
    for version in RELEASED {
        let then = recorded(version, "schema.txt", &text);
        let gone: Vec<_> = then.lines().filter(|line| !today.contains(*line)).collect();
        assert!(gone.is_empty(), "of {version} there is no more: {gone:#?}");
    }
}

/// Two events of one tenant.
fn events() -> Vec<Recorded> {
    let mut head = Head::default();
    let record = |event: Event| {
        let encoded = event.encode().unwrap();
        let origin = Origin {
            time: Timestamp::from_micros(1_750_000_000_000_000),
            tenant: "acme".parse().unwrap(),
            actor: "platform/user:root".into(),
            correlation: "released".into(),
        };
        let recorded = Recorded::after(head, origin, encoded.kind, encoded.version, encoded.payload);
        head = recorded.head();
        recorded
    };
    [
        Event::TenantCreated(TenantSettings::default()),
        Event::TeamCreated {
            name: "payments".parse().unwrap(),
            profile: Default::default(),
        },
    ]
    .map(record)
    .to_vec()
}

fn report() -> v1::Report {
    v1::Report {
        edge: "eu-1".to_owned(),
        region: "eu".to_owned(),
        version: "0.1.0".to_owned(),
        applied: 2,
        applied_time_us: 1_750_000_000_000_001,
        halted: "why".to_owned(),
        goodbye: true,
        epoch: 7,
        identity_key: "key".to_owned(),
        identity_proof: vec![1, 2, 3],
        number: 9,
        statement: "statement".to_owned(),
        certain_ago_us: Some(0),
    }
}

fn notice() -> v1::Notice {
    v1::Notice {
        head: Some(sync::head(events()[1].head(), Timestamp::from_micros(5))),
        keys: vec![v1::VerifyingKey {
            id: "0123456789abcdef".to_owned(),
            key: vec![7; 32],
        }],
        heard: 9,
    }
}

fn upload() -> audit::v1::Batch {
    audit::v1::Batch {
        edge: "eu-1".to_owned(),
        epoch: 7,
        first: 3,
        ..Default::default()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n"
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.trim().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// A field that nobody knows yet, as a number and as bytes.
const ADDED: [u8; 11] = [0xc0, 0x3e, 0x2a, 0xca, 0x3e, 0x05, b'n', b'e', b'w', b'e', b'r'];

/// Both ways: what a version encoded is read as what was meant, and what is encoded today is what that version encoded.
fn understood<M: Message + Default + PartialEq + std::fmt::Debug>(name: &str, message: &M) {
    let today = message.encode_to_vec();
    for version in RELEASED {
        let then = unhex(&recorded(version, name, &hex(&today)));
        assert_eq!(
            &M::decode(then.as_slice()).unwrap(),
            message,
            "{name} of {version}"
        );
        assert_eq!(today, then, "{name}: {version} would not read what is sent today");
    }
    let newer = [today.as_slice(), &ADDED].concat();
    assert_eq!(
        &M::decode(newer.as_slice()).unwrap(),
        message,
        "{name} of a newer version"
    );
}

#[test]
fn messages_of_the_version_before_mean_the_same_and_it_reads_those_of_today() {
    understood("batch.hex", &sync::batch(&events()));
    understood(
        "head.hex",
        &sync::head(events()[1].head(), Timestamp::from_micros(5)),
    );
    understood("report.hex", &report());
    understood("notice.hex", &notice());
    understood("changes.hex", &v1::ChangesRequest { after: 41 });
    understood(
        "chunk.hex",
        &v1::SnapshotChunk {
            head: Some(sync::head(Head::default(), Timestamp::from_micros(5))),
            lines: b"{}\n".to_vec(),
        },
    );
    understood("upload.hex", &upload());
    understood(
        "acknowledgement.hex",
        &audit::v1::Acknowledgement { epoch: 7, stored: 3 },
    );
}

#[test]
fn events_of_a_newer_version_are_read_with_what_was_added_passed_over() {
    let batch = sync::batch(&events());
    let mut bytes = Vec::new();
    for event in &batch.events {
        let event = [event.encode_to_vec(), ADDED.to_vec()].concat();
        prost::encoding::bytes::encode(1, &event, &mut bytes);
    }
    let read = sync::read_batch(v1::Batch::decode(bytes.as_slice()).unwrap()).unwrap();
    assert_eq!(read, events());
}
