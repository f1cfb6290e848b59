//! Texts with keys in them: no bytes make the search panic, what it finds are keys, and a key that is put in is found.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turnpike_access::{
    credential::{KeyKind, PresentedKey, write_key},
    id::Id,
    leak,
};

const SECRET: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";

fuzz_target!(|text: &[u8]| {
    let mut after = 0;
    for found in leak::keys(text) {
        assert!(after <= found.start && found.start < found.end);
        after = found.end;
        let key = std::str::from_utf8(&text[found.start..found.end]).unwrap();
        assert_eq!(PresentedKey::parse(key).unwrap().id(), found.key.id());
    }
    // Wherever a key is put, it is found, unless what stood before it reaches into it and is a key itself.
    let id = Id::from_random(text.len() as u128);
    let written = write_key(KeyKind::VirtualAccount, id, SECRET);
    let (before, behind) = text.split_at(text.len() / 2);
    let whole = [before, written.as_bytes(), behind].concat();
    let there = before.len()..before.len() + written.len();
    assert!(leak::keys(&whole).any(|found| found.start < there.end && there.start < found.end));
});
