use bytes::BytesMut;
use redis_protocol::{resp2, resp3};

use crate::limits;

/// Replies on their way to a client, in the version of the protocol it speaks.
#[derive(Debug)]
pub(crate) struct Reply {
    bytes: BytesMut,
    protocol: Protocol,
    /// The client asked for no replies.
    muted: bool,
}

/// The version of RESP that a connection chose by `HELLO`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

/// The reply in place of one that is longer than a batch's replies may be.
pub(crate) const TOO_LONG: &str = "ERR the reply is too long: ask for less at once";
/// The same, if the command has had an effect.
pub(crate) const DONE_TOO_LONG: &str =
    "ERR the command was executed, but its reply is too long: ask for less at once";

impl Reply {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self { bytes: BytesMut::new(), protocol, muted: false }
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Drops every reply from now on, or none.
    pub(crate) fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn into_bytes(self) -> BytesMut {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of memory that the replies take.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// Forgets what came after so many bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Forgets the replies, and gives back the memory of long ones: a client that is idle holds none.
    pub(crate) fn clear(&mut self) {
        if self.bytes.capacity() > limits::OUTPUT_FLUSH_BYTES {
            self.bytes = BytesMut::new();
        } else {
            self.bytes.clear();
        }
    }

    /// Whether `more` bytes do not exceed what the replies to one batch may have; otherwise `error` is the reply.
    pub(crate) fn has_room(&mut self, more: usize, error: &str) -> bool {
        let fits = self.bytes.len().saturating_add(more) <= limits::REPLY_BYTES;
        if !fits {
            self.error(error);
        }
        fits
    }

    /// Replies that were encoded elsewhere.
    pub(crate) fn encoded(&mut self, bytes: &[u8]) {
        if !self.muted {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Replies that were encoded elsewhere, as the whole: without a copy.
    pub(crate) fn take_encoded(&mut self, bytes: BytesMut) {
        if !self.muted {
            self.bytes = bytes;
        }
    }

    pub(crate) fn ok(&mut self) {
        self.encoded(b"+OK\r\n");
    }

    pub(crate) fn simple(&mut self, text: &str) {
        self.frame(
            &resp2::types::BorrowedFrame::SimpleString(text.as_bytes()),
            &resp3::types::BorrowedFrame::SimpleString { data: text.as_bytes(), attributes: None },
        );
    }

    /// An error: its first word is its kind (`ERR`, `NOPROTO`, …). Line ends, which would break the protocol, become spaces.
    pub(crate) fn error(&mut self, text: &str) {
        let cleaned;
        let text = if text.contains(['\r', '\n']) {
            cleaned = text.replace(['\r', '\n'], " ");
            &cleaned
        } else {
            text
        };
        self.frame(
            &resp2::types::BorrowedFrame::Error(text),
            &resp3::types::BorrowedFrame::SimpleError { data: text, attributes: None },
        );
    }

    pub(crate) fn integer(&mut self, value: i64) {
        self.frame(
            &resp2::types::BorrowedFrame::Integer(value),
            &resp3::types::BorrowedFrame::Number { data: value, attributes: None },
        );
    }

    pub(crate) fn bulk(&mut self, data: &[u8]) {
        self.frame(
            &resp2::types::BorrowedFrame::BulkString(data),
            &resp3::types::BorrowedFrame::BlobString { data, attributes: None },
        );
    }

    pub(crate) fn null(&mut self) {
        self.frame(&resp2::types::BorrowedFrame::Null, &resp3::types::BorrowedFrame::Null);
    }

    /// Text for people, such as `INFO`'s.
    pub(crate) fn text(&mut self, text: &str) {
        self.frame(
            &resp2::types::BorrowedFrame::BulkString(text.as_bytes()),
            &resp3::types::BorrowedFrame::VerbatimString {
                data: text.as_bytes(),
                format: resp3::types::VerbatimStringFormat::Text,
                attributes: None,
            },
        );
    }

    /// Announces an array: its elements follow.
    pub(crate) fn array(&mut self, len: usize) {
        self.header(b'*', len);
    }

    /// Announces a map of `len` pairs; for RESP2, an array of twice as many.
    pub(crate) fn map(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', len * 2),
            Protocol::Resp3 => self.header(b'%', len),
        }
    }

    /// Announces a set; for RESP2, an array.
    pub(crate) fn set(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', len),
            Protocol::Resp3 => self.header(b'~', len),
        }
    }

    fn header(&mut self, kind: u8, len: usize) {
        if self.muted {
            return;
        }
        self.bytes.extend_from_slice(&[kind]);
        self.bytes.extend_from_slice(len.to_string().as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn frame(
        &mut self,
        resp2: &resp2::types::BorrowedFrame<'_>,
        resp3: &resp3::types::BorrowedFrame<'_>,
    ) {
        if self.muted {
            return;
        }
        // the crate reports buffers that are too small, and extends this one by what the frame takes: it cannot fail
        let _ = match self.protocol {
            Protocol::Resp2 => resp2::encode::extend_encode_borrowed(&mut self.bytes, resp2, false),
            Protocol::Resp3 => {
                resp3::encode::complete::extend_encode_borrowed(&mut self.bytes, resp3, false)
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_depend_on_the_protocol_version() {
        let say = |protocol| {
            let mut reply = Reply::new(protocol);
            reply.null();
            reply.map(1);
            reply.bulk(b"k");
            reply.integer(-7);
            reply.error("ERR a\r\nb");
            reply.text("hi");
            reply.set(0);
            String::from_utf8_lossy(reply.bytes()).into_owned()
        };
        assert_eq!(
            say(Protocol::Resp2),
            "$-1\r\n*2\r\n$1\r\nk\r\n:-7\r\n-ERR a  b\r\n$2\r\nhi\r\n*0\r\n"
        );
        assert_eq!(
            say(Protocol::Resp3),
            "_\r\n%1\r\n$1\r\nk\r\n:-7\r\n-ERR a  b\r\n=6\r\ntxt:hi\r\n~0\r\n"
        );
    }
}
