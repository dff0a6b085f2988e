//! The table in a snapshot: what is refused, and how long it is.

use super::model::Outcome;
use super::replica::{CONFIG, Replica, register, restored, snapshot};
use quorate_core::DecodeError;
use quorate_log::session::{Config, Inline, Request, RestoreError, SessionId, WhenFull};

#[test]
fn snapshot_with_different_config_is_refused() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    register(&mut replica, 1, 7);
    let bytes = snapshot(&replica.table);
    assert_eq!(restored::<Inline<3, 4, 9>>(CONFIG, &bytes).as_ref(), Ok(&replica.table));
    for other in [
        Config { max_sessions: 2, ..CONFIG },
        Config { window: 3, ..CONFIG },
        Config { max_response_bytes: 8, ..CONFIG },
        Config { timeout_us: 51, ..CONFIG },
        Config { when_full: WhenFull::Refuse, ..CONFIG },
    ] {
        assert_eq!(restored::<Inline<3, 4, 9>>(other, &bytes), Err(RestoreError::Config));
    }
    let mut newer = bytes;
    newer[0] = 2;
    assert_eq!(restored::<Inline<3, 4, 9>>(CONFIG, &newer), Err(RestoreError::Version(2)));
}

#[test]
fn damaged_table_is_refused() {
    // version, configuration, index, time; two sessions; the second has two responses
    let head = [1, 3, 4, 9, 50, 1, 20, 30];
    let sound = [2, 5, 7, 1, 6, 10, 0, 8, 9, 3, 20, 30, 2, 1, 1, 1, 0xff, 3, 0];
    let restore = |at: Option<usize>, byte: u8| {
        let mut bytes = [&head[..], &sound].concat();
        if let Some(at) = at {
            bytes[head.len() + at] = byte;
        }
        restored::<Inline<3, 4, 9>>(CONFIG, &bytes).map(|table| snapshot(&table))
    };
    assert_eq!(restore(None, 0), Ok([&head[..], &sound].concat()));
    for (at, byte, what) in [
        (0, 4, "more sessions than the configuration allows"),
        (1, 0, "no id"),
        (3, 0, "no lowest serial"),
        (4, 4, "last index before the registration"),
        (4, 21, "last index after the last entry"),
        (5, 31, "last time after the time of the table"),
        (7, 5, "the id of another"),
        (12, 5, "more responses than the window allows"),
        (17, 4, "a response beyond the window"),
        (14, 2, "neither stored nor not stored"),
        (17, 1, "another response to the same command"),
        (17, 0, "responses out of order"),
    ] {
        let malformed = Err(RestoreError::Malformed(DecodeError::Invalid));
        assert_eq!(restore(Some(at), byte), malformed, "{what}");
    }
    let response = [1, 5, 7, 1, 6, 10, 1, 0, 1];
    let with_response = |len: u8| {
        let bytes = [&head[..], &response, &[len], &vec![0; usize::from(len)]].concat();
        // the storage has room for more than the configuration allows
        restored::<Inline<3, 4, 12>>(CONFIG, &bytes).is_ok()
    };
    assert_eq!([9, 10].map(with_response), [true, false]);
}

#[test]
fn encoded_table_is_as_short_as_documented() {
    let config = Config { max_sessions: 2, window: 2, max_response_bytes: 9, ..CONFIG };
    let mut replica = Replica::<Inline<3, 4, 9>>::new(config);
    let far = (1 << 62) - 10;
    for (index, token) in [(far, u64::MAX), (far + 1, u64::MAX - 1)] {
        let request = Request::Register { token };
        assert_eq!(replica.request(index, far, request), Outcome::Registered(index));
    }
    for (index, serial) in [(far + 2, far), (far + 3, far + 1), (far + 4, far), (far + 5, far + 1)]
    {
        let session = SessionId::new(if index < far + 4 { far } else { far + 1 });
        replica.request(
            index,
            far,
            Request::Command { session, serial, lowest: far, command: &[9] },
        );
    }
    assert_eq!(replica.counter.value, 4);
    assert!(snapshot(&replica.table).len() <= 76 + 2 * (60 + 2 * (9 + 12)));
}
