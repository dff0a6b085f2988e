//! Founders that crash, are erased and get late answers, at random: never two clusters, never a
//! vote of an erased node, and never a standstill once all faults end.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::Rng;

use super::{Decision, Stage, decide};

#[derive(Clone, Debug)]
struct Founder {
    stage: Stage,
    answers: BTreeMap<u64, Stage>,
    /// Those that had founded too when this one's founded disk was erased, and were not erased since.
    may_remember: BTreeSet<u64>,
}

struct Founders {
    nodes: BTreeMap<u64, Founder>,
    generated: u64,
    trace: Vec<String>,
}

impl Founders {
    fn new(count: u64) -> Self {
        let founder = Founder {
            stage: Stage::Empty,
            answers: BTreeMap::new(),
            may_remember: BTreeSet::new(),
        };
        let nodes = (1..=count).map(|id| (id, founder.clone())).collect();
        Self { nodes, generated: 0, trace: Vec::new() }
    }

    fn others(&self, own: u64) -> Vec<u64> {
        self.nodes.keys().copied().filter(|&id| id != own).collect()
    }

    /// One queries another, as it is now.
    fn query(&mut self, own: u64, other: u64) {
        let answer = self.nodes[&other].stage;
        self.trace.push(format!("{own} queries {other}: {answer:?}"));
        self.nodes.get_mut(&own).unwrap().answers.insert(other, answer);
    }

    fn decide(&mut self, own: u64) -> Decision {
        let (others, node) = (self.others(own), &self.nodes[&own]);
        let decision = decide(own, &others, node.stage, &node.answers);
        let stage = match decision {
            Decision::Wait | Decision::Refuse { .. } => return decision,
            Decision::Generate => {
                self.generated += 1;
                Stage::Prepared(self.generated)
            }
            Decision::Prepare(id) => Stage::Prepared(id),
            Decision::Found(id) => Stage::Founded(id),
        };
        self.trace.push(format!("{own}: {stage:?}"));
        let node = self.nodes.get_mut(&own).unwrap();
        if node.stage != stage {
            (node.stage, node.answers) = (stage, BTreeMap::new());
        }
        decision
    }

    fn crash(&mut self, own: u64) {
        self.trace.push(format!("{own} crashes"));
        self.nodes.get_mut(&own).unwrap().answers.clear();
    }

    fn erase(&mut self, own: u64) {
        self.trace.push(format!("{own} is erased"));
        let founded = |node: &Founder| matches!(node.stage, Stage::Founded(_));
        let was = founded(&self.nodes[&own]);
        let others = self.nodes.iter().filter(|(id, node)| **id != own && founded(node));
        let others: BTreeSet<u64> = others.map(|(id, _)| *id).collect();
        for node in self.nodes.values_mut() {
            node.may_remember.remove(&own);
        }
        let node = self.nodes.get_mut(&own).unwrap();
        if was {
            node.may_remember.extend(others);
        }
        (node.stage, node.answers) = (Stage::Empty, BTreeMap::new());
    }

    fn check(&self) -> Result<(), String> {
        let mut ids = BTreeSet::new();
        for (own, node) in &self.nodes {
            if let Stage::Founded(id) = node.stage {
                ids.insert(id);
                if !node.may_remember.is_empty() {
                    return Err(format!("{own} forgot what {:?} may know of", node.may_remember));
                }
            }
        }
        if ids.len() > 1 { Err(format!("clusters {ids:?}")) } else { Ok(()) }
    }

    /// All is well from now on: everybody founds the one cluster or is refused.
    fn settle(&mut self) -> Result<(), String> {
        let ids: Vec<u64> = self.nodes.keys().copied().collect();
        let mut refused = BTreeSet::new();
        for _ in 0..4 * ids.len() {
            for &own in &ids {
                for other in self.others(own) {
                    self.query(own, other);
                    if let Decision::Refuse { .. } = self.decide(own) {
                        refused.insert(own);
                    }
                    self.check()?;
                }
            }
        }
        for (own, node) in &self.nodes {
            let done = matches!(node.stage, Stage::Founded(_)) || refused.contains(own);
            if !done {
                return Err(format!("{own} stands still as {:?}", node.stage));
            }
        }
        if refused.len() == ids.len() { Err("nobody founds anything".into()) } else { Ok(()) }
    }
}

fn run_seed(seed: u64) -> Result<(), (String, Vec<String>)> {
    let mut rng = Rng::new(seed);
    let mut founders = Founders::new(rng.range(2, 5));
    let count = founders.nodes.len() as u64;
    let faults = rng.range(0, 8);
    let steps = rng.range(1, 80);
    let mut run = || {
        for _ in 0..steps {
            let own = rng.range(1, count + 1);
            match rng.range(0, 64) {
                fault if fault < faults => match rng.range(0, 2) {
                    0 => founders.crash(own),
                    _ => founders.erase(own),
                },
                0..56 => {
                    let others = founders.others(own);
                    let other = others[rng.range(0, others.len() as u64) as usize];
                    founders.query(own, other);
                    // what is heard and decided at once, or later, when it is old
                    if rng.range(0, 4) > 0 {
                        founders.decide(own);
                    }
                }
                _ => drop(founders.decide(own)),
            }
            founders.check()?;
        }
        founders.settle()
    };
    run().map_err(|what| (what, founders.trace))
}

#[test]
fn founders_agree_on_one_cluster_under_faults() {
    for seed in 0..3_000 {
        if let Err((what, trace)) = run_seed(seed) {
            panic!("seed {seed}: {what}\n{}", trace.join("\n"));
        }
    }
}

#[test]
fn two_erased_founders_are_refused_by_the_third() {
    let mut founders = Founders::new(3);
    founders.settle().unwrap();
    founders.erase(1);
    founders.erase(2);
    for (own, other) in [(1, 2), (2, 1)] {
        founders.query(own, other);
        assert_eq!(founders.decide(own), Decision::Wait);
    }
    for own in [1, 2] {
        founders.query(own, 3);
        assert_eq!(founders.decide(own), Decision::Refuse { peer: 3, id: 1 });
    }
}

#[test]
fn single_founder_founds_at_once() {
    let none = BTreeMap::new();
    assert_eq!(decide(7, &[], Stage::Empty, &none), Decision::Generate);
    assert_eq!(decide(7, &[], Stage::Prepared(5), &none), Decision::Found(5));
}
