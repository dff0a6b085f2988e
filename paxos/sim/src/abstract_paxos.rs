//! Paxos without machines, disks and a network, as Lamport specifies it (the module `Paxos` of his TLA+ examples; "Paxos Made Simple",
//! 2001, section 2.2): what acceptors have promised and voted for, and the set of all messages that were ever sent. What the machines do
//! is checked against it, step by step.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;

/// A number of a ballot.
pub trait Number: Copy + Ord + Hash + Debug {}

impl<T: Copy + Ord + Hash + Debug> Number for T {}

/// How many acceptors there are, and how many of them are a quorum of each phase.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rules {
    /// Acceptors, from 0.
    pub acceptors: usize,
    /// A quorum of phase 1.
    pub one: usize,
    /// A quorum of phase 2.
    pub two: usize,
    /// A promise may tell of another acceptor's vote instead of the acceptor's own, if that is in a higher ballot, as the candidates of a
    /// log do, which keep what they were told.
    ///
    /// Lamport's specification does not have this. It is as safe: if a quorum voted for a value in a ballot, then each quorum of promises of
    /// a later one has a member that did, and it tells of that vote or of one in a ballot between, which is for the same value.
    pub hears_of_votes: bool,
}

/// A message, which is sent once and may arrive at any time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Said<B, V> {
    /// Phase 1a: prepare.
    OneA(B),
    /// Phase 1b: an acceptor's promise, with its last vote.
    OneB(usize, B, Option<(B, V)>),
    /// Phase 2a: accept.
    TwoA(B, V),
    /// Phase 2b: an acceptor's vote.
    TwoB(usize, B, V),
}

/// What there is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct State<B, V> {
    /// The highest ballot that each acceptor has taken part in: `maxBal`.
    promised: Vec<Option<B>>,
    /// The last vote of each: `maxVBal` and `maxVal`.
    voted: Vec<Option<(B, V)>>,
    /// All that was ever said.
    said: BTreeSet<Said<B, V>>,
}

impl<B: Number, V: Number> State<B, V> {
    /// Nothing was said.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        let (promised, voted) = (vec![None; rules.acceptors], vec![None; rules.acceptors]);
        Self { promised, voted, said: BTreeSet::new() }
    }

    /// Whether this was said.
    #[must_use]
    pub fn has_said(&self, what: Said<B, V>) -> bool {
        self.said.contains(&what)
    }

    /// The last vote of an acceptor.
    #[must_use]
    pub fn vote(&self, acceptor: usize) -> Option<(B, V)> {
        self.voted.get(acceptor).copied().flatten()
    }

    /// One step, by what is said in it.
    ///
    /// # Errors
    ///
    /// Why it is not allowed; nothing was changed.
    pub fn step(&mut self, what: Said<B, V>, rules: &Rules) -> Result<(), String> {
        self.allows(what, rules).map_err(|why| format!("{what:?}: {why}"))?;
        match what {
            Said::OneB(acceptor, ballot, _) => self.promised[acceptor] = Some(ballot),
            Said::TwoB(acceptor, ballot, value) => {
                self.promised[acceptor] = Some(ballot);
                self.voted[acceptor] = Some((ballot, value));
            }
            Said::OneA(_) | Said::TwoA(..) => {}
        }
        self.said.insert(what);
        Ok(())
    }

    /// Takes all steps that were not taken before, those of each list in its order: first what needs nothing, and then whatever is allowed.
    ///
    /// # Errors
    ///
    /// Why some cannot be taken, or that two values were chosen.
    #[cfg(feature = "model")]
    pub(crate) fn take(
        &mut self,
        mut lists: Vec<VecDeque<Said<B, V>>>,
        rules: &Rules,
    ) -> Result<(), String> {
        loop {
            let (mut why, mut took) = (None, false);
            for list in &mut lists {
                while let Some(step) = list.front() {
                    let is_proposed = matches!(step, Said::OneA(_) | Said::TwoA(..));
                    if !(is_proposed && self.has_said(*step))
                        && let Err(what) = self.step(*step, rules)
                    {
                        why = Some(what);
                        break;
                    }
                    list.pop_front();
                    took = true;
                }
            }
            match why {
                None => break,
                Some(why) if !took => return Err(format!("no step of the algorithm: {why}")),
                Some(_) => {}
            }
        }
        if self.chosen(rules).len() > 1 {
            return Err("two values were chosen".into());
        }
        Ok(())
    }

    /// Whether this step is allowed, and why not.
    fn allows(&self, what: Said<B, V>, rules: &Rules) -> Result<(), &'static str> {
        match what {
            Said::OneA(_) => Ok(()),
            Said::OneB(acceptor, ballot, vote) => {
                if !self.has_said(Said::OneA(ballot)) {
                    return Err("nobody has prepared that ballot");
                }
                if self.promised[acceptor] >= Some(ballot) {
                    return Err("it has promised that ballot, or a higher one");
                }
                let is_heard = rules.hears_of_votes && self.may_hear_of(acceptor, ballot, vote);
                if self.voted[acceptor] != vote && !is_heard {
                    return Err("that is not its vote");
                }
                Ok(())
            }
            Said::TwoA(ballot, value) => {
                let in_ballot =
                    |said: &Said<B, V>| matches!(said, Said::TwoA(b, _) if *b == ballot);
                if self.said.iter().any(in_ballot) {
                    return Err("the ballot has a value");
                }
                if !self.is_safe(ballot, value, rules) {
                    return Err("no quorum's promises allow that value");
                }
                Ok(())
            }
            Said::TwoB(acceptor, ballot, value) => {
                if !self.has_said(Said::TwoA(ballot, value)) {
                    return Err("nobody has proposed that");
                }
                if self.promised[acceptor] > Some(ballot) {
                    return Err("it has promised a higher ballot");
                }
                Ok(())
            }
        }
    }

    /// Whether another acceptor has voted so, later than this one, and before the ballot.
    fn may_hear_of(&self, acceptor: usize, ballot: B, vote: Option<(B, V)>) -> bool {
        let own = self.voted[acceptor].map(|(ballot, _)| ballot);
        vote.is_some_and(|(voted, value)| {
            let has_voted = |at: usize| self.has_said(Said::TwoB(at, voted, value));
            Some(voted) > own && voted < ballot && (0..self.voted.len()).any(has_voted)
        })
    }

    /// Whether a quorum has promised the ballot, and of those promises the highest vote, if there is one, is for the value.
    fn is_safe(&self, ballot: B, value: V, rules: &Rules) -> bool {
        let promises: Vec<Option<(B, V)>> = self
            .said
            .iter()
            .filter_map(|said| match said {
                Said::OneB(_, b, vote) if *b == ballot => Some(*vote),
                _ => None,
            })
            .collect();
        let count = |is: &dyn Fn(Option<B>) -> bool| {
            promises.iter().filter(|vote| is(vote.map(|(b, _)| b))).count()
        };
        count(&|b| b.is_none()) >= rules.one
            || promises
                .iter()
                .flatten()
                .any(|(highest, v)| *v == value && count(&|b| b <= Some(*highest)) >= rules.one)
    }

    /// The values that were chosen: more than one if the quorums are wrong.
    #[must_use]
    pub fn chosen(&self, rules: &Rules) -> BTreeSet<V> {
        let votes: BTreeSet<(B, V)> = self
            .said
            .iter()
            .filter_map(|said| match said {
                Said::TwoB(_, ballot, value) => Some((*ballot, *value)),
                _ => None,
            })
            .collect();
        let is_chosen = |(ballot, value): &(B, V)| {
            let voted = |at: &usize| self.has_said(Said::TwoB(*at, *ballot, *value));
            (0..rules.acceptors).filter(voted).count() >= rules.two
        };
        votes.into_iter().filter(is_chosen).map(|(_, value)| value).collect()
    }
}

/// How many states can be reached with these ballots and values, and whether two values were chosen in one of them. Breadth first.
#[must_use]
pub fn explore(rules: &Rules, ballots: &[u8], values: &[u8]) -> (usize, bool) {
    let first: State<u8, u8> = State::new(rules);
    let (mut seen, mut queue) = (HashSet::from([first.clone()]), VecDeque::from([first]));
    let mut disagree = false;
    while let Some(state) = queue.pop_front() {
        disagree |= state.chosen(rules).len() > 1;
        let mut steps: Vec<Said<u8, u8>> = Vec::new();
        for &ballot in ballots {
            steps.push(Said::OneA(ballot));
            steps.extend(values.iter().map(|value| Said::TwoA(ballot, *value)));
            for acceptor in 0..rules.acceptors {
                steps.push(Said::OneB(acceptor, ballot, state.vote(acceptor)));
                if rules.hears_of_votes {
                    let votes = ballots.iter().flat_map(|b| values.iter().map(|v| (*b, *v)));
                    steps.extend(votes.map(|vote| Said::OneB(acceptor, ballot, Some(vote))));
                }
                steps.extend(values.iter().map(|value| Said::TwoB(acceptor, ballot, *value)));
            }
        }
        for step in steps {
            if state.has_said(step) || state.allows(step, rules).is_err() {
                continue; // what was said once changes nothing when it is said again
            }
            let mut next = state.clone();
            let _ = next.step(step, rules); // it is allowed
            if seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    (seen.len(), disagree)
}
