use std::collections::HashSet;
use std::fmt::{self, Debug};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use stateright::{Checker, Model as _, Property};

use super::heal::DeliveryOrder;
use super::{Action, Bounds, Modelled, System};

const SAFE: &str = "nothing is violated";
const HEALS: &str = "it heals";

/// The `stateright` model of a [`Modelled`]: for its explorer, or any of its checkers.
pub struct Model<M: Modelled> {
    /// What is modelled.
    pub subject: Arc<M>,
    /// How much may go wrong.
    pub bounds: Bounds,
    /// Hashes of systems that are known to heal, whatever may still go wrong before.
    healing: Mutex<HashSet<u64>>,
}

/// A state of it.
pub struct State<M: Modelled> {
    system: System<M>,
    subject: Arc<M>,
}

/// What an exploration came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exploration {
    /// Different states.
    pub states: usize,
    /// States generated, equal ones included.
    pub generated: usize,
    /// Steps on the longest path.
    pub depth: usize,
    /// What was violated, and the steps that lead there.
    pub violation: Option<String>,
}

/// How many states may be generated: several times what the widest case needs, and minutes of time.
const MAX_GENERATED: usize = 40_000_000;

/// Explores everything within the bounds, depth first (the queue of a breadth-first search would fill the memory), on so many
/// threads.
///
/// A state space that has no end within 40 million states is a violation, too: a machine that does more than it did, or a clock or
/// counter that is part of the state.
pub fn explore<M: Modelled + 'static>(subject: M, bounds: Bounds, threads: usize) -> Exploration
where
    M::Machine: 'static,
    M::Command: 'static,
    M::Memory: 'static,
{
    let model = Model::new(subject, bounds);
    let checker = model.checker().threads(threads).target_state_count(MAX_GENERATED);
    let checker = checker.spawn_dfs().join();
    let path = [SAFE, HEALS].into_iter().find_map(|property| checker.discovery(property));
    let violation = path.map(|path| {
        let last = path.last_state();
        let what = last.system.violation.clone();
        let what = what.or_else(|| last.heal().err()).unwrap_or_default();
        let steps = path.into_actions();
        let steps: Vec<String> =
            steps.iter().enumerate().map(|(n, step)| format!("{}. {step:?}", n + 1)).collect();
        format!("{what}\n{}", steps.join("\n"))
    });
    let is_endless = checker.state_count() >= MAX_GENERATED;
    let violation = violation.or_else(|| is_endless.then(|| endless(checker.unique_state_count())));
    Exploration {
        states: checker.unique_state_count(),
        generated: checker.state_count(),
        depth: checker.max_depth(),
        violation,
    }
}

fn endless(states: usize) -> String {
    format!(
        "no end after {states} states: the bounds are too wide, or something that only grows is part of the state"
    )
}

impl<M: Modelled + 'static> stateright::Model for Model<M>
where
    M::Machine: 'static,
    M::Command: 'static,
    M::Memory: 'static,
{
    type State = State<M>;
    type Action = Action<M::Command>;

    fn init_states(&self) -> Vec<State<M>> {
        let system = System::new(&*self.subject, self.bounds);
        vec![State { system, subject: Arc::clone(&self.subject) }]
    }

    fn actions(&self, state: &State<M>, actions: &mut Vec<Action<M::Command>>) {
        state.system.actions(&self.subject, actions);
    }

    fn next_state(&self, last: &State<M>, action: Action<M::Command>) -> Option<State<M>> {
        let system = last.system.next(&self.subject, &action);
        Some(State { system, subject: Arc::clone(&self.subject) })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(SAFE, |_, state: &State<M>| state.system.violation.is_none()),
            Property::always(HEALS, |model: &Self, state: &State<M>| {
                state.system.violation.is_some() || model.heals(state)
            }),
        ]
    }
}

impl<M: Modelled> Model<M> {
    /// Everything that may happen to the subject within the bounds.
    pub fn new(subject: M, bounds: Bounds) -> Self {
        Self { subject: Arc::new(subject), bounds, healing: Mutex::default() }
    }

    fn heals(&self, state: &State<M>) -> bool {
        let mut hasher = DefaultHasher::new();
        state.system.hash_present(&self.subject, &mut hasher);
        let hash = hasher.finish();
        let healing = || self.healing.lock().unwrap_or_else(PoisonError::into_inner);
        if healing().contains(&hash) {
            return true;
        }
        let heals = state.heal().is_ok();
        if heals {
            healing().insert(hash);
        }
        heals
    }
}

impl<M: Modelled> State<M> {
    /// Whether it would get where it should if all faults stopped.
    fn heal(&self) -> Result<(), String> {
        if self.subject.max_healing_us() == 0 {
            return Ok(());
        }
        self.system.check_heals(&self.subject, DeliveryOrder::First)?;
        self.system.check_heals(&self.subject, DeliveryOrder::Last)
    }
}

impl<M: Modelled> Clone for State<M> {
    fn clone(&self) -> Self {
        Self { system: self.system.clone(), subject: Arc::clone(&self.subject) }
    }
}

impl<M: Modelled> PartialEq for State<M> {
    fn eq(&self, other: &Self) -> bool {
        self.system == other.system
    }
}

impl<M: Modelled> Hash for State<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.system.hash_state(&self.subject, state);
    }
}

impl<M: Modelled> Debug for State<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.system.fmt(f)
    }
}
