//! A table of sessions and its state machine.

use super::model::Outcome;
use quorate_core::{Reader, Wire, Writer};
use quorate_log::session::{
    Call, Config, Inline, Request, RestoreError, SessionId, Sessions, Storage, WhenFull,
};

pub(super) const CONFIG: Config = Config {
    max_sessions: 3,
    window: 4,
    max_response_bytes: 9,
    timeout_us: 50,
    when_full: WhenFull::EvictOldest,
};
pub(super) type Table = Sessions<Inline<3, 4, 9>>;

pub(super) fn encode(call: Call<'_>) -> Vec<u8> {
    let mut bytes = vec![0; call.encoded_len()];
    call.to_slice(&mut bytes).unwrap();
    bytes
}

pub(super) fn snapshot<S: Storage>(table: &Sessions<S>) -> Vec<u8> {
    let mut bytes = vec![0; table.encoded_len()];
    let mut out = Writer::new(&mut bytes);
    table.encode(&mut out);
    out.finish().unwrap();
    bytes
}

pub(super) fn restored<S: Storage>(
    config: Config,
    bytes: &[u8],
) -> Result<Sessions<S>, RestoreError> {
    let mut table = Sessions::new(config).unwrap();
    let mut input = Reader::new(bytes);
    table.restore(&mut input)?;
    input.finish()?;
    Ok(table)
}

/// A counter that records each command it applies.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counter {
    pub(super) value: u64,
    pub(super) ran: Vec<Vec<u8>>,
}

impl Counter {
    pub(super) fn run(&mut self, command: &[u8]) -> Vec<u8> {
        self.value += 1;
        self.ran.push(command.to_vec());
        // the first byte is the length of the response
        let mut response = self.value.to_le_bytes().to_vec();
        response.resize(command.first().map_or(0, |&len| usize::from(len)), 0xaa);
        response
    }
}

/// A session table and its state machine.
#[derive(Clone)]
pub(super) struct Replica<S: Storage> {
    pub(super) table: Sessions<S>,
    pub(super) counter: Counter,
}

impl<S: Storage> Replica<S> {
    pub(super) fn new(config: Config) -> Self {
        Self { table: Sessions::new(config).unwrap(), counter: Counter::default() }
    }

    pub(super) fn apply(&mut self, index: u64, call: &[u8]) -> Outcome {
        let Self { table, counter } = self;
        Outcome::of(table.apply(index, call, |command| counter.run(command)))
    }

    pub(super) fn request(&mut self, index: u64, time_us: u64, request: Request<'_>) -> Outcome {
        self.apply(index, &encode(Call { time_us, request }))
    }
}

pub(super) fn register<S: Storage>(replica: &mut Replica<S>, index: u64, token: u64) -> SessionId {
    let Outcome::Registered(id) = replica.request(index, 0, Request::Register { token }) else {
        panic!("not registered")
    };
    SessionId::new(id)
}
