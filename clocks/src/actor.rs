use core::fmt;

use quorate_core::{DecodeError, Field, Form, NodeId, Reader, Source, Wire, Writer};

/// Who makes events: a node, and which of its lives.
///
/// The events of an actor are numbered, and whoever has seen the `n`th takes a second `n`th for the same event and drops it. So a
/// node that lost its memory (a wiped disk, an old backup, a board without flash) must not go on counting as the actor it was:
/// it takes the next incarnation, and makes that durable before the first event. A node that kept its memory keeps its
/// incarnation: every incarnation is one more entry in every clock.
///
/// ```
/// use quorate_clocks::Actor;
/// use quorate_core::NodeId;
/// let before = Actor::from(NodeId::new(7));
/// let after = before.next_incarnation().ok_or("no incarnation left")?;
/// assert!(before < after);
/// assert_eq!((after.node(), after.incarnation()), (NodeId::new(7), 1));
/// assert_eq!(after.to_string(), "7+1");
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Actor {
    node: NodeId,
    incarnation: u32,
}

impl Actor {
    /// This life of this node; the first is 0.
    ///
    /// ```
    /// use quorate_clocks::Actor;
    /// use quorate_core::NodeId;
    /// let actor = Actor::new(NodeId::new(7), 2);
    /// assert_ne!(actor, Actor::from(NodeId::new(7)));
    /// ```
    #[must_use]
    pub const fn new(node: NodeId, incarnation: u32) -> Self {
        Self { node, incarnation }
    }

    /// The node.
    ///
    /// ```
    /// # use quorate_clocks::Actor;
    /// # use quorate_core::NodeId;
    /// assert_eq!(Actor::new(NodeId::new(7), 2).node(), NodeId::new(7));
    /// ```
    #[must_use]
    pub const fn node(self) -> NodeId {
        self.node
    }

    /// Which of the node's lives, from 0.
    ///
    /// ```
    /// # use quorate_clocks::Actor;
    /// # use quorate_core::NodeId;
    /// assert_eq!(Actor::new(NodeId::new(7), 2).incarnation(), 2);
    /// ```
    #[must_use]
    pub const fn incarnation(self) -> u32 {
        self.incarnation
    }

    /// The node's next life, or `None` after the last of 2^32.
    ///
    /// ```
    /// # use quorate_clocks::Actor;
    /// # use quorate_core::NodeId;
    /// let node = NodeId::new(7);
    /// assert_eq!(Actor::new(node, 2).next_incarnation(), Some(Actor::new(node, 3)));
    /// assert_eq!(Actor::new(node, u32::MAX).next_incarnation(), None);
    /// ```
    #[must_use]
    pub const fn next_incarnation(self) -> Option<Self> {
        match self.incarnation.checked_add(1) {
            Some(incarnation) => Some(Self { node: self.node, incarnation }),
            None => None,
        }
    }
}

/// The node's first life.
impl From<NodeId> for Actor {
    fn from(node: NodeId) -> Self {
        Self { node, incarnation: 0 }
    }
}

/// As short as `Display`: clocks are lists of these.
impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.incarnation == 0 {
            return self.node.fmt(f);
        }
        write!(f, "{}+{}", self.node, self.incarnation)
    }
}

impl Wire<'_> for Actor {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.node.get());
        out.u64(u64::from(self.incarnation));
    }

    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let node = NodeId::new(input.u64()?);
        let incarnation = u32::try_from(input.u64()?).map_err(|_| DecodeError::Invalid)?;
        Ok(Self { node, incarnation })
    }
}

impl Field<'_> for Actor {
    const FORM: Form = Form::named("actor");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    /// Most are of a node's first incarnations.
    fn generate(source: &mut Source<'_>) -> Self {
        let node = NodeId::generate(source);
        let incarnation = match source.byte() {
            0xff => u32::generate(source),
            byte => u32::from(byte & 3),
        };
        Self { node, incarnation }
    }
}
