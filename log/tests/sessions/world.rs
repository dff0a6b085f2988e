//! Random clients on three replicas, against the model.

use super::model::{Model, Outcome};
use super::replica::{CONFIG, Replica, Table, encode, restored, snapshot};
use proptest::prelude::*;
use quorate_core::{Reader, Wire};
use quorate_log::session::{
    Call, Client, Config, Inline, Request, SessionError, SessionId, WhenFull,
};

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
