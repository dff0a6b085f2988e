//! Where defmt's logs go: to the host, a frame at a time.

use core::cell::UnsafeCell;

use crate::semihosting::{File, Mode};

#[defmt::global_logger]
struct Logger;

/// Only touched while interrupts are off.
struct State {
    file: Option<File>,
    encoder: defmt::Encoder,
    frame: [u8; 256],
    len: usize,
    restore: critical_section::RestoreState,
}

struct Shared(UnsafeCell<State>);

// SAFETY: `acquire` turns interrupts off and `release` on again; there is one core; what is between them is the only access
unsafe impl Sync for Shared {}

static STATE: Shared = Shared(UnsafeCell::new(State {
    file: None,
    encoder: defmt::Encoder::new(),
    frame: [0; 256],
    len: 0,
    restore: critical_section::RestoreState::invalid(),
}));

impl State {
    /// Runs a step of the encoder on the frame; what does not fit is written out first.
    fn encode(&mut self, step: impl FnOnce(&mut defmt::Encoder, &mut dyn FnMut(&[u8]))) {
        let Self { file, encoder, frame, len, .. } = self;
        step(encoder, &mut |bytes| {
            for &byte in bytes {
                if let Some(room) = frame.get_mut(*len) {
                    *room = byte;
                    *len = len.saturating_add(1);
                } else {
                    flush(file.as_ref(), frame);
                    frame.fill(byte);
                    *len = 1;
                }
            }
        });
    }
}

fn flush(file: Option<&File>, bytes: &[u8]) {
    if let Some(file) = file {
        let _ = file.append(bytes); // there is nobody to tell
    }
}

// SAFETY: see `Shared`; defmt calls `write` and `release` only after `acquire`, and never `acquire` twice
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        // SAFETY: released with the state it gave, in `release`
        let restore = unsafe { critical_section::acquire() };
        // SAFETY: interrupts are off
        let state = unsafe { &mut *STATE.0.get() };
        state.restore = restore;
        if state.file.is_none() {
            state.file = File::open(b":tt\0", Mode::Write).ok();
        }
        state.encode(|encoder, out| encoder.start_frame(out));
    }

    unsafe fn write(bytes: &[u8]) {
        // SAFETY: interrupts are off since `acquire`
        let state = unsafe { &mut *STATE.0.get() };
        state.encode(|encoder, out| encoder.write(bytes, out));
    }

    unsafe fn release() {
        // SAFETY: interrupts are off since `acquire`
        let state = unsafe { &mut *STATE.0.get() };
        state.encode(|encoder, out| encoder.end_frame(out));
        flush(state.file.as_ref(), state.frame.get(..state.len).unwrap_or_default());
        state.len = 0;
        // SAFETY: what `acquire` got
        unsafe { critical_section::release(state.restore) };
    }

    unsafe fn flush() {} // whole frames are written at once
}

defmt::timestamp!("{=u64:us}", crate::lm3s::Clock::now().as_micros());
