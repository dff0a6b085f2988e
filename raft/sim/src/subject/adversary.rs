//! What a node does with messages that no honest node sends, or that come from a node that is no member: tried on copies of the nodes as they
//! are, so that nothing else in a run is changed by it.

use quorate_core::{Instant, Machine, NodeId, Output, Rejected};
use quorate_raft::{Message, Raft, Role, Status, Storage};
use quorate_sim::Access;

use super::RaftSubject;

/// A node that no member knows.
const NON_MEMBER: NodeId = NodeId::new(99);
/// No member is believed to be so far ahead; a term that is further is approached by a step as long.
const TERM_STEP: u64 = 1 << 32;
/// No node that is no member is believed to be further ahead.
const MAX_NON_MEMBER_TERM_GAP: u64 = 1 << 16;

impl<S: Storage> RaftSubject<S> {
    /// Tries all of it on a copy of some node, now and then.
    pub(super) fn probe_with_forged_messages(&mut self, access: &mut Access<'_, Self>) {
        // no draw of the run's own, so that every other seed stays what it was
        self.steps += 1;
        if !self.steps.is_multiple_of(97) {
            return;
        }
        let at = (self.steps / 97) as usize % access.nodes();
        let clock = access.clock(at);
        let Some(raft) = access.peek(at) else { return };
        let status = raft.status();
        let ready = !raft.members().is_empty() && status.fatal.is_none() && status.term > 0;
        if !ready || raft.deadline().is_some_and(|at| at == Instant::ZERO) {
            return;
        }
        let found = check_non_members(raft, clock)
            .or_else(|| check_non_candidates(raft, clock))
            .or_else(|| check_far_terms(raft, clock))
            .or_else(|| check_removals(raft, clock))
            .or_else(|| check_removal_queries(raft, clock));
        if let Some(what) = found {
            let what = format!("node {}: {what}: {status:?}", at + 1);
            self.violated.get_or_insert(what);
        }
        access.marks.hit("forged messages tried");
    }
}

/// A copy of a node that was given a message, and what came of it.
fn receive_on_copy<S: Storage>(
    raft: &Raft<S>,
    now: Instant,
    from: NodeId,
    message: Message<'_>,
) -> (Raft<S>, Result<(), Rejected>) {
    let mut copy = raft.clone();
    let result = copy.receive(now, from, message);
    (copy, result)
}

/// A request for a vote whose log is empty.
const fn vote_request(pre: bool, term: u64) -> Message<'static> {
    Message::RequestVote { pre, term, last_index: 0, last_term: 0 }
}

fn check_non_members<S: Storage>(raft: &Raft<S>, now: Instant) -> Option<String> {
    let Status { term, last, .. } = raft.status();
    let (last_term, last_index) = (raft.term(last)?, last);
    let far = term + MAX_NON_MEMBER_TERM_GAP + 1;
    for message in [
        Message::RequestVoteForTransfer { term: term + 1, last_index, last_term },
        Message::AppendAccepted { term: term + 1, round: 0, match_index: 0 },
        Message::Vote { pre: false, term: term + 1, granted: false },
        Message::Removed { term: term.max(1), index: last + 9, index_term: 1 },
        Message::RequestVote { pre: false, term: far, last_index, last_term },
        Message::Append {
            term: far,
            prev_index: 0,
            prev_term: 0,
            commit: 0,
            round: 1,
            entries: &[],
        },
    ] {
        let (copy, result) = receive_on_copy(raft, now, NON_MEMBER, message);
        if result.is_ok() || copy.status().term != term {
            return Some(format!("a non-member's {message:?} is taken"));
        }
    }
    let mut copy = raft.clone();
    for term in (1..5).map(|step| term + step * MAX_NON_MEMBER_TERM_GAP / 2) {
        let (prev_index, prev_term, commit, entries) = (0, 0, 0, &[]);
        let append = Message::Append { term, prev_index, prev_term, commit, round: 1, entries };
        let _ = copy.receive(now, NON_MEMBER, append);
    }
    if copy.status().term > term + MAX_NON_MEMBER_TERM_GAP {
        return Some("non-members raise the term without limit".into());
    }
    if last > 0 {
        // it is given no vote, and so does not raise the term (with leadership or without)
        let (mut copy, _) = receive_on_copy(raft, now, NON_MEMBER, vote_request(false, term + 5));
        if copy.status().term != term {
            return Some("the term of a non-member without a vote is adopted".into());
        }
        // once it has asked, it still may not do more
        let answer = Message::AppendAccepted { term: term + 5, round: 0, match_index: 0 };
        if copy.receive(now, NON_MEMBER, answer).is_ok() {
            return Some("a non-member's answer is taken".into());
        }
    }
    None
}

/// Members that may not lead.
fn check_non_candidates<S: Storage>(raft: &Raft<S>, now: Instant) -> Option<String> {
    let Status { term, last, .. } = raft.status();
    let may_not =
        |p: &quorate_raft::Progress| !p.membership.is_voter() || p.membership.is_witness();
    let learner = raft.peers().find(may_not)?.id;
    let message =
        Message::RequestVoteForTransfer { term: term + 1, last_index: last + 9, last_term: term };
    let (copy, _) = receive_on_copy(raft, now, learner, message);
    (copy.status().term != term).then(|| "a member that may not lead takes over".into())
}

/// A member is in a term that is not believed: the node approaches it.
fn check_far_terms<S: Storage>(raft: &Raft<S>, now: Instant) -> Option<String> {
    let Status { term, .. } = raft.status();
    let member = raft.peers().next()?.id;
    let answer = Message::AppendAccepted { term: term + 3 * TERM_STEP, round: 0, match_index: 0 };
    let (mut copy, result) = receive_on_copy(raft, now, member, answer);
    if result.is_err() || copy.status().term != term + TERM_STEP {
        return Some("a member's far term is not approached".into());
    }
    if copy.receive(now, member, answer).is_ok() || copy.status().term != term + TERM_STEP {
        return Some("a far term is approached without time passing".into());
    }
    None
}

/// A node that is no member is told so, as soon as that is certain; and a member does not believe it beside its leader.
fn check_removals<S: Storage>(raft: &Raft<S>, now: Instant) -> Option<String> {
    let status = raft.status();
    if status.last > 0 {
        let (mut copy, _) = receive_on_copy(raft, now, NON_MEMBER, vote_request(true, status.term));
        let (mut voted, mut told) = (false, false);
        while let Some(output) = copy.poll() {
            match output {
                Output::Send(NON_MEMBER, Message::Vote { .. }) => voted = true,
                Output::Send(NON_MEMBER, Message::Removed { .. }) => told = true,
                _ => {}
            }
        }
        let committed = status.config <= status.commit;
        let certain = committed && status.config.max(status.snapshot) > 0;
        if told && !committed {
            return Some("a removal is told before it is committed".into());
        }
        if voted && certain && !told {
            return Some("a removed node is not told".into());
        }
    }
    let leader = status.leader.filter(|_| status.role == Role::Follower)?;
    let heard = Message::Append {
        term: status.term,
        prev_index: 0,
        prev_term: 0,
        commit: 0,
        round: 1,
        entries: &[],
    };
    let (mut copy, result) = receive_on_copy(raft, now, leader, heard);
    let member = raft.peers().next()?.id;
    let removed = Message::Removed { term: status.term, index: status.last + 9, index_term: 1 };
    let _ = copy.receive(now, member, removed);
    let believed = result.is_ok() && copy.status().removed.is_some();
    believed.then(|| "a removal is believed beside a leader".into())
}

/// A member that may not lead, and hears no leader, asks the others, which know of its removal.
fn check_removal_queries<S: Storage>(raft: &Raft<S>, now: Instant) -> Option<String> {
    let status = raft.status();
    let may_lead = status.membership.is_voter() && !status.membership.is_witness();
    let others = raft.members().iter().any(|member| member.id != status.id);
    if !status.membership.is_member() || may_lead || !others {
        return None;
    }
    if status.role != Role::Follower || status.removed.is_some() || status.quiescent {
        return None;
    }
    let mut copy = raft.clone();
    while copy.poll().is_some() {}
    // one that was woken waits once more
    copy.tick(now.after(1 << 40));
    copy.tick(now.after(1 << 41));
    // it says nothing at all while its vote is on the way to the disk
    let _ = copy.receive(now.after(1 << 41), NON_MEMBER, vote_request(true, status.term + 2));
    let (mut asked, mut answered) = (false, false);
    while let Some(output) = copy.poll() {
        match output {
            Output::Send(_, Message::RequestVote { .. }) => asked = true,
            Output::Send(NON_MEMBER, _) => answered = true,
            _ => {}
        }
    }
    (answered && !asked)
        .then(|| "a member that may not lead asks nobody whether it was removed".into())
}
