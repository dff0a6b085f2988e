//! The wire format at its edges, against postcard and byte for byte.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use quorate_core::{DecodeError, Overflow, Reader, Wire, Writer};

#[derive(Debug, PartialEq)]
struct Number(u64);

impl Wire<'_> for Number {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.0);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(input.u64()?))
    }
}

#[derive(Debug, PartialEq)]
struct Piece<'a> {
    flag: bool,
    tag: u8,
    bytes: &'a [u8],
    raw: &'a [u8],
}

impl<'a> Wire<'a> for Piece<'a> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.bool(self.flag);
        out.u8(self.tag);
        out.bytes(self.bytes);
        out.raw(self.raw);
    }
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (flag, tag, bytes) = (input.bool()?, input.u8()?, input.bytes()?);
        Ok(Self { flag, tag, bytes, raw: input.raw(2)? })
    }
}

/// Each number next to where its encoding becomes a byte longer, and every single bit.
fn edges() -> impl Iterator<Item = u64> {
    (0..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1]).chain([u64::MAX])
}

#[test]
fn every_length_is_written_and_read() {
    for number in edges() {
        let mut buffer = [0; 10];
        let bytes = Number(number).to_slice(&mut buffer).unwrap();
        assert_eq!(bytes, postcard::to_allocvec(&number).unwrap(), "{number}");
        assert_eq!(bytes.len(), (64 - (number | 1).leading_zeros() as usize).div_ceil(7));
        assert_eq!(Number(number).encoded_len(), bytes.len());
        assert_eq!(Number::from_slice(bytes), Ok(Number(number)));
        // what follows is left
        let longer: Vec<u8> = bytes.iter().copied().chain([0x80, 1]).collect();
        let mut input = Reader::new(&longer);
        assert_eq!(input.u64(), Ok(number));
        assert_eq!(input.rest(), [0x80, 1]);
        assert_eq!(input.finish(), Err(DecodeError::Trailing));
        // cut short, it is none
        for cut in 0..bytes.len() {
            let mut input = Reader::new(&bytes[..cut]);
            assert_eq!(input.u64(), Err(DecodeError::Truncated), "{number} at {cut}");
        }
        // longer by a zero it says the same, and is refused
        let mut long = bytes.to_vec();
        *long.last_mut().unwrap() |= 0x80;
        long.push(0);
        assert_eq!(Number::from_slice(&long), Err(DecodeError::Invalid), "{long:02x?}");
    }
}

#[test]
fn numbers_end_at_64_bits() {
    let mut bytes = vec![0xff; 9];
    bytes.push(1);
    assert_eq!(Number::from_slice(&bytes), Ok(Number(u64::MAX)));
    for last in [2, 3, 0x7f, 0x80, 0x81] {
        bytes[9] = last;
        assert_eq!(Number::from_slice(&bytes), Err(DecodeError::Invalid), "{last:02x}");
    }
}

#[test]
fn every_small_input_is_read_as_postcard_reads_it_or_refused() {
    for first in 0..=255u8 {
        for second in 0..=255u8 {
            for third in [0, 1, 0x7f, 0x80, 0x81, 0xff] {
                let bytes = [first, second, third];
                let theirs = postcard::take_from_bytes::<u64>(&bytes);
                let mut input = Reader::new(&bytes);
                match (input.u64(), theirs) {
                    (Ok(ours), Ok((number, rest))) => {
                        assert_eq!((ours, input.rest()), (number, rest), "{bytes:02x?}");
                    }
                    // an over-long one, which only ours refuses
                    (Err(DecodeError::Invalid), Ok((number, rest))) => {
                        let taken = &bytes[..bytes.len() - rest.len()];
                        assert_ne!(postcard::to_allocvec(&number).unwrap(), taken);
                    }
                    (Err(DecodeError::Truncated), Err(_)) => {}
                    other => panic!("{bytes:02x?}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn a_buffer_that_is_too_small_tells_what_is_needed() {
    let piece = Piece { flag: true, tag: 9, bytes: &[1, 2, 3], raw: &[4, 5] };
    let expected = [1, 9, 3, 1, 2, 3, 4, 5];
    for len in 0..12 {
        let mut buffer = [0xee; 12];
        let written = piece.to_slice(&mut buffer[..len]);
        if len < expected.len() {
            assert_eq!(written, Err(Overflow { needed: expected.len() }));
        } else {
            assert_eq!(written, Ok(&expected[..]));
        }
        assert!(buffer[len..].iter().all(|byte| *byte == 0xee), "wrote beyond");
    }
    let mut out = Writer::new(&mut []);
    out.raw(&[0; 200]);
    assert_eq!(out.needed(), 200);
    out.u64(1 << 40);
    assert_eq!(out.needed(), 206);
    assert_eq!(out.finish(), Err(Overflow { needed: 206 }));
}

#[test]
fn what_does_not_fit_is_left_out_and_what_comes_after_is_not_written_into_its_place() {
    let mut buffer = [0; 4];
    let mut out = Writer::new(&mut buffer);
    out.u8(1);
    out.raw(&[2, 3, 4, 5, 6]);
    assert_eq!(out.needed(), 6);
    assert!(out.finish().is_err());
    assert_eq!(buffer[0], 1);
}

#[test]
fn length_before_what_is_written_is_that_of_bytes() {
    for len in (0..=300).chain([0x3fff, 0x4000]) {
        let content: Vec<u8> = (0..len).map(|at| at as u8 | 1).collect();
        let mut expected = vec![0; len + 8];
        let mut out = Writer::new(&mut expected);
        out.bytes(&content);
        out.u8(7);
        let needed = out.needed();
        expected.truncate(needed);
        // in a buffer of any size, what does not fit is left out, and told
        for room in [0, 1, 2, len / 2, needed - 2, needed - 1, needed, needed + 3] {
            let (calls, mut buffer) = (core::cell::Cell::new(0), vec![0; room]);
            let mut out = Writer::new(&mut buffer);
            out.length_prefixed(|out| {
                calls.set(calls.get() + 1);
                let (one, other) = content.split_at(len / 3);
                out.raw(one);
                out.raw(other);
            });
            out.u8(7);
            assert_eq!(calls.get(), if len < 0x80 { 1 } else { 2 });
            let written = out.finish();
            if room < needed {
                assert_eq!(written, Err(Overflow { needed }), "{len} in {room}");
            } else {
                assert_eq!(written, Ok(&expected[..]), "{len} in {room}");
            }
        }
    }
}

#[test]
fn lengths_are_within_lengths() {
    for len in [1, 125, 126, 127, 128, 200] {
        let content = vec![9; len];
        let mut buffer = vec![0; 300];
        let mut out = Writer::new(&mut buffer);
        out.length_prefixed(|out| out.length_prefixed(|out| out.raw(&content)));
        let mut outer = Reader::new(out.finish().unwrap());
        let mut inner = Reader::new(outer.bytes().unwrap());
        assert_eq!(inner.bytes(), Ok(&content[..]));
        assert_eq!((inner.finish(), outer.finish()), (Ok(()), Ok(())));
    }
}

#[test]
fn flags_and_lengths_are_checked() {
    assert_eq!(Piece::from_slice(&[2, 0, 0, 0, 0]), Err(DecodeError::Invalid));
    assert_eq!(Piece::from_slice(&[0, 0, 3, 0, 0]), Err(DecodeError::Truncated));
    assert_eq!(Piece::from_slice(&[0, 0, 1, 7, 8]), Err(DecodeError::Truncated));
    assert_eq!(Piece::from_slice(&[]), Err(DecodeError::Truncated));
    let read = Piece::from_slice(&[0, 5, 1, 7, 8, 9]);
    assert_eq!(read, Ok(Piece { flag: false, tag: 5, bytes: &[7], raw: &[8, 9] }));
    assert_eq!(Piece::from_slice(&[0, 5, 1, 7, 8, 9, 9]), Err(DecodeError::Trailing));
    // a length beyond all memory
    let huge = [0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert_eq!(Piece::from_slice(&huge), Err(DecodeError::Truncated));
}

proptest! {
    #[test]
    fn pieces_come_back(flag: bool, tag: u8, bytes in prop::collection::vec(any::<u8>(), 0..300), raw: [u8; 2]) {
        let piece = Piece { flag, tag, bytes: &bytes, raw: &raw };
        let mut buffer = vec![0; piece.encoded_len()];
        piece.to_slice(&mut buffer).unwrap();
        prop_assert_eq!(Piece::from_slice(&buffer), Ok(piece));
    }
}
