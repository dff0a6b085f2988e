//! Validates forwarded batches before the leader proposes them: what is in the log, every node
//! applies.

use quorate_core::NodeId;

use crate::batch::Batch;
use crate::directory;
use crate::forward::RequestId;
use crate::limits;
use crate::op::Op;

/// Checks the numbers of a forwarded write batch. `known` is the newest incarnation of its node in
/// the replicated state.
///
/// # Errors
///
/// What is impossible about it.
pub(crate) fn batch_numbers(
    request_id: RequestId,
    floor: u64,
    known: u64,
) -> Result<(), &'static str> {
    // an incarnation that was forged into an old log is followed by a larger one
    let newest = limits::MAX_INCARNATION.max(known.saturating_add(limits::MAX_INCARNATION_STEP));
    if request_id.incarnation >= newest {
        return Err("an incarnation beyond every clock");
    }
    if request_id.number == 0 || request_id.number >= limits::MAX_BATCH_NUMBER {
        return Err("a batch number beyond what a node can have sent");
    }
    match request_id.number.checked_sub(floor) {
        Some(1..=limits::SESSION_WINDOW) => Ok(()),
        Some(0) | None => Err("a batch number that is not above its floor"),
        Some(_) => Err("a batch number too far above its floor"),
    }
}

/// Checks the operations of a forwarded batch against the limits that its node's clients had.
///
/// # Errors
///
/// What is beyond them.
pub(crate) fn operations(batch: &Batch, from: NodeId) -> Result<(), &'static str> {
    batch.ops().try_for_each(|op| operation(op, from))
}

fn operation(op: Op<'_>, from: NodeId) -> Result<(), &'static str> {
    let key = |key: &[u8]| key.len() <= limits::KEY_BYTES;
    let value = |value: &[u8]| value.len() <= limits::VALUE_BYTES;
    let fits = match op {
        Op::Set { key: k, value: v, .. } | Op::Append { key: k, value: v } => key(k) && value(v),
        Op::MSet(list) => list.pairs().all(|(k, v)| key(k) && value(v)),
        Op::Del(list) | Op::MGet(list) | Op::Exists(list) => list.iter().all(key),
        Op::Add { key: k, .. } | Op::Get(k) | Op::StrLen(k) | Op::Type(k) => key(k),
        Op::Scan { pattern, .. } => pattern.is_none_or(|p| p.len() <= limits::PATTERN_BYTES),
        Op::SetAddress { node, peer, client } => {
            // a node announces itself; the leader enters others, and does not forward that
            if NodeId::new(node) != from {
                return Err("an address for another node, which only the leader enters");
            }
            let address = |bytes| {
                core::str::from_utf8(bytes).is_ok_and(|text| directory::check(text).is_ok())
            };
            if !address(peer) || !(client.is_empty() || address(client)) {
                return Err("an address that is none");
            }
            true
        }
        Op::FlushAll | Op::DbSize | Op::Replicas(_) => true,
    };
    if fits { Ok(()) } else { Err("a key, a value or a pattern beyond the limits") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{SetCondition, put};
    use crate::reply::Protocol;

    fn request_id(incarnation: u64, number: u64) -> RequestId {
        RequestId { incarnation, number, write: true }
    }

    #[test]
    fn batch_numbers_out_of_range_are_refused() {
        let now = 1_700_000_000_000_000;
        assert_eq!(batch_numbers(request_id(now, 1), 0, 0), Ok(()));
        assert_eq!(batch_numbers(request_id(now, limits::SESSION_WINDOW), 0, now), Ok(()));
        assert_eq!(batch_numbers(request_id(limits::MAX_INCARNATION - 1, 9), 8, 0), Ok(()));
        // a node goes on above an incarnation that was forged
        assert_eq!(batch_numbers(request_id((1 << 62) + 1, 1), 0, 1 << 62), Ok(()));
        assert_eq!(
            batch_numbers(request_id(u64::MAX, 1), 0, u64::MAX - 1),
            Err("an incarnation beyond every clock")
        );
        for (incarnation, number, floor) in [
            (now, u64::MAX, u64::MAX),
            (now, u64::MAX, u64::MAX - 1),
            (now, 1, u64::MAX),
            (now, 0, 0),
            (now, 5, 5),
            (now, 1 << 60, (1 << 60) - 1),
            (now, limits::SESSION_WINDOW + 1, 0),
            (1 << 62, 1, 0),
            (limits::MAX_INCARNATION, 1, 0),
            (u64::MAX, 1, 0),
        ] {
            assert!(
                batch_numbers(request_id(incarnation, number), floor, now).is_err(),
                "{number} above {floor}"
            );
        }
    }

    #[test]
    fn operations_beyond_the_limits_are_refused() {
        let check = |build: &dyn Fn(&mut Vec<u8>)| {
            let mut ops = Vec::new();
            build(&mut ops);
            let batch = Batch::parse(&ops, Protocol::Resp2).unwrap();
            operations(&batch, NodeId::new(2)).is_ok()
        };
        let (key, value) = (vec![b'k'; limits::KEY_BYTES], vec![b'v'; limits::VALUE_BYTES]);
        let (long_key, long) = ([&key[..], b"x"].concat(), [&value[..], b"x"].concat());
        assert!(check(&|ops| put::set(ops, &key, &value, SetCondition::Always, false)));
        assert!(!check(&|ops| put::set(ops, &long_key, b"", SetCondition::Always, false)));
        assert!(!check(&|ops| put::set(ops, b"", &long, SetCondition::Always, false)));
        assert!(!check(&|ops| put::append(ops, b"k", &long)));
        assert!(!check(&|ops| put::del(ops, [&b"a"[..], &long_key].into_iter())));
        assert!(!check(&|ops| put::mset(ops, [&b"a"[..], &long].into_iter())));
        assert!(!check(&|ops| put::scan(ops, 0, 10, Some(&[b'*'; 257]), true)));
        assert!(check(&|ops| put::set_address(ops, 2, "a:1", "")));
        assert!(check(&|ops| put::set_address(ops, 2, "a:1", "b:1")));
        assert!(!check(&|ops| put::set_address(ops, 3, "a:1", "b:1")));
        assert!(!check(&|ops| put::set_address(ops, 4, "a:1", "")));
        assert!(!check(&|ops| put::set_address(ops, 2, "nowhere", "")));
    }
}
