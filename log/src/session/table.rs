//! What a node remembers of one client.

use core::mem::swap;

use quorate_core::List;

use crate::Index;

/// A session.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Session<R> {
    /// The index of the entry that registered it.
    pub(super) id: Index,
    pub(super) token: u64,
    /// The client has acknowledged all responses below this serial number.
    pub(super) lowest: u64,
    /// The last entry of its client.
    pub(super) last_index: Index,
    /// The cluster's time of that entry.
    pub(super) last_time_us: u64,
    /// Responses that the client may ask for again, by serial number.
    pub(super) responses: R,
}

/// The response to one command.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StoredResponse<B> {
    pub(super) serial: u64,
    /// False if the response was too long: then `bytes` is empty.
    pub(super) stored: bool,
    pub(super) bytes: B,
}

/// What is known of a serial number.
pub(super) enum SerialState {
    /// The command has not been applied.
    New,
    /// It was applied: which of the responses is its.
    Applied(usize),
    /// The client has acknowledged the response.
    Acknowledged,
    /// Beyond the window.
    WindowExceeded,
}

impl<R> Session<R> {
    pub(super) fn is_expired(&self, time_us: u64, timeout_us: u64) -> bool {
        timeout_us > 0 && time_us.saturating_sub(self.last_time_us) > timeout_us
    }

    pub(super) fn serial_state<B>(&self, serial: u64, window: usize) -> SerialState
    where
        R: List<StoredResponse<B>>,
    {
        let Some(above) = serial.checked_sub(self.lowest) else {
            return SerialState::Acknowledged;
        };
        if above >= window as u64 {
            return SerialState::WindowExceeded;
        }
        match self.responses.iter().position(|response| response.serial == serial) {
            Some(at) => SerialState::Applied(at),
            None => SerialState::New,
        }
    }

    /// Drops the responses that the client has acknowledged.
    pub(super) fn acknowledge_below<B>(&mut self, lowest: u64)
    where
        R: List<StoredResponse<B>>,
    {
        if lowest <= self.lowest {
            return;
        }
        self.lowest = lowest;
        while self.responses.first().is_some_and(|response| response.serial < lowest) {
            self.responses.remove(0);
        }
    }

    /// Reserves the place of the response to a command, which from then on counts as applied.
    /// `None` if there is no room; nothing was changed.
    pub(super) fn reserve<B: List<u8>>(&mut self, serial: u64, max_bytes: usize) -> Option<usize>
    where
        R: List<StoredResponse<B>>,
    {
        let response = StoredResponse { serial, stored: false, bytes: B::with_limit(max_bytes) };
        self.responses.push(response).ok()?;
        // commands come in order, almost always
        let mut at = self.responses.len().saturating_sub(1);
        while let Some(before) = at.checked_sub(1)
            && let Some([left, right]) = self.responses.get_mut(before..=at)
            && left.serial > right.serial
        {
            swap(left, right);
            at = before;
        }
        Some(at)
    }
}
