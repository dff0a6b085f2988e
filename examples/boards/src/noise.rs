//! What lines do to bytes, from a seed.

use std::collections::VecDeque;

use quorate_core::Rng;

/// What a wire does to frames, each by its own chance out of 100 for every frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Noise {
    /// A bit is the other way round.
    pub flip: u8,
    /// Random bytes before the frame, and inside it.
    pub garbage: u8,
    /// The end of the frame is missing, its closing zero too.
    pub truncate: u8,
    /// The frame is lost.
    pub drop: u8,
    /// A frame from some time ago comes again, before it.
    pub replay: u8,
    /// A frame from a board nobody knows, or of another cluster, comes before it: see
    /// [`ForeignFrame`].
    pub foreign: u8,
}

/// Makes a whole frame, with its zeros, for a node, which must be refused: its sender is unknown or its cluster another.
pub type ForeignFrame = fn(&mut Rng, to: u64) -> Vec<u8>;

/// How often each fault was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)] // the faults of `Noise`
pub struct NoiseCounts {
    pub flips: u64,
    pub garbage: u64,
    pub truncated: u64,
    pub lost: u64,
    pub replays: u64,
    pub foreign_frames: u64,
}

impl Noise {
    /// Every damage that a line does by itself, each to some frames in a hundred.
    pub const LINE: Self =
        Self { flip: 12, garbage: 12, truncate: 8, drop: 4, replay: 0, foreign: 0 };
    /// Frames that are intact, and must be rejected: old ones, and foreign ones. And truncated
    /// ones.
    pub const FRAMES: Self =
        Self { flip: 0, garbage: 0, truncate: 15, drop: 0, replay: 25, foreign: 25 };

    /// Writes to `out` what becomes of `frame`, which is without its zeros. `recent` are whole earlier frames of this direction.
    pub fn apply(
        self,
        frame: &[u8],
        recent: &VecDeque<Vec<u8>>,
        rng: &mut Rng,
        done: &mut NoiseCounts,
        out: &mut Vec<u8>,
    ) {
        if chance(self.replay, rng)
            && let Some(old) = pick(recent.len(), rng).and_then(|at| recent.get(at))
        {
            delimit(old, out);
            done.replays += 1;
        }
        if chance(self.drop, rng) {
            done.lost += 1;
            return;
        }
        let mut frame = frame.to_vec();
        if chance(self.flip, rng) && flip(&mut frame, rng) {
            done.flips += 1;
        }
        if chance(self.garbage, rng) {
            garbage(rng, out);
            insert(&mut frame, rng);
            done.garbage += 1;
        }
        if chance(self.truncate, rng)
            && let Some(len) = pick(frame.len(), rng)
        {
            out.push(0);
            frame.truncate(len);
            out.append(&mut frame);
            done.truncated += 1;
            return;
        }
        delimit(&frame, out);
    }

    /// Whether a foreign frame is due before the next one.
    pub(crate) fn foreign_frame_due(self, rng: &mut Rng) -> bool {
        chance(self.foreign, rng)
    }
}

impl NoiseCounts {
    /// All faults together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.damaged() + self.lost + self.replays + self.foreign_frames
    }

    /// Those after which the bytes between two zeros are no frame.
    #[must_use]
    pub const fn damaged(&self) -> u64 {
        self.flips + self.garbage + self.truncated
    }

    /// Adds those of another direction.
    pub const fn add(&mut self, other: &Self) {
        self.flips += other.flips;
        self.garbage += other.garbage;
        self.truncated += other.truncated;
        self.lost += other.lost;
        self.replays += other.replays;
        self.foreign_frames += other.foreign_frames;
    }
}

/// A frame with its zeros.
pub(crate) fn delimit(frame: &[u8], out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(frame);
    out.push(0);
}

fn chance(percent: u8, rng: &mut Rng) -> bool {
    percent > 0 && rng.chance(u64::from(percent), 100)
}

fn pick(len: usize, rng: &mut Rng) -> Option<usize> {
    let at = usize::try_from(rng.below(len as u64)).ok()?;
    (at < len).then_some(at)
}

fn flip(frame: &mut [u8], rng: &mut Rng) -> bool {
    let at = pick(frame.len(), rng);
    let Some(byte) = at.and_then(|at| frame.get_mut(at)) else { return false };
    *byte ^= 1 << rng.below(8);
    true
}

fn garbage(rng: &mut Rng, out: &mut Vec<u8>) {
    let count = rng.range(1, 40);
    out.extend((0..count).map(|_| byte(rng)));
}

fn insert(frame: &mut Vec<u8>, rng: &mut Rng) {
    let Some(at) = pick(frame.len(), rng) else { return };
    let mut bytes = Vec::new();
    garbage(rng, &mut bytes);
    frame.splice(at..at, bytes);
}

#[allow(clippy::cast_possible_truncation)] // the low bits are meant
const fn byte(rng: &mut Rng) -> u8 {
    rng.next_u64() as u8
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use quorate_core::NodeId;
    use quorate_serial::{Counters, Decoder, Encoder, Endpoint};

    const HERE: Endpoint = Endpoint { cluster: 7, node: NodeId::new(2) };

    fn frames() -> Vec<Vec<u8>> {
        let mut encoder = Encoder::<128>::new(Endpoint { cluster: 7, node: NodeId::new(1) });
        let mut frame = |number: u8| -> Vec<u8> {
            let payload = [number; 40];
            let bytes = encoder.encode(HERE.node, |out| out.raw(&payload)).unwrap();
            bytes.filter(|byte| *byte != 0).collect()
        };
        (0..100).map(|number| frame(number + 1)).collect()
    }

    /// What a node receives of 100 frames.
    fn receive(noise: Noise, seed: u64) -> (Counters, NoiseCounts, Vec<u8>) {
        let (mut rng, mut done) = (Rng::new(seed), NoiseCounts::default());
        let (mut decoder, mut recent, mut heard) =
            (Decoder::<128>::new(HERE), VecDeque::new(), Vec::new());
        for frame in frames() {
            let mut out = Vec::new();
            noise.apply(&frame, &recent, &mut rng, &mut done, &mut out);
            recent.push_back(frame);
            for byte in out {
                if let Some(Ok(frame)) = decoder.push(byte) {
                    assert_eq!(
                        frame.payload, [frame.payload[0]; 40],
                        "no damaged frame is received"
                    );
                    heard.push(frame.payload[0]);
                }
            }
        }
        (decoder.counters(), done, heard)
    }

    #[test]
    fn no_noise_passes_everything() {
        let (counters, done, heard) = receive(Noise::default(), 1);
        assert_eq!((counters.frames, counters.errors(), done.total()), (100, 0, 0));
        assert_eq!(heard, (1..=100).collect::<Vec<u8>>());
    }

    #[test]
    fn damage_is_detected() {
        for (noise, name) in [
            (Noise { flip: 100, ..Noise::default() }, "flip"),
            (Noise { truncate: 100, ..Noise::default() }, "truncate"),
        ] {
            let (counters, done, _) = receive(noise, 3);
            assert_eq!((counters.frames, done.damaged()), (0, 100), "{name}");
            assert!(counters.errors() >= 90, "{name}: {counters:?}");
        }
        let (counters, done, _) = receive(Noise { garbage: 100, ..Noise::default() }, 3);
        assert_eq!((done.garbage, counters.frames), (100, 0));
        assert!(counters.errors() >= 100);
    }

    #[test]
    fn lost_frames_are_not_received() {
        let (counters, done, _) = receive(Noise { drop: 40, ..Noise::default() }, 5);
        assert!(done.lost > 10);
        assert_eq!(u64::from(counters.frames) + done.lost, 100);
    }

    #[test]
    fn old_frames_are_replayed() {
        let (counters, done, heard) = receive(Noise { replay: 50, ..Noise::default() }, 7);
        assert!(done.replays > 20);
        assert_eq!(u64::from(counters.frames), 100 + done.replays);
        assert!(heard.windows(2).any(|pair| pair[0] > pair[1]), "in another order");
    }

    #[test]
    fn same_seed_makes_the_same_noise() {
        assert_eq!(receive(Noise::LINE, 9), receive(Noise::LINE, 9));
        assert_ne!(receive(Noise::LINE, 9).2, receive(Noise::LINE, 10).2);
    }
}
