//! What a request costs, for the whole cluster.
#![allow(clippy::unwrap_used)]

use quorate_bench_quorum::{ALLOCATOR, Case, measure};

#[global_allocator]
static GLOBAL: &stats_alloc::StatsAlloc<std::alloc::System> = ALLOCATOR;

/// The only test of this program: the counter is one for the whole process, and tests run side by side.
#[test]
fn a_request_allocates_nothing_and_takes_one_or_two_round_trips() {
    the_allocator_counts();
    for case in Case::ALL {
        let requests = 2_000;
        let count = measure(case, requests).unwrap();
        assert_eq!(count.requests, requests, "{case}");
        assert_eq!((count.allocations, count.calls), (0, 0), "{case}: {count:?}");
        assert_eq!(count.messages, case.messages() * requests, "{case}: {count:?}");
        // each replica writes a new value down, and a read changes nothing
        let records = if case.name().ends_with("write") { 3 * requests } else { 0 };
        assert_eq!(count.records, records, "{case}: {count:?}");
    }
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
