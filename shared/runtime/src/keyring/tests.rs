//! The keyring's promises: what opens, what does not, and what its errors say.

use super::*;

fn key(id: u32, fill: u8) -> String {
    format!("{id}:{}", STANDARD.encode([fill; 32]))
}

fn ring(text: &str) -> Keyring {
    text.parse().unwrap()
}

#[test]
fn a_generated_keyring_seals_and_opens() {
    let ring = Keyring::parse(&Keyring::generate()).unwrap();
    let sealed = ring.seal("provider/openai-main", b"sk-upstream").unwrap();
    let text = sealed.to_string();
    assert!(!text.contains("sk-upstream"));
    let opened = ring.open("provider/openai-main", &text.parse().unwrap()).unwrap();
    assert_eq!(opened.expose(), b"sk-upstream");
}

#[test]
fn an_altered_or_moved_sealed_value_does_not_open() {
    let ring = ring(&key(1, 7));
    let sealed = ring.seal("here", b"value").unwrap();
    assert_eq!(ring.open("there", &sealed).unwrap_err(), SealError::Damaged);
    for index in 0..sealed.bytes.len() {
        let mut altered = sealed.clone();
        altered.bytes[index] ^= 1;
        assert_eq!(
            ring.open("here", &altered).unwrap_err(),
            SealError::Damaged,
            "byte {index}"
        );
        altered.bytes.truncate(index);
        assert_eq!(
            ring.open("here", &altered).unwrap_err(),
            SealError::Damaged,
            "cut at {index}"
        );
    }
}

#[test]
fn a_value_never_seals_to_the_same_bytes_twice() {
    let ring = ring(&key(1, 7));
    assert_ne!(
        ring.seal("p", b"value").unwrap(),
        ring.seal("p", b"value").unwrap()
    );
}

#[test]
fn an_older_key_still_opens_after_a_rotation_and_a_removed_one_does_not() {
    let before = ring(&key(1, 7));
    let sealed = before.seal("p", b"value").unwrap();
    let rotated = ring(&format!("{},{}", key(2, 8), key(1, 7)));
    assert_eq!(rotated.open("p", &sealed).unwrap().expose(), b"value");
    assert_eq!(rotated.seal("p", b"value").unwrap().key, 2);
    let removed = ring(&key(2, 8));
    assert_eq!(removed.open("p", &sealed).unwrap_err(), SealError::UnknownKey(1));
}

#[test]
fn edge_tokens_of_every_key_are_accepted_and_others_are_not() {
    let (old, new) = (ring(&key(1, 7)), ring(&key(2, 8)));
    let both = ring(&format!("{},{}", key(2, 8), key(1, 7)));
    assert!(both.accepts_edge_token(old.edge_token().expose()));
    assert!(both.accepts_edge_token(both.edge_token().expose()));
    assert!(!new.accepts_edge_token(old.edge_token().expose()));
    assert!(!both.accepts_edge_token(""));
}

#[test]
fn peppers_differ_by_key_and_come_active_first() {
    let peppers = ring(&format!("{},{}", key(2, 8), key(1, 7))).peppers();
    assert_eq!(peppers.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [2, 1]);
    assert_ne!(peppers[0].1, peppers[1].1);
    assert_ne!(peppers[1].1, [7; 32], "a pepper is not the root key");
}

#[test]
fn a_bad_keyring_is_refused_with_advice_and_without_its_content() {
    let short = STANDARD.encode([1; 16]);
    let cases = [
        ("", "is empty"),
        ("  ", "is empty"),
        ("hunter2", "no colon"),
        ("x:hunter2", "not a whole number"),
        ("1:hunter2!", "not base64"),
        (&format!("1:{short}"), "not 32 bytes"),
        (&format!("{},2:hunter2!", key(1, 7)), "entry 2"),
    ];
    for (text, expected) in cases {
        let message = text.parse::<Keyring>().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("turnpike keyring generate"), "{message}");
        assert!(
            !message.contains("hunter2") && !message.contains(&short),
            "{message}"
        );
    }
    let twice = format!("{},{}", key(1, 7), key(1, 8)).parse::<Keyring>();
    assert_eq!(twice.unwrap_err(), KeyringError::Duplicate(1));
}

#[test]
fn a_keyring_shows_its_numbers_only() {
    assert_eq!(format!("{:?}", ring(&key(12, 7))), "[12]");
}

#[test]
fn text_that_is_not_sealed_is_refused() {
    for text in ["", "sealed", "sealed:1", "sealed:x:AA", "sealed:1:!", "open:1:AA"] {
        assert_eq!(
            text.parse::<Sealed>().unwrap_err(),
            SealError::Malformed,
            "{text}"
        );
    }
}
