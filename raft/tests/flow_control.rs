//! How a leader handles lost and late messages. The test plays the follower.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{drain_and_persist, id};
use quorate_core::{Instant, Machine, Output};
use quorate_raft::{
    Config, Event, Fixed, Inline, Message, Progress, Raft, Record, Replication, Role, Storage,
};

/// Small storage with membership changes, and with fixed members.
type Small = Inline<3, 8192, 256, 64>;
type SmallFixed = Fixed<3, 8192, 256, 64>;

/// Bytes of a blank entry: one for its term, one for kind and length.
const BLANK: usize = 2;
/// Bytes of an entry with one byte of data.
const ENTRY: usize = 3;

/// Node 1 leads. Node 2 is played by the test; node 3 never answers.
struct Leader<S: Storage> {
    raft: Raft<S>,
    now: Instant,
    term: u64,
    /// Peers reported to have lost entries, and the index that each had acknowledged.
    losses: Vec<(u64, u64)>,
}

/// An append to node 2: `prev_index`, round, and bytes of entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Sent {
    prev: u64,
    round: u64,
    bytes: usize,
}

impl<S: Storage> Leader<S> {
    /// A leader elected with these entries after this term, and its first appends to node 2.
    fn elected(entries: &[u8], term: u64) -> (Self, Vec<Sent>) {
        let config = Config { pre_vote: false, check_quorum: false, ..Config::default() };
        let mut raft = Raft::new(id(1), &[1, 2, 3].map(id), config, 1).unwrap();
        raft.restore(Record::Vote { term, vote: None }).unwrap();
        if !entries.is_empty() {
            raft.restore(Record::Append { first: 1, commit: 0, entries }).unwrap();
        }
        let now = Instant::from_millis(1);
        raft.tick(now);
        raft.campaign(now);
        drain_and_persist(&mut raft);
        let term = raft.status().term;
        raft.receive(now, id(2), Message::Vote { pre: false, term, granted: true }).unwrap();
        assert_eq!(raft.status().role, Role::Leader);
        let mut leader = Self { raft, now, term, losses: Vec::new() };
        let sent = leader.sent_appends();
        (leader, sent)
    }

    /// A leader in replicate mode for node 2, which has its only entry.
    fn streaming() -> Self {
        let (mut leader, probes) = Self::elected(&[], 0);
        let [probe] = probes[..] else { panic!("{probes:?}") };
        assert_eq!((probe.prev, probe.bytes), (0, BLANK));
        assert!(leader.accept(probe.round, 1).is_empty());
        assert_eq!(leader.peer(2).replication, Replication::Replicate);
        leader
    }

    /// Polls the leader and returns the appends to node 2.
    fn sent_appends(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        let mut ticket = None;
        loop {
            while let Some(output) = self.raft.poll() {
                match output {
                    Output::Persist(next, _) => ticket = Some(next),
                    Output::Send(to, Message::Append { prev_index, round, entries, .. })
                        if to == id(2) =>
                    {
                        sent.push(Sent { prev: prev_index, round, bytes: entries.len() });
                    }
                    Output::Event(Event::PeerLostEntries { peer, acknowledged }) => {
                        self.losses.push((peer.get(), acknowledged));
                    }
                    _ => {}
                }
            }
            match ticket.take() {
                Some(ticket) => self.raft.persisted(ticket),
                None => return sent,
            }
        }
    }

    fn propose(&mut self, len: usize) -> Vec<Sent> {
        self.raft.propose(&vec![7; len]).unwrap();
        self.sent_appends()
    }

    /// Advances to the next heartbeat and returns it.
    fn heartbeat(&mut self) -> Sent {
        self.now = self.now.after(Config::default().heartbeat_us);
        self.raft.tick(self.now);
        let sent = self.sent_appends();
        let [heartbeat] = sent[..] else { panic!("{sent:?}") };
        assert_eq!(heartbeat.bytes, 0, "a heartbeat has no entries");
        heartbeat
    }

    /// Node 2 acknowledges; returns the appends that follow.
    fn accept(&mut self, round: u64, match_index: u64) -> Vec<Sent> {
        let accept = Message::AppendAccepted { term: self.term, round, match_index };
        self.raft.receive(self.now, id(2), accept).unwrap();
        self.sent_appends()
    }

    fn reject(&mut self, round: u64, prev_index: u64, hint: (u64, u64)) -> Vec<Sent> {
        let (hint_index, hint_term) = hint;
        let reject =
            Message::AppendRejected { term: self.term, round, prev_index, hint_index, hint_term };
        self.raft.receive(self.now, id(2), reject).unwrap();
        self.sent_appends()
    }

    fn peer(&self, peer: u64) -> Progress {
        self.raft.peers().find(|progress| progress.id == id(peer)).unwrap()
    }

    /// An entry is sent twice because a heartbeat overtakes it. Node 2 acknowledges `late` for the first
    /// message and the entry for the second.
    fn resend(&mut self, late: u64) {
        let first = self.propose(1);
        let [Sent { prev: 1, round, bytes: ENTRY }] = first[..] else { panic!("{first:?}") };
        let heartbeat = self.heartbeat();
        assert_eq!(heartbeat.prev, 2);
        let again = self.reject(heartbeat.round, 2, (1, self.term));
        let [Sent { prev: 1, round: second, bytes: ENTRY }] = again[..] else {
            panic!("{again:?}")
        };
        assert!(second > round);
        assert!(self.accept(round, late).is_empty());
        assert_eq!(self.peer(2).replication, Replication::Probe);
        assert!(self.accept(second, 2).is_empty());
        assert_eq!(self.peer(2).replication, Replication::Replicate);
    }

    /// Proposes an entry and counts the heartbeats before the first one that checks for it.
    fn patience(&mut self, len: usize) -> usize {
        let matched = self.peer(2).match_index;
        let sent = self.propose(len);
        assert_eq!(sent.len(), 1);
        let last = self.raft.status().last;
        for heartbeats in 0..9 {
            let Sent { prev, round, .. } = self.heartbeat();
            if prev != matched {
                assert_eq!(prev, last);
                return heartbeats;
            }
            assert!(self.accept(round, matched).is_empty());
        }
        panic!("no heartbeat checks for the entry");
    }
}

#[test]
fn heartbeat_checks_for_an_unacknowledged_entry() {
    fn all<S: Storage>() {
        assert_eq!(Leader::<S>::streaming().patience(1), 0);
    }
    all::<Small>();
    all::<SmallFixed>();
}

#[test]
fn late_entries_add_one_heartbeat_of_patience() {
    fn all<S: Storage>() {
        let mut leader = Leader::<S>::streaming();
        // the first message was late, not lost
        leader.resend(2);
        assert_eq!(leader.patience(1), 1);
    }
    all::<Small>();
    all::<SmallFixed>();
}

#[test]
fn old_acknowledgement_without_progress_adds_no_patience() {
    fn all<S: Storage>() {
        let mut leader = Leader::<S>::streaming();
        leader.resend(1);
        assert_eq!(leader.patience(1), 0);
    }
    all::<Small>();
    all::<SmallFixed>();
}

#[test]
fn long_entries_get_more_patience_unless_storage_is_fixed() {
    const LONG: usize = 1 << 16;
    type Large = Inline<3, 140_000, 16, 64>;
    type LargeFixed = Fixed<3, 140_000, 16, 64>;
    let patience = || {
        let (mut large, mut fixed) =
            (Leader::<Large>::streaming(), Leader::<LargeFixed>::streaming());
        (large.patience(LONG), fixed.patience(LONG))
    };
    // nodes of this size are too large for the stack of a test
    let roomy = std::thread::Builder::new().stack_size(32 << 20).spawn(patience).unwrap();
    assert_eq!(roomy.join().unwrap(), (1, 0));
}

#[test]
fn silent_peer_gets_no_patience() {
    fn all<S: Storage>() {
        let mut leader = Leader::<S>::streaming();
        leader.resend(2);
        // without the silence the leader would wait for one more heartbeat
        leader.propose(1);
        leader.now = leader.now.after(3 * Config::default().heartbeat_us);
        assert_eq!(leader.heartbeat().prev, 3);
    }
    all::<Small>();
    all::<SmallFixed>();
}

#[test]
fn first_rejection_is_probed_at_once_and_the_next_after_a_heartbeat() {
    let mut leader = Leader::<Small>::streaming();
    leader.propose(1);
    let round = leader.heartbeat().round;
    let again = leader.reject(round, 2, (1, 1));
    let [Sent { prev: 1, round, bytes: ENTRY }] = again[..] else { panic!("{again:?}") };
    // node 2 accepts the entry and loses it before it is durable
    assert!(leader.accept(round, 1).is_empty());
    let more = leader.propose(1);
    let [Sent { prev: 2, round, bytes: ENTRY }] = more[..] else { panic!("{more:?}") };
    assert!(
        leader.reject(round, 2, (1, 1)).is_empty(),
        "an immediate answer could repeat without end"
    );
    let Sent { prev, round, .. } = leader.heartbeat();
    assert_eq!(prev, 1);
    let again = leader.accept(round, 1);
    let [Sent { prev: 1, round, bytes }] = again[..] else { panic!("{again:?}") };
    assert_eq!(bytes, 2 * ENTRY);
    // after a heartbeat, the next rejection is answered immediately
    let again = leader.reject(round, 2, (1, 1));
    assert!(matches!(again[..], [Sent { prev: 1, .. }]), "{again:?}");
}

#[test]
fn second_loss_of_the_same_entries_shortens_appends() {
    const ALL: usize = 100 * ENTRY;
    let mut leader = Leader::<Small>::streaming();
    for _ in 0..100 {
        leader.raft.propose(&[7]).unwrap();
    }
    assert_eq!(leader.sent_appends().iter().map(|sent| sent.bytes).sum::<usize>(), ALL);
    let mut lengths = Vec::new();
    for _ in 0..2 {
        let round = leader.heartbeat().round;
        let again = leader.reject(round, 101, (1, 1));
        let [probe] = again[..] else { panic!("{again:?}") };
        lengths.push(probe.bytes);
        // the probe arrives, and none of its entries is durable
        leader.accept(probe.round, 1);
    }
    // a single loss does not shorten appends
    assert_eq!(lengths, [ALL, 256 / ENTRY * ENTRY]);
}

#[test]
fn probing_for_the_match_does_not_shorten_appends() {
    let log = [1, 1].repeat(60);
    let (mut leader, probes) = Leader::<Small>::elected(&log, 1);
    let mut sent = probes;
    for (prev, hint) in [(60, 40), (40, 20), (20, 0)] {
        let [probe] = sent[..] else { panic!("{sent:?}") };
        assert_eq!((probe.prev, probe.bytes), (prev, (61 - prev as usize) * BLANK));
        sent = leader.reject(probe.round, prev, (hint, hint.min(1)));
    }
    let [probe] = sent[..] else { panic!("{sent:?}") };
    assert_eq!((probe.prev, probe.bytes), (0, 61 * BLANK));
}

#[test]
fn lost_entries_are_reported_with_the_acknowledged_index() {
    fn all<S: Storage>() {
        let mut leader = Leader::<S>::streaming();
        leader.propose(1);
        let Sent { round, .. } = leader.heartbeat();
        assert!(leader.accept(round, 2).is_empty());
        let Sent { round, prev, .. } = leader.heartbeat();
        assert_eq!(prev, 2);
        assert_eq!((leader.peer(2).lost, leader.peer(3).lost), (None, None));
        assert!(leader.reject(round, 2, (1, 1)).is_empty());
        assert_eq!((leader.peer(2).lost, leader.peer(3).lost), (Some(2), None));
        assert_eq!(leader.losses, [(2, 2)]);
        assert_eq!(leader.peer(2).replication, Replication::Halted);
    }
    all::<Small>();
    all::<SmallFixed>();
}
