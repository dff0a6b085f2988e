//! Boards that choose one value for ever: `quorate-paxos`'s Synod. And three Synods within one board, which get what they get on the host.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use quorate_core::{InlineList, Instant, List as _, Machine as _, Quorums};
use quorate_firmware::{
    Desk, MAX_MESSAGE, MAX_PEERS, MAX_RECORD, Node, Program, Setup, Stop, start,
};
use quorate_flash::Error;
use quorate_paxos::synod::{Config, Event, Phase, Synod, max_message_len, max_record_len};
use quorate_paxos::{Inline, Member, ProposeError};
use quorate_serial::Text;

const CLUSTER: u64 = 0x5e0d;
const USAGE: &str = "propose WORD | learn | found | duel SEED | status | flash fail | help";

/// Bytes of a value.
const VALUE: usize = 16;

type Memory = Inline<{ MAX_PEERS + 1 }, VALUE>;
type Machine = Synod<Memory>;
type Answer = Text<320>;

const CONFIG: Config = Config {
    // a line carries a message and its answer in some milliseconds
    retry_us: 200_000,
    backoff_us: 50_000,
    learn_us: 500_000,
    ..Config::lan()
};

// what it says fits into frames, and what it keeps into the log's buffer
const _: () = assert!(max_message_len::<Memory>(&CONFIG) <= MAX_MESSAGE);
const _: () = assert!(max_record_len::<Memory>(&CONFIG) <= MAX_RECORD);

/// What was chosen, until the console is told.
#[derive(Default)]
struct Chooser {
    news: Option<InlineList<u8, VALUE>>,
}

impl Chooser {
    fn propose(machine: &mut Machine, now: Instant, value: &[u8]) -> &'static str {
        match machine.propose(now, value) {
            Ok(()) => "ok proposed",
            Err(ProposeError::NotFounded) => "error not founded",
            Err(ProposeError::Decided) => "error a value was chosen already",
            Err(ProposeError::Busy) => "error busy",
            Err(ProposeError::TooLong) => "error the word is too long",
            Err(_) => "error refused",
        }
    }

    fn status(machine: &Machine) -> Answer {
        let status = machine.status();
        let mut text = Answer::new();
        text.str("ok id=").number(status.id.get());
        text.pair("founded", u64::from(status.founded)).key("phase").str(match status.phase {
            Phase::Idle => "idle",
            Phase::Preparing => "preparing",
            Phase::Accepting => "accepting",
            Phase::BackingOff => "waiting",
            _ => "decided",
        });
        for (key, ballot) in [("promised", status.promised), ("voted", status.accepted)] {
            text.pair(key, ballot.round).str(".").number(ballot.node.get());
        }
        text.key("chosen").str(machine.decided().map_or("none", words));
        text.pair("rejected", u64::from(machine.rejections().total()));
        text
    }
}

impl Program for Chooser {
    type Machine = Machine;

    fn event(&mut self, event: Event<'_>) {
        if let Event::Decided { value } = event {
            defmt::info!("chosen: {=[u8]:a}", value);
            let mut news = InlineList::default();
            let _ = news.extend_from_slice(value); // as long as a value can be
            self.news = Some(news);
        }
    }

    fn line(&mut self, desk: &mut Desk<'_>, machine: &mut Machine, line: &[u8]) {
        let mut text = Answer::new();
        match line {
            b"status" => {
                text = Self::status(machine);
                desk.count(&mut text);
            }
            b"found" => {
                machine.found();
                text.str("ok this board takes part");
            }
            b"learn" => {
                machine.learn(desk.now);
                text.str("ok it asks");
            }
            b"flash fail" => {
                desk.break_flash();
                text.str("ok the flash fails from now on");
            }
            b"help" => {
                text.str("ok ").str(USAGE);
            }
            _ => {
                let value = line.strip_prefix(b"propose ").filter(|value| is_word(value));
                let seed = line.strip_prefix(b"duel ").and_then(number);
                match (value, seed) {
                    (Some(value), _) => {
                        text.str(Self::propose(machine, desk.now, value));
                    }
                    (None, Some(seed)) => text = duel(seed),
                    (None, None) => {
                        text.str("error no such command: try help");
                    }
                }
            }
        }
        desk.say(&text);
    }

    fn settle(&mut self, desk: &mut Desk<'_>, _: &mut Machine) -> Result<(), Error> {
        if let Some(news) = self.news.take() {
            let mut text = Answer::new();
            desk.say(text.str("# chosen: ").str(words(&news)));
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// Three nodes within this board, in virtual time.
fn duel(seed: u64) -> Answer {
    let mut text = Answer::new();
    match quorate_duel::run(seed) {
        Ok(outcome) => text
            .str("ok seed=")
            .number(seed)
            .pair("value", u64::from(outcome.value))
            .pair("round", outcome.round)
            .pair("messages", u64::from(outcome.messages))
            .pair("records", u64::from(outcome.records))
            .pair("restarts", u64::from(outcome.restarts))
            .pair("time_us", outcome.time_us)
            .pair("digest", u64::from(outcome.digest)),
        Err(problem) => text.str("error ").str(problem.words()),
    };
    text
}

/// A value that can be said on the console.
fn is_word(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_graphic)
}

fn words(value: &[u8]) -> &str {
    core::str::from_utf8(value).unwrap_or("unreadable")
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit < 10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[entry]
fn main() -> ! {
    start(run)
}

fn run(setup: &Setup<'_>) -> Stop {
    let mut members = InlineList::<Member, { MAX_PEERS + 1 }>::with_limit(MAX_PEERS);
    for node in setup.nodes().iter() {
        let _ = members.push(Member::new(*node)); // there is room for all
    }
    let Ok(count) = u8::try_from(members.len()) else { return Stop::Config };
    let quorums = Quorums::majority(count);
    // the seed is random, and another one after each start
    let Ok(machine) = Machine::new(setup.id, &members, quorums, CONFIG, setup.seed) else {
        return Stop::Config;
    };
    match Node::restore(setup, CLUSTER, machine, Chooser::default()) {
        Ok(mut node) => node.run(),
        Err(stop) => stop,
    }
}
