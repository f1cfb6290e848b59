//! Usage: read off whole answers and off streams, wherever their chunks are cut.

use bytes::Bytes;
use proptest::prelude::*;
use turnpike_access::audit::Usage;

use super::*;

const CHAT: &str = "data: {\"model\":\"m-1\",\"choices\":[{\"delta\":{\"content\":\"say \\\"usage\"}}],\"usage\":null}\n\n\
: a comment\n\n\
data: {\"model\":\"m-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":0,\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":{\"reasoning_tokens\":1}}}\n\n\
data: [DONE]\n\n";
const MESSAGES: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"c-1\",\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":10,\"cache_creation_input_tokens\":5,\"output_tokens\":1}}}\n\n\
event: ping\ndata: {\"type\":\"ping\"}\n\n\
event: content_block_delta\ndata: {\"delta\":{\"text\":\"event: message_stop\"}}\n\n\
event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":12}}\n\n\
event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
const RESPONSES: &str = "event: response.created\ndata: {\"response\":{\"usage\":null}}\n\n\
event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"model\":\"r-1\",\"usage\":{\"input_tokens\":7,\"input_tokens_details\":{\"cached_tokens\":2},\"output_tokens\":8,\"output_tokens_details\":{\"reasoning_tokens\":6}}}}\n\n";

fn run(endpoint: Endpoint, hide: bool, chunks: &[&[u8]]) -> (Vec<u8>, Reported, bool) {
    let mut meter = SseMeter::new(endpoint, hide);
    let mut out = Vec::new();
    for chunk in chunks {
        meter.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    meter.finish(&mut out);
    (out.concat(), meter.reported().clone(), meter.terminal())
}

fn usage(input: u64, output: u64, cached: Option<u64>, reasoning: Option<u64>) -> Usage {
    Usage {
        input: Some(input),
        output: Some(output),
        cached,
        reasoning,
    }
}

#[test]
fn chat_usage_is_read_and_its_chunk_withheld_only_where_the_client_did_not_ask() {
    let (bytes, reported, terminal) = run(Endpoint::ChatCompletions, false, &[CHAT.as_bytes()]);
    assert_eq!(bytes, CHAT.as_bytes());
    assert_eq!(
        reported,
        Reported {
            usage: usage(9, 0, Some(4), Some(1)),
            model: Some("m-1".into())
        }
    );
    assert!(terminal);
    let (bytes, hidden, _) = run(Endpoint::ChatCompletions, true, &[CHAT.as_bytes()]);
    let events: Vec<_> = CHAT.split_inclusive("\n\n").collect();
    assert_eq!(bytes, [events[0], events[1], events[3]].concat().as_bytes());
    assert_eq!(hidden, reported);
}

#[test]
fn anthropic_input_counts_what_the_cache_gave_and_took() {
    let (bytes, reported, terminal) = run(Endpoint::Messages, false, &[MESSAGES.as_bytes()]);
    assert_eq!(bytes, MESSAGES.as_bytes());
    assert_eq!(
        reported,
        Reported {
            usage: usage(18, 12, Some(10), None),
            model: Some("c-1".into())
        }
    );
    assert!(terminal);
    let cut = MESSAGES.split("event: message_stop\ndata").next().unwrap();
    assert!(!run(Endpoint::Messages, false, &[cut.as_bytes()]).2);
}

#[test]
fn responses_tell_usage_in_their_last_event() {
    let (_, reported, terminal) = run(Endpoint::Responses, false, &[RESPONSES.as_bytes()]);
    assert_eq!(
        reported,
        Reported {
            usage: usage(7, 8, Some(2), Some(6)),
            model: Some("r-1".into())
        }
    );
    assert!(terminal);
}

#[test]
fn whole_bodies_are_read_in_every_shape() {
    let chat = br#"{"model":"m","choices":[{}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    assert_eq!(
        read_json(Endpoint::ChatCompletions, chat).usage,
        usage(1, 2, None, None)
    );
    let embeddings = read_json(
        Endpoint::Embeddings,
        br#"{"data":[],"usage":{"prompt_tokens":4,"total_tokens":4}}"#,
    );
    assert_eq!(
        embeddings.usage,
        Usage {
            input: Some(4),
            ..Usage::default()
        }
    );
    let message = br#"{"model":"c","usage":{"input_tokens":1,"cache_creation_input_tokens":2,"cache_read_input_tokens":null,"output_tokens":0}}"#;
    assert_eq!(
        read_json(Endpoint::Messages, message).usage,
        usage(3, 0, None, None)
    );
    for garbage in [
        &b"<html>"[..],
        b"",
        b"[]",
        br#"{"usage":7}"#,
        br#"{"usage":{"prompt_tokens":-1,"completion_tokens":"5"}}"#,
    ] {
        assert_eq!(
            read_json(Endpoint::ChatCompletions, garbage).usage,
            Usage::default()
        );
    }
}

#[test]
fn an_event_too_long_to_hold_passes_through_unread_and_the_next_is_read() {
    let long = format!(
        "data: {{\"usage\":{{\"prompt_tokens\":1}},\"x\":\"{}\"}}\n\n",
        "y".repeat(MAX_EVENT)
    );
    let stream = format!("{long}{CHAT}");
    let whole = run(Endpoint::ChatCompletions, true, &[stream.as_bytes()]);
    let parts: Vec<_> = stream.as_bytes().chunks(60_000).collect();
    assert_eq!(run(Endpoint::ChatCompletions, true, &parts), whole);
    assert_eq!(whole.1.usage.input, Some(9));
    let long = format!(
        "event: response.completed\ndata: \"{}\"\n\n",
        "y".repeat(MAX_EVENT)
    );
    assert!(run(Endpoint::Responses, false, &[long.as_bytes()]).2);
}

proptest! {
    #[test]
    fn where_chunks_begin_and_end_makes_no_difference(
        which in 0..3_usize, ends in 0..4_usize, hide in any::<bool>(), cuts in prop::collection::vec(0..1500_usize, 0..12),
    ) {
        let (endpoint, text) = [(Endpoint::ChatCompletions, CHAT), (Endpoint::Messages, MESSAGES), (Endpoint::Responses, RESPONSES)][which];
        let mut text = text.replace('\n', ["\n", "\r\n", "\r", "\r\n"][ends]);
        if ends == 3 {
            text.truncate(text.len() - 2);
        }
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % text.len()).collect();
        cuts.sort_unstable();
        let mut chunks = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([text.len()]) {
            chunks.push(&text.as_bytes()[from..cut]);
            from = cut;
        }
        let whole = run(endpoint, hide, &[text.as_bytes()]);
        prop_assert!(whole.1.usage.input.is_some() && whole.2);
        prop_assert_eq!(run(endpoint, hide, &chunks), whole);
    }

    #[test]
    fn without_hiding_every_byte_is_passed_on(chunks in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..30), 0..10)) {
        let parts: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        for endpoint in [Endpoint::ChatCompletions, Endpoint::Messages] {
            prop_assert_eq!(run(endpoint, false, &parts).0, chunks.concat());
        }
    }
}
