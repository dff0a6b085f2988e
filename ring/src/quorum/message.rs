use core::fmt;

use quorate_core::{
    Declared, DecodeError, Embedded, Field, Form, NodeId, Reader, Shape, Source, VisitedField,
    Wire, Writer, wire,
};

use super::Value;
use crate::topology::Version;

wire! {
    /// A message between coordinators and replicas.
    ///
    /// ```
    /// use quorate_core::Wire;
    /// use quorate_ring::quorum::{Config, Coordinator, Inline, Message, Replica, Tagged, WriteOptions};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
    /// # let mut replica = Replica::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout.clone(), Config::lan())?;
    /// # replica.found();
    /// # let mut client = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout, Config::lan())?;
    /// client.write(Instant::ZERO, b"key", Tagged::nth(1, 7), WriteOptions::default())?;
    /// let Some(Output::Send(_to, message)) = client.poll() else { panic!() };
    /// let mut packet = [0; 64];
    /// let bytes = message.to_slice(&mut packet)?; // over the network
    /// replica.receive(Instant::ZERO, NodeId::new(9), Message::from_slice(bytes)?)?;
    /// while let Some(output) = replica.poll() {
    ///     if let Output::Persist(ticket, _record) = output {
    ///         replica.persisted(ticket);
    ///     }
    /// }
    /// assert_eq!(replica.local(b"key"), Some(&Tagged::nth(1, 7)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Message<'a, V: Value> {
        /// The incarnation of who asks: an answer repeats it.
        pub(crate) incarnation: u64,
        /// The number of the request: an answer repeats it.
        pub(crate) number: u64,
        /// The number of changes of the topology that the sender goes by.
        pub(crate) epoch: u64,
        /// The hash of that topology.
        pub(crate) digest: u64,
        /// What is asked or answered.
        pub(crate) body: Body<'a, V>,
    }
}

impl<'a, V: Value> Message<'a, V> {
    /// What a body consists of, for the tables of the documentation.
    #[doc(hidden)]
    pub const BODY: Shape = Body::<'a, V>::SHAPE;

    /// What a reason consists of.
    #[doc(hidden)]
    pub const REASON: Shape = Reason::SHAPE;

    /// What a cause consists of.
    #[doc(hidden)]
    pub const CAUSE: Shape = Cause::SHAPE;

    pub(crate) const fn version(&self) -> Version {
        Version { epoch: self.epoch, digest: self.digest }
    }
}

wire! {
    /// What a message says.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(crate) enum Body<'a, V: Value> {
        /// Merge this value into that of the key.
        0 => Write {
            /// Where the value comes from.
            cause: Cause,
            key: &'a [u8],
            value: Embedded<'a, V>,
        },
        /// Keep this value for a node that does not answer, and hand it to that node.
        1 => Hint {
            owner: NodeId,
            key: &'a [u8],
            value: Embedded<'a, V>,
        },
        /// The value is durable here, merged with what was there.
        2 => Written {
            /// What was there is later, and stays.
            superseded: bool,
        },
        /// What is the value of this key?
        3 => Read {
            /// The node that a fallback stands in for: it answers with what it keeps for that node.
            owner: Option<NodeId>,
            key: &'a [u8],
        },
        /// This is the value; it is durable here.
        4 => Found {
            value: Option<Embedded<'a, V>>,
            /// What is up to this clock and not in the value was deleted, and its tombstone purged.
            floor: u64,
        },
        /// The request was not carried out.
        5 => Refused {
            reason: Reason,
        },
        /// The sender's topology: the receiver has an older one, or another of the same epoch.
        6 => Topology {
            topology: &'a [u8],
        },
        /// A sweep compares the keys that both hold, from the first token to the last.
        7 => Summary {
            salt: u64,
            first: u64,
            last: u64,
            keys: u64,
            /// The sum of their digests.
            fingerprint: u64,
        },
        /// The receiver of a summary has the same.
        8 => Same,
        /// It has not.
        9 => Differs,
        /// The digests of the keys of a run, in the order of their tokens: eight bytes each, the lowest first.
        10 => Offer {
            salt: u64,
            first: u64,
            last: u64,
            digests: &'a [u8],
        },
        /// The sender wants the values of these keys: a bit for each that was offered, the lowest for the first.
        11 => Want {
            keys: u32,
        },
        /// A sweep with the receiver is over: what the sender has, the receiver has.
        12 => Swept {
            /// The incarnation and number with which the receiver asked for it; 0 and 0 if it did not.
            incarnation: u64,
            number: u64,
            floor: u64,
            sealed: u64,
        },
        /// The receiver's sweep with the sender is over.
        13 => SweptSeen,
        /// The floor rises: take no new value up to the second clock.
        14 => Seal {
            /// The sender knows the floor, and does not only ask for it.
            known: bool,
            /// No change at all is taken up to this one.
            floor: u64,
            sealed: u64,
        },
        /// It is so.
        15 => Sealed {
            floor: u64,
            sealed: u64,
            /// Whatever the sender has up to that clock, all replicas have.
            done: bool,
            /// How many changes up to that clock it has taken.
            changes: u64,
            /// The highest clock of tombstones that are old enough.
            wanted: u64,
        },
        // 16 was the question of nodes that took what was not sent for it: from them it is refused
        /// The sender may lack what the receiver has: sweep with it.
        17 => CatchUp,
    }
}

wire! {
    /// Where a value comes from that a replica is to take.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub(crate) enum Cause {
        /// A client writes it.
        0 => New,
        /// Some replica has had it.
        1 => Repair,
        /// As well, and the receiver has asked for a sweep with this incarnation and number.
        2 => Asked {
            incarnation: u64,
            number: u64,
        },
    }
}

wire! {
    /// Why a replica does not carry a request out.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub(crate) enum Reason {
        /// It goes by another topology.
        0 => Stale,
        /// It has no room for another key or hint, or for what the value became.
        1 => Full,
        /// The value's [clock](Value::clock) is so low that tombstones with it may be purged.
        2 => Purged {
            /// No change up to this clock is taken.
            floor: u64,
        },
        /// The value contradicts what is there.
        3 => Conflict,
        /// It does not know yet what it held before it started.
        4 => Blank,
    }
}

/// A record of a replica.
///
/// ```
/// use quorate_core::Wire;
/// use quorate_ring::quorum::{Config, Inline, Node, Record, Tagged, WriteOptions};
/// # use quorate_core::{Instant, Machine, NodeId, Output};
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
/// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
/// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
/// type Store<L> = Node<Tagged<u32>, L, Inline<8, 16>>;
/// let mut node = Store::new(NodeId::new(1), 1, layout.clone(), Config::lan())?;
/// node.found();
/// node.write(Instant::ZERO, b"key", Tagged::nth(1, 7), WriteOptions::default())?;
/// let mut disk = Vec::new();
/// while let Some(output) = node.poll() {
///     if let Output::Persist(ticket, record) = output {
///         disk.push(record.to_slice(&mut [0; 64])?.to_vec());
///         node.persisted(ticket); // on the disk
///     }
/// }
/// let mut restarted = Store::new(NodeId::new(1), 2, layout, Config::lan())?;
/// for bytes in &disk {
///     restarted.restore(Record::from_slice(bytes)?)?;
/// }
/// assert_eq!(restarted.local(b"key"), Some(&Tagged::nth(1, 7)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record<'a, V: Value>(pub(crate) RecordBody<'a, V>);

wire! {
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(crate) enum RecordBody<'a, V: Value> {
        /// The value of a key.
        0 => Put {
            key: &'a [u8],
            value: Embedded<'a, V>,
        },
        /// This node keeps a value for another.
        1 => Hint {
            owner: NodeId,
            key: &'a [u8],
            value: Embedded<'a, V>,
        },
        /// It does not any more.
        2 => HintDone {
            owner: NodeId,
            key: &'a [u8],
        },
        /// This node is a member that knows what it holds, or is no member any more.
        3 => Member(is_member: bool),
        /// The key's tombstone is removed.
        4 => Purged {
            key: &'a [u8],
        },
        /// No change up to this clock is taken any more.
        5 => Floor(floor: u64),
        /// No new value up to this clock is.
        6 => Sealed(sealed: u64),
        /// This node may lack what the others have up to the floor, and have what they have purged.
        7 => Behind,
        /// It has everything that the members of this version of the topology had.
        8 => CaughtUp {
            epoch: u64,
            digest: u64,
        },
    }
}

impl<'a, V: Value> Wire<'a> for Record<'a, V> {
    fn encode(&self, out: &mut Writer<'_>) {
        self.0.encode(out);
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        RecordBody::decode(input).map(Self)
    }
}

impl<'a, V: Value> Field<'a> for Record<'a, V> {
    const FORM: Form = Form::named("Record");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }

    fn generate(source: &mut Source<'a>) -> Self {
        Self(RecordBody::generate(source))
    }
}

impl<'a, V: Value> Declared<'a> for Record<'a, V> {
    const SHAPE: Shape = Shape { name: "Record", variants: RecordBody::<'a, V>::SHAPE.variants };

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
