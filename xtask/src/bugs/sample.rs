use std::time::{Duration, Instant};

use super::bug::Bug;
use crate::rank::rank;

/// Which planted bugs a run plants, and when it starts no more.
pub(crate) struct Sample {
    /// The bugs are taken in an order that this number determines.
    order: u64,
    /// No bug is begun after so long, but for the first [`LEAST`].
    budget: Duration,
    /// The part of their names by which the bugs were chosen.
    filter: String,
    start: Instant,
}

/// Bugs that are planted however slow the machine is.
const LEAST: usize = 4;

impl Sample {
    /// One whose time begins now.
    pub(crate) fn new(order: u64, budget: Duration, filter: &str) -> Self {
        Self { order, budget, filter: filter.to_owned(), start: Instant::now() }
    }

    /// What runs this sample again, at the same commit or another.
    pub(crate) fn command(&self) -> String {
        let (budget, order) = (self.budget.as_secs(), self.order);
        let space = if self.filter.is_empty() { "" } else { " " };
        format!("cargo xtask bugs{space}{} --budget {budget} --order {order}", self.filter)
    }

    /// Sorts the bugs. A patch that is added or removed leaves the others in their order.
    pub(crate) fn sort(&self, bugs: &mut [&Bug]) {
        bugs.sort_by_cached_key(|bug| (rank(self.order, &bug.name), bug.name.clone()));
    }

    /// Whether the bug at this place of the order is begun now.
    pub(crate) fn may_start(&self, at: usize) -> bool {
        may_start(at, self.start.elapsed(), self.budget)
    }
}

fn may_start(at: usize, elapsed: Duration, budget: Duration) -> bool {
    at < LEAST || elapsed < budget
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(number: u64) -> Vec<String> {
        let all = Bug::load("").unwrap_or_default();
        let mut bugs: Vec<&Bug> = all.iter().collect();
        Sample::new(number, Duration::ZERO, "").sort(&mut bugs);
        bugs.into_iter().map(|bug| bug.name.clone()).collect()
    }

    #[test]
    fn order_depends_on_the_number_only() {
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        assert!(order(1).len() > LEAST);
    }

    #[test]
    fn every_bug_comes_early_in_some_order() {
        let names = order(0);
        let early = |name: &String| {
            let before = |number: u64| {
                let own = rank(number, name);
                names.iter().filter(|other| rank(number, other) < own).count()
            };
            (0..2_000).any(|number| before(number) < LEAST)
        };
        let late: Vec<_> = names.iter().filter(|name| !early(name)).collect();
        assert!(late.is_empty(), "{late:?}");
    }

    #[test]
    fn command_reproduces_the_sample() {
        let command = |filter: &str| Sample::new(7, Duration::from_secs(9), filter).command();
        assert_eq!(command(""), "cargo xtask bugs --budget 9 --order 7");
        assert_eq!(command("vote"), "cargo xtask bugs vote --budget 9 --order 7");
    }

    #[test]
    fn first_bugs_are_planted_and_none_starts_after_the_budget() {
        let (budget, late) = (Duration::from_secs(120), Duration::from_secs(121));
        assert!(may_start(LEAST - 1, late, budget));
        assert!(!may_start(LEAST, late, budget));
        assert!(may_start(LEAST, Duration::from_secs(119), budget));
    }
}
