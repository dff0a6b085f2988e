use core::fmt;

use crate::{DecodeError, Field, Form, Reader, Source, Wire, Writer};

/// The smallest number of voters that is more than half of `voters`: any two majorities share a voter.
///
/// ```
/// use quorate_core::majority;
/// assert_eq!([1, 2, 3, 4, 5].map(majority), [1, 2, 2, 3, 3]);
/// ```
#[must_use]
pub const fn majority(voters: usize) -> usize {
    (voters / 2).saturating_add(1)
}

/// Which sets of members are quorums.
///
/// A system has two kinds of quorums, one for each [`Phase`], and every quorum of phase one shares a member with every
/// quorum of phase two. The constructors refuse sizes that break this rule, so a value of this type is always safe in the
/// sense of Flexible Paxos (Howard, Malkhi and Spiegelman, 2016). Two quorums of the *same* phase need not meet,
/// unless they are majorities or [`meets_itself`](Self::meets_itself) says so: Raft needs that of phase one, because terms
/// are not tied to a candidate.
///
/// | constructor | a quorum of phase one | a quorum of phase two | source |
/// |---|---|---|---|
/// | [`majority`](Self::majority) | more than half of the voters | the same | Thomas, 1979 |
/// | [`flexible`](Self::flexible) | `one` voters | `two` voters | Flexible Paxos, simple quorums |
/// | [`weighted`](Self::weighted) | members with `one` votes together | with `two` votes | Gifford, 1979, section 2 |
/// | [`grid`](Self::grid) | a whole row | a whole column | Flexible Paxos, grid quorums |
/// | [`joint`](Self::joint) | a quorum of each of two systems | the same | Raft thesis, section 4.3 |
///
/// The system knows sizes, not members: each question passes the members, with the [`Votes`] of each. So it takes a few
/// bytes, whatever the number of members.
///
/// ```
/// use quorate_core::{Phase, Quorums, Votes};
///
/// // Five replicas: two are enough to commit, if four must answer an election.
/// let quorums = Quorums::flexible(5, 4, 2)?;
/// let stored = [true, false, false, true, false];
/// assert!(quorums.is_met(Phase::Two, stored.map(|has_it| (Votes::ONE, has_it))));
/// assert!(!quorums.is_met(Phase::One, stored.map(|has_it| (Votes::ONE, has_it))));
///
/// // The index that is stored by a quorum, if it is above 3.
/// let indexes = [7, 3, 5, 9, 1].map(|index| (Votes::ONE, index));
/// assert_eq!(quorums.reached(Phase::Two, 3, indexes), Some(7));
/// # Ok::<(), quorate_core::QuorumError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Quorums(System);

/// The two kinds of quorums of a protocol.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Phase {
    /// Learns what may have been decided: an election, Paxos's prepare, a read.
    One,
    /// Decides: replication and commit, Paxos's accept, a write.
    Two,
}

/// How many votes a member has (Gifford, "Weighted voting for replicated data", 1979), in a [joint](Quorums::joint) system in
/// each half.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Votes {
    new: u8,
    old: u8,
}

/// Members that were counted one after the other, for [`Quorums::is_met_by`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Tally {
    /// Votes of those that agree: 2^24 members fit.
    new: u32,
    old: u32,
    /// The first 64 members that agree, as bits, and how many were counted, for grids.
    set: u64,
    place: u8,
}

/// Why a quorum system was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum QuorumError {
    /// The sizes of the two phases add up to no more than all votes, so two quorums need not share a member. The sizes must
    /// add up to at least this.
    Disjoint {
        /// All votes, and one.
        at_least: u16,
    },
    /// A quorum takes more votes than there are, or none.
    Size {
        /// All votes.
        votes: u16,
    },
    /// More members than a system has: at most 255, in a grid 64.
    TooMany,
    /// The halves of a joint system count votes: they are neither grids nor joint systems.
    Half,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum System {
    Counted(Needed),
    Joint { old: Needed, new: Needed },
    Grid { rows: u8, columns: u8 },
}

/// How many votes a quorum of each phase takes, of how many.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Needed {
    one: u16,
    two: u16,
    of: u16,
}

impl Quorums {
    /// A grid has at most this many members.
    pub const MAX_GRID: usize = 64;

    /// More than half of the voters, in both phases. Without voters nothing is ever decided.
    ///
    /// ```
    /// use quorate_core::{Phase, Quorums, Votes};
    /// let quorums = Quorums::majority(3);
    /// assert!(quorums.is_met(Phase::One, [true, true, false].map(|yes| (Votes::ONE, yes))));
    /// assert!(!Quorums::majority(0).is_met(Phase::One, []));
    /// ```
    #[must_use]
    pub const fn majority(voters: u8) -> Self {
        Self(System::Counted(Needed::majority(voters)))
    }

    /// A number of voters for each phase.
    ///
    /// # Errors
    ///
    /// [`QuorumError::Size`] for sizes that are 0 or above `voters`, [`QuorumError::Disjoint`] when `one + two` is not above
    /// `voters`.
    ///
    /// ```
    /// use quorate_core::{QuorumError, Quorums};
    /// assert!(Quorums::flexible(6, 4, 3).is_ok());
    /// assert_eq!(Quorums::flexible(6, 3, 3), Err(QuorumError::Disjoint { at_least: 7 }));
    /// assert_eq!(Quorums::flexible(6, 7, 1), Err(QuorumError::Size { votes: 6 }));
    /// ```
    pub const fn flexible(voters: u8, one: u8, two: u8) -> Result<Self, QuorumError> {
        Self::counted(Needed { one: one as u16, two: two as u16, of: voters as u16 })
    }

    /// A number of votes for each phase; `votes` are those of the members. A member without votes counts for nothing.
    ///
    /// # Errors
    ///
    /// [`QuorumError::TooMany`] for more than 255 members; [`QuorumError::Size`] for sizes that are 0 or above all votes,
    /// [`QuorumError::Disjoint`] when `one + two` is not above all votes.
    ///
    /// ```
    /// use quorate_core::{Phase, Quorums, Votes};
    /// // One strong replica and two weak ones: the strong one and either of the others decide.
    /// let votes = [2, 1, 1];
    /// let quorums = Quorums::weighted(&votes, 2, 3)?;
    /// let met = |phase, who: [bool; 3]| {
    ///     quorums.is_met(phase, votes.into_iter().map(Votes::new).zip(who))
    /// };
    /// assert!(met(Phase::Two, [true, true, false]) && !met(Phase::Two, [false, true, true]));
    /// assert!(met(Phase::One, [false, true, true]) && met(Phase::One, [true, false, false]));
    /// # Ok::<(), quorate_core::QuorumError>(())
    /// ```
    pub fn weighted(votes: &[u8], one: u16, two: u16) -> Result<Self, QuorumError> {
        if votes.len() > usize::from(u8::MAX) {
            return Err(QuorumError::TooMany);
        }
        let of = votes.iter().fold(0_u16, |sum, &votes| sum.saturating_add(u16::from(votes)));
        Self::counted(Needed { one, two, of })
    }

    /// Members in rows and columns, row by row: a whole row for phase one, a whole column for phase two.
    ///
    /// With `n` members in a square, both take the square root of `n` instead of half of it. The votes of the members do not
    /// matter.
    ///
    /// # Errors
    ///
    /// [`QuorumError::Size`] for no rows or no columns, [`QuorumError::TooMany`] for more than
    /// [`MAX_GRID`](Self::MAX_GRID) members.
    ///
    /// ```
    /// use quorate_core::{Phase, Quorums, Votes};
    /// let quorums = Quorums::grid(2, 3)?;
    /// let members = |who: [u8; 6]| who.map(|yes| (Votes::ONE, yes == 1));
    /// let (row, column) = (members([0, 0, 0, 1, 1, 1]), members([0, 1, 0, 0, 1, 0]));
    /// assert!(quorums.is_met(Phase::One, row) && !quorums.is_met(Phase::Two, row));
    /// assert!(quorums.is_met(Phase::Two, column) && !quorums.is_met(Phase::One, column));
    /// # Ok::<(), quorate_core::QuorumError>(())
    /// ```
    pub const fn grid(rows: u8, columns: u8) -> Result<Self, QuorumError> {
        let members = (rows as u16).saturating_mul(columns as u16);
        match members {
            0 => Err(QuorumError::Size { votes: 0 }),
            members if members as usize > Self::MAX_GRID => Err(QuorumError::TooMany),
            _ => Ok(Self(System::Grid { rows, columns })),
        }
    }

    /// A quorum of each of two systems: of the one that is left, and of the one that is entered. The members pass their
    /// votes in each by [`Votes::joint`].
    ///
    /// # Errors
    ///
    /// [`QuorumError::Half`] for grids and joint systems.
    ///
    /// ```
    /// use quorate_core::{Phase, Quorums, Votes};
    /// // From members 1 to 3 to members 3 to 5.
    /// let quorums = Quorums::joint(Quorums::majority(3), Quorums::majority(3))?;
    /// let votes = [(1, 0), (1, 0), (1, 1), (0, 1), (0, 1)].map(|(old, new)| Votes::joint(old, new));
    /// let met = |who: [bool; 5]| quorums.is_met(Phase::Two, votes.into_iter().zip(who));
    /// assert!(met([true, false, true, true, false]));
    /// assert!(!met([true, true, true, false, false]));
    /// # Ok::<(), quorate_core::QuorumError>(())
    /// ```
    pub const fn joint(old: Self, new: Self) -> Result<Self, QuorumError> {
        match (old.0, new.0) {
            (System::Counted(old), System::Counted(new)) => Ok(Self(System::Joint { old, new })),
            _ => Err(QuorumError::Half),
        }
    }

    /// More than half of the voters of each of two configurations, which is [`joint`](Self::joint) of two majorities.
    ///
    /// ```
    /// use quorate_core::Quorums;
    /// let joint = Quorums::joint(Quorums::majority(3), Quorums::majority(5))?;
    /// assert_eq!(Quorums::joint_majority(3, 5), joint);
    /// # Ok::<(), quorate_core::QuorumError>(())
    /// ```
    #[must_use]
    pub const fn joint_majority(old: u8, new: u8) -> Self {
        Self(System::Joint { old: Needed::majority(old), new: Needed::majority(new) })
    }

    /// Whether the members that are passed with `true` are a quorum. All members are passed, each once; their order matters
    /// in a grid only, and members that are left out count as `false`.
    ///
    /// To ask whether a vote is lost already, pass `true` for all who have not refused: it is lost if that is no quorum.
    ///
    /// Work: one pass, no memory.
    ///
    /// ```
    /// use quorate_core::{Phase, Quorums, Votes};
    /// let answers = [Some(true), Some(false), None, Some(false)];
    /// let quorums = Quorums::majority(4);
    /// let granted = answers.map(|answer| (Votes::ONE, answer == Some(true)));
    /// let not_refused = answers.map(|answer| (Votes::ONE, answer != Some(false)));
    /// assert!(!quorums.is_met(Phase::One, granted) && !quorums.is_met(Phase::One, not_refused));
    /// ```
    #[inline]
    #[must_use]
    pub fn is_met(&self, phase: Phase, members: impl IntoIterator<Item = (Votes, bool)>) -> bool {
        let mut tally = Tally::default();
        for (votes, agrees) in members {
            tally.count(votes, agrees);
        }
        self.is_met_by(phase, &tally)
    }

    /// Whether the members that were counted are a quorum: [`is_met`](Self::is_met) for a loop of one's own.
    ///
    /// ```
    /// use quorate_core::{Phase, Quorums, Tally, Votes};
    /// let mut tally = Tally::default();
    /// for agrees in [true, false, true] {
    ///     tally.count(Votes::ONE, agrees);
    /// }
    /// assert!(Quorums::majority(3).is_met_by(Phase::Two, &tally));
    /// ```
    #[inline]
    #[must_use]
    pub fn is_met_by(&self, phase: Phase, tally: &Tally) -> bool {
        match self.0 {
            System::Counted(needed) => tally.new >= needed.of(phase).into(),
            System::Joint { old, new } => {
                tally.old >= old.of(phase).into() && tally.new >= new.of(phase).into()
            }
            System::Grid { rows, columns } => tally.has_line(rows, columns, phase),
        }
    }

    /// The greatest value above `floor` that a quorum has reached, if any: the members pass how far each has come.
    ///
    /// This is how a leader finds the index that is committed, from what each voter has stored.
    /// Work: the square of the number of members at most; no memory.
    ///
    /// ```
    /// use quorate_core::{Phase, Quorums, Votes};
    /// let stored = [7, 3, 5, 5, 1].map(|index| (Votes::ONE, index));
    /// let quorums = Quorums::majority(5);
    /// assert_eq!(quorums.reached(Phase::Two, 0, stored), Some(5));
    /// assert_eq!(quorums.reached(Phase::Two, 5, stored), None);
    /// ```
    #[inline]
    #[must_use]
    pub fn reached<T, I>(&self, phase: Phase, floor: T, members: I) -> Option<T>
    where
        T: Ord + Copy,
        I: IntoIterator<Item = (Votes, T), IntoIter: Clone>,
    {
        let members = members.into_iter();
        let mut best = floor;
        for (_, value) in members.clone() {
            let have_it = members.clone().map(|(votes, reached)| (votes, reached >= value));
            if value > best && self.is_met(phase, have_it) {
                best = value;
            }
        }
        (best > floor).then_some(best)
    }

    /// Whether any two quorums of a phase share a member as well.
    ///
    /// ```
    /// use quorate_core::{Phase, Quorums};
    /// let quorums = Quorums::flexible(5, 4, 2)?;
    /// assert!(quorums.meets_itself(Phase::One) && !quorums.meets_itself(Phase::Two));
    /// # Ok::<(), quorate_core::QuorumError>(())
    /// ```
    #[must_use]
    pub const fn meets_itself(&self, phase: Phase) -> bool {
        match (self.0, phase) {
            (System::Counted(needed), _) => needed.meets_itself(phase),
            // one half is enough: a member that two quorums share there, they share
            (System::Joint { old, new }, _) => old.meets_itself(phase) || new.meets_itself(phase),
            (System::Grid { rows, .. }, Phase::One) => rows == 1,
            (System::Grid { columns, .. }, Phase::Two) => columns == 1,
        }
    }

    /// Whether this is a system for members with these votes: they add up to the votes that it was made for, and a grid has a place
    /// for each. What a protocol checks of its configuration.
    ///
    /// ```
    /// use quorate_core::{Quorums, Votes};
    /// assert!(Quorums::majority(3).is_for([Votes::ONE; 3]));
    /// assert!(!Quorums::majority(3).is_for([Votes::ONE; 4])); // two of four need not meet the other two
    /// assert!(Quorums::weighted(&[2, 1, 1], 3, 2)?.is_for([2, 1, 1].map(Votes::new)));
    /// assert!(!Quorums::grid(2, 3)?.is_for([Votes::ONE; 5]));
    /// # Ok::<(), quorate_core::QuorumError>(())
    /// ```
    #[must_use]
    pub fn is_for(&self, members: impl IntoIterator<Item = Votes>) -> bool {
        let (mut new, mut old, mut places) = (0_u32, 0_u32, 0_u32);
        for votes in members {
            new = new.saturating_add(votes.new.into());
            old = old.saturating_add(votes.old.into());
            places = places.saturating_add(1);
        }
        match self.0 {
            System::Counted(needed) => new == needed.of.into(),
            System::Joint { old: left, new: entered } => {
                old == left.of.into() && new == entered.of.into()
            }
            System::Grid { rows, columns } => {
                places == u32::from(rows).saturating_mul(columns.into())
            }
        }
    }

    const fn counted(needed: Needed) -> Result<Self, QuorumError> {
        let Needed { one, two, of } = needed;
        if one == 0 || two == 0 || one > of || two > of {
            return Err(QuorumError::Size { votes: of });
        }
        if one.saturating_add(two) <= of {
            return Err(QuorumError::Disjoint { at_least: of.saturating_add(1) });
        }
        Ok(Self(System::Counted(needed)))
    }
}

impl Needed {
    const fn majority(voters: u8) -> Self {
        let size = (voters as u16 / 2).saturating_add(1);
        Self { one: size, two: size, of: voters as u16 }
    }

    const fn of(self, phase: Phase) -> u16 {
        match phase {
            Phase::One => self.one,
            Phase::Two => self.two,
        }
    }

    const fn meets_itself(self, phase: Phase) -> bool {
        self.of(phase).saturating_mul(2) > self.of
    }
}

impl Tally {
    /// Counts one member: its votes if it agrees, and its place in any case.
    ///
    /// ```
    /// use quorate_core::{Tally, Votes};
    /// let mut tally = Tally::default();
    /// tally.count(Votes::ONE, false);
    /// assert_ne!(tally, Tally::default());
    /// ```
    #[inline]
    pub fn count(&mut self, votes: Votes, agrees: bool) {
        if agrees {
            self.new = self.new.wrapping_add(votes.new.into());
            self.old = self.old.wrapping_add(votes.old.into());
            self.set |= 1_u64.checked_shl(self.place.into()).unwrap_or(0);
        }
        self.place = self.place.saturating_add(1);
    }

    /// Whether all members of a row of a grid agree, or of a column.
    #[inline(never)]
    fn has_line(&self, rows: u8, columns: u8, phase: Phase) -> bool {
        let has = |row: u8, column: u8| {
            let place = u32::from(row).saturating_mul(columns.into()).saturating_add(column.into());
            self.set.wrapping_shr(place) & 1 == 1
        };
        match phase {
            Phase::One => (0..rows).any(|row| (0..columns).all(|column| has(row, column))),
            Phase::Two => (0..columns).any(|column| (0..rows).all(|row| has(row, column))),
        }
    }
}

impl Votes {
    /// No vote: a learner, an observer.
    pub const NONE: Self = Self::new(0);
    /// A voter like all others.
    pub const ONE: Self = Self::new(1);

    /// That many votes.
    ///
    /// ```
    /// use quorate_core::Votes;
    /// assert_eq!(Votes::new(1), Votes::ONE);
    /// ```
    #[must_use]
    pub const fn new(votes: u8) -> Self {
        Self { new: votes, old: 0 }
    }

    /// Votes in the system that a [joint](Quorums::joint) one leaves, and in the one that it enters.
    ///
    /// ```
    /// use quorate_core::Votes;
    /// assert_eq!(Votes::joint(0, 1), Votes::ONE);
    /// ```
    #[must_use]
    pub const fn joint(old: u8, new: u8) -> Self {
        Self { new, old }
    }
}

/// A byte for the kind of system, then its sizes: 0 for one that counts votes (a varint each: votes of phase one, of phase two, and all), 1 for a
/// grid (a byte each: rows, columns), 2 for a joint one (the old half, then the new one, as of kind 0).
///
/// ```
/// use quorate_core::{DecodeError, Quorums, Wire};
/// let quorums = Quorums::flexible(5, 4, 2)?;
/// let mut buffer = [0; 8];
/// let bytes = quorums.to_slice(&mut buffer)?;
/// assert_eq!(bytes, [0, 4, 2, 5]);
/// assert_eq!(Quorums::from_slice(bytes), Ok(quorums));
/// // quorums of the two phases that need not meet
/// assert_eq!(Quorums::from_slice(&[0, 3, 2, 5]), Err(DecodeError::Invalid));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
impl Wire<'_> for Quorums {
    fn encode(&self, out: &mut Writer<'_>) {
        match self.0 {
            System::Counted(needed) => {
                out.u8(0);
                needed.encode(out);
            }
            System::Grid { rows, columns } => {
                out.u8(1);
                out.u8(rows);
                out.u8(columns);
            }
            System::Joint { old, new } => {
                out.u8(2);
                old.encode(out);
                new.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let quorums = match input.u8()? {
            0 => Self::counted(Needed::decode(input)?),
            1 => Self::grid(input.u8()?, input.u8()?),
            2 => {
                let old = Self::counted(Needed::decode(input)?);
                let new = Self::counted(Needed::decode(input)?);
                old.and_then(|old| Self::joint(old, new?))
            }
            _ => return Err(DecodeError::Invalid),
        };
        quorums.map_err(|_| DecodeError::Invalid)
    }
}

impl Field<'_> for Quorums {
    const FORM: Form = Form::named("quorum system");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            System::Counted(needed) => needed.show(f),
            System::Grid { rows, columns } => write!(f, "grid of {rows} by {columns}"),
            System::Joint { old, new } => {
                old.show(f)?;
                f.write_str(", and ")?;
                new.show(f)
            }
        }
    }

    fn generate(source: &mut Source<'_>) -> Self {
        let rows = source.byte() & 3;
        Self::grid(rows, 2).unwrap_or(Self::majority(source.byte().max(1)))
    }
}

impl Needed {
    fn show(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and {} of {}", self.one, self.two, self.of)
    }

    fn encode(self, out: &mut Writer<'_>) {
        for number in [self.one, self.two, self.of] {
            out.u64(number.into());
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut number = || u16::try_from(input.u64()?).map_err(|_| DecodeError::Invalid);
        Ok(Self { one: number()?, two: number()?, of: number()? })
    }
}

/// Two bytes: the votes in the new system, or the only one, and those in the old one.
///
/// ```
/// use quorate_core::{Votes, Wire};
/// let mut buffer = [0; 2];
/// assert_eq!(Votes::new(3).to_slice(&mut buffer)?, [3, 0]);
/// # Ok::<(), quorate_core::Overflow>(())
/// ```
impl Wire<'_> for Votes {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u8(self.new);
        out.u8(self.old);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { new: input.u8()?, old: input.u8()? })
    }
}

impl fmt::Display for QuorumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disjoint { at_least } => write!(
                f,
                "the sizes of the two phases must add up to at least {at_least}, so that their \
                 quorums share a member"
            ),
            Self::Size { votes } => {
                write!(f, "a quorum takes at least one vote, and at most the {votes} there are")
            }
            Self::TooMany => f.write_str("at most 255 members, and 64 in a grid"),
            Self::Half => f.write_str("a joint system has halves that count votes"),
        }
    }
}

impl core::error::Error for QuorumError {}
