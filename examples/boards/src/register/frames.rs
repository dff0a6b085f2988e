use quorate_core::{Instant, Machine as _, NodeId, Output, Rng, Wire as _};
use quorate_ring::quorum::{
    Config, Inline, Node, ReadOptions, Replicated, Request, RequestError, Tagged, WriteOptions,
};
use quorate_ring::topology::Version;
use quorate_ring::{HashRing, KeyHash, Member};
use quorate_serial::{Encoder, Endpoint};

/// The cluster's id, as in the image.
const CLUSTER: u64 = 0xc0a1;
/// A node that is in no cluster of ours.
const UNKNOWN: u64 = 66;
/// Foreign frames write with numbers from here on.
pub(super) const FAR: u64 = 1 << 20;
/// A register that every scenario with foreign frames uses.
pub(super) const TARGET: &str = "x";

/// A node with the boards' layout.
type Client = Node<Tagged<u32>, Replicated<HashRing<quorate_ring::Inline<3, 3>>>, Inline<1, 8>>;

/// A frame that is well-formed and that every node must reject: from an unknown node, or of another
/// cluster. It carries what would do most harm: a write that is later than all others.
#[must_use]
pub fn foreign_frame(rng: &mut Rng, to: u64) -> Vec<u8> {
    let (cluster, from) =
        if rng.chance(1, 2) { (CLUSTER, UNKNOWN) } else { (CLUSTER + 1, to % 3 + 1) };
    let mut encoder = Encoder::<128>::new(Endpoint { cluster, node: NodeId::new(from) });
    let Some(mut client) = node(UNKNOWN, rng.next_u64()) else { return Vec::new() };
    if request(&mut client, rng).is_err() {
        return Vec::new();
    }
    while let Some(output) = client.poll() {
        if let Output::Send(node, message) = output
            && node.get() == to
        {
            let frame = encoder.encode(node, |out| message.encode(out));
            return frame.map(Iterator::collect).unwrap_or_default();
        }
    }
    Vec::new()
}

fn request(client: &mut Client, rng: &mut Rng) -> Result<Request, RequestError> {
    if rng.chance(1, 4) {
        return client.read(Instant::ZERO, TARGET.as_bytes(), ReadOptions::default());
    }
    let value = Tagged::nth(rng.range(FAR, FAR << 10), 0);
    client.write(Instant::ZERO, TARGET.as_bytes(), value, WriteOptions::default())
}

fn node(id: u64, incarnation: u64) -> Option<Client> {
    let mut boards = HashRing::new(KeyHash::default(), 1);
    boards.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id)))).ok()?;
    let layout = Replicated::new(Version::default(), boards, 3);
    Client::new(NodeId::new(id), incarnation, layout, Config::radio()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use quorate_ring::quorum::Message;
    use quorate_serial::{Decoder, FrameError};

    #[test]
    fn foreign_frames_are_well_formed() {
        let mut rng = Rng::new(1);
        let (mut unknown, mut foreign) = (0, 0);
        for _ in 0..40 {
            let line = Endpoint { cluster: CLUSTER, node: NodeId::new(2) };
            let mut decoder = Decoder::<128>::new(line);
            for byte in foreign_frame(&mut rng, 2) {
                match decoder.push(byte) {
                    Some(Ok(frame)) => {
                        assert_eq!(frame.from.get(), UNKNOWN);
                        assert!(Message::<Tagged<u32>>::from_slice(frame.payload).is_ok());
                        unknown += 1;
                    }
                    Some(Err(reason)) => {
                        assert_eq!(reason, FrameError::Cluster);
                        foreign += 1;
                    }
                    None => {}
                }
            }
        }
        assert_eq!(unknown + foreign, 40);
        assert!(unknown > 5 && foreign > 5);
    }

    #[test]
    fn foreign_frames_would_do_harm() {
        let mut rng = Rng::new(1);
        let line = Endpoint { cluster: CLUSTER, node: NodeId::new(2) };
        let mut board = node(2, 1).unwrap();
        board.found();
        for _ in 0..40 {
            let mut decoder = Decoder::<128>::new(line);
            for byte in foreign_frame(&mut rng, 2) {
                if let Some(Ok(frame)) = decoder.push(byte) {
                    let message = Message::from_slice(frame.payload).unwrap();
                    // its answers wait for a disk that is not there, and have room for some
                    let _ = board.receive(Instant::ZERO, frame.from, message);
                }
            }
        }
        assert!(board.local(TARGET.as_bytes()).unwrap().tag().number() >= FAR);
    }
}
