/// The number of messages: a message storm is a violation even where each message is harmless.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Messages sent in the whole run.
    pub(crate) sent: u64,
    /// Messages sent in the busiest second of virtual time.
    pub(crate) max_messages_per_second: u64,
    /// Outputs in the busiest step of a node.
    pub(crate) max_outputs_per_step: u64,
    second: u64,
    sent_before: u64,
}

impl Load {
    /// A message is sent; returns how many were in this second.
    pub(crate) fn send(&mut self, now: u64) -> u64 {
        let second = now / 1_000_000;
        if second != self.second {
            self.second = second;
            self.sent_before = self.sent;
        }
        self.sent += 1;
        let count = self.sent - self.sent_before;
        self.max_messages_per_second = self.max_messages_per_second.max(count);
        count
    }

    /// A step of a node ended after so many outputs.
    pub(crate) fn step(&mut self, outputs: u64) {
        self.max_outputs_per_step = self.max_outputs_per_step.max(outputs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_per_second() {
        let mut load = Load::default();
        for now in [0, 1, 999_999, 1_000_000, 1_500_000, 5_000_000] {
            load.send(now);
        }
        assert_eq!((load.sent, load.max_messages_per_second), (6, 3));
        assert_eq!(load.send(5_000_001), 2);
    }
}
