//! Follows the bytes that a client sends over HTTP/1, to see what the HTTP implementation does not tell: a head that
//! says in two ways where its body ends. That implementation drops one of the two before anybody can look.
//!
//! It refuses nothing and is strict about nothing: what is not HTTP is the implementation's to refuse. It follows
//! bodies only so far as to know where the next head begins (RFC 9112, sections 6 and 7.1), so that text in a body
//! is never taken for a header.

use memchr::memchr;

#[cfg(test)]
mod tests;

/// How HTTP/2 with prior knowledge begins (RFC 9113, section 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0";
/// As much of a request line as tells the path's first segments.
const REQUEST_LINE: usize = 32;

/// Where in its bytes a connection is. Kept between reads, which may end anywhere.
#[derive(Debug, Default)]
pub(super) struct Framing {
    place: Place,
    /// The beginning of the newest request line.
    line: [u8; REQUEST_LINE],
    line_length: usize,
    /// What the head that is being read has said of its body.
    length: Option<u64>,
    chunked: bool,
    /// How many heads have begun.
    heads: u32,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a head, where empty lines do not count.
    #[default]
    Between,
    RequestLine,
    /// At the beginning of a line of headers, or of trailers.
    LineStart(Section),
    /// At the end of a section, after the carriage return of its empty line.
    EmptyLine(Section),
    /// Within a line that says nothing.
    Line(Section),
    /// Within the name of a header, so many bytes of which are as they would be in the one looked for.
    Name(Header, usize),
    /// Within the value of `content-length`.
    Length,
    Body(u64),
    ChunkSize(u64),
    /// After the digits of a chunk's size.
    ChunkLine(u64),
    /// Within a chunk, whose line end counts as part of it.
    Chunk(u64),
    /// Nothing more is looked at.
    Opaque,
    Http2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Head,
    Trailers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    ContentLength,
    TransferEncoding,
}

impl Header {
    fn name(self) -> &'static [u8] {
        match self {
            Self::ContentLength => b"content-length:",
            Self::TransferEncoding => b"transfer-encoding:",
        }
    }
}

impl Framing {
    /// Takes the next bytes. Returns the number of the head, from 1, that has more than one `content-length` or
    /// `transfer-encoding`, as soon as that is seen. Nothing is looked at after it: its connection has to end.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Option<u32> {
        while !bytes.is_empty() {
            bytes = match self.place {
                Place::Between => self.between(bytes),
                Place::RequestLine => self.request_line(bytes),
                Place::LineStart(section) => self.line_start(section, bytes),
                Place::EmptyLine(section) => self.empty_line(section, bytes),
                Place::Line(section) => self.skip_line(section, bytes),
                Place::Name(header, matched) => match self.name(header, matched, bytes) {
                    Some(rest) => rest,
                    None => {
                        self.place = Place::Opaque;
                        return Some(self.heads);
                    }
                },
                Place::Length => self.length(bytes),
                Place::Body(left) | Place::Chunk(left) => self.skip_body(left, bytes),
                Place::ChunkSize(size) => self.chunk_size(size, bytes),
                Place::ChunkLine(size) => self.chunk_line(size, bytes),
                Place::Opaque | Place::Http2 => return None,
            };
        }
        None
    }

    /// Whether the connection speaks HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.place == Place::Http2
    }

    /// The path of the newest request line, or its beginning. Empty where there is none.
    pub(super) fn path(&self) -> &str {
        let line = std::str::from_utf8(self.line()).unwrap_or_default();
        line.split(' ').nth(1).unwrap_or_default()
    }

    fn line(&self) -> &[u8] {
        self.line.get(..self.line_length).unwrap_or_default()
    }

    fn between<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let blank = bytes
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        let rest = after(bytes, blank);
        if !rest.is_empty() {
            self.heads = self.heads.saturating_add(1);
            (self.line_length, self.length, self.chunked) = (0, None, false);
            self.place = Place::RequestLine;
        }
        rest
    }

    fn request_line<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let end = memchr(b'\n', bytes);
        let line = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        let room = self.line.iter_mut().skip(self.line_length);
        self.line_length += room.zip(line).map(|(kept, byte)| *kept = *byte).count();
        let Some(end) = end else { return &[] };
        self.place = if self.line().trim_ascii_end() == HTTP2 {
            Place::Http2
        } else {
            Place::LineStart(Section::Head)
        };
        after(bytes, end + 1)
    }

    fn line_start<'b>(&mut self, section: Section, bytes: &'b [u8]) -> &'b [u8] {
        self.place = match bytes.first() {
            Some(b'\n' | b'\r') => Place::EmptyLine(section),
            Some(b'c' | b'C') if section == Section::Head => Place::Name(Header::ContentLength, 0),
            Some(b't' | b'T') if section == Section::Head => Place::Name(Header::TransferEncoding, 0),
            _ => Place::Line(section),
        };
        // A carriage return is the one byte that is over with this step.
        after(bytes, usize::from(bytes.first() == Some(&b'\r')))
    }

    fn empty_line<'b>(&mut self, section: Section, bytes: &'b [u8]) -> &'b [u8] {
        if bytes.first() != Some(&b'\n') {
            self.place = Place::Line(section);
            return bytes;
        }
        self.place = match (section, self.chunked, self.length) {
            (Section::Head, true, _) => Place::ChunkSize(0),
            (Section::Head, false, Some(length)) if length > 0 => Place::Body(length),
            _ => Place::Between,
        };
        after(bytes, 1)
    }

    fn skip_line<'b>(&mut self, section: Section, bytes: &'b [u8]) -> &'b [u8] {
        let Some(end) = memchr(b'\n', bytes) else {
            self.place = Place::Line(section);
            return &[];
        };
        self.place = Place::LineStart(section);
        after(bytes, end + 1)
    }

    /// `None`: it is the second header that says where the body ends.
    fn name<'b>(&mut self, header: Header, matched: usize, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let wanted = after(header.name(), matched);
        let same = wanted
            .iter()
            .zip(bytes)
            .take_while(|(want, byte)| want.eq_ignore_ascii_case(byte))
            .count();
        if same < wanted.len() {
            let ended = same == bytes.len();
            self.place = if ended {
                Place::Name(header, matched + same)
            } else {
                Place::Line(Section::Head)
            };
            return Some(after(bytes, same));
        }
        if self.chunked || self.length.is_some() {
            return None;
        }
        match header {
            Header::ContentLength => (self.length, self.place) = (Some(0), Place::Length),
            Header::TransferEncoding => (self.chunked, self.place) = (true, Place::Line(Section::Head)),
        }
        Some(after(bytes, same))
    }

    fn length<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let value = bytes.iter().take_while(|byte| **byte != b'\n');
        let mut read = 0;
        for byte in value {
            if let digit @ 0..=9 = byte.wrapping_sub(b'0') {
                let length = self.length.unwrap_or_default();
                self.length = Some(length.saturating_mul(10).saturating_add(digit.into()));
            }
            read += 1;
        }
        if read == bytes.len() {
            &[]
        } else {
            self.skip_line(Section::Head, after(bytes, read))
        }
    }

    fn skip_body<'b>(&mut self, left: u64, bytes: &'b [u8]) -> &'b [u8] {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - here as u64;
        self.place = match (self.chunked, left) {
            (true, 0) => Place::ChunkSize(0),
            (true, _) => Place::Chunk(left),
            (false, 0) => Place::Between,
            (false, _) => Place::Body(left),
        };
        after(bytes, here)
    }

    fn chunk_size<'b>(&mut self, mut size: u64, bytes: &'b [u8]) -> &'b [u8] {
        for (at, byte) in bytes.iter().enumerate() {
            let Some(digit) = char::from(*byte).to_digit(16) else {
                self.place = Place::ChunkLine(size);
                return after(bytes, at);
            };
            size = size.saturating_mul(16).saturating_add(digit.into());
        }
        self.place = Place::ChunkSize(size);
        &[]
    }

    fn chunk_line<'b>(&mut self, size: u64, bytes: &'b [u8]) -> &'b [u8] {
        let Some(end) = memchr(b'\n', bytes) else {
            return &[];
        };
        self.place = match size {
            0 => Place::LineStart(Section::Trailers),
            _ => Place::Chunk(size.saturating_add(2)),
        };
        after(bytes, end + 1)
    }
}

fn after(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(count..).unwrap_or_default()
}
