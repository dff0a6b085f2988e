//! A set-point and a counter that boards agree on: `quorate-setpoint` on Raft, on a board.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use quorate_core::{Corrupt, Instant, NodeId, Wire as _, Writer};
use quorate_firmware::{Desk, MAX_MESSAGE, MAX_RECORD, Node, Program, Setup, Stop, start};
use quorate_flash::Error;
use quorate_raft::{Event, Fixed, Raft};
use quorate_setpoint::{Answer, CLUSTER, Command, Request, SavedState, config};

/// Three voters (five at most), 3 KiB of log for 256 entries, snapshots of one part.
type Machine = Raft<Fixed<5, 3072, 256, 200>>;

// what it says fits into frames, and what it keeps into the log's buffer
const _: () = assert!(Machine::max_message_len(&quorate_setpoint::config()) <= MAX_MESSAGE);
const _: () = assert!(Machine::max_record_len(&quorate_setpoint::config()) <= MAX_RECORD);

// as examples/firmware/README.md states
const _: () = assert!(size_of::<Node<'_, Setpoint>>() < 14 << 10);

#[derive(Default)]
struct Setpoint {
    program: quorate_setpoint::Program,
    /// What is in flash, until the start.
    found: SavedState,
}

impl Program for Setpoint {
    type Machine = Machine;

    fn restore(&mut self, record: &[u8]) -> Result<(), Corrupt> {
        self.found = SavedState::from_slice(record).map_err(|_| Corrupt::Malformed)?;
        Ok(())
    }

    fn start(&mut self, machine: &mut Machine) -> Result<(), Corrupt> {
        self.program =
            quorate_setpoint::Program::resume(self.found, machine).ok_or(Corrupt::Gap)?;
        Ok(())
    }

    fn frame(&mut self, machine: &mut Machine, from: NodeId, bytes: &[u8]) {
        match Command::from_slice(bytes) {
            Ok(command) => self.program.receive_forwarded(machine, from, command),
            Err(reason) => defmt::warn!("what {} asks is no command: {}", from, reason),
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Leading { term } => defmt::info!("term {=u64}: this node leads", term),
            Event::Following { leader, term } => {
                defmt::info!("term {=u64}: follows {}", term, leader);
            }
            Event::Leaderless { term } => defmt::info!("term {=u64}: no leader", term),
            _ => {}
        }
        self.program.event(event);
    }

    fn line(&mut self, desk: &mut Desk<'_>, machine: &mut Machine, line: &[u8]) {
        let answer = match Request::parse(line) {
            Ok(Request::Status) => {
                let mut text = self.program.status(machine);
                desk.count(&mut text);
                Some(text)
            }
            Ok(Request::FlashFail) => {
                desk.break_flash();
                let mut text = Answer::new();
                text.str("ok the flash fails from now on");
                Some(text)
            }
            _ => self.program.line(machine, desk.now, line),
        };
        if let Some(answer) = answer {
            desk.say(&answer);
        }
    }

    fn settle(&mut self, desk: &mut Desk<'_>, machine: &mut Machine) -> Result<(), Error> {
        self.program.settle(machine, |kept| desk.keep(|out| kept.encode(out)))?;
        if let Some(answer) = self.program.answer(machine, desk.now) {
            desk.say(&answer);
        }
        if let Some((to, command)) = self.program.forward() {
            desk.send(to, |out| command.encode(out));
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        self.program.deadline()
    }

    fn record(&self, out: &mut Writer<'_>) {
        self.program.saved_state().encode(out);
    }
}

#[entry]
fn main() -> ! {
    start(run)
}

fn run(setup: &Setup<'_>) -> Stop {
    let machine = match Machine::new(setup.id, &setup.nodes(), config(), setup.seed) {
        Ok(machine) => machine,
        Err(reason) => {
            defmt::error!("{}", reason);
            return Stop::Config;
        }
    };
    match Node::restore(setup, CLUSTER, machine, Setpoint::default()) {
        Ok(mut node) => node.run(),
        Err(stop) => stop,
    }
}
