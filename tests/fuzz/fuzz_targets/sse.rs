//! Streams of events from a provider, cut anywhere: a client that asked for usage gets every byte as it was sent, and
//! one that did not gets the same bytes however they were cut.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use turnpike_fuzz::proxy::{meter::SseMeter, route::Endpoint};

fn pass(stream: &[u8], cut: usize, endpoint: Endpoint, hide_usage: bool) -> Vec<u8> {
    let mut meter = SseMeter::new(endpoint, hide_usage);
    let mut out = Vec::new();
    for chunk in stream.chunks(cut) {
        meter.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    meter.finish(&mut out);
    out.concat()
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, stream)) = data.split_first() else {
        return;
    };
    let cut = usize::from(cut).max(1);
    for endpoint in [Endpoint::ChatCompletions, Endpoint::Responses, Endpoint::Messages] {
        assert_eq!(pass(stream, cut, endpoint, false), stream);
    }
    let whole = pass(stream, stream.len().max(1), Endpoint::ChatCompletions, true);
    assert_eq!(pass(stream, cut, Endpoint::ChatCompletions, true), whole);
});
