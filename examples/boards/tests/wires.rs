//! What wires do to bytes between two ends.

#![allow(clippy::unwrap_used, clippy::panic)]

use core::time::Duration;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;

use quorate_boards::noise::Noise;
use quorate_boards::wire::Wire;
use quorate_core::Rng;

/// Two nodes at a wire.
struct Ends {
    dir: PathBuf,
    wire: Wire,
    one: UnixStream,
    two: UnixStream,
}

/// Long enough for any machine; nothing waits so long when all is well.
const LONG: Duration = Duration::from_secs(20);

fn foreign_frame(_rng: &mut Rng, to: u64) -> Vec<u8> {
    vec![0, 0xee, u8::try_from(to).unwrap(), 0]
}

fn ends(name: &str) -> Ends {
    let dir = std::env::temp_dir().join(format!("qw-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (a, b) = (dir.join("a"), dir.join("b"));
    let wire = Wire::new((1, &a), (2, &b), &mut Rng::new(1), foreign_frame).unwrap();
    let connect = |path| {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    };
    let ends = Ends { one: connect(&a), two: connect(&b), dir, wire };
    ends.wait_until_connected(1, &[0, 1, 0]);
    ends.wait_until_connected(2, &[0, 2, 0]);
    ends
}

impl Ends {
    fn pair(&self, from: u64) -> (&UnixStream, &UnixStream) {
        if from == 1 { (&self.one, &self.two) } else { (&self.two, &self.one) }
    }

    /// Waits until a frame arrives: what was sent before both were connected is not delivered.
    fn wait_until_connected(&self, from: u64, frame: &[u8; 3]) {
        let (mut there, mut back) = self.pair(from);
        let (mut sent, mut heard) = (0, [0; 3]);
        back.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        while back.read_exact(&mut heard).is_err() {
            there.write_all(frame).unwrap();
            sent += 1;
        }
        back.set_read_timeout(Some(LONG)).unwrap();
        // the same again, as often as it arrived
        while self.wire.from(from).counts().frames < sent {
            thread::yield_now();
        }
        let undelivered = self.wire.from(from).counts().undelivered;
        for _ in undelivered / 3 + 1..sent {
            back.read_exact(&mut heard).unwrap();
        }
    }

    /// Waits until the wire has seen so many frames more from a node.
    fn sent(&self, from: u64, bytes: &[u8], frames: u64) {
        let before = self.wire.from(from).counts().frames;
        let (mut there, _) = self.pair(from);
        there.write_all(bytes).unwrap();
        while self.wire.from(from).counts().frames < before + frames {
            thread::yield_now();
        }
    }

    fn heard<const N: usize>(&self, at: u64) -> [u8; N] {
        let mut bytes = [0; N];
        let (mut here, _) = self.pair(at);
        here.read_exact(&mut bytes).unwrap();
        bytes
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn frames_go_both_ways() {
    let ends = ends("both");
    ends.sent(1, &[0, 7, 8, 0, 0, 9, 0], 2);
    assert_eq!(ends.heard(2), [0, 7, 8, 0, 0, 9, 0]);
    ends.sent(2, &[0, 5, 0], 1);
    assert_eq!(ends.heard(1), [0, 5, 0]);
    assert_eq!(ends.wire.from(1).recent().last(), Some(&vec![9]));
}

#[test]
fn one_direction_is_cut_and_healed() {
    let ends = ends("cut");
    ends.wire.from(1).cut(true);
    ends.sent(1, &[0, 7, 0], 1);
    ends.sent(2, &[0, 5, 0], 1);
    assert_eq!(ends.heard(1), [0, 5, 0], "the other direction is as it was");
    ends.wire.from(1).cut(false);
    ends.sent(1, &[0, 8, 0], 1);
    assert_eq!(ends.heard(2), [0, 8, 0], "what was sent meanwhile is lost");
    assert_eq!((ends.wire.from(1).counts().cut, ends.wire.from(2).counts().cut), (1, 0));
}

#[test]
fn incomplete_frame_of_a_dead_sender_is_delivered() {
    let ends = ends("death");
    let mut one = &ends.one;
    one.write_all(&[0, 7, 8]).unwrap();
    one.shutdown(Shutdown::Both).unwrap();
    assert_eq!(ends.heard(2), [0, 7, 8]);
}

#[test]
fn foreign_frames_are_inserted() {
    let ends = ends("foreign_frames");
    ends.wire.from(1).disturb(Noise { foreign: 100, ..Noise::default() });
    ends.sent(1, &[0, 7, 0], 1);
    assert_eq!(ends.heard(2), [0, 0xee, 2, 0, 0, 7, 0]);
    assert_eq!(ends.wire.from(1).counts().noise.foreign_frames, 1);
    ends.wire.from(1).disturb(Noise::default());
    ends.sent(1, &[0, 8, 0], 1);
    assert_eq!(ends.heard(2), [0, 8, 0]);
}

#[test]
fn bytes_without_a_receiver_are_counted() {
    let ends = ends("undelivered");
    ends.two.shutdown(Shutdown::Both).unwrap();
    // the wire notices the disconnect, then counts
    while ends.wire.from(1).counts().undelivered == 0 {
        ends.sent(1, &[0, 7, 0], 1);
    }
}
