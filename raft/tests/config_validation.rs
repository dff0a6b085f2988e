//! The presets have the documented values, and each limit is validated at its documented bound.
#![allow(clippy::unwrap_used)]

use quorate_core::Drift;
use quorate_raft::{Config, ConfigError};

#[test]
fn presets_match_the_documentation() {
    let lan = Config::lan();
    let times = (lan.election_min_us, lan.election_max_us, lan.heartbeat_us);
    assert_eq!(times, (150_000, 300_000, 50_000));
    assert!(lan.pre_vote && lan.check_quorum && !lan.forward);
    let off =
        (lan.lease_drift.is_some(), lan.priority, lan.snapshot_chunk_interval_us, lan.quiesce_us);
    assert_eq!(off, (false, 0, 0, 0));
    assert_eq!((lan.max_append_bytes, lan.max_snapshot_chunk_bytes), (65_536, 65_536));
    assert_eq!((lan.max_inflight_entries, lan.max_inflight_bytes), (4096, 1_048_576));
    assert_eq!((lan.max_entry_bytes, lan.max_uncommitted_bytes), (1_048_576, 16_777_216));
    assert_eq!((lan.max_log_bytes, lan.max_members), (1_073_741_824, 15));

    let wan = Config {
        election_min_us: 1_500_000,
        election_max_us: 3_000_000,
        heartbeat_us: 500_000,
        max_inflight_bytes: 4_194_304,
        ..Config::lan()
    };
    assert_eq!(Config::wan(), wan);

    let radio = Config {
        election_min_us: 15_000_000,
        election_max_us: 30_000_000,
        heartbeat_us: 5_000_000,
        max_append_bytes: 160,
        max_inflight_entries: 8,
        max_inflight_bytes: 320,
        max_entry_bytes: 128,
        max_uncommitted_bytes: 2048,
        max_snapshot_chunk_bytes: 160,
        max_log_bytes: 65_536,
        ..Config::lan()
    };
    assert_eq!(Config::radio(), radio);
    assert_eq!(Config::default(), lan);
}

/// Checks the last valid value and the first invalid one of a field of the LAN preset.
fn check_bound<T>(set: impl Fn(&mut Config, T), good: T, bad: T, error: ConfigError) {
    let mut config = Config::lan();
    set(&mut config, good);
    assert_eq!(config.validate(), Ok(()), "{config:?}");
    set(&mut config, bad);
    assert_eq!(config.validate(), Err(error), "{config:?}");
}

#[test]
fn timeouts_are_validated_at_their_bounds() {
    use ConfigError::{ElectionSpread, ElectionTimeout, Lease};
    check_bound(|c, us| c.heartbeat_us = us, 1, 0, ElectionTimeout);
    check_bound(|c, us| c.heartbeat_us = us, 75_000, 75_001, ElectionTimeout);
    check_bound(|c, us| c.election_min_us = us, 100_000, 99_999, ElectionTimeout);
    check_bound(|c, us| c.election_max_us = us, 150_001, 150_000, ElectionSpread);
    check_bound(|c, ppm| c.lease_drift = Drift::from_ppm(ppm), 250_000, 250_001, Lease);
    let leased = |c: &mut Config, check_quorum| {
        (c.check_quorum, c.lease_drift) = (check_quorum, Drift::from_ppm(1));
    };
    check_bound(leased, true, false, Lease);
    let without = Config { check_quorum: false, ..Config::lan() };
    assert_eq!(without.validate(), Ok(()), "without leases, check_quorum is optional");
}

#[test]
fn limits_are_validated_at_their_bounds() {
    use ConfigError::Limits;
    check_bound(|c, most| c.priority = most, 15, 16, Limits);
    check_bound(|c, most| c.max_append_bytes = most, 1, 0, Limits);
    check_bound(|c, most| c.max_inflight_entries = most, 1, 0, Limits);
    check_bound(|c, most| c.max_inflight_bytes = most, 1, 0, Limits);
    check_bound(|c, most| c.max_entry_bytes = most, 1, 0, Limits);
    check_bound(|c, most| c.max_snapshot_chunk_bytes = most, 1, 0, Limits);
    check_bound(|c, most| c.max_uncommitted_bytes = most, 1 << 20, (1 << 20) - 1, Limits);
    check_bound(|c, most| c.max_log_bytes = most, 2 << 20, (2 << 20) - 1, Limits);
}
