//! Bodies of requests: what is accepted can be given another model, and is then read as having that one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turnpike_fuzz::proxy::body::{multipart, scan, splice};

fuzz_target!(|body: &[u8]| {
    let _ = multipart::find_model(body, "boundary");
    let Ok(found) = scan(body) else { return };
    for ask_usage in [false, true] {
        let model = found.model.as_ref().map(|_| "other/model");
        let spliced = splice(body, &found, model, ask_usage);
        let again = scan(&spliced).unwrap();
        assert_eq!(again.model.as_ref().map(|model| model.name.as_ref()), model);
        assert_eq!(
            (again.stream, again.max_tokens, again.n),
            (found.stream, found.max_tokens, found.n)
        );
    }
});
