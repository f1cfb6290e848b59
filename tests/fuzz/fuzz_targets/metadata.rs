//! The metadata header: what is accepted keeps within its limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turnpike_fuzz::proxy::metadata::{MAX_KEY, MAX_PAIRS, MAX_VALUE, parse};

fuzz_target!(|value: &[u8]| {
    let Ok(pairs) = parse(value) else { return };
    assert!(pairs.len() <= MAX_PAIRS);
    for (key, value) in &pairs {
        assert!((1..=MAX_KEY).contains(&key.len()) && value.len() <= MAX_VALUE);
        assert_eq!(pairs.iter().filter(|(other, _)| other == key).count(), 1);
    }
});
