//! What tells a replica that forgot from one that hears late, damaged or forged messages.

/// For how many gossips an answer to a doubt is waited for.
const PATIENCE: u8 = 8;
/// For how many gossips a later life of a peer may be silent before it is doubted. The peer is told of it
/// meanwhile: one that forgot it finds out.
const SILENCE: u8 = 4;
/// How often a peer is told what was known of its former life: messages are lost.
const TELLINGS: u8 = 3;

/// A peer claimed what cannot be, so another life was begun to hear whether it still says so.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Doubt {
    /// The life that the claim was about …
    life: u64,
    /// … in which the update of this number was never made.
    unmade: u64,
    /// Gossips since then.
    age: u8,
}

impl Doubt {
    pub(crate) const NONE: Self = Self { life: 0, unmade: 0, age: PATIENCE };

    /// After a claim about `claimed`, in `life`, whose last update is `last`.
    pub(crate) fn new(claimed: u64, life: u64, last: u64) -> Self {
        // in a life that was not lived, there was not a first one
        let unmade = if claimed > life { 1 } else { last.saturating_add(1) };
        Self { life: claimed.max(life), unmade, age: 0 }
    }

    /// Whether what a peer had of a former life repeats the claim.
    pub(crate) const fn is_repeated_by(&self, life: u64, last: u64) -> bool {
        self.age < PATIENCE && life == self.life && last >= self.unmade
    }

    /// Whether it was begun since the last gossip; that is often enough.
    pub(crate) const fn is_new(&self) -> bool {
        self.age == 0
    }

    /// A gossip later. True if nobody answers any more.
    pub(crate) const fn pass(&mut self) -> bool {
        self.age = self.age.saturating_add(1);
        self.age == PATIENCE
    }
}

/// What was known of the last life of a peer that began another one: it may have forgotten that.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Former {
    /// The peer's place.
    of: u32,
    pub(crate) life: u64,
    pub(crate) last: u64,
    due: bool,
    tellings: u8,
}

impl Former {
    pub(crate) const fn none() -> Self {
        Self { of: 0, life: 0, last: 0, due: false, tellings: 0 }
    }

    /// The peer begins another life, or an earlier one than was known after all. What it may have
    /// forgotten first is not forgotten here because it began one more.
    pub(crate) fn replace(&mut self, of: usize, life: u64, last: u64) {
        let of = place(of);
        let kept = self.of == of && self.tellings > 0 && self.life > life;
        let (life, last) = if kept { (self.life, self.last) } else { (life, last) };
        *self = Self { of, life, last, due: true, tellings: TELLINGS };
    }

    /// Whether it is told now, to this peer.
    pub(crate) fn tell(&mut self, to: usize) -> bool {
        let tells = self.due && self.of == place(to);
        if tells {
            (self.due, self.tellings) = (false, self.tellings.saturating_sub(1));
        }
        tells
    }

    pub(crate) const fn gossip(&mut self) {
        self.due = self.tellings > 0;
    }
}

/// A peer's messages of an earlier life than is known of it, while none of the later life comes: that
/// later life may be an invention.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Earlier {
    /// The peer's place.
    of: u32,
    /// The earlier life; 0 if there is none.
    life: u64,
    /// Gossips since then. After [`SILENCE`] another life of this replica is begun, to hear which life of
    /// the peer acknowledges it.
    age: u8,
}

impl Earlier {
    pub(crate) const fn none() -> Self {
        Self { of: 0, life: 0, age: 0 }
    }

    /// A message of an earlier life came.
    pub(crate) fn note(&mut self, of: usize, life: u64) {
        let of = place(of);
        if self.life == 0 || (self.of == of && life >= self.life) {
            // one peer at a time, and the latest of its lives
            (self.of, self.life) = (of, life);
        }
    }

    /// Whether the peer lives this life after all: it acknowledges the life that was begun to ask it.
    pub(crate) fn is_lived(&self, of: usize, life: u64, acknowledges: bool) -> bool {
        self.asks(of) && life >= self.life && acknowledges
    }

    /// What the peer lives is known.
    pub(crate) fn forget(&mut self, of: usize) {
        if self.of == place(of) {
            *self = Self::none();
        }
    }

    /// Which life of the peer to acknowledge while it is asked.
    pub(crate) fn acknowledged(&self, of: usize) -> Option<u64> {
        self.asks(of).then_some(self.life)
    }

    /// At a gossip: true if the peer should be asked, by another life.
    pub(crate) fn gossip(&mut self) -> bool {
        if self.life == 0 {
            return false;
        }
        self.age = self.age.saturating_add(1);
        if self.age > SILENCE + PATIENCE {
            *self = Self::none();
        }
        self.age == SILENCE
    }

    fn asks(&self, of: usize) -> bool {
        self.age >= SILENCE && self.of == place(of)
    }
}

/// A peer's place among the peers, which are not that many.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_is_repeated_by_what_was_never_made() {
        // in the life that was lived, whose last update was 7
        let doubt = Doubt::new(3, 3, 7);
        for (life, last, repeats) in
            [(3, 7, false), (3, 8, true), (3, 99, true), (2, 99, false), (4, 99, false)]
        {
            assert_eq!(doubt.is_repeated_by(life, last), repeats, "{life} {last}");
        }
        // in one that was not: any update
        let doubt = Doubt::new(9, 3, 7);
        for (life, last, repeats) in [(9, 0, false), (9, 1, true), (3, 99, false)] {
            assert_eq!(doubt.is_repeated_by(life, last), repeats, "{life} {last}");
        }
        // of an earlier life than this, it is about this one
        assert!(Doubt::new(1, 3, 7).is_repeated_by(3, 8));
        assert!(!Doubt::NONE.is_repeated_by(0, 9) && !Doubt::NONE.is_new());
    }

    #[test]
    fn a_doubt_ends_once() {
        let mut doubt = Doubt::new(3, 3, 7);
        assert!(doubt.is_new());
        for age in 1..=u8::MAX {
            assert_eq!(doubt.pass(), age == PATIENCE);
            assert_eq!(doubt.is_repeated_by(3, 8), age < PATIENCE);
            assert!(!doubt.is_new());
        }
        assert!(!doubt.pass());
    }

    #[test]
    fn what_was_known_of_a_life_is_told_three_times() {
        let mut former = Former::none();
        former.gossip();
        assert!(!former.tell(0), "of nobody");
        former.replace(1, 5, 20);
        assert_eq!((former.life, former.last), (5, 20));
        for _ in 0..TELLINGS {
            assert!(!former.tell(0));
            assert!(former.tell(1));
            assert!(!former.tell(1), "once a gossip");
            former.gossip();
        }
        assert!(!former.tell(1));
        // told out: what comes next takes its place, be it earlier
        former.replace(1, 4, 9);
        assert_eq!((former.life, former.last), (4, 9));
    }

    #[test]
    fn what_was_forgotten_first_is_kept_while_it_is_told() {
        let mut former = Former::none();
        former.replace(1, 5, 20);
        former.replace(1, 3, 1);
        assert_eq!((former.life, former.last), (5, 20));
        assert!(former.tell(1));
        // of the same life, or a later one, the newer
        former.replace(1, 5, 21);
        assert_eq!((former.life, former.last), (5, 21));
        former.replace(1, 6, 2);
        assert_eq!((former.life, former.last), (6, 2));
        // of another peer
        former.replace(0, 4, 7);
        assert_eq!((former.life, former.last), (4, 7));
        assert!(!former.tell(1) && former.tell(0));
    }

    #[test]
    fn a_peer_that_speaks_of_an_earlier_life_only_is_asked_after_a_while() {
        let mut earlier = Earlier::none();
        assert!((0..20).all(|_| !earlier.gossip()));
        earlier.note(1, 5);
        earlier.note(1, 4);
        earlier.note(0, 9); // one at a time
        for age in 1..SILENCE {
            assert!(!earlier.gossip(), "{age}");
            assert_eq!(earlier.acknowledged(1), None);
            assert!(!earlier.is_lived(1, 5, true));
        }
        assert!(earlier.gossip());
        assert_eq!((earlier.acknowledged(1), earlier.acknowledged(0)), (Some(5), None));
        for (of, life, acknowledges, lived) in [
            (1, 5, true, true),
            (1, 6, true, true),
            (1, 4, true, false),
            (1, 5, false, false),
            (0, 5, true, false),
        ] {
            assert_eq!(earlier.is_lived(of, life, acknowledges), lived, "{of} {life}");
        }
        earlier.note(1, 7);
        assert_eq!(earlier.acknowledged(1), Some(7), "the latest");
        for _ in 0..PATIENCE {
            assert!(earlier.acknowledged(1).is_some());
            assert!(!earlier.gossip(), "asked once");
        }
        assert!(earlier.acknowledged(1).is_some(), "to the end");
        // nobody answers: it begins anew
        assert!(!earlier.gossip());
        assert_eq!(earlier, Earlier::none());
        earlier.note(0, 2);
        earlier.forget(1);
        assert!((1..SILENCE).all(|_| !earlier.gossip()) && earlier.gossip());
        earlier.forget(0);
        assert_eq!(earlier, Earlier::none());
    }
}
