use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::interrupt::free;
use cortex_m_rt::exception;
use quorate_core::Instant;

use super::HALF_CYCLES_PER_US;
use super::register::Register;

/// Microseconds since the start, and wake-ups, both from SysTick: there is no periodic tick.
///
/// The counter runs down from what was last loaded to zero and is then loaded again. How long it will run is set anew before each sleep;
/// the few cycles that takes are lost to the clock, some parts in a million.
pub struct Clock;

const CONTROL: Register = Register(0xe000_e010);
const LOAD: Register = Register(0xe000_e014);
const CURRENT: Register = Register(0xe000_e018);
const STATE: Register = Register(0xe000_ed04);
const PENDING: u32 = 1 << 26;
/// The longest period: 1.3 s.
const MAX: u32 = 0x00ff_ffff;
/// The shortest: a tenth of a millisecond.
const MIN: u32 = 1_250;

/// Cycles before the present period, in two halves; written with interrupts off.
static PAST: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];

impl Clock {
    pub(super) fn start() {
        CONTROL.write(0b100); // the core's clock, off
        LOAD.write(MAX);
        CURRENT.write(0);
        CONTROL.write(0b111); // interrupt, on
    }

    /// Now.
    #[must_use]
    pub fn now() -> Instant {
        let cycles = free(|_| past().saturating_add(u64::from(elapsed())));
        Instant::from_micros(cycles.saturating_mul(2) / HALF_CYCLES_PER_US)
    }

    /// Sleeps until `deadline` or an interrupt, whichever comes first, unless `ready` says that there is something to do.
    /// Without a deadline it wakes up now and then all the same.
    pub fn sleep(deadline: Option<Instant>, ready: impl FnOnce() -> bool) {
        // an interrupt that comes from here on ends the sleep at once, and is served after it
        free(|_| {
            if ready() {
                return;
            }
            let now = past().saturating_add(u64::from(elapsed()));
            let until = deadline.map_or(u64::MAX, |deadline| {
                // rounded up: waking before the deadline would be for nothing
                deadline.as_micros().saturating_mul(HALF_CYCLES_PER_US).div_ceil(2)
            });
            let period = u32::try_from(until.saturating_sub(now)).unwrap_or(MAX);
            set_past(now);
            LOAD.write(period.clamp(MIN, MAX));
            CURRENT.write(0);
            STATE.write(1 << 25); // a period that ended meanwhile is in the past already
            cortex_m::asm::dsb();
            cortex_m::asm::wfi();
        });
    }
}

/// Cycles in the present period, and in one that ended and whose interrupt waits; with interrupts off.
fn elapsed() -> u32 {
    let load = LOAD.read();
    let before = STATE.read() & PENDING != 0;
    let mut current = CURRENT.read();
    let ended = STATE.read() & PENDING != 0;
    if ended && !before {
        current = CURRENT.read(); // it ended between the two looks
    }
    // zero is the moment before it is loaded again
    let run = if current == 0 { 0 } else { load.saturating_sub(current) };
    if ended { load.saturating_add(1).saturating_add(run) } else { run }
}

fn past() -> u64 {
    let [low, high] = &PAST;
    u64::from(low.load(Ordering::Relaxed)) | (u64::from(high.load(Ordering::Relaxed)) << 32)
}

fn set_past(cycles: u64) {
    let [low, high] = &PAST;
    let [b0, b1, b2, b3, b4, b5, b6, b7] = cycles.to_le_bytes();
    low.store(u32::from_le_bytes([b0, b1, b2, b3]), Ordering::Relaxed);
    high.store(u32::from_le_bytes([b4, b5, b6, b7]), Ordering::Relaxed);
}

#[exception]
fn SysTick() {
    free(|_| set_past(past().saturating_add(u64::from(LOAD.read())).saturating_add(1)));
}
