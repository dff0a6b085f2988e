//! Compatibility with older versions: tables of sessions in snapshots.
#![allow(clippy::unwrap_used)]

use quorate_core::Reader;
use quorate_log::session::{Config, Inline, RestoreError, SessionId, Sessions};

/// Two sessions and two responses.
#[rustfmt::skip]
const VERSION_1: [u8; 30] = [
    1, 4, 3, 8, 0xe8, 7, 1, // version, configuration
    6, 40, 2,               // index, time, number of sessions
    2, 0xac, 2, 1, 6, 40, 0, // the first session
    3, 9, 2, 5, 30, 2,      // the second session
    0, 1, 2, b'o', b'k',    // its first response
    2, 0,                   // its second response, which was not stored
];

fn table() -> Sessions<Inline<4, 3, 8>> {
    let config = Config {
        max_sessions: 4,
        window: 3,
        max_response_bytes: 8,
        timeout_us: 1000,
        ..Config::default()
    };
    Sessions::new(config).unwrap()
}

#[test]
fn sessions_of_version_1_are_restored() {
    let mut table = table();
    table.restore(&mut Reader::new(&VERSION_1)).unwrap();
    assert_eq!((table.len(), table.time_us()), (2, 40));
    assert_eq!(table.response(SessionId::new(3), 2), Some(&b"ok"[..]));
    assert_eq!(table.response(SessionId::new(3), 4), None);
}

#[test]
fn sessions_of_another_version_are_refused() {
    let mut table = table();
    for version in [0, 2] {
        let mut bytes = VERSION_1;
        bytes[0] = version;
        let restored = table.restore(&mut Reader::new(&bytes));
        assert_eq!(restored, Err(RestoreError::Version(version)));
        assert!(table.is_empty());
    }
}
