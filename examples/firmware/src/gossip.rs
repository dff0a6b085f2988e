//! Boards that each take updates and tell each other: a [`Replica`] of any data, and its command line.

use quorate_clocks::{Actor, Inline};
use quorate_core::{Instant, Machine as _};
use quorate_crdt::{Config, Crdt, Event, OrSet, PnCounter, Replica};
use quorate_flash::Error;
use quorate_serial::Text;

use crate::{Desk, MAX_PEERS, Node, Program, Setup, Stop};

/// The data that boards share.
pub trait Data: Crdt + 'static {
    /// The cluster's id: boards with other data do not understand each other.
    const CLUSTER: u64;
    /// What `help` says.
    const USAGE: &'static str;

    /// An empty one.
    fn new() -> Self;

    /// Makes an update of a line, as the actor: what it changed, or what is wrong.
    ///
    /// # Errors
    ///
    /// In words, for who typed it.
    fn update(&mut self, actor: Actor, line: &[u8]) -> Result<Self::Delta, &'static str>;

    /// Appends what it holds, as pairs.
    fn describe(&self, text: &mut Answer);
}

/// One line of an answer.
pub type Answer = Text<320>;

type Machine<D> = Replica<D, Inline<MAX_PEERS>, Inline<512>>;

/// The program beside the replica.
struct Gossip<D> {
    /// Said when what it speaks of is in flash.
    answer: Option<Answer>,
    /// How often others changed the data.
    changes: u32,
    /// How often others had more than there is room for.
    full: u32,
    data: core::marker::PhantomData<D>,
}

/// Runs a board with this data until it must stop.
pub fn run<D: Data>(setup: &Setup<'_>) -> Stop {
    let config = Config { gossip_us: 250_000, max_delta_bytes: 256, ..Config::default() };
    // what it did is in flash before anybody hears of it, so a restarted board is the same actor
    let actor = Actor::from(setup.id);
    let Ok(machine) = Machine::new(actor, &setup.nodes(), D::new(), config) else {
        return Stop::Config;
    };
    let program =
        Gossip::<D> { answer: None, changes: 0, full: 0, data: core::marker::PhantomData };
    match Node::restore(setup, D::CLUSTER, machine, program) {
        Ok(mut node) => node.run(),
        Err(stop) => stop,
    }
}

impl<D: Data> Program for Gossip<D> {
    type Machine = Machine<D>;

    fn event(&mut self, event: Event) {
        match event {
            Event::Changed => self.changes = self.changes.saturating_add(1),
            Event::Full(peer) => {
                defmt::warn!("what {} has does not fit: remove something", peer);
                self.full = self.full.saturating_add(1);
            }
            Event::UnknownUpdates(peer) => {
                defmt::error!("{} has updates of this board that it never made", peer);
            }
            _ => {}
        }
    }

    fn line(&mut self, desk: &mut Desk<'_>, machine: &mut Machine<D>, line: &[u8]) {
        let mut text = Answer::new();
        match line {
            b"help" => {
                text.str("ok ").str(D::USAGE);
            }
            b"status" => {
                text.str("ok id=").number(machine.actor().node().get());
                machine.state().describe(&mut text);
                text.pair("changes", u64::from(self.changes))
                    .pair("full", u64::from(self.full))
                    .pair("stable", machine.stable())
                    .pair("rejected", u64::from(machine.rejections().total()));
                desk.count(&mut text);
            }
            b"flash fail" => {
                desk.break_flash();
                text.str("ok the flash fails from now on");
            }
            _ => match machine.update(|data, actor| data.update(actor, line)) {
                Ok(()) => {
                    text.str("ok");
                    machine.state().describe(&mut text);
                }
                Err(what) => {
                    text.str("error ").str(what);
                }
            },
        }
        self.answer = Some(text);
    }

    fn settle(&mut self, desk: &mut Desk<'_>, _: &mut Machine<D>) -> Result<(), Error> {
        // the machine was polled: what was updated is in flash
        if let Some(answer) = self.answer.take() {
            desk.say(&answer);
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// The number after a word, as in `add 5`.
#[must_use]
pub fn number(line: &[u8], word: &[u8]) -> Option<u16> {
    let digits = line.strip_prefix(word)?.strip_prefix(b" ")?;
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u16, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit < 10)?;
        value.checked_mul(10)?.checked_add(u16::from(digit))
    })
}

/// A counter that goes up and down.
pub type Tally = PnCounter<Inline<{ MAX_PEERS + 1 }>>;
/// A set of sixteen numbers; who adds wins over who removes at the same time.
pub type Roster = OrSet<u16, Inline<16>>;

const NO_SUCH: &str = "no such command: try help";

impl Data for Tally {
    const CLUSTER: u64 = 0xc0de;
    const USAGE: &'static str = "up N | down N | status | flash fail | help";

    fn new() -> Self {
        Self::new()
    }

    fn update(&mut self, actor: Actor, line: &[u8]) -> Result<Self::Delta, &'static str> {
        let delta = match (number(line, b"up"), number(line, b"down")) {
            (Some(amount), _) => self.increment(actor, amount.into()),
            (_, Some(amount)) => self.decrement(actor, amount.into()),
            _ => return Err(NO_SUCH),
        };
        delta.map_err(|_| "the counter is at its end")
    }

    fn describe(&self, text: &mut Answer) {
        text.signed_pair("value", i64::try_from(self.value()).unwrap_or(i64::MAX));
    }
}

impl Data for Roster {
    const CLUSTER: u64 = 0xc1de;
    const USAGE: &'static str = "add N | remove N | clear | status | flash fail | help";

    fn new() -> Self {
        Self::new()
    }

    fn update(&mut self, actor: Actor, line: &[u8]) -> Result<Self::Delta, &'static str> {
        match (number(line, b"add"), number(line, b"remove")) {
            (Some(element), _) => self.add(actor, element).map_err(|_| "the set is full"),
            (_, Some(element)) => Ok(self.remove(&element)),
            _ if line == b"clear" => Ok(self.clear()),
            _ => Err(NO_SUCH),
        }
    }

    fn describe(&self, text: &mut Answer) {
        text.key("elements");
        for (at, element) in self.iter().enumerate() {
            if at > 0 {
                text.str(",");
            }
            text.number(u64::from(*element));
        }
    }
}
