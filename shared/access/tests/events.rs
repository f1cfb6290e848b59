//! Every event ever released, as it was recorded: each is read for ever, and means what it meant.
//!
//! A file under `events/` holds recordings of one kind and version. Add files and recordings; never change one.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde::Deserialize;
use turnpike_access::event::Event;

#[derive(Deserialize)]
struct Fixture {
    kind: String,
    version: u16,
    payload: String,
}

fn files() -> Vec<(String, Vec<Fixture>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/events");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (
            name,
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap(),
        )
    };
    fs::read_dir(folder).unwrap().map(read).collect()
}

#[test]
fn every_released_event_is_read_and_written_back_unchanged() {
    for (name, fixtures) in files() {
        for fixture in fixtures {
            assert_eq!(name, format!("{}.v{}", fixture.kind, fixture.version));
            let event = Event::decode(&fixture.kind, fixture.version, &fixture.payload)
                .unwrap_or_else(|error| panic!("{name}: {error}\n{}", fixture.payload));
            let encoded = event.encode().unwrap();
            assert_eq!(
                (encoded.kind.as_ref(), encoded.version),
                (fixture.kind.as_str(), fixture.version)
            );
            // By value: the order of fields is no part of the promise.
            let [was, is] = [fixture.payload.as_str(), encoded.payload.as_ref()]
                .map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
            assert_eq!(is, was, "{name}");
            let again = Event::decode(&encoded.kind, encoded.version, &encoded.payload).unwrap();
            assert_eq!(again, event, "{name}");
        }
    }
}

#[test]
fn every_event_that_can_happen_has_a_recording() {
    let source = include_str!("../src/event.rs");
    let names = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("#[serde(rename = \""));
    let known: BTreeSet<_> = names
        .map(|rest| rest.trim_end_matches("\")]").to_owned())
        .collect();
    let recorded: BTreeSet<_> = files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(recorded, known);
}

#[test]
fn a_recording_with_a_field_that_is_not_known_is_refused() {
    for (name, fixtures) in files() {
        for fixture in fixtures {
            let mut payload: serde_json::Value = serde_json::from_str(&fixture.payload).unwrap();
            payload["unheard_of"] = true.into();
            let read = Event::decode(&fixture.kind, fixture.version, &payload.to_string());
            assert!(read.is_err(), "{name}: {read:?}");
        }
    }
}
