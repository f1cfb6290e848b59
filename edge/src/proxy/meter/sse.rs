//! The stream: cutting it into events wherever its chunks begin and end, and passing them on whole.

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

use super::{Reported, event};
use crate::proxy::route::Endpoint;

/// Longest event that is held to be read, in bytes. A longer one passes through unread.
pub const MAX_EVENT: usize = 1 << 20;

/// Meters one streamed response. Holds at most one event that is not yet complete.
#[derive(Debug)]
pub struct SseMeter {
    endpoint: Endpoint,
    hide_usage: bool,
    reported: Reported,
    terminal: bool,
    /// The beginning of an event whose end has not come.
    pending: BytesMut,
    /// The event under way was too long and is passed on as it comes.
    overflowing: bool,
    /// Where in its line the stream is.
    line: Line,
    /// Whether the event before was withheld, and with it a line feed that may still follow.
    withheld: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// At its beginning, where another line end ends the event.
    Start,
    /// Within it.
    Inside,
    /// After a carriage return that ended a line; a line feed belongs to it.
    Returned,
    /// After a carriage return that ended an event; a line feed belongs to that event.
    Ended,
}

impl SseMeter {
    /// For a response of this endpoint. `hide_usage`: the edge asked for the usage chunk, the client did not.
    pub fn new(endpoint: Endpoint, hide_usage: bool) -> Self {
        Self {
            endpoint,
            hide_usage,
            reported: Reported::default(),
            terminal: false,
            pending: BytesMut::new(),
            overflowing: false,
            line: Line::Start,
            withheld: false,
        }
    }

    /// Takes a chunk and appends to `out` what may be forwarded now, in order and without copying what lies within
    /// one chunk. Look at [`Self::terminal`] before forwarding it.
    pub fn push(&mut self, mut chunk: Bytes, out: &mut Vec<Bytes>) {
        if self.line == Line::Ended && !chunk.is_empty() {
            self.line = Line::Start;
            if chunk.first() == Some(&b'\n') {
                let feed = chunk.split_to(1);
                if !self.withheld {
                    out.push(feed);
                }
            }
        }
        // Events that are passed on one after the other leave as one slice.
        let (mut from, mut at) = (0, 0);
        while let Some(end) = self.event_end(&chunk, at) {
            let complete = if self.pending.is_empty() {
                chunk.slice(at..end)
            } else {
                self.pending
                    .extend_from_slice(chunk.get(at..end).unwrap_or_default());
                self.pending.split().freeze()
            };
            let held = complete.len() != end - at;
            let passes = self.judge(&complete);
            if held {
                out.extend(passes.then_some(complete));
                from = end;
            } else if !passes {
                out.extend((from < at).then(|| chunk.slice(from..at)));
                from = end;
            }
            at = end;
        }
        out.extend((from < at).then(|| chunk.slice(from..at)));
        self.hold(chunk.slice(at..), out);
    }

    /// The stream is over: passes on what was held back, reading it as if it were complete.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        let rest = self.pending.split().freeze();
        if !rest.is_empty() && self.judge(&rest) {
            out.push(rest);
        }
    }

    /// Whether the event that ends the stream is among what was given out.
    pub fn terminal(&self) -> bool {
        self.terminal
    }

    /// What was told so far.
    pub fn reported(&self) -> &Reported {
        &self.reported
    }

    /// Reads a complete event; whether it is passed on.
    fn judge(&mut self, complete: &[u8]) -> bool {
        self.withheld = false;
        if std::mem::take(&mut self.overflowing) {
            return true;
        }
        if complete.len() > MAX_EVENT {
            self.terminal |= event::ends(self.endpoint, complete);
            return true;
        }
        let meaning = event::read(self.endpoint, complete, &mut self.reported);
        self.terminal |= meaning.terminal;
        self.withheld = self.hide_usage && meaning.usage_only;
        !self.withheld
    }

    /// Keeps the beginning of an event, unless it is too long to be kept.
    fn hold(&mut self, rest: Bytes, out: &mut Vec<Bytes>) {
        if rest.is_empty() {
            return;
        }
        if self.overflowing {
            out.push(rest);
            return;
        }
        self.pending.extend_from_slice(&rest);
        if self.pending.len() > MAX_EVENT {
            self.terminal |= event::ends(self.endpoint, &self.pending);
            self.overflowing = true;
            out.push(self.pending.split().freeze());
        }
    }

    /// Where the event that goes on at `from` ends, just after its empty line. Keeps its place in the line.
    fn event_end(&mut self, chunk: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(&byte) = chunk.get(at) {
            let returned = self.line == Line::Returned;
            if returned {
                self.line = Line::Start;
                if byte == b'\n' {
                    at += 1;
                    continue;
                }
            }
            if !matches!(byte, b'\n' | b'\r') {
                self.line = Line::Inside;
                let rest = chunk.get(at..).unwrap_or_default();
                at += memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                continue;
            }
            let empty = self.line == Line::Start;
            at += 1;
            self.line = if byte == b'\r' {
                Line::Returned
            } else {
                Line::Start
            };
            if empty {
                return Some(self.close(chunk, at, byte));
            }
        }
        None
    }

    /// A line feed after the carriage return that ends an event is part of that event.
    fn close(&mut self, chunk: &[u8], at: usize, byte: u8) -> usize {
        if byte != b'\r' {
            return at;
        }
        match chunk.get(at) {
            None => {
                self.line = Line::Ended;
                at
            }
            Some(b'\n') => {
                self.line = Line::Start;
                at + 1
            }
            Some(_) => {
                self.line = Line::Start;
                at
            }
        }
    }
}
