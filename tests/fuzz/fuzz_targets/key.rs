//! Keys as somebody presents them: no text makes the parser panic, and a key that was written is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turnpike_access::{
    credential::{KeyKind, PresentedKey, write_key},
    id::Id,
};

fuzz_target!(|text: &str| {
    if let Ok(key) = PresentedKey::parse(text) {
        assert!(text.contains(key.id().as_str()));
        assert!(!format!("{key:?}").contains(&text[text.len() - 50..]));
    }
    let Some(secret) = text
        .get(..43)
        .filter(|secret| secret.bytes().all(|b| b.is_ascii_alphanumeric()))
    else {
        return;
    };
    let id = Id::from_random(u128::from(
        secret
            .bytes()
            .fold(0u64, |sum, b| sum.rotate_left(7) ^ u64::from(b)),
    ));
    for kind in [KeyKind::PersonalAccessToken, KeyKind::VirtualAccount] {
        let written = write_key(kind, id, secret);
        let read = PresentedKey::parse(&written).unwrap();
        assert_eq!((read.kind(), read.id()), (kind, id));
    }
});
