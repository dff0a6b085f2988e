//! The table of sessions as a part of a snapshot.

use quorate_core::{DecodeError, List, Reader, Writer};

use super::request::number;
use super::storage::Storage;
use super::table::{Session, StoredResponse};
use super::{Config, RestoreError, Sessions, WhenFull};
use crate::Index;

/// The version of the encoded form, its first byte.
pub const VERSION: u8 = 1;

impl<S: Storage> Sessions<S> {
    /// Writes the table: the same bytes on every node that applied the same entries, whichever
    /// storage it has.
    ///
    /// ```
    /// use quorate_core::Writer;
    /// use quorate_log::session::{Config, Inline, Sessions};
    /// let config = Config { max_sessions: 4, ..Config::default() };
    /// let sessions = Sessions::<Inline<4, 16, 256>>::new(config)?;
    /// let mut buffer = [0; 64];
    /// let mut snapshot = Writer::new(&mut buffer);
    /// snapshot.u64(1234); // the application's own
    /// sessions.encode(&mut snapshot);
    /// assert_eq!(snapshot.finish()?.len(), 2 + sessions.encoded_len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u8(VERSION);
        encode_config(self.config, out);
        out.u64(self.index);
        out.u64(self.time_us);
        out.u64(self.table.len() as u64);
        for session in self.table.iter() {
            out.u64(session.id);
            out.u64(session.token);
            out.u64(session.lowest);
            out.u64(session.last_index);
            out.u64(session.last_time_us);
            out.u64(session.responses.len() as u64);
            for response in session.responses.iter() {
                out.u64(response.serial.saturating_sub(session.lowest));
                out.bool(response.stored);
                if response.stored {
                    out.bytes(&response.bytes);
                }
            }
        }
    }

    /// How many bytes [`encode`](Self::encode) writes. At most 76, and for each session 60 and
    /// `window * (max_response_bytes + 12)`.
    ///
    /// ```
    /// use quorate_log::session::{Config, Inline, Sessions};
    /// let config = Config { max_sessions: 4, ..Config::default() };
    /// assert!(Sessions::<Inline<4, 16, 256>>::new(config)?.encoded_len() <= 76);
    /// # Ok::<(), quorate_log::session::ConfigError>(())
    /// ```
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let mut out = Writer::new(&mut []);
        self.encode(&mut out);
        out.needed()
    }

    /// Replaces the table by the one that [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`RestoreError`] when that is damaged, of another version, or of another configuration than
    /// this one; this one is unchanged.
    ///
    /// ```
    /// use quorate_core::{Reader, Writer};
    /// use quorate_log::session::{Config, Inline, RestoreError, Sessions};
    /// let config = Config { max_sessions: 4, ..Config::default() };
    /// let sessions = Sessions::<Inline<4, 16, 256>>::new(config)?;
    /// let mut buffer = [0; 64];
    /// let mut out = Writer::new(&mut buffer);
    /// sessions.encode(&mut out);
    /// let bytes = out.finish()?;
    ///
    /// let mut other = Sessions::<Inline<4, 16, 256>>::new(config)?;
    /// let mut input = Reader::new(bytes);
    /// other.restore(&mut input)?;
    /// input.finish()?;
    /// assert_eq!(other, sessions);
    ///
    /// let config = Config { max_sessions: 3, ..config };
    /// let mut smaller = Sessions::<Inline<4, 16, 256>>::new(config)?;
    /// assert_eq!(smaller.restore(&mut Reader::new(bytes)), Err(RestoreError::Config));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore(&mut self, input: &mut Reader<'_>) -> Result<(), RestoreError> {
        // Read twice, first to validate it: a board may not have the memory for a second table.
        self.read(&mut input.clone(), |_, _| Ok(()))?;
        self.table.clear();
        (self.index, self.time_us) = self.read(input, |this, item| this.push(item))?;
        Ok(())
    }

    /// Passes the table to `push`, item by item; returns the index and the time.
    fn read(
        &mut self,
        input: &mut Reader<'_>,
        mut push: impl FnMut(&mut Self, Item<'_>) -> Result<(), DecodeError>,
    ) -> Result<(Index, u64), RestoreError> {
        let version = input.u8()?;
        if version != VERSION {
            return Err(RestoreError::Version(version));
        }
        if !is_same_config(self.config, input)? {
            return Err(RestoreError::Config);
        }
        let index = number(input, 0)?;
        let time_us = number(input, 0)?;
        let mut last_id = 0;
        for _ in 0..count(input, self.config.max_sessions)? {
            let head = read_head(input, (last_id, index), time_us)?;
            last_id = head.id;
            push(self, Item::Session(head))?;
            self.read_responses(input, head.lowest, &mut push)?;
        }
        Ok((index, time_us))
    }

    fn read_responses(
        &mut self,
        input: &mut Reader<'_>,
        lowest: u64,
        push: &mut impl FnMut(&mut Self, Item<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut next = 0;
        for _ in 0..count(input, self.config.window)? {
            let above = input.u64()?;
            if above < next || above >= self.config.window as u64 {
                return Err(DecodeError::Invalid);
            }
            next = above.saturating_add(1);
            let bytes = if input.bool()? { Some(input.bytes()?) } else { None };
            if bytes.is_some_and(|bytes| bytes.len() > self.config.max_response_bytes) {
                return Err(DecodeError::Invalid);
            }
            push(self, Item::Response(lowest.saturating_add(above), bytes))?;
        }
        Ok(())
    }

    fn push(&mut self, item: Item<'_>) -> Result<(), DecodeError> {
        let Config { window, max_response_bytes, .. } = self.config;
        match item {
            Item::Session(Head { id, token, lowest, last_index, last_time_us }) => {
                let responses = S::Responses::with_limit(window);
                let session = Session { id, token, lowest, last_index, last_time_us, responses };
                self.table.push(session).map_err(|_| DecodeError::Invalid)
            }
            Item::Response(serial, stored) => {
                let session = self.table.last_mut().ok_or(DecodeError::Invalid)?;
                let mut bytes = S::Bytes::with_limit(max_response_bytes);
                bytes
                    .extend_from_slice(stored.unwrap_or_default())
                    .map_err(|_| DecodeError::Invalid)?;
                let response = StoredResponse { serial, stored: stored.is_some(), bytes };
                session.responses.push(response).map_err(|_| DecodeError::Invalid)
            }
        }
    }
}

/// An item of a table.
enum Item<'a> {
    Session(Head),
    /// Its serial number, and its bytes if they were stored.
    Response(u64, Option<&'a [u8]>),
}

/// A session without its responses.
#[derive(Clone, Copy)]
struct Head {
    id: Index,
    token: u64,
    lowest: u64,
    last_index: Index,
    last_time_us: u64,
}

fn encode_config(config: Config, out: &mut Writer<'_>) {
    out.u64(config.max_sessions as u64);
    out.u64(config.window as u64);
    out.u64(config.max_response_bytes as u64);
    out.u64(config.timeout_us);
    out.u8(match config.when_full {
        WhenFull::Refuse => 0,
        WhenFull::EvictOldest => 1,
    });
}

fn is_same_config(config: Config, input: &mut Reader<'_>) -> Result<bool, DecodeError> {
    let numbers = [input.u64()?, input.u64()?, input.u64()?, input.u64()?];
    let when_full = match input.u8()? {
        0 => WhenFull::Refuse,
        1 => WhenFull::EvictOldest,
        _ => return Err(DecodeError::Invalid),
    };
    let Config { max_sessions, window, max_response_bytes, timeout_us, .. } = config;
    let ours = [max_sessions as u64, window as u64, max_response_bytes as u64, timeout_us];
    Ok(numbers == ours && when_full == config.when_full)
}

fn read_head(
    input: &mut Reader<'_>,
    (last_id, index): (Index, Index),
    time_us: u64,
) -> Result<Head, DecodeError> {
    let id = number(input, last_id.saturating_add(1))?;
    let token = input.u64()?;
    let lowest = number(input, 1)?;
    let last_index = number(input, id)?;
    let last_time_us = number(input, 0)?;
    if last_index > index || last_time_us > time_us {
        return Err(DecodeError::Invalid);
    }
    Ok(Head { id, token, lowest, last_index, last_time_us })
}

fn count(input: &mut Reader<'_>, limit: usize) -> Result<u64, DecodeError> {
    let count = input.u64()?;
    if count <= limit as u64 { Ok(count) } else { Err(DecodeError::Invalid) }
}
