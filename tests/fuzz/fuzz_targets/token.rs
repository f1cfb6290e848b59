//! Tokens as somebody presents them: what is accepted has one form alone, and nothing of it is shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turnpike_access::jws::{self, Jws, TOKEN_LIMIT};

fuzz_target!(|text: &str| {
    let _ = jws::object(text.as_bytes());
    let Ok(jws) = Jws::parse(text) else { return };
    assert!(Jws::is_meant(text) && text.len() <= TOKEN_LIMIT && !jws.signature.is_empty());
    assert_eq!(format!("{}.{}", jws.signed, jws.signature), text);
    assert!(
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    );
    if let Ok(claims) = jws.claims() {
        // What was read is read again from its own text: nothing stood in it twice.
        assert!(jws::object(claims.to_string().as_bytes()).is_ok());
    }
});
