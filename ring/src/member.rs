use core::fmt;

use quorate_core::{
    DecodeError, Field, FieldValue, Form, NodeId, Reader, Source, Wire, Writer, wire,
};

/// What fails as a whole: a rack, a room, a region. The replicas of a key are spread over as many zones as there are.
///
/// ```
/// use quorate_ring::Zone;
/// assert_ne!(Zone::new(1), Zone::default());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Zone(u16);

impl Zone {
    /// The zone of this number.
    #[must_use]
    pub const fn new(zone: u16) -> Self {
        Self(zone)
    }

    /// Its number.
    ///
    /// ```
    /// # use quorate_ring::Zone;
    /// assert_eq!(Zone::new(3).get(), 3);
    /// ```
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Wire<'_> for Zone {
    fn encode(&self, out: &mut Writer<'_>) {
        self.0.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        u16::decode(input).map(Self)
    }
}

impl Field<'_> for Zone {
    const FORM: Form = <u16 as Field<'static>>::FORM;

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn value(&self) -> FieldValue<'_> {
        self.0.value()
    }

    fn generate(source: &mut Source<'_>) -> Self {
        Self(u16::generate(source))
    }
}

wire! {
    /// A node that holds keys, with its weight and its zone.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_ring::{Member, Zone};
    /// let twice = Member::new(NodeId::new(4)).with_weight(2).in_zone(Zone::new(1));
    /// assert_eq!((twice.weight, twice.zone), (2, Zone::new(1)));
    /// ```
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct Member {
        /// The node.
        pub id: NodeId,
        /// Its share of the keys in units of a member of weight 1: 1 to 65,535. [`Modulo`](crate::Modulo), [`Slots`](crate::Slots) and
        /// [`Bounded`](crate::Bounded) ignore it.
        pub weight: u16,
        /// The zone that it is in.
        pub zone: Zone,
    }
}

impl Member {
    /// A node of weight 1, in zone 0.
    #[must_use]
    pub const fn new(id: NodeId) -> Self {
        Self { id, weight: 1, zone: Zone::new(0) }
    }

    /// The same member with another weight.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::Member;
    /// assert_eq!(Member::new(NodeId::new(1)).with_weight(3).weight, 3);
    /// ```
    #[must_use]
    pub const fn with_weight(self, weight: u16) -> Self {
        Self { weight, ..self }
    }

    /// The same member in another zone.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::{Member, Zone};
    /// assert_eq!(Member::new(NodeId::new(1)).in_zone(Zone::new(2)).zone, Zone::new(2));
    /// ```
    #[must_use]
    pub const fn in_zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }
}
