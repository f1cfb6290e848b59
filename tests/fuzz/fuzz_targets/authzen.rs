//! The messages of the Authorization API: what is accepted is one JSON object, within its bounds, and says the same to
//! another reader.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use turnpike_fuzz::proxy::authzen::read::{self, MAX_EVALUATIONS};

fuzz_target!(|body: &[u8]| {
    let evaluation = read::evaluation(body);
    assert!(evaluation.is_err() || std::str::from_utf8(body).is_ok());
    // The other reader looks into members that are passed over here, and may refuse what it finds there: half a surrogate.
    if let (Ok(evaluation), Ok(other)) = (evaluation, serde_json::from_slice::<Value>(body)) {
        assert!(other.is_object());
        let subject = evaluation.subject.and_then(|read::Object(subject)| subject.id);
        assert_eq!(subject.as_deref(), other["subject"]["id"].as_str());
        let action = evaluation.action.and_then(|read::Object(action)| action.name);
        assert_eq!(action.as_deref(), other["action"]["name"].as_str());
    }
    if let Ok(batch) = read::evaluations(body) {
        assert!(batch.evaluations.len() <= MAX_EVALUATIONS);
    }
    drop(read::search(body));
});
