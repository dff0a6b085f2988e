//! Raft's messages, records and events, each in one line.

use core::fmt::Write as _;

use quorate_core::{Declared, FieldValue, NodeId, Shown, VisitedField, Writer};
use quorate_raft::{
    Entries, Entry, EntryKind, Event, Forwarded, Index, Members, Message, Role, Term,
};
use quorate_sim::Digest;

use super::entries::decode;

/// A message or record in one line: `Append term 2, prev 3@1, commit 3, round 7, entries 4@2 "x"`.
///
/// It is what [`wire!`](quorate_core::wire) declares, but for a few fields: an index and the term there are one position, a flag is
/// its name, and entries are decoded.
pub(crate) fn line<'a>(of: &impl Declared<'a>) -> String {
    let mut line = Line { fields: Vec::new(), next: 1 };
    of.visit(&mut |field| line.push(field));
    let mut text = of.name().to_owned();
    for (at, field) in line.fields.iter().enumerate() {
        let separator = if at == 0 { " " } else { ", " };
        let _ = match field.value.as_str() {
            "" => write!(text, "{separator}{}", field.name),
            value => write!(text, "{separator}{} {value}", field.name),
        };
    }
    text
}

/// A line that is being put together.
struct Line {
    fields: Vec<FieldText>,
    /// The index of the first entry that follows.
    next: Index,
}

struct FieldText {
    name: &'static str,
    value: String,
}

impl Line {
    fn push(&mut self, field: VisitedField<'_>) {
        let name = field.name;
        let value = match (name, field.value) {
            (_, FieldValue::Number(term)) if self.is_position(name) => {
                return self.end_position(term);
            }
            ("prev_index", FieldValue::Number(index)) => {
                self.next = index.saturating_add(1);
                index.to_string()
            }
            ("first", FieldValue::Number(index)) => {
                self.next = index;
                return;
            }
            ("id", FieldValue::Number(id)) => query_number(id).to_string(),
            ("offset", FieldValue::Number(u64::MAX)) => "unknown".into(),
            (_, FieldValue::Flag(true)) => String::new(),
            ("pre" | "done", FieldValue::Flag(false)) => return,
            (_, FieldValue::Flag(false)) => "no".into(),
            (_, FieldValue::Bytes([])) => return,
            ("entries", FieldValue::Bytes(entries)) => run(self.next, entries),
            ("commands", FieldValue::Bytes(commands)) => {
                let commands = decode(1, commands).map(|(.., data)| text(data));
                commands.collect::<Vec<_>>().join(", ")
            }
            _ => field.text.to_string(),
        };
        self.fields.push(FieldText { name, value });
    }

    /// Whether a field is the term at the index that is the last field.
    fn is_position(&self, name: &str) -> bool {
        let Some(last) = self.fields.last() else { return false };
        let term = name.strip_suffix("_term");
        term == Some(last.name) || term.is_some() && term == last.name.strip_suffix("_index")
    }

    fn end_position(&mut self, term: Term) {
        let Some(last) = self.fields.last_mut() else { return };
        last.name = last.name.strip_suffix("_index").unwrap_or(last.name);
        let _ = write!(last.value, "@{term}");
    }
}

/// A query's number without the part that identifies the incarnation of the node.
const fn query_number(id: u64) -> u64 {
    id & 0xffff_ffff
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
                Forwarded::Proposed(at) => {
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

/// Members as text: `members 1, 2, 3, 4 (learner)`.
pub(crate) fn members(members: Members<'_>) -> String {
    format!("members {}", Shown(&members))
}

fn text(data: &[u8]) -> String {
    Shown(&data).to_string()
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
    digest.mix(&[], message.name().as_bytes());
    message.visit(&mut |field| match (field.name, field.value) {
        ("id", FieldValue::Number(id)) => digest.mix(&[query_number(id)], &[]),
        (_, FieldValue::Number(number)) => digest.mix(&[number], &[]),
        (_, FieldValue::Flag(flag)) => digest.mix(&[u64::from(flag)], &[]),
        ("entries" | "commands", FieldValue::Bytes(run)) => {
            for (_, term, kind, data) in decode(1, run) {
                digest.mix(&[term, kind, data.len() as u64], &[]);
            }
        }
        (_, FieldValue::Bytes(data)) => digest.mix(&[data.len() as u64], &[]),
        _ => {}
    });
    // short enough to read, long enough for the few messages on a link
    digest.value() >> 24
}
