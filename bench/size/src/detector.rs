//! What the programs of single detectors have in common.

use quorate_core::Instant;
use quorate_election::detector::Detector;

use crate::Port;

/// Feeds a detector with what the port says, and tells what it thinks and when it will suspect.
#[inline(never)]
pub fn watch(detector: &mut impl Detector, port: &mut Port) {
    loop {
        let now = Instant::from_micros(port.u64());
        match port.u8() {
            0 => detector.heartbeat(now),
            1 => detector.ignore_local_pause(port.u64()),
            _ => {}
        }
        port.write(&[u8::from(detector.suspects(now))]);
        let at = detector.suspects_at().unwrap_or(Instant::MAX);
        port.write(&at.as_micros().to_le_bytes());
    }
}
