//! Boards that elect a leader by bullying: the highest one alive leads, and a phi accrual detector misses it when it falls silent.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use quorate_core::{Instant, Machine as _, NodeId};
use quorate_election::detector::{Monitor, NormalPhi, PhiConfig};
use quorate_election::{Bully, Config, ConfigError, Event, Inline, Role};
use quorate_firmware::{Desk, MAX_PEERS, Node, Program, Setup, Stop, start};
use quorate_flash::Error;
use quorate_serial::Text;

const CLUSTER: u64 = 0xb011;
const USAGE: &str = "ok status | campaign | flash fail | help";
/// How often a leader is heard, in µs.
const HEARTBEAT_US: u64 = 200_000;
/// A board that wakes up so late, in µs, blames itself for the silence.
const SLACK_US: u64 = 50_000;

type Machine = Bully<Inline<{ MAX_PEERS + 1 }>>;

/// Watches the leader, and tells the election when it is silent for too long.
struct Elector {
    watch: Monitor<NormalPhi<32>, 1>,
    leader: Option<NodeId>,
    /// The watch began with what was heard before: that counts as the first sign of life.
    fresh: bool,
    /// Leaders there have been, as this board saw it, and those of them that it suspected.
    leaders: u32,
    suspected: u32,
}

fn config() -> Config {
    Config {
        answer_timeout_us: 150_000,
        outcome_timeout_us: 750_000,
        heartbeat_us: HEARTBEAT_US,
        // the last resort: the detector is sooner
        leader_timeout_us: 5_000_000,
        attempts: 3,
        ..Config::lan()
    }
}

impl Elector {
    fn new() -> Self {
        Self { watch: Monitor::new(SLACK_US), leader: None, fresh: false, leaders: 0, suspected: 0 }
    }

    /// Watches another leader, of whose rhythm nothing is known yet.
    fn follow(&mut self, leader: Option<NodeId>) -> Result<(), ConfigError> {
        self.leader = leader;
        self.fresh = true;
        self.watch = Monitor::new(SLACK_US);
        if let Some(leader) = leader {
            self.leaders = self.leaders.saturating_add(1);
            let detector = NormalPhi::new(PhiConfig::for_interval(HEARTBEAT_US))?;
            let _ = self.watch.add(leader, detector); // there is room for one
        }
        Ok(())
    }

    fn status(&self, machine: &Machine, now: Instant) -> Text<256> {
        let status = machine.status();
        let mut text = Text::new();
        text.str("ok id=").number(status.id.get()).key("role").str(match status.role {
            Role::Leader => "leader",
            Role::Candidate => "candidate",
            Role::Waiting => "waiting",
            Role::Claiming => "claiming",
            Role::Recovering => "recovering",
            _ => "follower",
        });
        let phi = self.leader.and_then(|leader| self.watch.detector(leader));
        text.pair("leader", status.leader.map_or(0, NodeId::get))
            .pair("epoch", status.epoch.token())
            .pair("leaders", u64::from(self.leaders))
            .pair("suspected", u64::from(self.suspected))
            .pair("phi_milli", phi.map_or(0, |phi| u64::from(phi.phi(now).milli())))
            .pair("rejected", u64::from(machine.rejections().total()));
        text
    }
}

impl Program for Elector {
    type Machine = Machine;

    fn heard(&mut self, now: Instant, from: NodeId) {
        self.watch.heartbeat(now, from);
    }

    fn event(&mut self, event: Event) {
        let leader = match event {
            Event::Leading { epoch } => {
                defmt::info!("leads epoch {=u64}", epoch.token());
                self.leaders = self.leaders.saturating_add(1);
                None
            }
            Event::Following { leader, epoch } => {
                defmt::info!("follows {} in epoch {=u64}", leader, epoch.token());
                Some(leader)
            }
            _ => {
                defmt::info!("knows no leader");
                None
            }
        };
        if leader != self.leader && self.follow(leader).is_err() {
            defmt::error!("the detector's configuration is wrong");
        }
    }

    fn line(&mut self, desk: &mut Desk<'_>, machine: &mut Machine, line: &[u8]) {
        let mut text = match line {
            b"status" => {
                let mut text = self.status(machine, desk.now);
                desk.count(&mut text);
                text
            }
            _ => Text::new(),
        };
        match line {
            b"status" => {}
            b"campaign" => {
                machine.campaign(desk.now);
                text.str("ok");
            }
            b"flash fail" => {
                desk.break_flash();
                text.str("ok the flash fails from now on");
            }
            b"help" => {
                text.str(USAGE);
            }
            _ => {
                text.str("error no such command: try help");
            }
        }
        desk.say(&text);
    }

    fn settle(&mut self, desk: &mut Desk<'_>, machine: &mut Machine) -> Result<(), Error> {
        if core::mem::take(&mut self.fresh)
            && let Some(leader) = self.leader
        {
            self.watch.heartbeat(desk.now, leader);
        }
        if self.watch.deadline().is_some_and(|deadline| deadline <= desk.now) {
            self.watch.tick(desk.now);
        }
        while let Some(change) = self.watch.poll() {
            if change.suspected {
                defmt::warn!("suspects {}", change.node);
                self.suspected = self.suspected.saturating_add(1);
                machine.suspect(desk.now, change.node);
            }
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        self.watch.deadline()
    }
}

#[entry]
fn main() -> ! {
    start(run)
}

fn run(setup: &Setup<'_>) -> Stop {
    let Ok(machine) = Machine::new(setup.id, &setup.nodes(), config()) else {
        return Stop::Config;
    };
    match Node::restore(setup, CLUSTER, machine, Elector::new()) {
        Ok(mut node) => node.run(),
        Err(stop) => stop,
    }
}
