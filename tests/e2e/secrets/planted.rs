//! What must be nowhere, in the forms that it could be written in, and where it is looked for.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use turnpike_runtime::{keyring::Keyring, secret::Secret};
use turnpike_tests::{collector::Collector, production::Production};

use super::told::Told;

/// Files whose purpose is to hold a secret. They are for their owner alone.
const KEPT: [&str; 2] = ["bootstrap.token", "identity.key"];
/// What every canary is longer than.
const START: usize = 8;

/// Canaries: what each is, and its bytes.
#[derive(Default)]
pub(super) struct Planted(Vec<(&'static str, Vec<u8>)>);

impl Planted {
    /// A text, as it is, in base64 and as the hexadecimal digits of a dumped column.
    pub(super) fn text(&mut self, what: &'static str, text: &str) {
        self.bytes(what, text.as_bytes());
    }

    /// The same of bytes.
    fn bytes(&mut self, what: &'static str, bytes: &[u8]) {
        assert!(bytes.len() > START, "{what} is too short to be looked for");
        let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        for form in [
            bytes.to_vec(),
            STANDARD_NO_PAD.encode(bytes).into_bytes(),
            URL_SAFE_NO_PAD.encode(bytes).into_bytes(),
            hexadecimal.into_bytes(),
        ] {
            self.0.push((what, form));
        }
    }

    /// User and password as they are sent over HTTP.
    pub(super) fn basic(&mut self, what: &'static str, user: &str, password: &str) {
        self.text(what, &STANDARD_NO_PAD.encode(format!("{user}:{password}")));
    }

    /// The part of a key of Turnpike's that is secret.
    pub(super) fn turnpike_key(&mut self, what: &'static str, key: &str) {
        self.text(what, key.split('_').nth(3).unwrap());
    }

    /// A private key of Ed25519 in PKCS #8 (RFC 8410): all of it, and the 32 bytes that are secret.
    fn private_key(&mut self, what: &'static str, pkcs8: &[u8]) {
        const BEFORE: [u8; 4] = [0x04, 0x22, 0x04, 0x20];
        self.bytes(what, pkcs8);
        let at = pkcs8.windows(4).position(|window| window == BEFORE).unwrap() + 4;
        self.bytes(what, &pkcs8[at..at + 32]);
    }

    /// The keys that sign tokens, what goes over the bus and identity headers; opened as a thief with the keyring would.
    pub(super) async fn sealed_keys(&mut self, production: &Production) {
        let opened = |purpose: &str, sealed: &str| {
            let keyring = Keyring::parse(&Secret::new(production.keyring())).unwrap();
            keyring.open(purpose, &sealed.parse().unwrap()).unwrap()
        };
        let column = |table: &str| format!("select convert_from(sealed, 'UTF8') from turnpike.{table}");
        let token_keys = production.database.texts(&column("token_keys")).await;
        let bus_keys = production.database.texts(&column("signing_keys")).await;
        assert!(!token_keys.is_empty() && !bus_keys.is_empty());
        for sealed in token_keys {
            let key = opened("turnpike.token.signing-key.v1", &sealed);
            self.private_key("a key that signs tokens", key.expose());
        }
        for sealed in bus_keys {
            let seed = opened("turnpike.bus.signing-key.v1", &sealed);
            self.bytes("a key that signs for the bus", seed.expose());
        }
        for edge in &production.edges {
            let file = production
                .folder()
                .join(format!("edge-{}/identity.key", edge.region));
            self.private_key("an edge's identity key", &fs::read(file).unwrap());
        }
    }

    /// The keys that wait for somebody to pick them up.
    pub(super) async fn held_keys(&mut self, production: &Production) {
        let keyring = Keyring::parse(&Secret::new(production.keyring())).unwrap();
        let held = "select tenant || '/' || credential || ' ' || sealed from turnpike.held_keys";
        let held = production.database.texts(held).await;
        assert!(!held.is_empty());
        for row in held {
            let (whose, sealed) = row.split_once(' ').unwrap();
            let key = keyring
                .open(&format!("held-key/{whose}"), &sealed.parse().unwrap())
                .unwrap();
            self.turnpike_key("a held key", key.to_text().unwrap().expose());
        }
    }

    /// Which of them are in some bytes. One pass over the bytes: places are large and canaries many.
    fn found_in(&self, bytes: &[u8]) -> BTreeSet<&'static str> {
        let mut by_start: HashMap<&[u8], Vec<&(&'static str, Vec<u8>)>> = HashMap::new();
        let mut firsts = [false; 256 * 256];
        let mark = |start: &[u8]| usize::from(start[0]) * 256 + usize::from(start[1]);
        for canary in &self.0 {
            let start = &canary.1[..START];
            firsts[mark(start)] = true;
            by_start.entry(start).or_default().push(canary);
        }
        let starts = bytes
            .windows(START)
            .enumerate()
            .filter(|(_, window)| firsts[mark(window)]);
        let likely = starts.filter_map(|(at, window)| Some((at, by_start.get(window)?)));
        likely
            .flat_map(|(at, canaries)| {
                canaries
                    .iter()
                    .filter(move |(_, whole)| bytes[at..].starts_with(whole))
            })
            .map(|(what, _)| *what)
            .collect()
    }

    /// That a search finds whatever there is.
    fn assert_findable(&self) {
        let all: Vec<u8> = self
            .0
            .iter()
            .flat_map(|(_, form)| [form.as_slice(), b" "].concat())
            .collect();
        let planted: BTreeSet<_> = self.0.iter().map(|(what, _)| *what).collect();
        assert_eq!(self.found_in(&all), planted);
    }
}

/// What makes a token worth something, but for its last bytes, which were cut from it here and there.
pub(super) fn last_part(token: &str) -> &str {
    let part = token.rsplit('.').next().unwrap();
    &part[..part.len() - 2]
}

/// Ends everything, so that what is in memory is written down, and looks everywhere.
pub(super) async fn assert_nowhere(
    production: &mut Production,
    collector: &Collector,
    told: &Told,
    planted: Planted,
) {
    planted.assert_findable();
    for edge in &mut production.edge_processes {
        edge.terminate().await;
    }
    production.control_plane.terminate().await;
    let mut places = vec![
        (
            "the database".to_owned(),
            production.database.dump().await.into_bytes(),
        ),
        ("the exported traces".to_owned(), collector.traces().into_bytes()),
        (
            "the exported metrics".to_owned(),
            collector.metrics().into_bytes(),
        ),
    ];
    let answers = told.answers.iter().map(|answer| format!("{answer:?}"));
    let answers = answers.chain(told.others.iter().cloned());
    places.extend(answers.map(|answer| (format!("the answer {answer}"), answer.into_bytes())));
    files_of(production.folder(), &mut places);
    for name in [
        "edge-eu.log",
        "control-plane.log",
        "nats-server.log",
        "the database",
    ] {
        let mut found = places.iter().filter(|(place, _)| place.ends_with(name));
        assert!(found.any(|(_, bytes)| !bytes.is_empty()), "{name} is empty");
    }
    let told_of = |place: &str, word: &str| {
        let (_, bytes) = places.iter().find(|(name, _)| name.ends_with(place)).unwrap();
        assert!(
            memchr::memmem::find(bytes, word.as_bytes()).is_some(),
            "nothing of {word} is in {place}"
        );
    };
    told_of("traces", "/v1/chat/completions");
    told_of("metrics", "turnpike.decisions");
    told_of("control-plane.log", "DEBUG");
    let leaks: Vec<_> = places
        .iter()
        .flat_map(|(place, bytes)| {
            planted
                .found_in(bytes)
                .into_iter()
                .map(move |what| format!("{what} is in {place}"))
        })
        .collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}

/// Every file below a folder, but for those that are kept for their owner alone.
fn files_of(folder: &Path, places: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_of(&path, places);
        } else if KEPT.iter().any(|name| path.ends_with(name)) {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        } else {
            places.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
        }
    }
}
