//! What a proposal costs once the log has its steady size, for the whole cluster.
#![allow(clippy::unwrap_used)]

use quorate_bench_log::{ALLOCATOR, Case, Cluster, Replica};
use quorate_paxos::multi::MultiPaxos;
use quorate_raft::Raft;

#[global_allocator]
static GLOBAL: &stats_alloc::StatsAlloc<std::alloc::System> = ALLOCATOR;

/// The only test of this program: the counter is one for the whole process, and tests run side by side.
#[test]
fn a_proposal_allocates_nothing_and_takes_four_messages() {
    the_allocator_counts();
    for case in Case::ALL {
        nothing_is_allocated::<Raft<quorate_raft::Heap>>(case);
        nothing_is_allocated::<MultiPaxos<quorate_paxos::Heap>>(case);
    }
    a_small_entry_takes_at_most::<Raft<quorate_raft::Heap>>(24.0);
    a_small_entry_takes_at_most::<MultiPaxos<quorate_paxos::Heap>>(25.0);
}

fn the_allocator_counts() {
    let before = ALLOCATOR.stats();
    let mut numbers = vec![1_u64];
    numbers.reserve_exact(100);
    drop(numbers);
    let after = ALLOCATOR.stats();
    assert!(after.allocations > before.allocations);
    assert!(after.reallocations > before.reallocations);
    assert!(after.deallocations > before.deallocations);
}

fn nothing_is_allocated<R: Replica>(case: Case) {
    let mut cluster = Cluster::<R>::new().unwrap();
    cluster.warm_up(case, case.rounds(20_000)).unwrap();
    let rounds = case.rounds(20_000);
    let count = cluster.measure(case, rounds).unwrap();
    assert_eq!((count.allocations, count.calls), (0, 0), "{case:?}: {count:?}");
    if case.batch == 1 {
        assert_eq!(count.messages, 4 * count.proposals, "{case:?}");
    } else {
        // a run of entries ends with its chunk of the log, so there are a few more than four a round
        assert!(count.messages < 5 * rounds, "{case:?}: {count:?}");
    }
}

fn a_small_entry_takes_at_most<R: Replica>(bytes: f64) {
    let case = Case { payload: 16, batch: 1 };
    let live = Cluster::<R>::live_bytes_per_entry(case, 20_000).unwrap();
    assert!(live <= bytes, "{live} bytes of heap for each entry of 16 bytes, on each node");
}
