//! Distinguishes a replica that lost state from one that receives late, damaged or forged messages.

/// For how many gossips a challenge waits for its answer.
const CHALLENGE_GOSSIPS: u8 = 8;
/// For how many gossips a later generation of a peer may be silent before it is suspected. It is
/// acknowledged to the peer meanwhile: one that forgot it detects that.
const SUSPECT_GOSSIPS: u8 = 4;
/// How often a peer is sent what was known of its former generation: messages are lost.
const FORMER_SENDS: u8 = 3;

/// A peer claimed updates that were never made: another generation was begun, and the peer must
/// repeat the claim in that one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Challenge {
    /// The generation that the claim was about …
    generation: u64,
    /// … in which the update of this number was never made.
    first_unknown: u64,
    /// Gossips since then.
    age: u8,
}

impl Challenge {
    pub(crate) const NONE: Self = Self { generation: 0, first_unknown: 0, age: CHALLENGE_GOSSIPS };

    /// After a claim about `claimed`, in `generation`, whose last update is `last`.
    pub(crate) fn new(claimed: u64, generation: u64, last: u64) -> Self {
        // a generation that never began has no first update
        let first_unknown = if claimed > generation { 1 } else { last.saturating_add(1) };
        Self { generation: claimed.max(generation), first_unknown, age: 0 }
    }

    /// Whether what a peer had of a former generation repeats the claim.
    pub(crate) const fn is_confirmed_by(&self, generation: u64, last: u64) -> bool {
        self.age < CHALLENGE_GOSSIPS && generation == self.generation && last >= self.first_unknown
    }

    /// Whether it was begun since the last gossip; that is often enough.
    pub(crate) const fn is_new(&self) -> bool {
        self.age == 0
    }

    /// A gossip later. True if nobody answers any more.
    pub(crate) const fn age_by_gossip(&mut self) -> bool {
        self.age = self.age.saturating_add(1);
        self.age == CHALLENGE_GOSSIPS
    }
}

/// What was known of the last generation of a peer that began another one: it may have forgotten
/// that.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct FormerGeneration {
    /// The peer's place.
    peer: u32,
    pub(crate) generation: u64,
    pub(crate) last: u64,
    due: bool,
    sends_left: u8,
}

impl FormerGeneration {
    pub(crate) const fn none() -> Self {
        Self { peer: 0, generation: 0, last: 0, due: false, sends_left: 0 }
    }

    /// The peer begins another generation, or an earlier one than was known after all. What it may
    /// have forgotten first is not forgotten here because it began one more.
    pub(crate) fn record(&mut self, peer: usize, generation: u64, last: u64) {
        let peer = peer_index(peer);
        let kept = self.peer == peer && self.sends_left > 0 && self.generation > generation;
        let (generation, last) =
            if kept { (self.generation, self.last) } else { (generation, last) };
        *self = Self { peer, generation, last, due: true, sends_left: FORMER_SENDS };
    }

    /// Whether the message to this peer is due; it no longer is.
    pub(crate) fn take_due(&mut self, to: usize) -> bool {
        let tells = self.due && self.peer == peer_index(to);
        if tells {
            (self.due, self.sends_left) = (false, self.sends_left.saturating_sub(1));
        }
        tells
    }

    pub(crate) const fn age_by_gossip(&mut self) {
        self.due = self.sends_left > 0;
    }
}

/// A peer's messages of an earlier generation than is known of it, while none of the later
/// generation comes: that later generation may be an invention.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct EarlierGeneration {
    /// The peer's place.
    peer: u32,
    /// The earlier generation; 0 if there is none.
    generation: u64,
    /// Gossips since then. After [`SUSPECT_GOSSIPS`] another generation of this replica is begun,
    /// to learn which generation of the peer acknowledges it.
    age: u8,
}

impl EarlierGeneration {
    pub(crate) const fn none() -> Self {
        Self { peer: 0, generation: 0, age: 0 }
    }

    /// A message of an earlier generation came.
    pub(crate) fn record(&mut self, peer: usize, generation: u64) {
        let peer = peer_index(peer);
        if self.generation == 0 || (self.peer == peer && generation >= self.generation) {
            // one peer at a time, and the latest of its generations
            (self.peer, self.generation) = (peer, generation);
        }
    }

    /// Whether this is the peer's generation after all: it acknowledges the generation that was
    /// begun as a challenge.
    pub(crate) fn is_current(&self, peer: usize, generation: u64, acknowledges: bool) -> bool {
        self.is_challenging(peer) && generation >= self.generation && acknowledges
    }

    /// The peer's generation is known.
    pub(crate) fn clear(&mut self, peer: usize) {
        if self.peer == peer_index(peer) {
            *self = Self::none();
        }
    }

    /// The generation of the peer to acknowledge while it is challenged.
    pub(crate) fn challenged_generation(&self, peer: usize) -> Option<u64> {
        self.is_challenging(peer).then_some(self.generation)
    }

    /// At a gossip: true if the peer should be challenged, by another generation.
    pub(crate) fn age_by_gossip(&mut self) -> bool {
        if self.generation == 0 {
            return false;
        }
        self.age = self.age.saturating_add(1);
        if self.age > SUSPECT_GOSSIPS + CHALLENGE_GOSSIPS {
            *self = Self::none();
        }
        self.age == SUSPECT_GOSSIPS
    }

    fn is_challenging(&self, peer: usize) -> bool {
        self.age >= SUSPECT_GOSSIPS && self.peer == peer_index(peer)
    }
}

/// A peer's place among the peers, which are not that many.
fn peer_index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenge_is_confirmed_by_unknown_updates() {
        // in the generation that was lived, whose last update was 7
        let challenge = Challenge::new(3, 3, 7);
        for (generation, last, confirms) in
            [(3, 7, false), (3, 8, true), (3, 99, true), (2, 99, false), (4, 99, false)]
        {
            assert_eq!(
                challenge.is_confirmed_by(generation, last),
                confirms,
                "{generation} {last}"
            );
        }
        // in one that was not: any update
        let challenge = Challenge::new(9, 3, 7);
        for (generation, last, confirms) in [(9, 0, false), (9, 1, true), (3, 99, false)] {
            assert_eq!(
                challenge.is_confirmed_by(generation, last),
                confirms,
                "{generation} {last}"
            );
        }
        // of an earlier generation than this, it is about this one
        assert!(Challenge::new(1, 3, 7).is_confirmed_by(3, 8));
        assert!(!Challenge::NONE.is_confirmed_by(0, 9) && !Challenge::NONE.is_new());
    }

    #[test]
    fn challenge_expires_once() {
        let mut challenge = Challenge::new(3, 3, 7);
        assert!(challenge.is_new());
        for age in 1..=u8::MAX {
            assert_eq!(challenge.age_by_gossip(), age == CHALLENGE_GOSSIPS);
            assert_eq!(challenge.is_confirmed_by(3, 8), age < CHALLENGE_GOSSIPS);
            assert!(!challenge.is_new());
        }
        assert!(!challenge.age_by_gossip());
    }

    #[test]
    fn former_generation_is_sent_three_times() {
        let mut former = FormerGeneration::none();
        former.age_by_gossip();
        assert!(!former.take_due(0), "of nobody");
        former.record(1, 5, 20);
        assert_eq!((former.generation, former.last), (5, 20));
        for _ in 0..FORMER_SENDS {
            assert!(!former.take_due(0));
            assert!(former.take_due(1));
            assert!(!former.take_due(1), "once a gossip");
            former.age_by_gossip();
        }
        assert!(!former.take_due(1));
        // told out: what comes next takes its place, be it earlier
        former.record(1, 4, 9);
        assert_eq!((former.generation, former.last), (4, 9));
    }

    #[test]
    fn latest_former_generation_is_kept_while_sent() {
        let mut former = FormerGeneration::none();
        former.record(1, 5, 20);
        former.record(1, 3, 1);
        assert_eq!((former.generation, former.last), (5, 20));
        assert!(former.take_due(1));
        // of the same generation, or a later one, the newer
        former.record(1, 5, 21);
        assert_eq!((former.generation, former.last), (5, 21));
        former.record(1, 6, 2);
        assert_eq!((former.generation, former.last), (6, 2));
        // of another peer
        former.record(0, 4, 7);
        assert_eq!((former.generation, former.last), (4, 7));
        assert!(!former.take_due(1) && former.take_due(0));
    }

    #[test]
    fn persistent_earlier_generation_is_challenged() {
        let mut earlier = EarlierGeneration::none();
        assert!((0..20).all(|_| !earlier.age_by_gossip()));
        earlier.record(1, 5);
        earlier.record(1, 4);
        earlier.record(0, 9); // one at a time
        for age in 1..SUSPECT_GOSSIPS {
            assert!(!earlier.age_by_gossip(), "{age}");
            assert_eq!(earlier.challenged_generation(1), None);
            assert!(!earlier.is_current(1, 5, true));
        }
        assert!(earlier.age_by_gossip());
        assert_eq!(
            (earlier.challenged_generation(1), earlier.challenged_generation(0)),
            (Some(5), None)
        );
        for (peer, generation, acknowledges, is_current) in [
            (1, 5, true, true),
            (1, 6, true, true),
            (1, 4, true, false),
            (1, 5, false, false),
            (0, 5, true, false),
        ] {
            assert_eq!(
                earlier.is_current(peer, generation, acknowledges),
                is_current,
                "{peer} {generation}"
            );
        }
        earlier.record(1, 7);
        assert_eq!(earlier.challenged_generation(1), Some(7), "the latest");
        for _ in 0..CHALLENGE_GOSSIPS {
            assert!(earlier.challenged_generation(1).is_some());
            assert!(!earlier.age_by_gossip(), "asked once");
        }
        assert!(earlier.challenged_generation(1).is_some(), "to the end");
        // nobody answers: it begins anew
        assert!(!earlier.age_by_gossip());
        assert_eq!(earlier, EarlierGeneration::none());
        earlier.record(0, 2);
        earlier.clear(1);
        assert!((1..SUSPECT_GOSSIPS).all(|_| !earlier.age_by_gossip()) && earlier.age_by_gossip());
        earlier.clear(0);
        assert_eq!(earlier, EarlierGeneration::none());
    }
}
