//! The protocols that the simulator runs, and what CI spends on each.

/// A protocol: its crate, and its share of CI on two cores. A new one is a row here and one in `sim/cli/src/bin/sim/protocol.rs`; its
/// planted bugs are found by their folder, `CRATE/bugs`, and have [`BUGS_SECONDS`](crate::bugs::BUGS_SECONDS).
pub(crate) struct Protocol {
    /// The protocol's name in the simulator: the crate's folder, or one of a crate that has several.
    pub(crate) name: &'static str,
    /// Seeds of a sample: about 60 s of Raft, 10 s of the others.
    pub(crate) sample: u64,
    /// The steps of CI that model-check it: about 60 s.
    pub(crate) models: &'static [&'static [&'static str]],
}

pub(crate) const PROTOCOLS: &[Protocol] = &[
    Protocol { name: "clocks", sample: 400, models: &[] },
    Protocol { name: "crdt", sample: 2_000, models: &[] },
    Protocol {
        name: "election",
        sample: 5_000,
        models: &[&["model", "bully"], &["model", "ring"]],
    },
    Protocol {
        name: "ring",
        sample: 800,
        models: &[&["model", "quorum"], &["model", "migration"]],
    },
    Protocol { name: "paxos", sample: 40_000, models: &[&["model", "paxos"]] },
    Protocol { name: "register", sample: 600, models: &[] },
    Protocol { name: "multi", sample: 600, models: &[&["model", "multi"]] },
    Protocol { name: "raft", sample: 3_000, models: &[&["model", "raft"]] },
];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::features::PROTOCOL_CRATES;
    use crate::tool::root;

    /// A protocol crate that has a simulator package is run in CI, and the simulator's program knows it.
    #[test]
    fn every_simulated_crate_is_listed() -> Result<(), std::io::Error> {
        let table = fs::read_to_string(root().join("sim/cli/src/bin/sim/protocol.rs"))?;
        for krate in PROTOCOL_CRATES {
            let simulated = root().join(krate).join("sim/Cargo.toml").is_file();
            let listed = PROTOCOLS.iter().any(|protocol| protocol.name == *krate);
            assert_eq!(listed, simulated, "{krate}: add it to PROTOCOLS");
            let known = table.contains(&format!("name: \"{krate}\""));
            assert_eq!(known, simulated, "{krate}: add it to the program `sim`");
        }
        Ok(())
    }

    #[test]
    fn protocols_with_bugs_are_simulated() {
        for krate in crate::bugs::crates() {
            assert!(PROTOCOLS.iter().any(|protocol| protocol.name == krate), "{krate}");
        }
    }
}
