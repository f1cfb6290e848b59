//! The messages of the Authorization API: what is accepted is one JSON object, within its bounds, and says the same to
//! another reader.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use turnpike_fuzz::proxy::authzen::read::{self, MAX_EVALUATIONS};

fuzz_target!(|body: &[u8]| {
    if let Ok(evaluation) = read::evaluation(body) {
        let other: Value = serde_json::from_slice(body).expect("JSON");
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
