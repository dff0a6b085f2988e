//! Raft's messages, records and events, each in one line.

use quorate_core::{NodeId, Wire, Writer};
use quorate_raft::{
    Entries, Entry, EntryKind, Event, Forwarded, Index, Member, Members, Message, Record, Role,
    Term,
};
use quorate_sim::Digest;

use super::entries::decode;

/// A message in one line: `append term 2, after 3@1: 4@2 "x"; commit 3, round 7`.
pub(crate) fn message(message: &Message<'_>) -> String {
    match *message {
        Message::RequestVote { pre, term, last_index, last_term } => {
            format!("request-{}vote term {term}, log ends at {last_index}@{last_term}", prefix(pre))
        }
        Message::Vote { pre, term, granted } => {
            let answer = if granted { "yes" } else { "no" };
            format!("{}vote: {answer}, term {term}", prefix(pre))
        }
        Message::Append { term, prev_index, prev_term, commit, round, entries } => {
            let entries = run(prev_index + 1, entries);
            let entries = if entries.is_empty() { "nothing".into() } else { entries };
            format!(
                "append term {term}, after {prev_index}@{prev_term}: {entries}; commit {commit}, round {round}"
            )
        }
        Message::AppendAccepted { term, round, match_index } => {
            format!("append-accepted term {term}, through {match_index}, round {round}")
        }
        Message::AppendRejected { term, round, prev_index, hint_index, hint_term } => {
            format!(
                "append-rejected term {term}, no such {prev_index}, try {hint_index}@{hint_term}, round {round}"
            )
        }
        Message::Snapshot { term, round, index, index_term, offset, done, data } => {
            let head = format!("snapshot term {term}, of {index}@{index_term}");
            if offset == u64::MAX {
                return format!("{head}, offset unknown, round {round}");
            }
            let end = if done { ", the end" } else { "" };
            format!("{head}, {} at {offset}{end}, round {round}", bytes(data))
        }
        Message::SnapshotEnd { term, round, index, index_term, offset, members: list, data } => {
            format!(
                "snapshot term {term}, of {index}@{index_term}, {} at {offset}, the end, {}, round {round}",
                bytes(data),
                members(list)
            )
        }
        Message::SnapshotAck { term, round, index, offset } => {
            format!("snapshot ack term {term}, of {index}, has {offset} bytes, round {round}")
        }
        Message::TimeoutNow { term } => format!("timeout-now term {term}"),
        Message::RequestVoteForTransfer { term, last_index, last_term } => {
            format!("request-vote term {term}, log ends at {last_index}@{last_term}, transfer")
        }
        Message::Quiesce { term, round, index } => {
            format!("quiesce term {term}, all have {index}, round {round}")
        }
        Message::RequestSnapshot { term, index } => {
            format!("request-snapshot term {term}, at least {index}")
        }
        Message::Propose { term, id, round, commands } => {
            let commands = decode(1, commands).map(|(.., data)| text(data));
            let commands = commands.collect::<Vec<_>>().join(", ");
            format!("propose {}: {commands}; term {term}, round {round}", query_number(id))
        }
        Message::Proposed { term, id, index, count } => {
            format!("proposed {}: {count} from {index} on, term {term}", query_number(id))
        }
        Message::Removed { term, index, index_term } => {
            format!("removed as of {index}@{index_term}, term {term}")
        }
        Message::LeasePromise { term, round, promise_us } => {
            format!("promise of {promise_us}us, term {term}, round {round}")
        }
        Message::ReadIndex { term, id } => format!("read-index {}, term {term}", query_number(id)),
        Message::ReadIndexConfirmed { term, id, index } => {
            format!("read-index {} is {index}, term {term}", query_number(id))
        }
        ref other => format!("{other:?}"),
    }
}

/// A query's number without the part that identifies the incarnation of the node.
const fn query_number(id: u64) -> u64 {
    id & 0xffff_ffff
}

/// A record in one line.
pub(crate) fn record(record: &Record<'_>) -> String {
    match *record {
        Record::Vote { term, vote: Some(vote) } => format!("term {term}, vote for {vote}"),
        Record::Vote { term, vote: None } => format!("term {term}, no vote"),
        Record::Append { first, commit, entries } => {
            format!("{}; commit {commit}", run(first, entries))
        }
        Record::Snapshot { index, index_term, compacted, compacted_term } => {
            format!("snapshot of {index}@{index_term}, log after {compacted}@{compacted_term}")
        }
        Record::Members { index, index_term, members: list } => {
            format!("as of {index}@{index_term} {}", members(list))
        }
        Record::Founders { voters } if voters.is_empty() => "founded by others".into(),
        Record::Founders { voters } => format!("founded by {}", members(voters)),
        ref other => format!("{other:?}"),
    }
}

/// An event in one line.
pub(crate) fn event(event: &Event<'_>) -> String {
    match *event {
        Event::Committed(run) => format!("committed {}", entries(run)),
        Event::Leading { term } => format!("leader of term {term}"),
        Event::Following { leader, term } => format!("follower of {leader} in term {term}"),
        Event::Leaderless { term } => format!("no leader in term {term}"),
        Event::Members { index, members: list } => {
            format!("as of {index} {}", members(list))
        }
        Event::Read { through } => format!("reads up to {through:?} may be answered"),
        Event::ProposalsDropped { before, after: 0 } => {
            format!("uncommitted proposals before term {before} are lost")
        }
        Event::ProposalsDropped { before, after } => {
            format!("uncommitted proposals before term {before} after {after} are lost")
        }
        Event::Forwarded { first, count, end } => {
            let (first, last) = (first.get(), first.get().saturating_add(count - 1));
            let which = if count == 1 { format!("{first}") } else { format!("{first} to {last}") };
            match end {
                Forwarded::Taken(at) => {
                    format!("forwarded {which} accepted, from {}@{} on", at.index, at.term)
                }
                Forwarded::Refused => format!("forwarded {which} refused"),
                _ => format!("forwarded {which}: outcome unknown"),
            }
        }
        Event::LogFull => "the log is full".into(),
        Event::Removed { index } => format!("removed, as of {index}"),
        Event::Refusing { peer, reason } => format!("keeps rejecting {peer}: {reason}"),
        Event::SnapshotDue { index } => format!("a snapshot of at least {index} is due"),
        Event::SnapshotWanted { to, index, offset, .. } => {
            format!("{to} needs the snapshot of {index} from byte {offset} on")
        }
        Event::SnapshotChunk { index, index_term, offset, data, done } => {
            let end = if done { ", the end" } else { "" };
            let bytes = bytes(data);
            format!("{bytes} at {offset} of the snapshot of {index}@{index_term}{end}")
        }
        Event::Fatal(reason) => format!("stopped: {reason}"),
        ref other => format!("{other:?}"),
    }
}

/// Role, term and leader as text.
pub(crate) struct RoleText {
    pub(crate) role: Role,
    pub(crate) term: Term,
    pub(crate) leader: Option<NodeId>,
}

impl std::fmt::Display for RoleText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let term = self.term;
        match (self.role, self.leader) {
            (Role::Follower, Some(leader)) => write!(f, "follower of {leader} in term {term}"),
            (Role::Follower, None) => write!(f, "follower in term {term}, no leader"),
            (Role::PreCandidate, _) => write!(f, "pre-candidate in term {term}"),
            (Role::Candidate, _) => write!(f, "candidate in term {term}"),
            (Role::Leader, _) => write!(f, "leader of term {term}"),
            (role, _) => write!(f, "{role:?} in term {term}"),
        }
    }
}

/// Entries as text: `4@2 "x", 5@2 blank`.
pub(crate) fn entries(entries: Entries<'_>) -> String {
    entries.iter().map(entry).collect::<Vec<_>>().join(", ")
}

fn entry(entry: Entry<'_>) -> String {
    let Entry { index, term, data, .. } = entry;
    let what = match entry.kind {
        EntryKind::Blank => "blank".into(),
        EntryKind::Command => text(data),
        EntryKind::Config => Members::decode(data).map_or("bad members".into(), members),
        _ => "metadata only".into(),
    };
    format!("{index}@{term} {what}")
}

/// An encoded run of entries as text.
fn run(first: Index, bytes: &[u8]) -> String {
    let entries = decode(first, bytes).map(|(index, term, kind, data)| match kind {
        0 => format!("{index}@{term} {}", text(data)),
        1 => format!("{index}@{term} blank"),
        2 => format!(
            "{index}@{term} {}",
            Members::decode(data).map_or("bad members".into(), members)
        ),
        _ => format!("{index}@{term} metadata only"),
    });
    entries.collect::<Vec<_>>().join(", ")
}

/// Members as text: `1 2 3; learner 4`.
pub(crate) fn members(members: Members<'_>) -> String {
    let named = |member: Member| match member.membership.to_string().as_str() {
        "voter" => member.id.to_string(),
        membership => format!("{} ({membership})", member.id),
    };
    let names = members.iter().map(named).collect::<Vec<_>>();
    format!("members {}", names.join(", "))
}

fn text(data: &[u8]) -> String {
    match std::str::from_utf8(data) {
        Ok(text) if !text.contains(char::is_control) => format!("{text:?}"),
        _ => bytes(data),
    }
}

const fn prefix(pre: bool) -> &'static str {
    if pre { "pre-" } else { "" }
}

/// How many.
pub(crate) fn bytes(data: &[u8]) -> String {
    let s = if data.len() == 1 { "" } else { "s" };
    format!("{} byte{s}", data.len())
}

/// Encodes an entry: written without the crate's own code, as a peer of another make would.
pub(crate) fn push_entry(run: &mut Vec<u8>, term: Term, kind: u64, data: &[u8]) {
    let mut header = [0; 20];
    let mut out = Writer::new(&mut header);
    out.u64(term);
    out.u64((data.len() as u64) << 2 | kind);
    let len = out.needed();
    run.extend(header.get(..len).unwrap_or_default());
    run.extend(data);
}

/// A message in one number: all of it but what commands and snapshots hold, and which incarnation
/// of a node sent it, which the time is part of.
pub(crate) fn message_digest(message: &Message<'_>) -> u64 {
    let mut digest = Digest::new();
    match *message {
        Message::Append { term, prev_index, prev_term, commit, round, entries } => {
            digest.mix(&[term, prev_index, prev_term, commit, round], &[]);
            for (index, term, kind, data) in decode(prev_index + 1, entries) {
                digest.mix(&[index, term, kind, data.len() as u64], &[]);
            }
        }
        Message::Snapshot { term, round, index, index_term, offset, done, data } => {
            let numbers = [term, round, index, index_term, offset, data.len() as u64];
            digest.mix(&numbers, &[u8::from(done)]);
        }
        Message::SnapshotEnd { term, round, index, index_term, offset, data, .. } => {
            let numbers = [term, round, index, index_term, offset, data.len() as u64];
            digest.mix(&numbers, &[1]);
        }
        Message::ReadIndex { term, id } => digest.mix(&[10, term, query_number(id)], &[]),
        Message::ReadIndexConfirmed { term, id, index } => {
            digest.mix(&[11, term, query_number(id), index], &[])
        }
        Message::Propose { term, id, round, commands } => {
            digest.mix(&[14, term, query_number(id), round], &[]);
            for (.., data) in decode(1, commands) {
                digest.mix(&[data.len() as u64], &[]);
            }
        }
        Message::Proposed { term, id, index, count } => {
            digest.mix(&[15, term, query_number(id), index, count], &[]);
        }
        ref plain => {
            let mut bytes = vec![0; plain.encoded_len()];
            digest.mix(&[], plain.to_slice(&mut bytes).unwrap_or_default());
        }
    }
    // short enough to read, long enough for the few messages on a link
    digest.value() >> 24
}
