use core::fmt;

use quorate_core::{
    Declared, DecodeError, Embedded, Field, Form, Reader, Shape, Source, VisitedField, Wire,
    Writer, wire,
};

use crate::Crdt;

wire! {
    by hand;
    /// A message between replicas. Every message acknowledges.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Message<'a, T: Crdt> {
        /// The sender's generation, which numbers its updates.
        pub(crate) generation: u64,
        /// The receiver's generation that `acks` is of.
        pub(crate) acks_generation: u64,
        /// The sender has all of the receiver's updates up to this number, durably.
        pub(crate) acks: u64,
        /// The sender cannot continue with deltas: it requests the whole state.
        pub(crate) requests_state: bool,
        /// What else the message carries.
        pub(crate) body: Body<'a, T>,
    }
}

wire! {
    by hand;
    /// What a message carries besides the acknowledgement.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(crate) enum Body<'a, T: Crdt> {
        /// Only the acknowledgement.
        0 => Ack,
        /// The digest of the sender's state up to its update `last`. The sender has deltas from
        /// `first` on.
        1 => Digest {
            first: u64,
            last: u64,
            digest: u64,
        },
        /// Consecutive updates from number `first` on, as [frames](super::log::frames).
        2 => Deltas {
            first: u64,
            batch: &'a [u8],
        },
        /// The whole state, with everything up to the sender's update `last`.
        3 => State {
            last: u64,
            state: Embedded<'a, T>,
        },
        /// Before the receiver began its present generation, the sender had its updates up to
        /// `last` of another generation. Versions before this message drop it.
        4 => FormerGeneration {
            generation: u64,
            last: u64,
        },
    }
}

/// Written by hand, as that of the body is: generated ones are inlined more, and take up to 70
/// bytes more code.
impl<'a, T: Crdt> Wire<'a> for Message<'a, T> {
    fn encode(&self, out: &mut Writer<'_>) {
        [self.generation, self.acks_generation, self.acks]
            .into_iter()
            .for_each(|number| out.u64(number));
        out.bool(self.requests_state);
        self.body.encode(out);
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (generation, acks_generation, acks) = (input.u64()?, input.u64()?, input.u64()?);
        let requests_state = input.bool()?;
        let body = Body::decode(input)?;
        Ok(Self { generation, acks_generation, acks, requests_state, body })
    }
}

impl<'a, T: Crdt> Wire<'a> for Body<'a, T> {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Self::Ack => out.u8(0),
            Self::Digest { first, last, digest } => {
                out.u8(1);
                [*first, *last, *digest].into_iter().for_each(|number| out.u64(number));
            }
            Self::Deltas { first, batch } => {
                out.u8(2);
                out.u64(*first);
                out.bytes(batch);
            }
            Self::State { last, state } => {
                out.u8(3);
                out.u64(*last);
                state.encode(out);
            }
            Self::FormerGeneration { generation, last } => {
                out.u8(4);
                [*generation, *last].into_iter().for_each(|number| out.u64(number));
            }
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match input.u8()? {
            0 => Self::Ack,
            1 => Self::Digest { first: input.u64()?, last: input.u64()?, digest: input.u64()? },
            2 => Self::Deltas { first: input.u64()?, batch: input.bytes()? },
            3 => Self::State { last: input.u64()?, state: Embedded::decode(input)? },
            4 => Self::FormerGeneration { generation: input.u64()?, last: input.u64()? },
            _ => return Err(DecodeError::Invalid),
        })
    }
}

/// A record of a durable replica.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record<'a, T: Crdt>(pub(crate) RecordBody<'a, T>);

wire! {
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(crate) enum RecordBody<'a, T: Crdt> {
        /// A generation begins: its number was not used before.
        0 => Generation(generation: u64),
        /// Updates, as [frames](super::log::frames).
        1 => Deltas(batch: &'a [u8]),
        /// The whole state.
        2 => State(state: Embedded<'a, T>),
    }
}

impl<'a, T: Crdt> Wire<'a> for Record<'a, T> {
    fn encode(&self, out: &mut Writer<'_>) {
        self.0.encode(out);
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        RecordBody::decode(input).map(Self)
    }
}

impl<'a, T: Crdt> Field<'a> for Record<'a, T> {
    const FORM: Form = Form::named("Record");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }

    fn generate(source: &mut Source<'a>) -> Self {
        Self(RecordBody::generate(source))
    }
}

impl<'a, T: Crdt> Declared<'a> for Record<'a, T> {
    const SHAPE: Shape = Shape { name: "Record", variants: RecordBody::<'a, T>::SHAPE.variants };

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn visit(&self, visitor: &mut dyn FnMut(VisitedField<'_>)) {
        self.0.visit(visitor);
    }

    fn encode_declared(&self, out: &mut Writer<'_>) {
        self.0.encode_declared(out);
    }

    fn decode_declared(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        RecordBody::decode_declared(input).map(Self)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::{String, ToString as _};
    use std::vec::Vec;
    use std::{format, vec};

    use super::*;
    use crate::GCounter;
    use proptest::prelude::*;
    use quorate_clocks::{Actor, Inline};
    use quorate_core::{NodeId, Shown};
    use quorate_sim::wire::{check_codec, check_tables};

    type Counter = GCounter<Inline<2>>;

    fn hex<'a>(value: &impl Wire<'a>) -> String {
        let mut bytes = vec![0; value.encoded_len()];
        let bytes = value.to_slice(&mut bytes).unwrap_or_default();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn message<'a>(body: Body<'a, Counter>) -> Message<'a, Counter> {
        Message { generation: 300, acks_generation: 5, acks: 128, requests_state: true, body }
    }

    #[test]
    fn encoding_is_stable() -> Result<(), crate::UpdateError> {
        let of = |body| hex(&message(body)).split_off("ac0205800101".len());
        assert_eq!(hex(&message(Body::Ack)), "ac020580010100");
        assert_eq!(of(Body::Digest { first: 1, last: 300, digest: 2 }), "0101ac0202");
        assert_eq!(of(Body::Deltas { first: 7, batch: &[1, 9] }), "0207020109");
        assert_eq!(of(Body::State { last: 7, state: Embedded::Encoded(&[1]) }), "03070101");
        assert_eq!(of(Body::FormerGeneration { generation: 3, last: 128 }), "04038001");
        let mut counter = Counter::default();
        counter.increment(Actor::from(NodeId::new(1)), 5)?;
        let local = Body::State { last: 7, state: Embedded::Local(&counter) };
        assert_eq!(of(local), format!("030704{}", hex(&counter)));
        let record = |body| hex(&Record::<Counter>(body));
        assert_eq!(record(RecordBody::Generation(300)), "00ac02");
        assert_eq!(record(RecordBody::Deltas(&[1, 9])), "01020109");
        assert_eq!(record(RecordBody::State(Embedded::Encoded(&[1]))), "020101");
        Ok(())
    }

    #[test]
    fn text_names_the_message_and_its_fields() {
        let text = Shown(&message(Body::Deltas { first: 7, batch: b"\x01\x09" })).to_string();
        let expected = "generation 300, acks_generation 5, acks 128, requests_state true, \
            body Deltas first 7, batch 2 bytes";
        assert_eq!(text, expected);
        let counter = Counter::default();
        let record = Record(RecordBody::State(Embedded::Local(&counter)));
        assert_eq!(Shown(&record).to_string(), "State state 1 byte");
    }

    #[test]
    fn tables_match_declarations() {
        let declared = [
            ("Message", Message::<Counter>::SHAPE),
            ("Body", Body::<Counter>::SHAPE),
            ("Record", Record::<Counter>::SHAPE),
        ];
        assert_eq!(check_tables("docs/wire/crdt.md", &declared), Ok(()));
    }

    proptest! {
        #[test]
        fn codecs_match_declarations(
            bytes in prop::collection::vec(prop_oneof![0u8..6, any::<u8>()], 0..40),
        ) {
            check_codec::<Message<'_, Counter>>(&bytes, &mut Vec::new())
                .map_err(TestCaseError::fail)?;
            check_codec::<Record<'_, Counter>>(&bytes, &mut Vec::new())
                .map_err(TestCaseError::fail)?;
        }
    }
}
