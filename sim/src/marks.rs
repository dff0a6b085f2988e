use std::collections::BTreeMap;

/// Counts how often each rare thing happened. A mark that was declared and never hit tells that the campaign does not test what
/// it claims to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<&'static str, u64>);

impl Marks {
    /// Counts one.
    pub fn hit(&mut self, mark: &'static str) {
        self.add(mark, 1);
    }

    /// Counts some.
    pub fn add(&mut self, mark: &'static str, count: u64) {
        let total = self.0.entry(mark).or_default();
        *total = total.saturating_add(count);
    }

    /// How often.
    #[must_use]
    pub fn get(&self, mark: &str) -> u64 {
        self.0.get(mark).copied().unwrap_or(0)
    }

    /// Adds another run's counts.
    pub fn merge(&mut self, other: &Self) {
        for (mark, count) in &other.0 {
            self.add(mark, *count);
        }
    }

    /// All marks with their counts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(mark, count)| (*mark, *count))
    }
}
