//! Typed commands.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::Cluster;
use proptest::prelude::*;
use quorate_core::{DecodeError, Machine, Output};
use quorate_log::{SubmitError, Submitted};
use quorate_raft::Event;
use quorate_raft::typed::{self, EncodeError, SubmitTypedError};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
enum Command<'a> {
    Set { name: &'a str, value: i64 },
    Swap(u32, #[serde(borrow)] Option<&'a [u8]>),
    Clear,
}

#[test]
fn typed_commands_round_trip_and_unknown_ones_are_reported() {
    let mut cluster = Cluster::new(1);
    cluster.elect(1);
    let mut buffer = [0; 32];
    let commands =
        [Command::Set { name: "a", value: -7 }, Command::Swap(9, Some(b"xy")), Command::Clear];
    let mut proposed = Vec::new();
    for command in &commands {
        let submitted = typed::submit(cluster.raft(1), command, &mut buffer).unwrap();
        let Submitted::Proposed(proposal) = submitted else { panic!("the leader proposes") };
        proposed.push(proposal);
    }
    for unknown_commands in [&[3][..], &[2, 0], &[0, 5]] {
        cluster.raft(1).propose(unknown_commands).unwrap();
    }
    let (mut seen, mut unknown_commands) = (Vec::new(), Vec::new());
    let raft = cluster.raft(1);
    for _ in 0..2 {
        let mut last = None;
        while let Some(output) = raft.poll() {
            match output {
                Output::Persist(ticket, _) => last = Some(ticket),
                Output::Event(Event::Committed(entries)) => {
                    for command in entries.typed::<Command<'_>>() {
                        match command {
                            Ok(c) => {
                                seen.push((c.entry.index, c.entry.term, format!("{:?}", c.command)))
                            }
                            Err(unknown) => {
                                unknown_commands.push((unknown.entry.data.to_vec(), unknown.reason))
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        if let Some(ticket) = last {
            raft.persisted(ticket);
        }
    }
    let expected: Vec<_> = commands
        .iter()
        .zip(&proposed)
        .map(|(command, place)| (place.index, place.epoch, format!("{command:?}")))
        .collect();
    assert_eq!(seen, expected);
    let reasons = [DecodeError::Invalid, DecodeError::Trailing, DecodeError::Truncated];
    assert_eq!(unknown_commands.iter().map(|s| s.1).collect::<Vec<_>>(), reasons);
}

#[test]
fn failed_typed_proposal_changes_nothing() {
    let mut cluster = Cluster::new(3);
    let mut buffer = [0; 4];
    let refused = typed::submit(cluster.raft(1), &Command::Clear, &mut buffer);
    assert_eq!(refused, Err(SubmitTypedError::Submit(SubmitError::NotLeader(None))));
    cluster.elect(1);
    let before = cluster.raft(1).clone();
    let long = Command::Set { name: "abc", value: 0 };
    let refused = typed::submit(cluster.raft(1), &long, &mut buffer);
    assert_eq!(refused, Err(SubmitTypedError::Encode(EncodeError::BufferFull)));
    assert_eq!(*cluster.raft(1), before);
}

/// A sequence of unknown length.
struct Endless;

impl Serialize for Endless {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;
        serializer.serialize_seq(None)?.end()
    }
}

#[test]
fn unsupported_type_is_distinguished_from_a_small_buffer() {
    assert_eq!(typed::encode(&Endless, &mut [0; 8]), Err(EncodeError::Unsupported));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_or_round_trip(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
        if let Ok(command) = typed::decode::<Command<'_>>(&bytes) {
            let mut buffer = [0; 64];
            let again = typed::encode(&command, &mut buffer).unwrap();
            prop_assert_eq!(typed::decode::<Command<'_>>(again), Ok(command));
        }
    }
}

#[test]
fn error_messages_state_the_cause() {
    let full = EncodeError::BufferFull;
    assert!(full.to_string().contains("buffer is too small"));
    assert!(EncodeError::Unsupported.to_string().contains("cannot be encoded"));
    assert_eq!(SubmitTypedError::Encode(full).to_string(), full.to_string());
    let busy = SubmitError::Busy;
    assert_eq!(SubmitTypedError::Submit(busy).to_string(), busy.to_string());
    let mut cluster = Cluster::new(1);
    cluster.run(400);
    let index = cluster.raft(1).propose(&[9]).unwrap().index;
    let mut errors = Vec::new();
    for _ in 0..10 {
        let written = match cluster.raft(1).poll() {
            Some(Output::Persist(ticket, _)) => Some(ticket),
            Some(Output::Event(Event::Committed(run))) => {
                let commands = run.typed::<Command<'_>>();
                errors.extend(commands.filter_map(Result::err).map(|error| error.to_string()));
                None
            }
            _ => None,
        };
        if let Some(ticket) = written {
            cluster.raft(1).persisted(ticket);
        }
    }
    assert_eq!(errors.len(), 1);
    assert!(errors[0].contains(&format!("entry at {index} ")), "{errors:?}");
}
