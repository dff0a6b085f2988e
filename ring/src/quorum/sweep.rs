//! Anti-entropy by range-based set reconciliation (Meyer, "Range-Based Set Reconciliation", SRDS 2023, section 3), as a sweep.
//!
//! A node goes over the keys that it shares with another, in the order of their tokens, a run at a time: it sends the fingerprint of a run,
//! and the other tells whether its own is the same. While they are the same runs double, up to [`MAX_RUN`] keys; where they differ
//! they halve, and a run of [`OFFERED`] keys is settled key by key. The other's newer values come with its own sweeps.
//!
//! Beside a Merkle tree (DeCandia et al., "Dynamo", SOSP 2007, section 4.7) this keeps nothing that each write must update, and no tree in memory. The price
//! is that a sweep reads all keys.

use quorate_core::{InlineList, Instant, List, NodeId};

use super::runs::{MAX_RUN, MAX_RUN_BITS, Run, Shared};
use super::table::{Entry, Keys};
use super::targets::{bit, count, first};
use super::{Config, Layout, Storage, Value};
use crate::Token;
use crate::topology::Version;

/// The most keys of a run that is settled key by key.
const OFFERED: usize = 32;
/// Numbers of messages of a sweep have this bit.
pub(crate) const SWEEP: u64 = 1 << 63;
/// A digest has eight bytes.
pub(crate) const OFFERED_BYTES: usize = 8 * OFFERED;

/// A sweep over the keys that are shared with one node after the other.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Sweep {
    /// How many repairs may be under way at once.
    most_repairs: u8,
    /// How many passes there were; each has its own salt.
    passes: u64,
    /// How many messages there were.
    sequence: u64,
    pass: Option<Pass>,
    /// Repairs of a pass that was given up are under way.
    given_up: bool,
    /// When the next pass begins, or the next run.
    next_at: Instant,
    /// It waits for a record.
    waits_for_disk: bool,
    last_peer: Option<NodeId>,
    /// The node of the first pass of this rotation.
    first_peer: Option<NodeId>,
    /// Who asked for a pass, and with which incarnation and number.
    asked_by: Option<(NodeId, u64, u64)>,
    /// Where nobody has been met yet: up to here it was looked.
    scanned: Token,
    /// Which round over all nodes this is; each begins with the lowest.
    rotation: u64,
    /// Whether every pass of it has gone through.
    is_clean: bool,
    /// The last rotation of which that is so, when it was over.
    last_clean: u64,
}

/// All keys that are shared with one node, a run after the other.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Pass {
    pub(crate) peer: NodeId,
    /// The layout that it began with: with another one it begins anew.
    version: Version,
    /// With which incarnation and number its node asked for it; zeros if it did not.
    pub(crate) asked: (u64, u64),
    pub(crate) salt: u64,
    /// What is compared.
    pub(crate) run: Run,
    /// How many keys the next run has.
    keys: usize,
    /// The other wanted all of the last run that was offered: it may have nothing from there on, and the next run is not compared.
    wants_all: bool,
    pub(crate) step: Step,
    /// The number of the message that is answered.
    pub(crate) number: u64,
    /// The message is due.
    due: bool,
    attempt: u8,
    retry_at: Instant,
    /// The digests of the keys that were offered, in little-endian bytes.
    pub(crate) offered: InlineList<u8, OFFERED_BYTES>,
    /// Wanted keys are looked for from here on.
    wanted_from: Token,
    /// Keys of the run that have changed since it was offered.
    changed: Changed,
    /// Not all of those were sent: the run is compared again.
    again: bool,
    peers: Peers,
}

/// How far a run is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Step {
    /// The next run is to be chosen.
    Choose,
    /// Its fingerprint was sent.
    Compare,
    /// The digests of its keys were sent.
    Offer,
    /// These of the offered keys are to be sent, and so many others are under way.
    Repair { wanted: u32, under_way: u8 },
    /// The other is told that the pass is over.
    End,
}

/// What becomes of the keys that have changed since they were offered. One that is written all the time differs each time it is compared, so the run
/// is not compared until it is the same: they are sent once, as they are then.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Changed {
    /// None is known that the other wants.
    Unknown,
    /// Once what is as it was offered is on its way, all others of the run are sent.
    Due,
    /// They are being sent.
    Going,
    /// They were sent.
    Sent,
}

/// The nodes that keys are shared with, as far as a pass has met them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Peers {
    lowest: Option<NodeId>,
    /// The lowest above that of this pass.
    next: Option<NodeId>,
}

impl Peers {
    fn meet(&mut self, node: NodeId, after: Option<NodeId>) {
        if self.lowest.is_none_or(|lowest| node < lowest) {
            self.lowest = Some(node);
        }
        if after.is_none_or(|after| node > after) && self.next.is_none_or(|next| node < next) {
            self.next = Some(node);
        }
    }
}

/// What a sweep reads.
pub(crate) struct Reads<'a, V: Value, S: Storage, L> {
    pub(crate) now: Instant,
    pub(crate) node: NodeId,
    pub(crate) keys: &'a Keys<V, S>,
    pub(crate) layout: &'a L,
    pub(crate) config: &'a Config,
}

impl<'a, V: Value, S: Storage, L: Layout> Reads<'a, V, S, L> {
    const fn shared_with(&self, peer: NodeId) -> Shared<'a, V, S, L> {
        Shared { keys: self.keys, layout: self.layout, node: self.node, peer }
    }
}

impl Sweep {
    pub(crate) const fn new(most_repairs: u8, first_at: Instant) -> Self {
        Self {
            most_repairs,
            passes: 0,
            sequence: 0,
            pass: None,
            given_up: false,
            next_at: first_at,
            waits_for_disk: false,
            last_peer: None,
            first_peer: None,
            asked_by: None,
            scanned: Token::MIN,
            rotation: 1,
            is_clean: false,
            last_clean: 0,
        }
    }

    /// Which round over all nodes this is.
    pub(crate) const fn rotation(&self) -> u64 {
        self.rotation
    }

    /// The last round whose passes all went through: what this node had when it began, all replicas have.
    pub(crate) const fn last_clean_rotation(&self) -> u64 {
        self.last_clean
    }

    fn end_rotation(&mut self) {
        if core::mem::replace(&mut self.is_clean, true) {
            self.last_clean = self.rotation;
        }
        self.rotation = self.rotation.saturating_add(1);
        self.first_peer = None;
    }

    pub(crate) const fn pass(&self) -> Option<&Pass> {
        self.pass.as_ref()
    }

    /// When it wants a tick.
    pub(crate) fn deadline(&self) -> Instant {
        match &self.pass {
            Some(Pass { step: Step::Repair { wanted, under_way }, .. }) => {
                let may_begin = *wanted != 0 && *under_way < self.most_repairs;
                // those that are under way have their own
                if may_begin || *under_way == 0 { self.next_at } else { Instant::MAX }
            }
            Some(Pass { step: Step::Choose, .. }) | None => self.next_at,
            Some(pass) => pass.retry_at,
        }
    }

    pub(crate) fn tick<V: Value, S: Storage, L: Layout>(&mut self, reads: &Reads<'_, V, S, L>) {
        if self.pass.as_ref().is_some_and(|pass| pass.version != reads.layout.version()) {
            self.give_up(reads.now, reads.config); // the keys that are shared are others
        }
        if self.deadline() > reads.now {
            return;
        }
        match &mut self.pass {
            None => self.begin(reads),
            Some(Pass { step: Step::Choose, .. }) => self.choose(reads),
            // what goes out next is the value that is wanted, as soon as it is asked for
            Some(Pass { step: Step::Repair { .. }, .. }) => {}
            Some(pass) if pass.attempt >= reads.config.attempts => {
                self.give_up(reads.now, reads.config)
            }
            Some(pass) => {
                pass.attempt = pass.attempt.saturating_add(1);
                pass.retry_at = reads.now.after(reads.config.retry_us);
                pass.due = true;
            }
        }
    }

    /// Begins a pass with the node after that of the last one.
    fn begin<V: Value, S: Storage, L: Layout>(&mut self, reads: &Reads<'_, V, S, L>) {
        if let Some((peer, incarnation, number)) = self.asked_by.take() {
            self.is_clean = false; // this is none of the round
            self.begin_with(peer, (incarnation, number), reads);
            return;
        }
        if self.last_peer.is_none() {
            // no pass has found a peer yet: begin with the first one found
            let mut peers = Peers::default();
            let meet = |node| peers.meet(node, None);
            let run = reads.shared_with(reads.node).run(self.scanned, MAX_RUN, 0, meet);
            self.last_peer = peers.lowest;
            self.scanned = run.last.next();
            if self.last_peer.is_none() {
                let all = run.last == Token::MAX;
                let wait = if all { reads.config.sweep_pause_us } else { reads.config.sweep_us };
                self.next_at = reads.now.after(wait);
                if all {
                    self.end_rotation(); // nothing is shared with anybody
                }
                return;
            }
        }
        if let Some(peer) = self.last_peer {
            self.begin_with(peer, (0, 0), reads);
        }
    }

    /// A node has lost its disk: the next pass is with it.
    pub(crate) fn ask(&mut self, by: NodeId, incarnation: u64, number: u64, now: Instant) {
        let asked = (incarnation, number);
        if self.pass.as_ref().is_some_and(|pass| pass.peer == by && pass.asked == asked) {
            return; // it is under way
        }
        if self.asked_by.is_none_or(|(other, ..)| other == by) {
            self.asked_by = Some((by, incarnation, number));
            if self.pass.is_none() {
                self.next_at = self.next_at.min(now);
            }
        }
    }

    fn begin_with<V: Value, S: Storage, L: Layout>(
        &mut self,
        peer: NodeId,
        asked: (u64, u64),
        reads: &Reads<'_, V, S, L>,
    ) {
        self.passes = self.passes.saturating_add(1);
        self.first_peer = self.first_peer.or(Some(peer));
        self.pass = Some(Pass {
            peer,
            version: reads.layout.version(),
            asked,
            salt: self.passes,
            run: Run::empty(Token::MIN, Token::MIN),
            keys: MAX_RUN,
            wants_all: false,
            step: Step::Choose,
            number: 0,
            due: false,
            attempt: 0,
            retry_at: reads.now,
            offered: InlineList::with_limit(OFFERED_BYTES),
            wanted_from: Token::MIN,
            changed: Changed::Unknown,
            again: false,
            peers: Peers::default(),
        });
        self.choose(reads);
    }

    /// Chooses the next run, from the first token of the present one on.
    fn choose<V: Value, S: Storage, L: Layout>(&mut self, reads: &Reads<'_, V, S, L>) {
        let Some(pass) = &mut self.pass else { return };
        let (peer, peers) = (pass.peer, &mut pass.peers);
        let meet = |node| peers.meet(node, Some(peer));
        pass.run = reads.shared_with(peer).run(pass.run.first, pass.keys, pass.salt, meet);
        if pass.run.keys == 0 {
            if pass.run.last == Token::MAX {
                self.send(Step::End, reads.now, reads.config);
            } else {
                pass.run.first = pass.run.last.next();
                self.next_at = reads.now.after(reads.config.sweep_us);
            }
            return;
        }
        if pass.wants_all && pass.run.keys <= OFFERED as u64 {
            self.offer(reads);
        } else {
            self.send(Step::Compare, reads.now, reads.config);
        }
    }

    /// Offers the keys of the run.
    fn offer<V: Value, S: Storage, L: Layout>(&mut self, reads: &Reads<'_, V, S, L>) {
        let Some(pass) = &mut self.pass else { return };
        pass.offered.clear();
        let Run { first, last, .. } = pass.run;
        for (_, digest) in reads.shared_with(pass.peer).digests(first, last, pass.salt) {
            if pass.offered.extend_from_slice(&digest.to_le_bytes()).is_err() {
                break; // the rest of the keys of one token; there are never so many
            }
        }
        self.send(Step::Offer, reads.now, reads.config);
    }

    fn send(&mut self, step: Step, now: Instant, config: &Config) {
        let Some(pass) = &mut self.pass else { return };
        self.sequence = self.sequence.saturating_add(1);
        pass.number = SWEEP | self.sequence;
        (pass.step, pass.due, pass.attempt) = (step, true, 1);
        pass.retry_at = now.after(config.retry_us);
    }

    /// The pass is over.
    fn end(&mut self, now: Instant, config: &Config, complete: bool) {
        self.is_clean &= complete;
        if let Some(pass) = self.pass.take() {
            self.given_up |= matches!(pass.step, Step::Repair { under_way: 1.., .. });
            // after a pass without shared keys, continue with the first peer found
            self.last_peer = pass.peers.next.or(pass.peers.lowest);
            self.scanned = Token::MIN;
            if pass.peers.next.is_none() {
                // a key that came behind the last pass of the rotation before may be shared with a lower node than any that was met until then
                self.is_clean &= pass.peers.lowest >= self.first_peer;
                self.end_rotation();
                self.is_clean = complete; // otherwise the lowest was perhaps not met
            }
        }
        let wait = if self.asked_by.is_some() { config.sweep_us } else { config.sweep_pause_us };
        self.next_at = now.after(wait);
    }

    /// The pass goes no further: it counts for nothing.
    pub(crate) fn give_up(&mut self, now: Instant, config: &Config) {
        if let Some(pass) = &mut self.pass {
            // not all were met: the others are next, and this one again
            if pass.peers.lowest.is_none() {
                pass.peers.lowest = Some(pass.peer);
            }
        }
        self.end(now, config, false);
    }

    /// The pass that this message is an answer for.
    fn answered(&mut self, from: NodeId, number: u64) -> Option<&mut Pass> {
        self.pass.as_mut().filter(|pass| pass.peer == from && pass.number == number)
    }

    /// The run is the same there, or has become so; or it is compared again.
    fn advance(&mut self, now: Instant, config: &Config) {
        let Some(pass) = &mut self.pass else { return };
        let again = core::mem::replace(&mut pass.again, false);
        if pass.run.last == Token::MAX && !again {
            self.send(Step::End, now, config);
        } else {
            let read = u64::from(pass.run.read).min(MAX_RUN as u64);
            let next = if again { pass.run.first } else { pass.run.last.next() };
            pass.run = Run::empty(next, next);
            pass.step = Step::Choose;
            pass.wants_all &= !again;
            // what was repaired has its pace from the round trips
            self.next_at = now.after(config.sweep_us.saturating_mul(read) >> MAX_RUN_BITS);
        }
    }

    pub(crate) fn on_compared<V: Value, S: Storage, L: Layout>(
        &mut self,
        from: NodeId,
        number: u64,
        same: bool,
        reads: &Reads<'_, V, S, L>,
    ) {
        let Some(pass) = self.answered(from, number) else { return };
        if pass.step != Step::Compare {
            return;
        }
        if same {
            pass.keys = pass.keys.saturating_mul(2).min(MAX_RUN);
            self.advance(reads.now, reads.config);
        } else if pass.run.keys > OFFERED as u64 {
            let half = usize::try_from(pass.run.keys / 2).unwrap_or(MAX_RUN);
            pass.keys = half.max(OFFERED);
            self.choose(reads);
        } else {
            self.offer(reads);
        }
    }

    /// The other lacks these of the offered keys, or has others there.
    pub(crate) fn on_wanted(
        &mut self,
        from: NodeId,
        number: u64,
        wanted: u32,
        now: Instant,
        config: &Config,
    ) {
        let Some(pass) = self.answered(from, number) else { return };
        if pass.step == Step::Offer {
            pass.step = Step::Repair { wanted, under_way: 0 };
            pass.wanted_from = pass.run.first;
            (pass.changed, pass.again) = (Changed::Unknown, false);
            pass.wants_all = count(wanted) as u64 >= pass.run.keys;
            self.next_at = now;
            if wanted == 0 {
                self.advance(now, config);
            }
        }
    }

    /// It was told that the pass is over. True if that is new.
    pub(crate) fn on_ended(
        &mut self,
        from: NodeId,
        number: u64,
        now: Instant,
        config: &Config,
    ) -> bool {
        let ended = self.answered(from, number).is_some_and(|pass| pass.step == Step::End);
        if ended {
            self.end(now, config, true);
        }
        ended
    }

    /// The other does not take part now.
    pub(crate) fn on_refused(&mut self, from: NodeId, number: u64, now: Instant, config: &Config) {
        if self.answered(from, number).is_some() {
            self.give_up(now, config);
        }
    }

    /// The next of the keys that the other wants, if one more may be under way: its value, and its key.
    pub(crate) fn next_wanted<'a, V: Value, S: Storage, L: Layout>(
        &mut self,
        reads: &Reads<'a, V, S, L>,
    ) -> Option<(NodeId, &'a Entry<V, S>)> {
        loop {
            let pass = self.pass.as_mut()?;
            let Step::Repair { wanted, under_way } = &mut pass.step else { return None };
            if self.next_at > reads.now || *under_way >= self.most_repairs {
                return None;
            }
            let Some(place) = first(*wanted) else {
                if let Some(entry) = pass.next_changed(reads) {
                    return Some((pass.peer, entry));
                }
                if matches!(pass.step, Step::Repair { under_way: 0, .. }) {
                    self.advance(reads.now, reads.config);
                }
                return None;
            };
            let at = (place as usize).saturating_mul(8);
            let offered = pass.offered.get(at..at.saturating_add(8));
            let offered = offered.and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
            let (from, last) = (pass.wanted_from, pass.run.last);
            let mut keys = reads.shared_with(pass.peer).digests(from, last, pass.salt);
            let is_offered = |digest: u64| offered == Some(digest.to_le_bytes());
            if let Some((entry, _)) = keys.find(|(_, digest)| is_offered(*digest)) {
                pass.wanted_from = entry.token; // those after it in the offer are not before it here
                return Some((pass.peer, entry));
            }
            // the other has neither what was offered nor what it has become
            pass.changed = Changed::Due;
            *wanted &= !bit(place);
        }
    }

    /// What is wanted cannot be sent yet.
    pub(crate) const fn wait(&mut self, now: Instant, config: &Config) {
        self.next_at = now.after(config.sweep_us);
    }

    /// What is wanted is not durable yet.
    pub(crate) const fn wait_for_disk(&mut self, now: Instant, config: &Config) {
        self.wait(now, config);
        self.waits_for_disk = true;
    }

    /// Something has become durable: what is wanted may be sent, before it changes again.
    pub(crate) fn on_persisted(&mut self, now: Instant) {
        if core::mem::take(&mut self.waits_for_disk) {
            self.next_at = self.next_at.min(now);
        }
    }

    /// Too much else is to be done for one more to be under way.
    pub(crate) fn find_no_room(&mut self, now: Instant, config: &Config) {
        match &self.pass {
            Some(Pass { step: Step::Repair { under_way: 1.., .. }, .. }) => self.wait(now, config),
            _ => self.give_up(now, config),
        }
    }

    /// The next of the wanted keys is under way.
    pub(crate) const fn set_under_way(&mut self) {
        let Some(pass) = &mut self.pass else { return };
        let Step::Repair { wanted, under_way } = &mut pass.step else { return };
        *wanted &= wanted.saturating_sub(1); // the lowest is the one that was sent
        *under_way = under_way.saturating_add(1);
        if matches!(pass.changed, Changed::Going) {
            // or it was the one that has changed
            if pass.wanted_from.get() >= pass.run.last.get() {
                pass.changed = Changed::Sent;
            }
            pass.wanted_from = pass.wanted_from.next();
        }
    }

    /// One of those that are under way was taken, or not.
    pub(crate) fn on_repaired(&mut self, failed: bool, now: Instant, config: &Config) {
        let Some(Pass { step: Step::Repair { under_way, .. }, .. }) = &mut self.pass else {
            return;
        };
        *under_way = under_way.saturating_sub(1);
        self.next_at = now;
        if failed {
            self.give_up(now, config); // what was compared is not repaired: this counts for nothing
        }
    }

    /// The layout is another.
    pub(crate) fn cancel(&mut self, now: Instant, config: &Config) {
        if self.pass.is_some() {
            self.give_up(now, config);
        }
    }

    /// Whether repairs of a pass that was given up are under way: they are to be canceled.
    pub(crate) const fn take_given_up(&mut self) -> bool {
        core::mem::replace(&mut self.given_up, false)
    }

    /// The message that is due; it is no longer.
    pub(crate) fn take_due(&mut self) -> Option<Step> {
        let pass = self.pass.as_mut()?;
        core::mem::take(&mut pass.due).then_some(pass.step)
    }
}

impl Pass {
    /// The next key that is not as it was when its run was offered, if such keys are to be sent.
    fn next_changed<'a, V: Value, S: Storage, L: Layout>(
        &mut self,
        reads: &Reads<'a, V, S, L>,
    ) -> Option<&'a Entry<V, S>> {
        if self.changed == Changed::Due {
            (self.changed, self.wanted_from) = (Changed::Going, self.run.first);
        }
        if self.changed != Changed::Going {
            return None;
        }
        let keys = reads.shared_with(self.peer).digests(self.wanted_from, self.run.last, self.salt);
        let offered = &self.offered;
        let mut others = keys.filter(|(_, digest)| {
            offered.chunks_exact(8).all(|offered| offered != digest.to_le_bytes())
        });
        let Some((entry, _)) = others.next() else {
            self.changed = Changed::Sent;
            return None;
        };
        // of several with one token this goes on behind the first
        self.again |= others.next().is_some_and(|(other, _)| other.token == entry.token);
        self.wanted_from = entry.token;
        Some(entry)
    }
}

/// Which of the offered keys a node wants: those that it does not have just so.
pub(crate) fn wanted<V: Value, S: Storage, L: Layout>(
    shared: &Shared<'_, V, S, L>,
    (first, last): (Token, Token),
    salt: u64,
    offered: &[u8],
) -> u32 {
    let offered = || (0_u32..).zip(offered.chunks_exact(8)).take(OFFERED);
    let mut wanted = offered().fold(0, |wanted, (place, _)| wanted | bit(place));
    // each key once, as there may be many more of them here than were offered
    for (_, own) in shared.digests(first, last, salt) {
        for (place, digest) in offered() {
            if own.to_le_bytes() == *digest {
                wanted &= !bit(place);
            }
        }
    }
    wanted
}
