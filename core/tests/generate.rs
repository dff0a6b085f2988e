//! What `Field::generate` makes of bytes, and how fields are shown: the hostile inputs of all machines are made so.

use quorate_core::{Field, NodeId, Shown, Source};

fn generated<'a, T: Field<'a>>(bytes: &'a [u8]) -> (T, Source<'a>) {
    let mut source = Source::new(bytes, &[500]);
    (T::generate(&mut source), source)
}

#[test]
fn source_is_empty_when_its_bytes_are_used_up() {
    let (byte, mut source) = generated::<u8>(&[7, 9]);
    assert_eq!((byte, source.is_empty()), (7, false));
    assert_eq!((source.byte(), source.is_empty()), (9, true));
}

#[test]
fn low_bit_makes_a_bool() {
    for (byte, value) in [(0, false), (1, true), (2, false), (3, true)] {
        assert_eq!(generated::<bool>(&[byte]).0, value, "{byte}");
    }
}

#[test]
fn length_and_run_make_bytes() {
    assert_eq!(generated::<&[u8]>(&[2, 8, 9, 4]).0, [8, 9]);
}

#[test]
fn most_node_ids_are_small() {
    assert_eq!(generated::<NodeId>(&[0x0b]).0, NodeId::new(3));
    assert_eq!(generated::<NodeId>(&[0xef]).0, NodeId::new(7));
    // the others are near a number that matters
    assert_eq!(generated::<NodeId>(&[0xf0, 0x03, 0]).0, NodeId::new(503));
}

#[test]
fn bool_before_a_value_makes_an_option() {
    assert_eq!(generated::<Option<u8>>(&[1, 5]).0, Some(5));
    assert_eq!(generated::<Option<u8>>(&[2, 5]).0, None);
}

#[test]
fn bytes_are_shown_as_text_or_by_their_number() {
    let shown = |bytes: &[u8]| Shown(&bytes).to_string();
    assert_eq!(shown(b"\0"), "1 byte");
    assert_eq!(shown(b"\0\0\0"), "3 bytes");
    assert_eq!(shown(&[0xff]), "1 byte");
    assert_eq!(shown(b"a\"b"), "\"a\\\"b\"");
}
