//! The conformance suite finds each rule that is broken, and nothing where none is.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use crate::common::pinger::{self, Pinger, bug};
use crate::common::{MaxRegister, bug as register_bug, max_register as register};
use quorate_core::{Instant, Rejected, Rng};
use quorate_sim::conformance::{Check, Specimen, check, check_all};

/// The application of a [`Pinger`].
#[derive(Clone)]
struct Pings<const BUG: u8>(usize);

impl<const BUG: u8> Specimen for Pings<BUG> {
    type Machine = Pinger<BUG>;

    const NAME: &'static str = "pinger";
    const MESSAGES_PER_SECOND: u64 = 150;
    const ANSWERS_PER_MESSAGE: u64 = 1;
    const REJECTED: &'static [Rejected] = &[Rejected::UnknownSender, Rejected::OutOfRange];

    fn new(node: usize) -> Self {
        Self(node)
    }

    fn boot(&self, _seed: u64) -> Pinger<BUG> {
        Pinger::new(self.0, Self::NODES)
    }

    fn durable(machine: &Pinger<BUG>) -> String {
        format!("{} {}", machine.count(), machine.sum())
    }

    fn act(&mut self, machine: &mut Pinger<BUG>, _now: Instant, rng: &mut Rng) {
        machine.add(rng.below(9));
    }

    fn refusals(_message: &pinger::Message<BUG>) -> Vec<Vec<u8>> {
        vec![vec![1, 0]]
    }

    fn memory(machine: &Pinger<BUG>) -> Vec<(&'static str, usize, usize)> {
        vec![("bytes", machine.bytes(), 128)]
    }

    fn longest_message(&self) -> Option<Vec<u8>> {
        Some([&[0][..], &[0xff; 8], &[0x3f]].concat())
    }

    fn longest_record(&self) -> Option<Vec<u8>> {
        Some([&[0xff; 9][..], &[1], &[0xff; 9], &[1]].concat())
    }
}

const SEEDS: core::ops::Range<u64> = 0..4;

/// Exactly these checks fail, and the first says so in these words.
fn assert_only<const BUG: u8>(broken: &[Check], words: &str) {
    for rule in Check::ALL {
        let result = check::<Pings<BUG>>(rule, SEEDS);
        if !broken.contains(&rule) {
            assert_eq!(result, Ok(()));
            continue;
        }
        let failure = result.err().unwrap_or_else(|| panic!("{rule:?} does not find the bug"));
        assert_eq!((failure.machine, failure.check), ("pinger", rule));
        if rule == broken[0] {
            assert!(failure.what.contains(words), "{failure}");
        }
        if BUG != bug::NONDETERMINISTIC {
            let again = check::<Pings<BUG>>(rule, failure.seed..failure.seed + 1);
            assert_eq!(again, Err(failure), "the seed does not show it again");
        }
    }
}

#[test]
fn correct_machine_passes() {
    assert_eq!(check_all::<Pings<{ bug::NONE }>>(SEEDS), Ok(()));
}

#[test]
fn finds_refusal_that_moves_the_deadline() {
    assert_only::<{ bug::REFUSAL_MOVES_DEADLINE }>(&[Check::Refusals], "deadline changed from");
}

#[test]
fn finds_refusal_that_makes_an_output() {
    assert_only::<{ bug::REFUSAL_ANSWERED }>(&[Check::Refusals], "outputs changed from");
}

#[test]
fn finds_refusal_that_changes_the_state() {
    assert_only::<{ bug::REFUSAL_TAKEN }>(&[Check::Refusals], "status changed from");
}

#[test]
fn finds_refusal_of_a_large_number_that_changes_the_state() {
    assert_only::<{ bug::LARGE_REFUSAL_TAKEN }>(
        &[Check::Refusals],
        "(a number is beyond what an honest node reaches), and its status changed from",
    );
}

#[test]
fn finds_refusal_that_is_not_counted() {
    assert_only::<{ bug::REFUSAL_NOT_COUNTED }>(&[Check::Refusals], "it gave Err(UnknownSender)");
}

#[test]
fn finds_refusal_that_is_counted_again() {
    assert_only::<{ bug::REFUSAL_COUNTED_AGAIN }>(
        &[Check::Refusals],
        "its later rejections changed",
    );
}

#[test]
fn finds_refusal_that_is_counted_with_the_next_message() {
    assert_only::<{ bug::REFUSAL_COUNTED_WITH_NEXT }>(
        &[Check::Refusals],
        "its later rejections after the next message changed",
    );
}

#[test]
fn finds_refusal_that_swallows_the_next_message() {
    assert_only::<{ bug::REFUSAL_SWALLOWS_NEXT }>(
        &[Check::Refusals],
        "status after the next message changed from",
    );
}

#[test]
fn finds_accepted_message_that_is_counted() {
    assert_only::<{ bug::ACCEPTED_COUNTED }>(&[Check::Refusals], "it gave Ok(())");
}

#[test]
fn finds_machine_that_refuses_nothing() {
    assert_only::<{ bug::REFUSES_NOTHING }>(&[Check::Refusals], "and so refuses nothing");
}

#[test]
fn finds_machine_that_accepts_nothing() {
    let broken = [Check::Refusals];
    assert_only::<{ bug::REFUSES_EVERYTHING }>(&broken, "it refused all of");
}

#[test]
fn finds_checkpoint_without_a_field() {
    assert_only::<{ bug::CHECKPOINT_LOSES_FIELD }>(
        &[Check::Checkpoints],
        "its checkpoint restores",
    );
}

#[test]
fn finds_checkpoint_that_is_refused() {
    assert_only::<{ bug::CHECKPOINT_REFUSED }>(
        &[Check::Checkpoints, Check::Replay],
        "checkpoint is refused",
    );
}

#[test]
fn finds_checkpoint_that_grows() {
    assert_only::<{ bug::CHECKPOINT_GROWS }>(&[Check::Checkpoints], "restores the checkpoint");
}

#[test]
fn finds_record_that_is_refused_in_a_replay() {
    assert_only::<{ bug::REPLAY_REFUSED }>(&[Check::Replay], "are missing");
}

#[test]
fn finds_record_that_is_taken_after_the_start() {
    assert_only::<{ bug::LATE_RECORD_TAKEN }>(&[Check::Replay], "after the start gives Ok(())");
}

#[test]
fn finds_stop_after_a_replay() {
    assert_only::<{ bug::STOPS_AFTER_REPLAY }>(&[Check::Replay], "stops itself");
}

#[test]
fn finds_nondeterminism() {
    assert_only::<{ bug::NONDETERMINISTIC }>(
        &[Check::Determinism, Check::SpuriousInputs],
        "with the same inputs again",
    );
}

#[test]
fn finds_drain_that_differs_from_poll() {
    assert_only::<{ bug::DRAIN_DIFFERS }>(&[Check::Determinism], "with drain in place of poll");
}

#[test]
fn finds_old_ticket_that_counts() {
    assert_only::<{ bug::OLD_TICKET_COUNTS }>(&[Check::SpuriousInputs], "old tickets");
}

#[test]
fn finds_unissued_ticket_that_counts() {
    assert_only::<{ bug::UNISSUED_TICKET_COUNTS }>(&[Check::SpuriousInputs], "unissued ones");
    assert_only::<{ bug::UNISSUED_TICKET_COUNTS_AS_LAST }>(
        &[Check::SpuriousInputs],
        "unissued ones",
    );
}

#[test]
fn finds_tick_that_postpones_without_saying_so() {
    assert_only::<{ bug::TICKS_POSTPONE }>(&[Check::SpuriousInputs], "spurious ticks");
}

#[test]
fn finds_deadline_that_lies() {
    assert_only::<{ bug::ACTS_EARLY }>(
        &[Check::Deadlines, Check::SpuriousInputs],
        "before its deadline",
    );
}

#[test]
fn finds_deadline_that_does_not_move() {
    assert_only::<{ bug::DEADLINE_STAYS }>(&[Check::Deadlines], "tick it without end");
}

#[test]
fn names_the_deadlines_first() {
    let failure = check_all::<Pings<{ bug::DEADLINE_STAYS }>>(SEEDS).unwrap_err();
    assert_eq!(failure.check, Check::Deadlines, "{failure}");
    let failure = check_all::<Pings<{ bug::TICKS_SEND }>>(SEEDS).unwrap_err();
    assert_eq!(failure.check, Check::Deadlines, "{failure}");
    assert!(failure.what.contains("before its deadline"), "{failure}");
}

#[test]
fn run_without_end_names_its_input() {
    let failure = check::<Pings<{ bug::TICKS_SEND }>>(Check::Memory, SEEDS).unwrap_err();
    for words in ["does not end", "this input is the message [", "see Check::Deadlines"] {
        assert!(failure.what.contains(words), "{failure}");
    }
}

#[test]
fn finds_panic() {
    // only those that hear it from another peer, or in a damaged message
    assert_only::<{ bug::PANICS }>(
        &[Check::Refusals, Check::MessageRate],
        "it panicked: nobody heard this; the input is the message [01, 00] from node",
    );
}

#[test]
fn finds_two_encodings() {
    assert_only::<{ bug::TWO_ENCODINGS }>(&[Check::Encoding], "which encodes as");
}

#[test]
fn finds_lossy_encoding() {
    assert_only::<{ bug::LOSSY_ENCODING }>(&[Check::Encoding], "reads back as");
}

#[test]
fn finds_memory_beyond_the_formula() {
    assert_only::<{ bug::GROWS }>(&[Check::Memory], "are documented");
}

#[test]
fn finds_message_beyond_its_size() {
    assert_only::<{ bug::LONG_MESSAGE }>(&[Check::Sizes], "max_message_len");
}

#[test]
fn finds_size_that_is_not_reached() {
    assert_only::<{ bug::LOOSE_SIZE }>(&[Check::Sizes], "max_record_len is Some(21)");
}

#[test]
fn finds_storm() {
    assert_only::<{ bug::STORM }>(&[Check::MessageRate], "in which the refusing node sent");
}

/// The application of the register of the other tests.
#[derive(Clone)]
struct Register(usize);

impl Specimen for Register {
    type Machine = MaxRegister<{ register_bug::NONE }>;

    const NAME: &'static str = "max register";
    const MESSAGES_PER_SECOND: u64 = 400;
    const ANSWERS_PER_MESSAGE: u64 = 2;

    fn new(node: usize) -> Self {
        Self(node)
    }

    fn boot(&self, _seed: u64) -> Self::Machine {
        MaxRegister::new(quorate_core::NodeId::new(self.0 as u64 + 1), Self::NODES as u64)
    }

    fn durable(machine: &Self::Machine) -> String {
        machine.value().to_string()
    }

    fn act(&mut self, machine: &mut Self::Machine, now: Instant, rng: &mut Rng) {
        machine.put(now.as_micros() / 1_000 + rng.below(90));
    }

    /// It never has anything.
    fn refusals(message: &register::Message<{ register_bug::NONE }>) -> Vec<Vec<u8>> {
        match message {
            register::Message::Offer(_) => vec![vec![1, 0]],
            register::Message::Have(_) => Vec::new(),
        }
    }

    fn memory(machine: &Self::Machine) -> Vec<(&'static str, usize, usize)> {
        vec![("writes", machine.writes(), 60)]
    }

    fn longest_message(&self) -> Option<Vec<u8>> {
        Some([&[0][..], &[0xff; 9], &[1]].concat())
    }

    fn longest_record(&self) -> Option<Vec<u8>> {
        Some([&[0xff; 9][..], &[1]].concat())
    }
}

quorate_sim::conformance_tests! {
    max_register: Register, seeds SEEDS;
}

/// What a specimen can leave out, so that a check has nothing to look at.
mod omission {
    pub(super) const MESSAGES: u8 = 0;
    pub(super) const RECORDS: u8 = 1;
    pub(super) const DEADLINE: u8 = 2;
    pub(super) const MEMORY: u8 = 3;
    pub(super) const MESSAGE_LEN: u8 = 4;
    pub(super) const DURABLE: u8 = 5;
    pub(super) const REFUSALS: u8 = 6;
    /// Those that it has are no messages.
    pub(super) const DECODABLE_REFUSALS: u8 = 7;
    /// It refuses no message for a reason that it names.
    pub(super) const REJECTED: u8 = 8;
    /// Room for its pings in a burst.
    pub(super) const BURST: u8 = 9;
}

/// A [`Pings`] without something.
#[derive(Clone)]
struct Without<const WHAT: u8>(Pings<{ bug::NONE }>);

impl<const WHAT: u8> Specimen for Without<WHAT> {
    type Machine = Pinger<{ bug::NONE }>;

    const NAME: &'static str = "pinger without something";
    const BURST: Option<(u64, u64)> = match WHAT {
        omission::BURST => Some((60_000, 3)),
        _ => Some((60_000, 6)),
    };
    const REJECTED: &'static [Rejected] = match WHAT {
        omission::REJECTED => &[Rejected::Full],
        _ => &[Rejected::UnknownSender],
    };
    const NODES: usize = if WHAT == omission::MESSAGES { 1 } else { 3 };
    const MESSAGES_PER_SECOND: u64 = 150;
    const ANSWERS_PER_MESSAGE: u64 = 1;

    fn new(node: usize) -> Self {
        Self(Pings::new(node))
    }

    fn boot(&self, _seed: u64) -> Self::Machine {
        let pinger = Pinger::new(self.0.0, Self::NODES);
        if WHAT == omission::DEADLINE { pinger.without_deadline() } else { pinger }
    }

    fn durable(machine: &Self::Machine) -> String {
        if WHAT == omission::DURABLE { String::new() } else { Pings::durable(machine) }
    }

    fn act(&mut self, machine: &mut Self::Machine, now: Instant, rng: &mut Rng) {
        if WHAT != omission::RECORDS {
            self.0.act(machine, now, rng);
        }
    }

    fn refusals(message: &pinger::Message<{ bug::NONE }>) -> Vec<Vec<u8>> {
        match WHAT {
            omission::REFUSALS => Vec::new(),
            omission::DECODABLE_REFUSALS => vec![vec![9, 9, 9]],
            _ => Pings::refusals(message),
        }
    }

    fn memory(machine: &Self::Machine) -> Vec<(&'static str, usize, usize)> {
        if WHAT == omission::MEMORY { Vec::new() } else { Pings::memory(machine) }
    }

    fn max_message_len(machine: &Self::Machine) -> Option<usize> {
        if WHAT == omission::MESSAGE_LEN { None } else { Pings::max_message_len(machine) }
    }

    fn longest_message(&self) -> Option<Vec<u8>> {
        if WHAT == omission::MESSAGE_LEN { None } else { self.0.longest_message() }
    }

    fn longest_record(&self) -> Option<Vec<u8>> {
        self.0.longest_record()
    }
}

#[test]
fn burst_is_bounded() {
    assert_eq!(check::<Without<{ omission::RECORDS }>>(Check::MessageRate, SEEDS), Ok(()));
    assert_vacuous::<{ omission::BURST }>(Check::MessageRate, "messages to node 2 within 60000 µs");
}

/// The check fails in these words, as it has nothing to look at.
fn assert_vacuous<const WHAT: u8>(rule: Check, words: &str) {
    let failure = check::<Without<WHAT>>(rule, SEEDS).unwrap_err();
    assert!(failure.what.contains(words), "{failure}");
}

#[test]
fn checks_fail_without_messages() {
    for rule in [Check::Determinism, Check::SpuriousInputs] {
        assert_vacuous::<{ omission::MESSAGES }>(rule, "it sent no message");
    }
    assert_vacuous::<{ omission::MESSAGES }>(Check::Encoding, "it made no message that decodes");
    assert_vacuous::<{ omission::MESSAGES }>(Check::MessageRate, "no node sent it a message");
}

#[test]
fn checks_fail_without_records() {
    for rule in [Check::Determinism, Check::SpuriousInputs] {
        assert_vacuous::<{ omission::RECORDS }>(rule, "it wrote no record");
    }
    assert_vacuous::<{ omission::RECORDS }>(Check::Encoding, "it made no record that decodes");
    assert_vacuous::<{ omission::RECORDS }>(Check::Replay, "no replay was without a record");
    assert_vacuous::<{ omission::RECORDS }>(Check::Checkpoints, "all checkpoints restore \"0 0\"");
}

#[test]
fn checks_fail_without_what_they_are_about() {
    assert_vacuous::<{ omission::DEADLINE }>(Check::Deadlines, "it never had a deadline");
    assert_vacuous::<{ omission::MEMORY }>(Check::Memory, "it uses nothing that has a documented");
    assert_vacuous::<{ omission::MESSAGE_LEN }>(Check::Sizes, "max_message_len is None");
    assert_vacuous::<{ omission::DURABLE }>(
        Check::Checkpoints,
        "all checkpoints restore \"\", what",
    );
    assert_vacuous::<{ omission::REFUSALS }>(Check::MessageRate, "it answered nothing");
    assert_vacuous::<{ omission::REJECTED }>(Check::Refusals, "and none of them as Full (no room");
    assert_vacuous::<{ omission::DECODABLE_REFUSALS }>(
        Check::MessageRate,
        "`refusals` gave bytes that are no message",
    );
}
