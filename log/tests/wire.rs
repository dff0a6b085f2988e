//! The wire format of client sessions: golden vectors, and codecs that match their declarations.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use quorate_core::{Declared, DecodeError, Field, Reader, Shown, Source, Wire, Writer};
use quorate_log::session::{Call, Config, Inline, Request, SessionId, Sessions, WhenFull};
use quorate_sim::wire::check_tables;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn encode(call: &Call<'_>) -> Vec<u8> {
    let mut bytes = vec![0; call.encoded_len()];
    call.to_slice(&mut bytes).unwrap();
    bytes
}

#[test]
fn call_encoding_is_stable() {
    let session = SessionId::new(300);
    let cases: &[(Call<'_>, &str)] = &[
        (Call { time_us: 0, request: Request::Register { token: 7 } }, "000007"),
        (
            Call {
                time_us: 128,
                request: Request::Command { session, serial: 5, lowest: 3, command: b"hi" },
            },
            "800101ac020503026869",
        ),
        (Call { time_us: 1, request: Request::KeepAlive { session, lowest: 3 } }, "0102ac0203"),
        (Call { time_us: 1, request: Request::Close { session } }, "0103ac02"),
    ];
    for (call, golden) in cases {
        assert_eq!(hex(&encode(call)), *golden, "{call:?}");
        assert_eq!(Call::from_slice(&encode(call)), Ok(*call));
    }
}

#[test]
fn tables_match_declarations() {
    let declared = [("Call", Call::SHAPE), ("Request", Request::SHAPE)];
    assert_eq!(check_tables("docs/wire/log.md", &declared), Ok(()));
}

#[test]
fn text_names_the_request_and_its_fields() {
    let request = Request::Close { session: SessionId::new(300) };
    let text = "time_us 128, request Close session 300";
    assert_eq!(Shown(&Call { time_us: 128, request }).to_string(), text);
}

#[test]
fn session_table_encoding_is_stable() {
    type Table = Sessions<Inline<4, 3, 8>>;
    let config = Config {
        max_sessions: 4,
        window: 3,
        max_response_bytes: 8,
        timeout_us: 1000,
        when_full: WhenFull::EvictOldest,
    };
    let mut table = Table::new(config).unwrap();
    let (first, second) = (SessionId::new(2), SessionId::new(3));
    let command =
        |serial, lowest, command| Request::Command { session: second, serial, lowest, command };
    let requests = [
        Request::Register { token: 300 },
        Request::Register { token: 9 },
        command(2, 2, &b"ok"[..]),
        command(4, 2, b"far too long"),
        Request::KeepAlive { session: first, lowest: 1 },
    ];
    for (at, request) in requests.into_iter().enumerate() {
        let call = encode(&Call { time_us: 10 * at as u64, request });
        table.apply(2 + at as u64, &call, |command| command.to_vec()).unwrap();
    }
    let mut bytes = vec![0; table.encoded_len()];
    let mut out = Writer::new(&mut bytes);
    table.encode(&mut out);
    out.finish().unwrap();
    let golden = concat!(
        "01 040308e80701 06 28 02", // version, configuration, index, time, number of sessions
        "02 ac02 01 06 28 00", // the first session: id, token, lowest, last index, last time, number of responses
        "03 09 02 05 1e 02",   // the second session
        "00 01 026f6b",        // its first response
        "02 00",               // its second response, which was not stored
    )
    .replace(' ', "");
    assert_eq!(hex(&bytes), golden);
    let mut again = Table::new(config).unwrap();
    again.restore(&mut Reader::new(&bytes)).unwrap();
    assert_eq!(again, table);
}

#[test]
fn session_id_round_trips_alone() {
    let mut buffer = [0; 2];
    let bytes = SessionId::new(300).to_slice(&mut buffer).unwrap();
    assert_eq!(
        (hex(bytes).as_str(), SessionId::from_slice(bytes)),
        ("ac02", Ok(SessionId::new(300)))
    );
    assert_eq!(SessionId::from_slice(&[0]), Err(DecodeError::Invalid));
}

/// Whether numbers are such as honest clients and nodes send.
fn is_honest(call: &Call<'_>) -> bool {
    const LIMIT: u64 = 1 << 62;
    let (serial, lowest) = match call.request {
        Request::Command { serial, lowest, .. } => (serial, lowest),
        Request::KeepAlive { lowest, .. } => (lowest, lowest),
        _ => (1, 1),
    };
    call.time_us < LIMIT && lowest > 0 && lowest <= serial && serial < LIMIT
}

proptest! {
    #[test]
    fn calls_match_declarations(
        bytes in prop::collection::vec(prop_oneof![0u8..6, any::<u8>()], 0..60),
    ) {
        let mut input = Reader::new(&bytes);
        let declared = Call::decode_declared(&mut input).ok();
        let declared = declared.filter(|call| input.finish().is_ok() && is_honest(call));
        prop_assert_eq!(Call::from_slice(&bytes).ok(), declared);
        let call = Call::generate(&mut Source::new(&bytes, &[1, 300]));
        let encoded = encode(&call);
        let mut buffer = vec![0; encoded.len()];
        let mut out = Writer::new(&mut buffer);
        call.encode_declared(&mut out);
        prop_assert_eq!(out.finish().unwrap(), &encoded);
        prop_assert_eq!(Call::from_slice(&encoded).ok(), Some(call).filter(is_honest));
    }
}
