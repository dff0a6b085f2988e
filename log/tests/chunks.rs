//! Snapshots in chunks: the buffer of a machine, and how far a snapshot was received.

use quorate_core::{InlineList, List};
use quorate_log::{ChunkBuffer, Held, Incoming};

type Chunk = ChunkBuffer<InlineList<u8, 8>, u64>;

const OUTGOING: Held<u64> = Held::Outgoing { offset: 3, done: true };
const INCOMING: Held<u64> = Held::Incoming { snapshot: 7, offset: 3, done: false };

#[test]
fn limit_is_the_smaller_of_what_is_asked_and_the_capacity() {
    assert_eq!(Chunk::with_limit(5).limit(), 5);
    assert_eq!(Chunk::with_limit(9).limit(), 8);
    let chunk = Chunk::with_limit(5);
    assert_eq!((chunk.held(), chunk.bytes()), (Held::Nothing, &[][..]));
}

#[test]
fn chunk_replaces_what_was_held() {
    let mut chunk = Chunk::with_limit(5);
    assert!(chunk.hold(b"first", OUTGOING));
    assert_eq!((chunk.held(), chunk.bytes()), (OUTGOING, &b"first"[..]));
    assert!(chunk.hold(b"2", INCOMING));
    assert_eq!((chunk.held(), chunk.bytes()), (INCOMING, &b"2"[..]));
}

#[test]
fn chunk_above_the_limit_empties_the_buffer() {
    // a limit below the capacity, and the capacity
    for limit in [5, 8] {
        let mut chunk = Chunk::with_limit(limit);
        assert!(chunk.hold(b"held", OUTGOING));
        assert!(!chunk.hold(&[1; 9][..limit + 1], INCOMING));
        assert_eq!((chunk.held(), chunk.bytes()), (Held::Nothing, &[][..]));
        assert!(chunk.hold(&[1; 9][..limit], INCOMING), "exactly the limit");
    }
}

#[test]
fn released_bytes_stay_until_the_buffer_is_used_again() {
    let mut chunk = Chunk::with_limit(5);
    assert!(chunk.hold(b"first", INCOMING));
    chunk.release();
    assert_eq!((chunk.held(), chunk.bytes()), (Held::Nothing, &b"first"[..]));
    assert!(chunk.add_command(b"1", b"2"));
    assert_eq!((chunk.held(), chunk.bytes()), (Held::Commands, &b"12"[..]));
}

#[test]
fn clear_drops_bytes_and_what_was_held() {
    let mut chunk = Chunk::with_limit(5);
    assert!(chunk.hold(b"first", OUTGOING));
    chunk.clear();
    assert_eq!((chunk.held(), chunk.bytes()), (Held::Nothing, &[][..]));
}

#[test]
fn scratch_is_empty_and_drops_what_was_held() {
    let mut chunk = Chunk::with_limit(5);
    assert!(chunk.hold(b"first", OUTGOING));
    assert_eq!(chunk.scratch().push(9), Ok(()));
    assert_eq!((chunk.held(), chunk.bytes()), (Held::Nothing, &[9][..]));
}

#[test]
fn commands_gather_up_to_the_limit() {
    let mut chunk = Chunk::with_limit(5);
    assert!(chunk.add_command(b"a", b""));
    assert!(chunk.add_command(b"b", b"cd"));
    assert!(!chunk.add_command(b"e", b"f"), "one byte too many");
    assert_eq!((chunk.held(), chunk.bytes()), (Held::Commands, &b"abcd"[..]));
    assert!(chunk.add_command(b"", b"e"), "exactly the limit");
    assert_eq!((chunk.held(), chunk.bytes()), (Held::Commands, &b"abcde"[..]));
}

#[test]
fn command_is_refused_while_a_chunk_is_held() {
    for held in [OUTGOING, INCOMING] {
        let mut chunk = Chunk::with_limit(5);
        assert!(chunk.hold(b"a", held));
        assert!(!chunk.add_command(b"b", b"c"));
        assert_eq!((chunk.held(), chunk.bytes()), (held, &b"a"[..]));
    }
}

#[test]
fn too_long_command_leaves_an_empty_buffer_unheld() {
    let mut chunk = Chunk::with_limit(5);
    assert!(!chunk.add_command(b"abc", b"def"));
    assert_eq!(chunk.held(), Held::Nothing);
}

#[test]
fn chunks_are_expected_in_order() {
    let mut incoming = Incoming::new(7);
    assert_eq!((incoming.snapshot(), incoming.offset(), incoming.is_complete()), (7, 0, false));
    assert!(!incoming.expects(1, false) && !incoming.expects(1, true));
    incoming.take(0, 100, false);
    assert_eq!((incoming.offset(), incoming.is_complete()), (100, false));
    assert!(incoming.expects(100, false) && incoming.expects(100, true));
    // a duplicate, an overlap and a gap
    assert!([0, 99, 101].iter().all(|&offset| !incoming.expects(offset, false)));
    assert!([99, 101].iter().all(|&offset| !incoming.expects(offset, true)));
}

#[test]
fn whole_snapshot_in_one_chunk_is_expected_at_any_time() {
    let mut incoming = Incoming::new(7);
    incoming.take(0, 100, false);
    assert!(incoming.expects(0, true));
    incoming.take(0, 10, true);
    assert_eq!((incoming.offset(), incoming.is_complete()), (10, true));
}

#[test]
fn complete_snapshot_expects_no_chunk() {
    let mut incoming = Incoming::new(7);
    incoming.take(0, 100, true);
    assert!(incoming.is_complete());
    assert!(
        [(0, true), (100, false), (100, true)]
            .iter()
            .all(|&(at, done)| { !incoming.expects(at, done) })
    );
}

#[test]
fn offset_does_not_overflow() {
    let mut incoming = Incoming::new(7);
    incoming.take(u64::MAX - 1, 9, false);
    assert_eq!(incoming.offset(), u64::MAX);
}
