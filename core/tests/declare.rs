//! Messages that are declared once.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use proptest::prelude::*;
use quorate_core::{
    Declared, DecodeError, Field, Hint, NodeId, Reader, Shown, Source, Wire, Writer, wire,
};

wire! {
    /// All kinds of fields.
    #[derive(Clone, Copy, PartialEq, Debug)]
    #[non_exhaustive]
    pub enum Message<'a> {
        /// Numbers.
        /// In two lines.
        0 => Numbers {
            /// The first.
            #[allow(unused)]
            byte: u8,
            short: u16,
            word: u32,
            long: u64,
        },
        1 => Others { yes: bool, node: NodeId, maybe: Option<NodeId>, data: &'a [u8] },
        7 => Nothing,
        /// Another declaration.
        8 => Nested { pair: Pair, kind: Kind },
    }
}

wire! {
    #[derive(Clone, Copy, PartialEq, Debug)]
    pub struct Pair {
        /// From here.
        pub from: u64,
        to: u64,
    }
}

wire! {
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Kind {
        0 => Plain,
        1 => Special,
    }
}

wire! {
    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Lent<'a> {
        data: &'a [u8],
    }
}

wire! {
    by hand;
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Hot {
        0 => Heartbeat { term: u64 },
        1 => Quiet,
    }
}

impl Wire<'_> for Hot {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Self::Heartbeat { term } => {
                out.u8(0);
                out.u64(*term);
            }
            Self::Quiet => out.u8(1),
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.u8()? {
            0 => Ok(Self::Heartbeat { term: input.u64()? }),
            1 => Ok(Self::Quiet),
            _ => Err(DecodeError::Invalid),
        }
    }
}

wire! {
    by hand;
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum HotAndLent<'a> {
        3 => Data { data: &'a [u8] },
    }
}

impl<'a> Wire<'a> for HotAndLent<'a> {
    fn encode(&self, out: &mut Writer<'_>) {
        self.encode_declared(out);
    }
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Self::decode_declared(input)
    }
}

wire! {
    /// Of any type that is a field.
    #[derive(Clone, Copy, PartialEq, Debug)]
    pub struct Generic<'a, T: Value<'a>> {
        pub value: T,
        kind: GenericKind<'a, T>,
    }
}

wire! {
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum GenericKind<'a, T: Value<'a>> {
        /// One.
        0 => One(
            /// The one.
            value: T,
        ),
        1 => Two(first: T, bytes: &'a [u8]),
        2 => Named { value: T },
        3 => Nothing,
    }
}

trait Value<'a>: Field<'a> + Copy {}
impl Value<'_> for u64 {}

fn encoded<'a>(value: &impl Wire<'a>) -> Vec<u8> {
    let mut buffer = vec![0; value.encoded_len()];
    value.to_slice(&mut buffer).unwrap().to_vec()
}

#[test]
fn bytes_are_the_number_and_the_fields_in_order() {
    let numbers = Message::Numbers { byte: 200, short: 300, word: 1, long: 128 };
    assert_eq!(encoded(&numbers), [0, 200, 0xac, 0x02, 1, 0x80, 0x01]);
    let others = Message::Others { yes: true, node: NodeId::new(3), maybe: None, data: &[7, 8] };
    assert_eq!(encoded(&others), [1, 1, 3, 0, 2, 7, 8]);
    let maybe = Some(NodeId::new(9));
    let others = Message::Others { yes: false, node: NodeId::new(3), maybe, data: &[] };
    assert_eq!(encoded(&others), [1, 0, 3, 1, 9, 0]);
    assert_eq!(encoded(&Message::Nothing), [7]);
    let nested = Message::Nested { pair: Pair { from: 1, to: 2 }, kind: Kind::Special };
    assert_eq!(encoded(&nested), [8, 1, 2, 1]);
    assert_eq!(encoded(&Lent { data: &[5] }), [1, 5]);
    let generic = |kind| encoded(&Generic { value: 300_u64, kind });
    assert_eq!(generic(GenericKind::One(7)), [0xac, 0x02, 0, 7]);
    assert_eq!(generic(GenericKind::Two(7, b"a")), [0xac, 0x02, 1, 7, 1, b'a']);
    assert_eq!(generic(GenericKind::Named { value: 8 }), [0xac, 0x02, 2, 8]);
}

#[test]
fn numbers_that_do_not_fit_are_invalid() {
    let invalid = |bytes: &[u8]| assert_eq!(Message::from_slice(bytes), Err(DecodeError::Invalid));
    invalid(&[0, 1, 0x80, 0x80, 0x04, 1, 1]); // 2^16 in 16 bits
    invalid(&[0, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x10, 1]); // 2^32 in 32 bits
    invalid(&[2]);
    invalid(&[8, 1, 2, 2]);
    invalid(&[1, 2, 3, 0, 0]);
    assert!(Message::from_slice(&[0, 1, 0xff, 0xff, 0x03, 1, 1]).is_ok());
    assert_eq!(Message::from_slice(&[7, 0]), Err(DecodeError::Trailing));
}

#[test]
fn text_names_the_variant_and_the_fields() {
    let text = |message: &Message<'_>| Shown(message).to_string();
    let numbers = Message::Numbers { byte: 2, short: 3, word: 4, long: 5 };
    assert_eq!(text(&numbers), "Numbers byte 2, short 3, word 4, long 5");
    let maybe = Some(NodeId::new(9));
    let others = Message::Others { yes: true, node: NodeId::new(3), maybe, data: b"hi" };
    assert_eq!(text(&others), "Others yes true, node 3, maybe 9, data \"hi\"");
    let others = Message::Others { yes: true, node: NodeId::new(3), maybe: None, data: &[0] };
    assert_eq!(text(&others), "Others yes true, node 3, maybe none, data 1 byte");
    assert_eq!(text(&Message::Nothing), "Nothing");
    let nested = Message::Nested { pair: Pair { from: 1, to: 2 }, kind: Kind::Plain };
    assert_eq!(text(&nested), "Nested pair from 1, to 2, kind Plain");
    let generic = Generic { value: 5_u64, kind: GenericKind::Two(7, b"a") };
    assert_eq!(Shown(&generic).to_string(), "value 5, kind Two first 7, bytes \"a\"");
}

#[test]
fn shapes_are_what_was_declared() {
    let shape = Message::SHAPE;
    assert_eq!((shape.name, shape.variants.len()), ("Message", 4));
    let numbers: Vec<_> = shape.variants.iter().map(|v| (v.number.unwrap(), v.name)).collect();
    assert_eq!(numbers, [(0, "Numbers"), (1, "Others"), (7, "Nothing"), (8, "Nested")]);
    assert_eq!(shape.variants[0].doc, [" Numbers.", " In two lines."]);
    assert_eq!(shape.variants[0].fields[0].doc, [" The first.", ""]);
    let forms = |at: usize| {
        let fields = shape.variants[at].fields.iter();
        fields.map(|field| format!("{} {}", field.name, field.form)).collect::<Vec<_>>()
    };
    assert_eq!(forms(0), ["byte byte", "short varint", "word varint", "long varint"]);
    assert_eq!(forms(1), ["yes bool", "node node", "maybe option of node", "data bytes"]);
    assert_eq!(forms(3), ["pair Pair", "kind Kind"]);
    let pair = Pair::SHAPE;
    assert_eq!((pair.name, pair.variants[0].number, pair.variants[0].name), ("Pair", None, "Pair"));
    assert_eq!(pair.variants[0].fields[0].doc, [" From here."]);
    let [one, two, ..] = GenericKind::<u64>::SHAPE.variants else { panic!() };
    assert_eq!((one.name, one.fields[0].name, one.doc[0]), ("One", "value", " One."));
    assert_eq!((one.fields[0].doc, two.fields[1].name), (&[" The one."][..], "bytes"));
    assert_eq!((Lent::SHAPE.name, Lent::SHAPE.variants[0].fields.len()), ("Lent", 1));
}

#[test]
fn an_exhausted_source_gives_zeros() {
    let mut source = Source::new(&[], &[40]);
    assert_eq!((source.byte(), source.number(), source.bytes()), (0, 40, &[][..]));
    assert_eq!(Source::new(&[], &[]).number(), 0);
    assert_eq!(Message::generate(&mut source), {
        Message::Numbers { byte: 0, short: 40, word: 40, long: 40 }
    });
    let mut long = Source::new(&[200, 1, 2], &[]);
    assert_eq!((long.bytes(), long.is_empty()), (&[1, 2][..], true));
}

#[test]
fn numbers_come_near_those_that_matter_and_near_the_ends() {
    let number = |what: u8, near: &[u64]| Source::new(&[what, 1], near).number();
    assert_eq!(number(0x03, &[100, 200]), 203);
    assert_eq!(number(0x6f, &[100, 200]), 185);
    let equal = (0..0xb0).filter(|&what| number(what, &[100]) == 100).count();
    assert_eq!(equal, 11 * 9);
    assert_eq!(number(0xb5, &[100, 200]), 5);
    assert_eq!(number(0xc5, &[100, 200]), 200 + (1 << 32) - 3);
    assert_eq!(number(0xd9, &[]), (1 << 62) + 1);
    assert_eq!(number(0xe8, &[]), 1 << 63);
    assert_eq!(number(0xf2, &[]), u64::MAX - 2);
}

#[test]
fn hints_are_for_the_fields_they_name() {
    let hints = [
        Hint::near("last_term", &[5]),
        Hint::near("term", &[9]),
        Hint::bytes("data", &[b"a", b"bc"]),
        Hint::near("byte", &[77]),
    ];
    let source = |bytes: &'static [u8]| Source::new(bytes, &[1000]).hints(&hints);
    let number = |name| source(&[0]).field(name).number();
    assert_eq!((number("last_term"), number("prev_term"), number("term")), (5, 9, 9));
    assert_eq!((number("midterm"), number("terms"), number("")), (1000, 1000, 1000));
    let bytes = |run: &'static [u8]| source(run).field("data").bytes();
    assert_eq!(
        (bytes(&[0]), bytes(&[1]), bytes(&[3]), bytes(&[])),
        (&b"a"[..], &b"bc"[..], &b"bc"[..], &b"a"[..])
    );
    // a long length is one of other bytes, and so is any for another field
    assert_eq!(bytes(&[0xff, 7, 8]), [7, 8]);
    assert_eq!(source(&[1, 7, 8]).field("payload").bytes(), [7]);
    let made = Message::generate(&mut source(&[0, 1, 0, 0, 0]));
    assert_eq!(made, Message::Numbers { byte: 78, short: 1000, word: 1000, long: 1000 });
    let made = Message::generate(&mut source(&[1, 1, 2, 0, 1]));
    let data = &b"bc"[..];
    assert_eq!(made, Message::Others { yes: true, node: NodeId::new(2), maybe: None, data });
    let mut source = Source::new(&[1, 2], &[]);
    assert_eq!((source.byte(), source.rest()), (1, &[2][..]));
    // a choice of one takes no byte
    assert_eq!((source.one_of(&[5]), source.rest()), (5, &[2][..]));
    assert_eq!((source.one_of::<u8>(&[]), source.rest()), (0, &[][..]));
}

#[test]
fn fields_are_visited_in_order() {
    fn visited<'a>(value: &impl Declared<'a>) -> String {
        let mut out = value.name().to_owned();
        value.visit(&mut |field| {
            out += &format!("; {} {:?} {}", field.name, field.value, field.text)
        });
        out
    }
    let numbers = Message::Numbers { byte: 2, short: 3, word: 4, long: 5 };
    let text = "Numbers; byte Number(2) 2; short Number(3) 3; word Number(4) 4; long Number(5) 5";
    assert_eq!(visited(&numbers), text);
    let (node, data) = (NodeId::new(3), &b"h"[..]);
    let others = Message::Others { yes: true, node, maybe: Some(node), data };
    let text =
        "Others; yes Flag(true) true; node Number(3) 3; maybe Number(3) 3; data Bytes([104]) \"h\"";
    assert_eq!(visited(&others), text);
    let others = Message::Others { yes: true, node, maybe: None, data };
    assert!(visited(&others).contains("; maybe Other none;"));
    assert_eq!(visited(&Message::Nothing), "Nothing");
    let nested = Message::Nested { pair: Pair { from: 1, to: 2 }, kind: Kind::Special };
    assert_eq!(
        visited(&nested),
        "Nested; pair Other from 1, to 2; kind Variant(\"Special\") Special"
    );
    assert_eq!(visited(&Lent { data }), "Lent; data Bytes([104]) \"h\"");
    let two = GenericKind::Two(7_u64, b"");
    assert_eq!(visited(&two), "Two; first Number(7) 7; bytes Bytes([]) \"\"");
}

#[test]
fn long_text_is_shown_as_its_length() {
    let text = "x".repeat(64);
    assert_eq!(Shown(&text.as_bytes()).to_string(), format!("{text:?}"));
    assert_eq!(Shown(&"x".repeat(65).as_bytes()).to_string(), "65 bytes");
}

/// Every value that is made has one encoding, and reads as itself.
fn made<'a, T: Declared<'a> + PartialEq + core::fmt::Debug>(bytes: &'a [u8], room: &'a mut [u8]) {
    let value = T::generate(&mut Source::new(bytes, &[7, 300]));
    let len = value.to_slice(room).unwrap().len();
    let room: &'a [u8] = room;
    let read = T::from_slice(&room[..len]).unwrap();
    assert_eq!(read, value);
    let mut again = vec![0; len];
    let mut out = Writer::new(&mut again);
    value.encode_declared(&mut out);
    assert_eq!(out.finish().unwrap(), &room[..len]);
}

/// What can be read at all is the encoding of what was read, also by the declaration.
fn read<'a, T: Declared<'a> + PartialEq + core::fmt::Debug>(bytes: &'a [u8]) {
    let by_declaration = {
        let mut input = Reader::new(bytes);
        T::decode_declared(&mut input).and_then(|value| input.finish().map(|()| value))
    };
    let value = T::from_slice(bytes);
    assert_eq!(value, by_declaration);
    if let Ok(value) = value {
        assert_eq!(encoded(&value), bytes);
    }
}

proptest! {
    #[test]
    fn all_that_is_made_is_read_again(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        made::<Message<'_>>(&bytes, &mut [0; 400]);
        made::<Pair>(&bytes, &mut [0; 400]);
        made::<Kind>(&bytes, &mut [0; 400]);
        made::<Lent<'_>>(&bytes, &mut [0; 400]);
        made::<Hot>(&bytes, &mut [0; 400]);
        made::<HotAndLent<'_>>(&bytes, &mut [0; 400]);
        made::<Generic<'_, u64>>(&bytes, &mut [0; 400]);
    }

    #[test]
    fn all_that_is_read_has_one_encoding(bytes in prop::collection::vec(0_u8..12, 0..12)) {
        read::<Message<'_>>(&bytes);
        read::<Pair>(&bytes);
        read::<Kind>(&bytes);
        read::<Lent<'_>>(&bytes);
        read::<Hot>(&bytes);
        read::<HotAndLent<'_>>(&bytes);
        read::<Generic<'_, u64>>(&bytes);
    }
}

#[test]
fn every_variant_is_made() {
    let bytes = [0, 1, 2, 3, 4];
    let made = |at: usize| Message::generate(&mut Source::new(&bytes[at..=at], &[]));
    assert!(matches!(made(1), Message::Others { .. }));
    assert!(matches!((made(2), made(3)), (Message::Nothing, Message::Nested { .. })));
    assert!(matches!((made(0), made(4)), (Message::Numbers { .. }, Message::Numbers { .. })));
    assert_eq!(Kind::generate(&mut Source::new(&[1], &[])), Kind::Special);
}
