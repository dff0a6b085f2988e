//! What each algorithm survives, as one table of the docs: `UPDATE=1` rewrites it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::common::{Cluster, Node, ids};
use quorate_core::{Drift, Machine, NodeId, Rng, Wire};
use quorate_election::ring::{ChangRoberts, Collecting, HirschbergSinclair};
use quorate_election::{Bully, Config, Epoch, Event, Inline, Mode, Ring, Role, Status, Takeover};

/// What was seen while something went wrong.
#[derive(Default)]
struct Observations {
    most_leaders: usize,
    most_leases: usize,
    same_epoch: bool,
    samples: u32,
    /// Samples in which the highest led and all others knew.
    right: u32,
}

struct Trial<M: Node> {
    cluster: Cluster<M>,
    config: Config,
}

impl<M: Node> Trial<M> {
    fn new(config: Config) -> Self {
        let ids = ids(&[3, 1, 5, 2, 4]);
        let cluster = Cluster::new(&ids, |id| M::make(id, &ids, config));
        let mut trial = Self { cluster, config };
        trial.cluster.tick();
        assert!(trial.converge().is_some());
        trial
    }

    fn index(&self, id: u64) -> usize {
        self.cluster.ids.iter().position(|other| other.get() == id).unwrap()
    }

    fn crash_node(&mut self, id: u64) {
        let at = self.index(id);
        self.cluster.nodes[at] = None;
    }

    fn restart_node(&mut self, id: u64) {
        let (at, ids) = (self.index(id), self.cluster.ids.clone());
        self.cluster.boot(at, M::make(NodeId::new(id), &ids, self.config));
    }

    fn statuses(&self) -> Vec<Status> {
        self.cluster.nodes.iter().flatten().map(Machine::status).collect()
    }

    /// The highest that is up leads, and all know.
    fn has_converged(&self) -> bool {
        let all = self.statuses();
        let highest = all.iter().map(|status| status.id).max();
        let leads = |s: &&Status| s.role == Role::Leader;
        all.iter().all(|s| s.leader == highest) && all.iter().filter(leads).count() == 1
    }

    /// How long until that is so and stays so, in ms; `None` after the bound that the crate states.
    fn converge(&mut self) -> Option<u64> {
        let bound = self.config.settle_us() / 1_000 * 2;
        let mut since = None;
        for ms in (0..bound).step_by(10) {
            since = if self.has_converged() { since.or(Some(ms)) } else { None };
            if since.is_some_and(|since| ms - since > 1_000) {
                return since;
            }
            self.cluster.run(10_000);
        }
        None
    }

    fn observe(&mut self, ms: u64, mut each: impl FnMut(&mut Self, u64)) -> Observations {
        let mut observations = Observations::default();
        for step in 0..ms / 10 {
            each(self, step);
            self.cluster.run(10_000);
            let leaders: Vec<_> =
                self.statuses().into_iter().filter(|s| s.role == Role::Leader).collect();
            let now = self.cluster.now;
            let leases = self.cluster.nodes.iter().flatten().filter(|n| n.holds_lease(now)).count();
            observations.most_leaders = observations.most_leaders.max(leaders.len());
            observations.most_leases = observations.most_leases.max(leases);
            observations.same_epoch |= leaders.len() > 1
                && leaders
                    .iter()
                    .any(|s| leaders.iter().any(|t| s.id < t.id && s.epoch == t.epoch));
            observations.samples += 1;
            observations.right += u32::from(self.has_converged());
        }
        observations
    }
}

fn convergence_text(after: Option<u64>) -> String {
    after.map_or("**does not settle**".into(), |ms| format!("settles in {ms} ms"))
}

fn leaders_text(observations: &Observations, lease: bool) -> String {
    assert!(!observations.same_epoch, "two leaders in one epoch");
    let n = if lease { observations.most_leases } else { observations.most_leaders };
    let what = if lease { "lease holders" } else { "leaders" };
    match n {
        0 | 1 => format!("1 {} at a time", what.trim_end_matches('s')),
        n => format!("**{n} {what} at once**, tokens differ"),
    }
}

fn crash<M: Node>(config: Config) -> String {
    let mut trial = Trial::<M>::new(config);
    trial.crash_node(5);
    convergence_text(trial.converge())
}

fn recovery<M: Node>(config: Config) -> String {
    let mut trial = Trial::<M>::new(config);
    let before = trial.statuses()[0].epoch;
    trial.crash_node(5);
    trial.converge();
    trial.restart_node(5);
    let after = convergence_text(trial.converge());
    assert!(trial.statuses()[0].epoch > before, "the token did not grow");
    after
}

fn omission<M: Node>(config: Config, lease: bool) -> String {
    let mut trial = Trial::<M>::new(config);
    let mut rng = Rng::new(5);
    trial.cluster.is_lost = Box::new(move |_, _| rng.chance(1, 5));
    let observations = trial.observe(30_000, |_, _| ());
    trial.cluster.is_lost = Box::new(|_, _| false);
    format!("{}; then {}", leaders_text(&observations, lease), convergence_text(trial.converge()))
}

fn partition<M: Node>(config: Config, lease: bool) -> String {
    let mut trial = Trial::<M>::new(config);
    // node 5 and node 3 on one side, by themselves
    let side = [trial.index(5), trial.index(3)];
    trial.cluster.is_lost = Box::new(move |a, b| side.contains(&a) != side.contains(&b));
    let observations = trial.observe(5_000, |_, _| ());
    trial.cluster.is_lost = Box::new(|_, _| false);
    format!("{}; then {}", leaders_text(&observations, lease), convergence_text(trial.converge()))
}

/// Node 2 is another program now, which claims to lead: in node 4's name, with an absurd token, and in its own name.
fn byzantine<M: Node>(config: Config) -> String {
    let mut trial = Trial::<M>::new(config);
    trial.crash_node(2);
    let (byzantine, victim) = (trial.index(2), trial.index(4));
    let owner = |trial: &Trial<M>, at: usize| {
        // bully counts places in the order of the ids, rings in the order of the ring
        let bully = M::claim(Epoch::ZERO).len() > 2;
        if bully { trial.cluster.ids[at].get() as usize - 1 } else { at }
    };
    let observations = trial.observe(20_000, |trial, step| {
        if step % 10 > 0 {
            return;
        }
        let known = trial.statuses().iter().map(|s| s.epoch).max().unwrap();
        let forged = known.next_for(owner(trial, victim)).unwrap();
        let absurd = Epoch::from_token(1 << 63 | owner(trial, byzantine) as u64);
        let own = known.next_for(owner(trial, byzantine)).unwrap();
        for to in (0..5).filter(|&to| to != byzantine) {
            let Some(node) = trial.cluster.nodes[to].as_mut() else { continue };
            let now = trial.cluster.now;
            for (epoch, refused) in [(forged, true), (absurd, true), (own, false)] {
                let bytes = M::claim(epoch);
                let message = M::Message::from_slice(&bytes).unwrap();
                let from = trial.cluster.ids[byzantine];
                assert_eq!(node.receive(now, from, message).is_err(), refused);
            }
        }
        trial.cluster.deliver_all();
    });
    let refused: u32 = trial.cluster.nodes.iter().flatten().map(|n| n.rejections().total()).sum();
    let right = 100 * observations.right / observations.samples;
    let own = if right == 100 {
        "own claims superseded at once".into()
    } else {
        format!("own claims **disturb**: the right leader {right} % of the time")
    };
    format!("forged and absurd claims refused, {refused} counted; {own}")
}

/// Node 5 leads, and comes back without what it had on disk.
fn erasure<M: Node>(config: Config) -> String {
    let mut trial = Trial::<M>::new(config);
    let before = trial.statuses()[0].epoch;
    trial.crash_node(5);
    let at = trial.index(5);
    trial.cluster.disks[at].clear();
    trial.cluster.events.clear();
    trial.restart_node(5);
    let after = convergence_text(trial.converge());
    let led = trial.cluster.events.iter().filter_map(|(_, event)| match event {
        Event::Leading { epoch } => Some(*epoch),
        _ => None,
    });
    assert!(led.min().is_none_or(|least| least > before), "a token of before");
    format!("no token of before; {after}")
}

/// Leaders are kept, and node 5, which does not lead, is cut off for 2 s again and again.
fn absences<M: Node>(config: Config) -> String {
    let mut trial = Trial::<M>::new(config);
    trial.crash_node(5);
    trial.converge();
    // the same nodes once more, now with what they have on disk
    trial.config.takeover = Takeover::Keep;
    (1..=5).for_each(|id| trial.crash_node(id));
    (1..=4).for_each(|id| trial.restart_node(id));
    trial.observe(3_000, |_, _| ());
    trial.restart_node(5);
    trial.observe(1_000, |_, _| ());
    let (away, leader) = (trial.index(5), trial.statuses()[0].leader);
    assert!(leader.is_some() && trial.statuses().iter().all(|s| s.leader == leader));
    trial.cluster.events.clear();
    for _ in 0..10 {
        trial.cluster.is_lost = Box::new(move |a, b| a == away || b == away);
        trial.observe(2_000, |_, _| ());
        trial.cluster.is_lost = Box::new(|_, _| false);
        trial.observe(1_000, |_, _| ());
        assert!(trial.statuses().iter().all(|s| s.leader == leader), "{:?}", trial.statuses());
    }
    let changes = trial.cluster.events.iter().filter(|(at, event)| match event {
        Event::Following { leader: now, .. } => Some(*now) != leader && *at != away,
        Event::Leading { .. } => Some(trial.cluster.ids[*at]) != leader && *at != away,
        _ => false,
    });
    format!("{} changes of leader", changes.count())
}

/// Leaders are kept, and two that do not lead are cut off for 2 s again and again, and hear each other.
fn absences_of_two<M: Node>(config: Config) -> String {
    let mut trial = Trial::<M>::new(config);
    // the same nodes once more, now with what they have on disk
    trial.config.takeover = Takeover::Keep;
    (1..=5).for_each(|id| trial.crash_node(id));
    (1..=5).for_each(|id| trial.restart_node(id));
    trial.observe(4_000, |_, _| ());
    let leader = trial.statuses()[0].leader.unwrap();
    assert!(trial.statuses().iter().all(|s| s.leader == Some(leader)));
    let mut others = (1..=5).filter(|&id| id != leader.get());
    let away = [others.next(), others.next()].map(|id| trial.index(id.unwrap()));
    let (at, before) = (trial.index(leader.get()), trial.statuses()[0].epoch);
    trial.cluster.events.clear();
    for _ in 0..10 {
        trial.cluster.is_lost = Box::new(move |a, b| away.contains(&a) != away.contains(&b));
        trial.observe(2_000, |_, _| ());
        trial.cluster.is_lost = Box::new(|_, _| false);
        trial.observe(1_000, |_, _| ());
        assert!(
            trial.statuses().iter().all(|s| s.leader == Some(leader)),
            "{:?}",
            trial.statuses()
        );
    }
    let of_leader = |event: &&(usize, Event)| event.0 == at;
    let interrupted = trial.cluster.events.iter().filter(of_leader);
    let left = interrupted.filter(|(_, event)| matches!(event, Event::Leaderless)).count();
    let later = if trial.statuses()[0].epoch == before { "the same" } else { "a later" };
    format!("deposed {left} times, in {later} epoch")
}

fn column<M: Node>(config: Config, lease: bool) -> [String; 8] {
    let config = Config { attempts: 3, ..config };
    [
        crash::<M>(config),
        recovery::<M>(config),
        erasure::<M>(config),
        absences::<M>(config),
        absences_of_two::<M>(config),
        omission::<M>(config, lease),
        partition::<M>(config, lease),
        byzantine::<M>(config),
    ]
}

#[test]
fn table_is_up_to_date() {
    type Bullies = Bully<Inline<5>>;
    let lan = Config::lan();
    let lease = Mode::Lease { lease_us: 300_000, drift: Drift::from_ppm(1_000).unwrap() };
    let columns = [
        ("bully", column::<Bullies>(lan, false)),
        ("bully, quorum", column::<Bullies>(Config { mode: Mode::Quorum, ..lan }, false)),
        ("bully, lease", column::<Bullies>(Config { mode: lease, ..lan }, true)),
        ("collecting ring", column::<Ring<Collecting, Inline<20>>>(lan, false)),
        ("Chang-Roberts", column::<Ring<ChangRoberts, Inline<20>>>(lan, false)),
        ("Hirschberg-Sinclair", column::<Ring<HirschbergSinclair, Inline<20>>>(lan, false)),
    ];
    let rows = [
        "crash of the leader",
        "crash and recovery of the leader",
        "crash of the leader, whose disk is erased",
        "another node cut off for 2 s, ten times, leaders kept",
        "two others cut off together for 2 s, ten times, leaders kept",
        "omission: a fifth of all messages lost for 30 s",
        "partition: the leader and one more apart for 5 s",
        "Byzantine: one node lies for 20 s",
    ];
    let mut found = String::from("| fault |");
    columns.iter().for_each(|(name, _)| found += &format!(" {name} |"));
    found += "\n|---|";
    columns.iter().for_each(|_| found += "---|");
    for (at, row) in rows.iter().enumerate() {
        found += &format!("\n| {row} |");
        columns.iter().for_each(|(_, cells)| found += &format!(" {} |", cells[at]));
    }
    found.push('\n');
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/failures.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    let wanted = std::fs::read_to_string(path).unwrap_or_default();
    assert!(wanted == found, "{path} says\n{wanted}\nbut it is\n{found}\nUPDATE=1 takes it over");
}
