//! Recorded events: the first line is type and version, the rest the payload. What is read is written back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turnpike_access::event::Event;

fuzz_target!(|text: &str| {
    let Some((name, payload)) = text.split_once('\n') else {
        return;
    };
    let Some((kind, version)) = name.rsplit_once(".v") else {
        return;
    };
    let Ok(version) = version.parse() else { return };
    let Ok(event) = Event::decode(kind, version, payload) else {
        return;
    };
    let encoded = event.encode().unwrap();
    assert_eq!((encoded.kind.as_ref(), encoded.version), (kind, version));
    assert_eq!(Event::decode(kind, version, &encoded.payload).unwrap(), event);
});
