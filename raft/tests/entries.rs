//! Committed entries as the application sees them.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, id};
use quorate_core::{Machine, Output};
use quorate_raft::{EntryKind, Event};

#[test]
fn committed_entries_report_their_range_and_contents() {
    let mut cluster = Cluster::new(1);
    cluster.run(400);
    let first = cluster.raft(1).status().last + 1;
    for data in [&b"one"[..], b"two", &[0xff; 80]] {
        cluster.raft(1).propose(data).unwrap();
    }
    let raft = &mut cluster.host(1).raft;
    let mut seen = 0;
    let mut written = None;
    for _ in 0..10 {
        match raft.poll() {
            Some(Output::Persist(ticket, _)) => written = Some(ticket),
            Some(Output::Event(Event::Committed(run))) => {
                assert_eq!((run.first(), run.last(), run.len()), (first, first + 2, 3));
                assert!(!run.is_empty());
                // the length of the last entry takes two bytes
                assert_eq!(run.bytes().len(), (2 + 3) * 2 + (3 + 80));
                let entries: Vec<_> = run.iter().collect();
                assert_eq!(entries, run.into_iter().collect::<Vec<_>>());
                assert_eq!(entries.iter().map(|e| e.index).collect::<Vec<_>>(), [2, 3, 4]);
                assert!(entries.iter().all(|e| (e.term, e.kind) == (1, EntryKind::Command)));
                assert_eq!((entries[0].data, entries[2].data), (&b"one"[..], &[0xff; 80][..]));
                assert_eq!(format!("{:?}", entries[0]), "2@1 Command \"one\"");
                let text = format!("{run:?}");
                assert!(
                    text.starts_with(
                        "[2@1 Command \"one\", 3@1 Command \"two\", 4@1 Command [ff, ff"
                    ),
                    "{text}"
                );
                seen += 1;
            }
            Some(_) => {}
            None => {
                if let Some(ticket) = written.take() {
                    raft.persisted(ticket);
                }
            }
        }
    }
    assert_eq!(seen, 1);
    assert_eq!(raft.status().id, id(1));
}
