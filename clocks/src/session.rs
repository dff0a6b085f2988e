use core::fmt;

use quorate_core::{DecodeError, Full, Reader, Wire, Writer};

use crate::{Dot, Storage, VersionVector};

/// What a client carries from server to server so that it never sees time go back: the four session guarantees (Terry, Demers,
/// Petersen, Spreitzer, Theimer, Welch, "Session Guarantees for Weakly Consistent Replicated Data", PDIS 1994).
///
/// A server stands for the vector of writes it has applied. Before an operation the client (or a proxy, or the server handed
/// the token) checks whether the server has what the session needs, and after it records in the
/// token what was read or written:
///
/// | guarantee | checked of the server | recorded in the token |
/// |---|---|---|
/// | read your writes | before a read: the writes | after a write: its dot |
/// | monotonic reads | before a read: what was read | after a read: the server's vector |
/// | monotonic writes | before a write: the writes | after a write: its dot |
/// | writes follow reads | before a write: what was read | after a read: the server's vector |
///
/// The last two are kept by servers that apply a write only after all it depends on: causal delivery does that.
///
/// A client that loses its token has lost the session: the next one guarantees nothing of what this
/// one read and wrote.
///
/// The token has at most an entry a server in each of two vectors; with all four guarantees one vector does, and the other stays
/// empty. A vector that holds only part of what a server has may be told after a read: that of the objects read.
///
/// ```
/// use quorate_clocks::{Guarantees, Inline, Session, VersionVector};
/// use quorate_core::NodeId;
///
/// let (mut here, there) = (VersionVector::<Inline<3>>::new(), VersionVector::<Inline<3>>::new());
/// let mut session = Session::<Inline<3>>::new(Guarantees::ALL);
/// session.may_write(&here)?;
/// session.record_write(here.increment(NodeId::new(1).into())?)?;
/// assert!(session.may_read(&here).is_ok());
/// let missing = session.may_read(&there).unwrap_err(); // the write is not there yet
/// assert_eq!(missing.dot.to_string(), "1:1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound = ""))]
pub struct Session<S: Storage> {
    guarantees: Guarantees,
    /// What was read; with all guarantees, and written.
    reads: VersionVector<S>,
    writes: VersionVector<S>,
}

/// Which of the four guarantees a session gives.
///
/// ```
/// use quorate_clocks::Guarantees;
/// let reads_only = Guarantees { monotonic_reads: true, ..Guarantees::NONE };
/// assert_ne!(reads_only, Guarantees::ALL);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[allow(clippy::struct_excessive_bools)] // four independent choices
pub struct Guarantees {
    /// A read sees the session's earlier writes.
    pub read_your_writes: bool,
    /// A read sees all that the session's earlier reads saw.
    pub monotonic_reads: bool,
    /// A write comes after the session's earlier writes, everywhere.
    pub monotonic_writes: bool,
    /// A write comes after the writes that the session's earlier reads saw, everywhere.
    pub writes_follow_reads: bool,
}

impl Guarantees {
    /// None of them.
    pub const NONE: Self = Self {
        read_your_writes: false,
        monotonic_reads: false,
        monotonic_writes: false,
        writes_follow_reads: false,
    };

    /// All four: causal consistency, as one client sees it.
    pub const ALL: Self = Self {
        read_your_writes: true,
        monotonic_reads: true,
        monotonic_writes: true,
        writes_follow_reads: true,
    };
}

impl<S: Storage> Session<S> {
    /// A session that has read and written nothing.
    ///
    /// ```
    /// # use quorate_clocks::{Guarantees, Inline, Session, VersionVector};
    /// let session = Session::<Inline<3>>::new(Guarantees::ALL);
    /// assert!(session.may_read(&VersionVector::<Inline<3>>::new()).is_ok());
    /// ```
    #[must_use]
    pub fn new(guarantees: Guarantees) -> Self {
        Self::with_limit(guarantees, S::LIMIT)
    }

    /// The same, for at most so many servers.
    ///
    /// ```
    /// # use quorate_clocks::{Guarantees, Inline, Session};
    /// let session = Session::<Inline<3>>::with_limit(Guarantees::NONE, 2);
    /// assert_eq!(session.guarantees(), Guarantees::NONE);
    /// ```
    #[must_use]
    pub fn with_limit(guarantees: Guarantees, limit: usize) -> Self {
        let [reads, writes] = [VersionVector::with_limit(limit), VersionVector::with_limit(limit)];
        Self { guarantees, reads, writes }
    }

    /// Whether a server with this vector may serve a read.
    ///
    /// # Errors
    ///
    /// [`Behind`] names one write the server lacks: wait until it has it, or ask another.
    ///
    /// ```
    /// # use quorate_clocks::{Guarantees, Inline, Session, VersionVector};
    /// # use quorate_core::NodeId;
    /// let mut fresh = VersionVector::<Inline<3>>::new();
    /// let stale = fresh.clone();
    /// fresh.increment(NodeId::new(1).into())?;
    /// let mut session = Session::<Inline<3>>::new(Guarantees::ALL);
    /// session.record_read(&fresh)?;
    /// assert!(session.may_read(&stale).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn may_read<T: Storage>(&self, server: &VersionVector<T>) -> Result<(), Behind> {
        let needs = self.guarantees;
        self.check(server, needs.monotonic_reads, needs.read_your_writes)
    }

    /// Whether a server with this vector may take a write.
    ///
    /// # Errors
    ///
    /// [`Behind`] names one write the server lacks: wait until it has it, or ask another.
    ///
    /// ```
    /// # use quorate_clocks::{Guarantees, Inline, Session, VersionVector};
    /// # use quorate_core::NodeId;
    /// let mut here = VersionVector::<Inline<3>>::new();
    /// let there = here.clone();
    /// let mut session = Session::<Inline<3>>::new(Guarantees::ALL);
    /// session.record_write(here.increment(NodeId::new(1).into())?)?;
    /// assert!(session.may_write(&here).is_ok() && session.may_write(&there).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn may_write<T: Storage>(&self, server: &VersionVector<T>) -> Result<(), Behind> {
        let needs = self.guarantees;
        self.check(server, needs.writes_follow_reads, needs.monotonic_writes)
    }

    /// The writes that a read must see: for stores that wait until what they found includes these, and serve no read otherwise.
    ///
    /// # Errors
    ///
    /// [`Full`] if what was read and what was written together take more places than one vector has; without
    /// [all guarantees](Guarantees::ALL) the session keeps two.
    ///
    /// ```
    /// # use quorate_clocks::{Guarantees, Inline, Session, VersionVector};
    /// # use quorate_core::NodeId;
    /// let mut server = VersionVector::<Inline<3>>::new();
    /// let mut session = Session::<Inline<3>>::new(Guarantees::ALL);
    /// session.record_write(server.increment(NodeId::new(1).into())?)?;
    /// assert_eq!(session.needed_to_read()?, server);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn needed_to_read(&self) -> Result<VersionVector<S>, Full> {
        self.needed(self.guarantees.monotonic_reads, self.guarantees.read_your_writes)
    }

    /// The writes that a write must follow: for stores where each write says what it has seen.
    ///
    /// # Errors
    ///
    /// As [`needed_to_read`](Self::needed_to_read).
    ///
    /// ```
    /// # use quorate_clocks::{Guarantees, Inline, Session, VersionVector};
    /// # use quorate_core::NodeId;
    /// let mut served = VersionVector::<Inline<3>>::new();
    /// served.increment(NodeId::new(1).into())?;
    /// let mut session = Session::<Inline<3>>::new(Guarantees::ALL);
    /// session.record_read(&served)?;
    /// assert_eq!(session.needed_to_write()?, served);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn needed_to_write(&self) -> Result<VersionVector<S>, Full> {
        self.needed(self.guarantees.writes_follow_reads, self.guarantees.monotonic_writes)
    }

    /// Records a read that was served from writes up to this vector.
    ///
    /// # Errors
    ///
    /// [`Full`] if the token has no room for another server; it is unchanged, and the read must not be used.
    ///
    /// ```
    /// # use quorate_clocks::{Guarantees, Inline, Session, VersionVector};
    /// # use quorate_core::{Full, NodeId};
    /// let mut server = VersionVector::<Inline<3>>::new();
    /// server.increment(NodeId::new(1).into())?;
    /// server.increment(NodeId::new(2).into())?;
    /// let mut small = Session::<Inline<1>>::new(Guarantees::ALL);
    /// assert_eq!(small.record_read(&server), Err(Full));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn record_read<T: Storage>(&mut self, served: &VersionVector<T>) -> Result<(), Full> {
        if self.guarantees.monotonic_reads || self.guarantees.writes_follow_reads {
            self.reads.merge(served)?;
        }
        Ok(())
    }

    /// Records a write that a server accepted as this dot.
    ///
    /// # Errors
    ///
    /// [`Full`] if the token has no room for another server; it is unchanged, and the session no longer covers the write.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Dot, Guarantees, Inline, Session};
    /// let mut session = Session::<Inline<1>>::new(Guarantees::ALL);
    /// assert!(session.record_write(Dot::first(Actor::default())).is_ok());
    /// ```
    pub fn record_write(&mut self, dot: Dot) -> Result<(), Full> {
        let needs = self.guarantees;
        if needs == Guarantees::ALL {
            // both vectors would be asked for together, always
            self.reads.observe(dot)?;
        } else if needs.read_your_writes || needs.monotonic_writes {
            self.writes.observe(dot)?;
        }
        Ok(())
    }

    /// What the session guarantees.
    ///
    /// ```
    /// # use quorate_clocks::{Guarantees, Inline, Session};
    /// assert_eq!(Session::<Inline<1>>::new(Guarantees::ALL).guarantees(), Guarantees::ALL);
    /// ```
    #[must_use]
    pub const fn guarantees(&self) -> Guarantees {
        self.guarantees
    }

    fn needed(&self, reads: bool, writes: bool) -> Result<VersionVector<S>, Full> {
        let mut needed = VersionVector::with_limit(self.reads.limit());
        if reads {
            needed.merge(&self.reads)?;
        }
        if writes {
            needed.merge(&self.writes)?;
        }
        Ok(needed)
    }

    fn check<T: Storage>(
        &self,
        server: &VersionVector<T>,
        reads: bool,
        writes: bool,
    ) -> Result<(), Behind> {
        let lacks = |needed: &VersionVector<S>| {
            needed.entries().iter().copied().find(|dot| !server.contains(*dot))
        };
        let missing = if reads { lacks(&self.reads) } else { None };
        match missing.or_else(|| if writes { lacks(&self.writes) } else { None }) {
            Some(dot) => Err(Behind { dot }),
            None => Ok(()),
        }
    }
}

/// The server lacks this write, which the session has read or made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Behind {
    /// The write.
    pub dot: Dot,
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server has not applied {} yet: wait, or ask another", self.dot)
    }
}

impl core::error::Error for Behind {}

impl<S: Storage> Wire<'_> for Session<S> {
    fn encode(&self, out: &mut Writer<'_>) {
        let Guarantees { read_your_writes, monotonic_reads, monotonic_writes, writes_follow_reads } =
            self.guarantees;
        [read_your_writes, monotonic_reads, monotonic_writes, writes_follow_reads]
            .into_iter()
            .for_each(|guarantee| out.bool(guarantee));
        self.reads.encode(out);
        self.writes.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let guarantees = Guarantees {
            read_your_writes: input.bool()?,
            monotonic_reads: input.bool()?,
            monotonic_writes: input.bool()?,
            writes_follow_reads: input.bool()?,
        };
        let [reads, writes] = [VersionVector::decode(input)?, VersionVector::decode(input)?];
        Ok(Self { guarantees, reads, writes })
    }
}
