//! The table of sessions as a part of a snapshot.

use quorate_core::{DecodeError, List, Reader, Writer};

use super::request::number;
use super::storage::Storage;
use super::table::{Answer, Session};
use super::{Limits, RestoreError, Sessions, WhenFull};
use crate::Index;

/// The version of the encoded form, its first byte.
pub const VERSION: u8 = 1;

impl<S: Storage> Sessions<S> {
    /// Writes the table: the same bytes on every node that applied the same entries, whichever storage it has.
    ///
    /// ```
    /// use quorate_core::Writer;
    /// use quorate_log::session::{Inline, Limits, Sessions};
    /// let limits = Limits { sessions: 4, window: 2, answer_bytes: 8, ..Limits::default() };
    /// let sessions = Sessions::<Inline<4, 2, 8>>::new(limits)?;
    /// let mut buffer = [0; 64];
    /// let mut snapshot = Writer::new(&mut buffer);
    /// snapshot.u64(1234); // the application's own
    /// sessions.encode(&mut snapshot);
    /// assert_eq!(snapshot.finish()?.len(), 2 + sessions.encoded_len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u8(VERSION);
        encode_limits(self.limits, out);
        out.u64(self.index);
        out.u64(self.time_us);
        out.u64(self.table.len() as u64);
        for session in self.table.iter() {
            out.u64(session.id);
            out.u64(session.token);
            out.u64(session.lowest);
            out.u64(session.heard);
            out.u64(session.heard_us);
            out.u64(session.answers.len() as u64);
            for answer in session.answers.iter() {
                out.u64(answer.serial.saturating_sub(session.lowest));
                out.bool(answer.kept);
                if answer.kept {
                    out.bytes(&answer.bytes);
                }
            }
        }
    }

    /// How many bytes [`encode`](Self::encode) writes. At most 76, and for each session 60 and `window * (answer_bytes + 12)`.
    ///
    /// ```
    /// use quorate_log::session::{Inline, Limits, Sessions};
    /// let limits = Limits { sessions: 4, window: 2, answer_bytes: 8, ..Limits::default() };
    /// assert!(Sessions::<Inline<4, 2, 8>>::new(limits)?.encoded_len() <= 76);
    /// # Ok::<(), quorate_log::session::LimitsError>(())
    /// ```
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let mut out = Writer::new(&mut []);
        self.encode(&mut out);
        out.needed()
    }

    /// Takes the table that [`encode`](Self::encode) wrote, in place of the present one.
    ///
    /// # Errors
    ///
    /// [`RestoreError`] when it is damaged, of another version, or of other limits than this one's; this one is unchanged.
    ///
    /// ```
    /// use quorate_core::{Reader, Writer};
    /// use quorate_log::session::{Inline, Limits, RestoreError, Sessions};
    /// let limits = Limits { sessions: 4, window: 2, answer_bytes: 8, ..Limits::default() };
    /// let sessions = Sessions::<Inline<4, 2, 8>>::new(limits)?;
    /// let mut buffer = [0; 64];
    /// let mut out = Writer::new(&mut buffer);
    /// sessions.encode(&mut out);
    /// let bytes = out.finish()?;
    ///
    /// let mut other = Sessions::<Inline<4, 2, 8>>::new(limits)?;
    /// let mut input = Reader::new(bytes);
    /// other.restore(&mut input)?;
    /// input.finish()?;
    /// assert_eq!(other, sessions);
    ///
    /// let mut smaller = Sessions::<Inline<4, 2, 8>>::new(Limits { sessions: 3, ..limits })?;
    /// assert_eq!(smaller.restore(&mut Reader::new(bytes)), Err(RestoreError::Limits));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore(&mut self, input: &mut Reader<'_>) -> Result<(), RestoreError> {
        // Read twice, first to see whether it can be taken: a second table to read it into is memory that a board may not have.
        self.read(&mut input.clone(), |_, _| Ok(()))?;
        self.table.clear();
        (self.index, self.time_us) = self.read(input, |this, item| this.take(item))?;
        Ok(())
    }

    /// Gives what there is to `take`, piece by piece; returns the index and the time.
    fn read(
        &mut self,
        input: &mut Reader<'_>,
        mut take: impl FnMut(&mut Self, Item<'_>) -> Result<(), DecodeError>,
    ) -> Result<(Index, u64), RestoreError> {
        let version = input.u8()?;
        if version != VERSION {
            return Err(RestoreError::Version(version));
        }
        if !same_limits(self.limits, input)? {
            return Err(RestoreError::Limits);
        }
        let index = number(input, 0)?;
        let time_us = number(input, 0)?;
        let mut above = 0;
        for _ in 0..count(input, self.limits.sessions)? {
            let head = read_head(input, (above, index), time_us)?;
            above = head.id;
            take(self, Item::Session(head))?;
            self.read_answers(input, head.lowest, &mut take)?;
        }
        Ok((index, time_us))
    }

    fn read_answers(
        &mut self,
        input: &mut Reader<'_>,
        lowest: u64,
        take: &mut impl FnMut(&mut Self, Item<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut next = 0;
        for _ in 0..count(input, self.limits.window)? {
            let place = input.u64()?;
            if place < next || place >= self.limits.window as u64 {
                return Err(DecodeError::Invalid);
            }
            next = place.saturating_add(1);
            let bytes = if input.bool()? { Some(input.bytes()?) } else { None };
            if bytes.is_some_and(|bytes| bytes.len() > self.limits.answer_bytes) {
                return Err(DecodeError::Invalid);
            }
            take(self, Item::Answer(lowest.saturating_add(place), bytes))?;
        }
        Ok(())
    }

    fn take(&mut self, item: Item<'_>) -> Result<(), DecodeError> {
        let Limits { window, answer_bytes, .. } = self.limits;
        match item {
            Item::Session(Head { id, token, lowest, heard, heard_us }) => {
                let answers = S::Answers::with_limit(window);
                let session = Session { id, token, lowest, heard, heard_us, answers };
                self.table.push(session).map_err(|_| DecodeError::Invalid)
            }
            Item::Answer(serial, kept) => {
                let session = self.table.last_mut().ok_or(DecodeError::Invalid)?;
                let mut bytes = S::Bytes::with_limit(answer_bytes);
                bytes
                    .extend_from_slice(kept.unwrap_or_default())
                    .map_err(|_| DecodeError::Invalid)?;
                let answer = Answer { serial, kept: kept.is_some(), bytes };
                session.answers.push(answer).map_err(|_| DecodeError::Invalid)
            }
        }
    }
}

/// A piece of a table.
enum Item<'a> {
    Session(Head),
    Answer(u64, Option<&'a [u8]>),
}

/// A session without its answers.
#[derive(Clone, Copy)]
struct Head {
    id: Index,
    token: u64,
    lowest: u64,
    heard: Index,
    heard_us: u64,
}

fn encode_limits(limits: Limits, out: &mut Writer<'_>) {
    out.u64(limits.sessions as u64);
    out.u64(limits.window as u64);
    out.u64(limits.answer_bytes as u64);
    out.u64(limits.idle_us);
    out.u8(match limits.when_full {
        WhenFull::Refuse => 0,
        WhenFull::EndOldest => 1,
    });
}

fn same_limits(limits: Limits, input: &mut Reader<'_>) -> Result<bool, DecodeError> {
    let numbers = [input.u64()?, input.u64()?, input.u64()?, input.u64()?];
    let when_full = match input.u8()? {
        0 => WhenFull::Refuse,
        1 => WhenFull::EndOldest,
        _ => return Err(DecodeError::Invalid),
    };
    let Limits { sessions, window, answer_bytes, idle_us, .. } = limits;
    let ours = [sessions as u64, window as u64, answer_bytes as u64, idle_us];
    Ok(numbers == ours && when_full == limits.when_full)
}

fn read_head(
    input: &mut Reader<'_>,
    (above, index): (Index, Index),
    time_us: u64,
) -> Result<Head, DecodeError> {
    let id = number(input, above.saturating_add(1))?;
    let token = input.u64()?;
    let lowest = number(input, 1)?;
    let heard = number(input, id)?;
    let heard_us = number(input, 0)?;
    if heard > index || heard_us > time_us {
        return Err(DecodeError::Invalid);
    }
    Ok(Head { id, token, lowest, heard, heard_us })
}

fn count(input: &mut Reader<'_>, limit: usize) -> Result<u64, DecodeError> {
    let count = input.u64()?;
    if count <= limit as u64 { Ok(count) } else { Err(DecodeError::Invalid) }
}
