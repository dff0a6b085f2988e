use quorate_core::{Rng, Ticket};

/// The record log of one node: what is durable, and what was written and not synced.
///
/// Unsynced writes may reach the medium in any order and any number of them; one may be torn. A log is read from its start
/// and ends at the first hole, so what a crash leaves of them is a prefix: the model draws which writes arrived, whole or
/// torn, and keeps those before the first that did not.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// Durable records, oldest first.
    pub records: Vec<Vec<u8>>,
    pub(crate) pending: Vec<Pending>,
    /// How many of the pending are being synced; 0 when the disk is idle.
    pub(crate) syncing: usize,
    /// Grows with each crash, so that a sync of an earlier incarnation is known when it ends.
    pub(crate) epoch: u64,
    /// Writes do not finish before this, in µs.
    pub(crate) full_until: u64,
}

impl Disk {
    pub(crate) fn write(&mut self, ticket: Ticket, record: Vec<u8>) {
        self.pending.push((ticket, record));
    }

    /// A sync ended well: moves what it covered. Returns the last ticket and where the new records begin.
    pub(crate) fn complete_sync(&mut self) -> Option<(Ticket, usize)> {
        let from = self.records.len();
        let mut last = None;
        for (ticket, record) in self.pending.drain(..self.syncing) {
            self.records.push(record);
            last = Some(ticket);
        }
        self.syncing = 0;
        last.map(|ticket| (ticket, from))
    }

    /// The node crashed: returns where the records that survived of the unsynced ones begin, and whether one was torn.
    pub(crate) fn crash(&mut self, rng: &mut Rng) -> (usize, bool) {
        let from = self.records.len();
        let mut torn = false;
        let keeps = rng.below(4);
        for (_, record) in core::mem::take(&mut self.pending) {
            let arrived = match keeps {
                0 => false,
                1 => true,
                _ => rng.chance(2, 3),
            };
            if !arrived {
                torn = rng.chance(1, 2);
                break;
            }
            self.records.push(record);
        }
        self.syncing = 0;
        self.epoch += 1;
        (from, torn)
    }

    /// A checkpoint took the place of everything.
    pub(crate) fn replace(&mut self, records: Vec<Vec<u8>>) -> Option<Ticket> {
        self.records = records;
        self.syncing = 0;
        self.epoch += 1;
        core::mem::take(&mut self.pending).last().map(|(ticket, _)| *ticket)
    }
}

/// A ticket and the bytes of its record.
pub(crate) type Pending = (Ticket, Vec<u8>);

#[cfg(test)]
mod tests {
    use quorate_core::Tickets;

    use super::*;

    #[test]
    fn crash_keeps_a_prefix_of_unsynced_writes() {
        let mut seen = [false; 4];
        for seed in 0..100 {
            let (mut disk, mut tickets) = (Disk::default(), Tickets::default());
            let first = tickets.issue();
            disk.write(first, vec![1]);
            disk.syncing = 1;
            assert_eq!(disk.complete_sync(), Some((first, 0)));
            for n in 2..=4 {
                disk.write(tickets.issue(), vec![n as u8]);
            }
            disk.crash(&mut Rng::new(seed));
            let kept = disk.records.len();
            assert_eq!(disk.records, [[1], [2], [3], [4]][..kept]);
            seen[kept - 1] = true;
        }
        assert_eq!(seen, [true; 4]);
    }
}
