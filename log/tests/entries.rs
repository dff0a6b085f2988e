//! Runs of entries as an application reads them.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::headers::{TestHeader, Untagged};
use quorate_log::{Encoded, Entries, Header, InlineLog, Log, Span};

fn encoded(entries: &[(u64, &[u8])]) -> Vec<u8> {
    let mut run = Vec::new();
    for (tag, data) in entries {
        let (head, len) = Untagged::new(*tag, data.len()).encode();
        run.extend_from_slice(&head[..len]);
        run.extend_from_slice(data);
    }
    run
}

#[test]
fn commands_leave_out_entries_of_the_protocol() {
    // every third tag makes an entry that is no command
    let run = encoded(&[(1, b"one"), (3, b"own"), (4, b""), (6, b"own")]);
    let entries = Entries::<Untagged>::new(7, 4, &run);
    let commands: Vec<_> = entries.commands().map(|entry| (entry.index, entry.data)).collect();
    assert_eq!(commands, [(7, &b"one"[..]), (9, b"")]);
    assert_eq!(entries.iter().count(), 4);
    assert_eq!((entries.last(), entries.len(), entries.is_empty()), (10, 4, false));
}

#[test]
fn an_empty_run_ends_before_it_begins() {
    let entries = Entries::<Untagged>::new(7, 0, &[]);
    assert_eq!((entries.first(), entries.last(), entries.is_empty()), (7, 6, true));
    assert_eq!(entries.commands().count(), 0);
}

#[test]
fn iterators_end_where_a_run_is_cut_short() {
    let run = encoded(&[(1, b"one"), (2, b"two")]);
    for len in 0..run.len() {
        let cut = &run[..len];
        let whole = usize::from(len >= 4);
        assert_eq!(Entries::<Untagged>::new(1, 2, cut).iter().count(), whole, "{len}");
        let mut encoded = Encoded::<Untagged>::new(cut);
        assert_eq!(encoded.by_ref().count(), whole, "{len}");
        assert_eq!(encoded.rest(), &cut[4 * whole..]);
    }
}

#[test]
fn debug_output_lists_the_entries() {
    let run = encoded(&[(1, b"one"), (3, b"own")]);
    let entries = Entries::<Untagged>::new(7, 2, &run);
    let expected: Vec<_> = entries.into_iter().collect();
    assert_eq!(format!("{entries:?}"), format!("{expected:?}"));
}

#[test]
fn span_counts_its_entries() {
    let span = Span::elsewhere(7, 3);
    assert_eq!((span.first(), span.count(), span.last(), span.is_empty()), (7, 3, 9, false));
    let empty = Span::empty(7);
    assert_eq!((empty.first(), empty.count(), empty.last(), empty.is_empty()), (7, 0, 6, true));
    assert_eq!(Span::empty(0).last(), 0);
}

#[test]
fn span_of_entries_elsewhere_has_no_bytes() {
    let mut log = InlineLog::<Untagged, 64, 8>::with_limit(64);
    assert_eq!(log.append(&encoded(&[(1, b"one"), (2, b"two")])), 2);
    assert_eq!(log.slice(Span::elsewhere(1, 2)).bytes(), b"");
    assert_eq!(log.slice(log.span(1, 2, 64)).bytes().len(), 8);
}
