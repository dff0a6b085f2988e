//! Client sessions: every command is applied at most once.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model;

use model::{Model, Outcome};
use proptest::prelude::*;
use quorate_core::{DecodeError, Instant, Reader, Wire, Writer};
use quorate_log::session::{
    Call, Client, ClusterClock, Config, ConfigError, Inline, Request, RestoreError, SessionError,
    SessionId, Sessions, Storage, WhenFull,
};

const CONFIG: Config = Config {
    max_sessions: 3,
    window: 4,
    max_response_bytes: 9,
    timeout_us: 50,
    when_full: WhenFull::EvictOldest,
};
type Table = Sessions<Inline<3, 4, 9>>;

fn encode(call: Call<'_>) -> Vec<u8> {
    let mut bytes = vec![0; call.encoded_len()];
    call.to_slice(&mut bytes).unwrap();
    bytes
}

fn snapshot<S: Storage>(table: &Sessions<S>) -> Vec<u8> {
    let mut bytes = vec![0; table.encoded_len()];
    let mut out = Writer::new(&mut bytes);
    table.encode(&mut out);
    out.finish().unwrap();
    bytes
}

fn restored<S: Storage>(config: Config, bytes: &[u8]) -> Result<Sessions<S>, RestoreError> {
    let mut table = Sessions::new(config).unwrap();
    let mut input = Reader::new(bytes);
    table.restore(&mut input)?;
    input.finish()?;
    Ok(table)
}

/// A counter that records each command it applies.
#[derive(Clone, Debug, Default, PartialEq)]
struct Counter {
    value: u64,
    ran: Vec<Vec<u8>>,
}

impl Counter {
    fn run(&mut self, command: &[u8]) -> Vec<u8> {
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
struct Replica<S: Storage> {
    table: Sessions<S>,
    counter: Counter,
}

impl<S: Storage> Replica<S> {
    fn new(config: Config) -> Self {
        Self { table: Sessions::new(config).unwrap(), counter: Counter::default() }
    }

    fn apply(&mut self, index: u64, call: &[u8]) -> Outcome {
        let Self { table, counter } = self;
        Outcome::of(table.apply(index, call, |command| counter.run(command)))
    }

    fn request(&mut self, index: u64, time_us: u64, request: Request<'_>) -> Outcome {
        self.apply(index, &encode(Call { time_us, request }))
    }
}

fn register<S: Storage>(replica: &mut Replica<S>, index: u64, token: u64) -> SessionId {
    let Outcome::Registered(id) = replica.request(index, 0, Request::Register { token }) else {
        panic!("not registered")
    };
    SessionId::new(id)
}

#[test]
fn duplicate_command_gets_the_first_response() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let mut client = Client::new(register(&mut replica, 1, 7), 4);
    let serial = client.begin().unwrap();
    let request = client.request(serial, &[2]);
    assert_eq!(replica.request(2, 0, request), Outcome::Applied(vec![1, 0]));
    assert_eq!(replica.request(3, 0, request), Outcome::Duplicate(vec![1, 0]));
    assert_eq!(replica.counter.value, 1);
    assert_eq!(replica.table.response(client.session(), serial), Some(&[1, 0][..]));
}

#[test]
fn response_is_dropped_once_the_client_acknowledges_it() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let mut client = Client::new(register(&mut replica, 1, 7), 4);
    let first = client.begin().unwrap();
    let request = client.request(first, &[1]);
    replica.request(2, 0, request);
    client.finish(first);
    let second = client.begin().unwrap();
    replica.request(3, 0, client.request(second, &[1]));
    assert_eq!(replica.request(4, 0, request), Outcome::Refused(SessionError::Acknowledged));
    assert_eq!(replica.table.response(client.session(), first), None);
    assert_eq!(replica.counter.value, 2);
}

#[test]
fn abandoned_command_is_never_applied() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let session = register(&mut replica, 1, 7);
    let late = Request::Command { session, serial: 1, lowest: 1, command: &[1] };
    replica.request(2, 0, Request::KeepAlive { session, lowest: 2 });
    assert_eq!(replica.request(3, 0, late), Outcome::Refused(SessionError::Acknowledged));
    assert_eq!(replica.counter.value, 0);
}

#[test]
fn command_beyond_the_window_is_refused_until_the_window_moves() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let session = register(&mut replica, 1, 7);
    let fifth = |lowest| Request::Command { session, serial: 5, lowest, command: &[1] };
    assert_eq!(replica.request(2, 0, fifth(1)), Outcome::Refused(SessionError::WindowExceeded));
    assert_eq!(replica.request(3, 0, fifth(2)), Outcome::Applied(vec![1]));
    assert_eq!(replica.counter.value, 1);
}

#[test]
fn long_response_is_not_stored_and_the_command_is_still_applied_once() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let session = register(&mut replica, 1, 7);
    let request = Request::Command { session, serial: 1, lowest: 1, command: &[10] };
    assert_eq!(replica.request(2, 0, request), Outcome::ResponseDropped { duplicate: false });
    assert_eq!(replica.request(3, 0, request), Outcome::ResponseDropped { duplicate: true });
    assert_eq!(replica.counter.value, 1);
}

#[test]
fn token_registers_one_session() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let first = register(&mut replica, 1, 7);
    assert_eq!(register(&mut replica, 2, 7), first);
    assert_ne!(register(&mut replica, 3, 8), first);
    assert_eq!(replica.table.len(), 2);
    assert!(!replica.table.is_empty());
}

#[test]
fn idle_session_expires_by_the_time_in_the_entries() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let (idle, busy) = (register(&mut replica, 1, 7), register(&mut replica, 2, 8));
    assert_eq!(
        replica.request(3, 50, Request::KeepAlive { session: busy, lowest: 1 }),
        Outcome::KeptAlive
    );
    assert!(replica.table.is_alive(idle));
    replica.request(4, 51, Request::Register { token: 9 });
    assert!(!replica.table.is_alive(idle) && replica.table.is_alive(busy));
    let late = Request::Command { session: idle, serial: 1, lowest: 1, command: &[1] };
    // an earlier time does not restore the session
    assert_eq!(replica.request(5, 0, late), Outcome::Refused(SessionError::Expired));
    assert_eq!(replica.counter.value, 0);
}

#[test]
fn oldest_session_is_evicted_when_the_table_is_full() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let [a, b, c] = [1, 2, 3].map(|index| register(&mut replica, index, index));
    replica.request(4, 0, Request::KeepAlive { session: a, lowest: 1 });
    let d = register(&mut replica, 5, 5);
    assert_eq!([a, b, c, d].map(|id| replica.table.is_alive(id)), [true, false, true, true]);
}

#[test]
fn registration_is_refused_when_the_table_is_full() {
    let config = Config { when_full: WhenFull::Refuse, ..CONFIG };
    let mut replica = Replica::<Inline<3, 4, 9>>::new(config);
    let [a, ..] = [1, 2, 3].map(|index| register(&mut replica, index, index));
    let fourth = Request::Register { token: 4 };
    assert_eq!(replica.request(4, 0, fourth), Outcome::Refused(SessionError::TooManySessions));
    assert_eq!(replica.request(5, 0, Request::Close { session: a }), Outcome::Closed);
    assert_eq!(replica.request(6, 0, fourth), Outcome::Registered(6));
    // expired sessions make room as well
    assert_eq!(replica.request(7, 100, Request::Register { token: 5 }), Outcome::Registered(7));
}

#[test]
fn entry_is_applied_once() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    register(&mut replica, 5, 7);
    for index in [5, 4] {
        let again = replica.request(index, 0, Request::Register { token: 8 });
        assert_eq!(again, Outcome::Refused(SessionError::AlreadyApplied));
    }
}

#[test]
fn invalid_requests_change_nothing() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let session = register(&mut replica, 1, 7);
    let before = snapshot(&replica.table);
    let lowest_above_serial = Request::Command { session, serial: 1, lowest: 2, command: &[] };
    let numbered_zero = Request::Command { session, serial: 0, lowest: 0, command: &[] };
    let hostile = Request::KeepAlive { session, lowest: 1 << 62 };
    let malformed = Outcome::Refused(SessionError::Malformed(DecodeError::Invalid));
    for request in [lowest_above_serial, numbered_zero, hostile] {
        assert_eq!(replica.request(2, 0, request), malformed);
    }
    assert_eq!(replica.request(2, u64::MAX, Request::Register { token: 1 }), malformed);
    assert_eq!(
        replica.apply(2, &[]),
        Outcome::Refused(SessionError::Malformed(DecodeError::Truncated))
    );
    assert_eq!(snapshot(&replica.table), before);
}

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
fn configured_limits_apply_instead_of_the_storage_capacity() {
    let config = Config { max_sessions: 2, window: 2, max_response_bytes: 5, ..CONFIG };
    let mut replica = Replica::<Inline<3, 4, 9>>::new(config);
    let [a, b, c] = [1, 2, 3].map(|index| register(&mut replica, index, index));
    assert_eq!([a, b, c].map(|id| replica.table.is_alive(id)), [false, true, true]);
    let command = |serial, len: &'static [u8]| Request::Command {
        session: b,
        serial,
        lowest: 1,
        command: len,
    };
    assert_eq!(
        replica.request(4, 0, command(3, &[1])),
        Outcome::Refused(SessionError::WindowExceeded)
    );
    assert_eq!(
        replica.request(5, 0, command(2, &[6])),
        Outcome::ResponseDropped { duplicate: false }
    );
    assert_eq!(replica.table.response(b, 2), None);
    assert_eq!(replica.request(6, 0, command(1, &[5])), Outcome::Applied(vec![2, 0, 0, 0, 0]));
}

#[test]
fn config_is_validated() {
    let table = |config| Sessions::<Inline<3, 4, 9>>::new(config).map(|_| ());
    assert_eq!(table(CONFIG), Ok(()));
    for above in [
        Config { max_sessions: 4, ..CONFIG },
        Config { window: 5, ..CONFIG },
        Config { max_response_bytes: 10, ..CONFIG },
    ] {
        assert_eq!(table(above), Err(ConfigError::Storage));
    }
    assert_eq!(table(Config { max_sessions: 0, ..CONFIG }), Err(ConfigError::NoSession));
    assert_eq!(table(Config { window: 0, ..CONFIG }), Err(ConfigError::Window));
    assert_eq!(Config { window: 64, ..CONFIG }.validate(), Ok(()));
    assert_eq!(Config { window: 65, ..CONFIG }.validate(), Err(ConfigError::Window));
}

#[test]
fn client_limits_commands_in_flight() {
    let mut client = Client::new(SessionId::new(1), 1000);
    let serials: Vec<u64> = std::iter::from_fn(|| client.begin()).collect();
    assert_eq!(serials, (1..=64).collect::<Vec<_>>());
    // in any order; `lowest` is the lowest serial without a response
    for serial in (2..=64).rev() {
        assert!(client.finish(serial) && !client.finish(serial));
        assert_eq!((client.lowest(), client.begin()), (1, None));
    }
    assert!(client.finish(1));
    assert_eq!((client.lowest(), client.begin(), client.is_pending(65)), (65, Some(65), true));
    assert!(!client.finish(66));
    // a request for a serial with a response is still valid
    let late = encode(Call { time_us: 0, request: client.request(3, &[]) });
    assert!(Call::from_slice(&late).is_ok());
    assert_eq!(Client::new(SessionId::new(1), 0).begin(), Some(1));
}

#[test]
fn cluster_clock_counts_no_interval_twice() {
    let us = Instant::from_micros;
    let mut clock = ClusterClock::new(us(1000));
    assert_eq!([1010, 1005, 1012].map(|now| clock.stamp(us(now))), [10, 10, 12]);
    // the next leader continues from the last time it received
    let mut next = ClusterClock::new(us(500_000));
    next.observe(12, us(500_003));
    assert_eq!(next.stamp(us(500_010)), 19);
    // late entries do not stop the clock
    next.observe(15, us(500_020));
    assert_eq!(next.stamp(us(500_020)), 29);
    next.observe(29, us(500_025));
    assert_eq!(next.stamp(us(500_025)), 34);
    // the clock ends at its greatest value
    next.observe((1 << 62) - 3, us(500_030));
    assert_eq!(next.stamp(us(500_031)), (1 << 62) - 2);
    assert_eq!(next.stamp(us(500_040)), (1 << 62) - 1);
}

/// The formulas of `Inline`'s documentation.
#[test]
fn memory_usage_is_as_documented() {
    fn check<const SESSIONS: usize, const WINDOW: usize, const BYTES: usize>() {
        let formula = SESSIONS * (48 + WINDOW * (BYTES.next_multiple_of(8) + 24)) + 72;
        let size = size_of::<Sessions<Inline<SESSIONS, WINDOW, BYTES>>>();
        assert!(size <= formula, "{size} > {formula}");
        assert!(formula - size <= 16, "{formula} is far above {size}");
    }
    check::<1, 1, 0>();
    check::<1, 1, 8>();
    check::<8, 1, 16>();
    check::<5, 4, 13>();
    check::<64, 64, 100>();
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

/// A step of the random test.
#[derive(Clone, Debug)]
enum Act {
    /// A client registers, possibly again.
    Register {
        client: usize,
    },
    /// A client begins a command whose response has `len` bytes.
    Begin {
        client: usize,
        len: u8,
    },
    /// An earlier request is committed, possibly again or late.
    Commit {
        which: usize,
        after_us: u64,
    },
    /// A client retries a request.
    Retry {
        client: usize,
        which: usize,
    },
    KeepAlive {
        client: usize,
    },
    Close {
        client: usize,
    },
    /// A replica is restored from the snapshot of another.
    Snapshot,
}

fn act() -> impl Strategy<Value = Act> {
    let client = 0..4_usize;
    prop_oneof![
        1 => client.clone().prop_map(|client| Act::Register { client }),
        6 => (client.clone(), 0..12_u8).prop_map(|(client, len)| Act::Begin { client, len }),
        16 => (any::<usize>(), 0..6_u64).prop_map(|(which, after_us)| Act::Commit { which, after_us }),
        5 => (client.clone(), any::<usize>()).prop_map(|(client, which)| Act::Retry { client, which }),
        1 => client.clone().prop_map(|client| Act::KeepAlive { client }),
        1 => client.prop_map(|client| Act::Close { client }),
        2 => Just(Act::Snapshot),
    ]
}

/// Clients, their requests, and three replicas that apply the same entries.
struct World {
    config: Config,
    clients: Vec<Option<Client>>,
    /// How often each client has restarted with a new session, as its serials start again.
    restarts: [u64; 4],
    /// All requests so far. Each may be committed at any time and repeatedly.
    requests: Vec<(usize, Vec<u8>)>,
    index: u64,
    time_us: u64,
    board: Replica<Inline<3, 4, 9>>,
    #[cfg(feature = "alloc")]
    server: Replica<quorate_log::session::Heap>,
    late: Replica<Inline<3, 4, 9>>,
    model: Model,
}

impl World {
    fn new(config: Config) -> Self {
        Self {
            config,
            clients: vec![None; 4],
            restarts: [0; 4],
            requests: Vec::new(),
            index: 0,
            time_us: 0,
            board: Replica::new(config),
            #[cfg(feature = "alloc")]
            server: Replica::new(config),
            late: Replica::new(config),
            model: Model::new(config),
        }
    }

    fn request(&mut self, client: usize, request: Request<'_>) {
        self.requests.push((client, encode(Call { time_us: self.time_us, request })));
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Register { client } => {
                let token = self.token(client);
                self.request(client, Request::Register { token });
            }
            Act::Begin { client, len } => {
                if let Some(mine) = &mut self.clients[client]
                    && let Some(serial) = mine.begin()
                {
                    let command = [len];
                    let request = mine.request(serial, &command);
                    let call = encode(Call { time_us: self.time_us, request });
                    self.requests.push((client, call));
                }
            }
            Act::Commit { which, after_us } => {
                self.time_us += after_us;
                if !self.requests.is_empty() {
                    let (client, call) = self.requests[which % self.requests.len()].clone();
                    self.commit(client, &call);
                }
            }
            Act::Retry { client, which } => {
                let Some(mine) = &self.clients[client] else { return };
                let serial = mine.lowest() + (which % 4) as u64;
                if mine.is_pending(serial) {
                    let call = Call { time_us: self.time_us, request: mine.request(serial, &[3]) };
                    self.requests.push((client, encode(call)));
                }
            }
            Act::KeepAlive { client } => {
                if let Some(mine) = &self.clients[client] {
                    let request = mine.keep_alive();
                    self.request(client, request);
                }
            }
            Act::Close { client } => {
                if let Some(mine) = self.clients[client].take() {
                    self.restarts[client] += 1;
                    self.request(client, Request::Close { session: mine.session() });
                }
            }
            Act::Snapshot => {
                let bytes = snapshot(&self.board.table);
                self.late.table = restored(self.config, &bytes).unwrap();
                self.late.counter = self.board.counter.clone();
            }
        }
    }

    /// Commits a call. All replicas must match the model; the client receives the response.
    fn commit(&mut self, client: usize, call: &[u8]) -> Outcome {
        self.index += 2; // there are other entries too
        let outcome = self.model.apply(self.index, call);
        assert_eq!(self.board.apply(self.index, call), outcome, "against the model");
        assert_eq!(self.late.apply(self.index, call), outcome, "with a snapshot in between");
        #[cfg(feature = "alloc")]
        assert_eq!(self.server.apply(self.index, call), outcome, "on the heap");
        let bytes = snapshot(&self.board.table);
        assert_eq!(snapshot(&self.late.table), bytes);
        #[cfg(feature = "alloc")]
        assert_eq!(snapshot(&self.server.table), bytes);
        assert_eq!(self.board.counter, self.late.counter);
        self.receive_response(client, call, &outcome);
        outcome
    }

    fn token(&self, client: usize) -> u64 {
        client as u64 + 4 * self.restarts[client]
    }

    fn receive_response(&mut self, client: usize, call: &[u8], outcome: &Outcome) {
        let request = Call::from_slice(call).unwrap().request;
        let ours = self.token(client);
        let mine = &mut self.clients[client];
        match (request, outcome) {
            (Request::Register { token }, &Outcome::Registered(id)) if token == ours => {
                let id = SessionId::new(id);
                if mine.as_ref().is_none_or(|mine| mine.session() != id) {
                    *mine = Some(Client::new(id, self.config.window));
                }
            }
            (Request::Command { session, serial, .. }, outcome) if outcome.is_final() => {
                if let Some(mine) = mine.as_mut().filter(|mine| mine.session() == session) {
                    mine.finish(serial);
                }
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_command_is_applied_at_most_once(
        acts in prop::collection::vec(act(), 1..120),
        timeout_us in prop_oneof![Just(0_u64), 5..40_u64],
        refuse: bool,
    ) {
        let when_full = if refuse { WhenFull::Refuse } else { WhenFull::EvictOldest };
        let mut world = World::new(Config { timeout_us, when_full, ..CONFIG });
        for act in &acts {
            world.act(act);
        }
        // a retried request gets a response as long as its session is alive
        for client in 0..4 {
            let Some(mine) = world.clients[client].clone() else { continue };
            for serial in mine.lowest()..mine.lowest() + 4 {
                if mine.is_pending(serial) {
                    let call = Call { time_us: world.time_us, request: mine.request(serial, &[3]) };
                    let expired = Outcome::Refused(SessionError::Expired);
                    let outcome = world.commit(client, &encode(call));
                    prop_assert!(outcome.is_final() || outcome == expired, "{:?}", outcome);
                }
            }
        }
        prop_assert_eq!(world.model.twice(), None);
    }

    #[test]
    fn damaged_tables_are_refused_or_round_trip(
        acts in prop::collection::vec(act(), 1..60),
        at: usize,
        byte: u8,
    ) {
        let mut world = World::new(CONFIG);
        for act in &acts {
            world.act(act);
        }
        let mut bytes = snapshot(&world.board.table);
        let at = at % bytes.len();
        bytes[at] = byte;
        let mut table: Table = world.board.table.clone();
        match table.restore(&mut Reader::new(&bytes)) {
            Ok(()) => prop_assert_eq!(snapshot(&table), &bytes[..table.encoded_len()]),
            Err(_) => prop_assert_eq!(&table, &world.board.table),
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_round_trip(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        if let Ok(call) = Call::from_slice(&bytes) {
            prop_assert_eq!(encode(call), bytes);
        }
    }
}
