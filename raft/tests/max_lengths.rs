//! `max_message_len` and `max_record_len` are upper bounds, and some messages and records reach them.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Node, id};
use proptest::prelude::*;
use quorate_core::{Machine, Wire};
use quorate_raft::{Config, Inline, Message, Raft, Record};

/// The greatest term, index or round.
const GREATEST: u64 = (1 << 62) - 1;

/// Bytes saved by small numbers: five in a message, and the term of an entry.
const SMALL_NUMBERS: usize = 5 * 8 + 8;

const fn longest_append(entries: &[u8]) -> Message<'_> {
    Message::Append {
        term: GREATEST,
        prev_index: GREATEST,
        prev_term: GREATEST,
        commit: GREATEST,
        round: GREATEST,
        entries,
    }
}

#[test]
fn longest_message_is_as_long_as_the_formula() {
    for (max_append_bytes, max_entry_bytes) in [(400, 256), (160, 128), (1, 300), (1 << 20, 2000)] {
        let config = Config { max_append_bytes, max_entry_bytes, ..Config::default() };
        // two or three bytes of length, 9 of the term
        let longest = max_append_bytes.max(max_entry_bytes + 9 + 2).min(4096);
        let entries = vec![0; longest];
        let message = longest_append(&entries);
        let formula = Raft::<Inline<3, 4096, 64, 64>>::max_message_len(&config);
        assert_eq!(formula, message.encoded_len(), "{max_append_bytes} {max_entry_bytes}");
    }
}

#[test]
fn longest_message_may_be_a_snapshot_chunk_with_the_members() {
    let config = Config { max_append_bytes: 64, max_entry_bytes: 64, ..Config::default() };
    let part = vec![0; 256];
    // three members of nine bytes
    let message = Message::Propose { term: 1, id: 1, round: 1, commands: &part };
    let rest = 6 * 9 - 3 - 9 + 1 + 3 * 9;
    let formula = Raft::<Inline<3, 4096, 64, 256>>::max_message_len(&config);
    assert_eq!(formula, message.encoded_len() + rest);
}

#[test]
fn longest_record_is_as_long_as_the_formula() {
    let entries = vec![0; 4096];
    let record = Record::Append { first: GREATEST, commit: GREATEST, entries: &entries };
    let formula = Raft::<Inline<3, 4096, 64, 64>>::max_record_len(&Config::default());
    assert_eq!(formula, record.encoded_len());
}

#[test]
fn longest_append_is_limited_by_half_the_log() {
    let config = Config { max_append_bytes: 64, max_entry_bytes: 1 << 20, ..Config::default() };
    // two bytes of length, 9 of the term
    let entries = vec![0; 2048 + 9 + 2];
    let message = longest_append(&entries);
    let formula = Raft::<Inline<3, 4096, 64, 64>>::max_message_len(&config);
    assert_eq!(formula, message.encoded_len());
}

#[test]
fn longest_record_may_be_the_member_list() {
    // the kind; the index, the term and the own id of at most ten bytes each; 31 members of nine bytes
    let members = 1 + 3 * 10 + 2 + 31 * 9;
    let formula = Raft::<Inline<31, 64, 8, 64>>::max_record_len(&Config::default());
    assert_eq!(formula, members);
}

#[test]
#[cfg(feature = "alloc")]
fn heap_storage_is_limited_by_its_configuration() {
    use quorate_raft::Heap;
    let config = Config { max_entry_bytes: 4 << 20, ..Config::default() };
    let long = Raft::<Heap>::max_message_len(&config);
    assert!((4 << 20..(4 << 20) + 100).contains(&long), "{long}");
    // the last chunk carries the members; with three of them it fits into a radio packet
    let three = Config { max_members: 3, ..Config::radio() };
    assert!(Raft::<Heap>::max_message_len(&three) < 255);
}

/// The longest message and record of a cluster with partitions and slow disks.
fn longest(config: &Config, steps: &[(u8, usize)]) -> (usize, usize) {
    let mut cluster = Cluster::with(3, config.clone());
    cluster.run(200);
    cluster.elect(1);
    let (mut message, mut cut) = (0, 0);
    for &(what, len) in steps {
        match what {
            0..=4 => {
                let _ = cluster.raft(1).propose(&vec![7; len.min(config.max_entry_bytes)]);
            }
            5 => cut = len as u64 % 4,
            6 => {
                let host = cluster.host(1);
                host.fast_disk = !host.fast_disk;
                if host.fast_disk {
                    cluster.sync(1);
                }
            }
            7 => {
                let applied = cluster.raft(1).status().applied;
                let _ = cluster.raft(1).snapshot_taken(applied, applied);
            }
            _ => {
                while let Some((to, index, offset)) = cluster.host(1).chunk_requests.pop() {
                    let part = vec![7; 64.min(config.max_snapshot_chunk_bytes)];
                    let _ =
                        cluster.raft(1).send_snapshot(id(to), index, offset, &part, len % 2 == 0);
                }
            }
        }
        cluster.drain(1);
        cluster.run_if(10, |envelope| {
            message = message.max(envelope.bytes.len());
            envelope.from != cut && envelope.to != cut
        });
    }
    let records = cluster.hosts.iter().flat_map(|host| {
        host.disk.iter().chain(host.pending.iter().map(|(_, bytes)| bytes)).map(Vec::len)
    });
    (message, records.max().unwrap())
}

fn config(append: usize, entry: usize) -> Config {
    Config {
        max_append_bytes: append,
        max_entry_bytes: entry,
        max_uncommitted_bytes: 1 << 16,
        max_snapshot_chunk_bytes: 64,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_message_or_record_is_longer_than_the_formula(
        append in prop::sample::select(vec![1_usize, 60, 200, 2000, 1 << 20]),
        entry in prop::sample::select(vec![1_usize, 50, 500, 4000]),
        steps in prop::collection::vec((0..9_u8, 0..4000_usize), 1..80),
    ) {
        let config = config(append, entry);
        let (message, record) = longest(&config, &steps);
        prop_assert!(message <= Node::max_message_len(&config));
        prop_assert!(record <= Node::max_record_len(&config));
    }
}

#[test]
fn formula_is_reached_by_real_messages() {
    for (append, entry) in [(1, 500), (2000, 50), (600, 500)] {
        let config = config(append, entry);
        // node 3 misses many commands, and is sent them in one message
        let mut steps = vec![(5, 3)];
        steps.extend([(0, entry); 6]);
        steps.extend([(0, entry.min(49)); 60]);
        steps.push((5, 0));
        steps.extend([(8, 0); 30]);
        let (message, _) = longest(&config, &steps);
        let formula = Node::max_message_len(&config);
        // if commands do not fill the append exactly, less than one command is missing
        let gap = SMALL_NUMBERS + if append > entry { 52 } else { 0 };
        assert!(message + gap >= formula, "{message} of {formula}");
    }
}
