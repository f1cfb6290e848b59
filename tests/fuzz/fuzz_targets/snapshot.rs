//! Stored snapshots: what is read is written, and what was written is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turnpike_access::codec::{Decoder, encode};

fuzz_target!(|lines: &[u8]| {
    let mut decoder = Decoder::default();
    if decoder.feed(lines).is_err() {
        return;
    }
    let Ok(snapshot) = decoder.finish() else { return };
    // Records that came twice in one text are held once, so it is the text written from the state that must be read.
    let mut again = Decoder::default();
    encode::<serde_json::Error>(&snapshot, |line| {
        again.feed(line).unwrap();
        Ok(())
    })
    .unwrap();
    assert_eq!(again.finish().unwrap().head(), snapshot.head());
});
