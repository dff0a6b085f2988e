//! The crates whose code is changed, and the tests that must notice.

/// A crate.
pub(super) struct MutatedCrate {
    pub(super) folder: &'static str,
    /// What is compiled, and so changed.
    pub(super) features: &'static str,
    pub(super) targets: &'static [Target],
    /// Whether the examples of the documentation are tests too.
    pub(super) doc_examples: bool,
}

/// Test programs of a package.
pub(super) struct Target {
    pub(super) package: &'static str,
    /// As cargo is asked for them.
    pub(super) programs: &'static [&'static str],
    pub(super) features: &'static str,
}

const OWN: &[&str] = &["--lib", "--tests"];
const FEATURES: &str = "alloc,std,serde";

const fn simulator(package: &'static str, programs: &'static [&'static str]) -> Target {
    Target { package, programs, features: "" }
}

/// All crates.
pub(super) const MUTATED_CRATES: &[MutatedCrate] = &[
    MutatedCrate {
        folder: "core",
        features: FEATURES,
        targets: &[Target { package: "quorate-core", programs: OWN, features: FEATURES }],
        doc_examples: true,
    },
    MutatedCrate {
        folder: "log",
        features: FEATURES,
        targets: &[Target { package: "quorate-log", programs: OWN, features: FEATURES }],
        doc_examples: true,
    },
    MutatedCrate {
        folder: "clocks",
        features: FEATURES,
        targets: &[
            Target { package: "quorate-clocks", programs: OWN, features: FEATURES },
            simulator("quorate-clocks-sim", &["--test=all"]),
        ],
        doc_examples: true,
    },
    MutatedCrate {
        folder: "crdt",
        features: FEATURES,
        targets: &[
            Target { package: "quorate-crdt", programs: OWN, features: FEATURES },
            simulator("quorate-crdt-sim", &["--test=all"]),
        ],
        doc_examples: true,
    },
    MutatedCrate {
        folder: "ring",
        features: FEATURES,
        targets: &[
            Target { package: "quorate-ring", programs: OWN, features: FEATURES },
            simulator("quorate-ring-sim", &["--test=all"]),
        ],
        doc_examples: true,
    },
    MutatedCrate {
        folder: "election",
        features: FEATURES,
        targets: &[
            Target { package: "quorate-election", programs: OWN, features: FEATURES },
            simulator("quorate-election-sim", &["--test=all"]),
        ],
        doc_examples: true,
    },
    MutatedCrate {
        folder: "paxos",
        features: FEATURES,
        targets: &[
            Target { package: "quorate-paxos", programs: OWN, features: FEATURES },
            simulator("quorate-paxos-sim", &["--test=all"]),
        ],
        doc_examples: true,
    },
    MutatedCrate {
        folder: "raft",
        features: "alloc,serde",
        targets: &[
            Target {
                package: "quorate-raft",
                programs: &["--lib", "--test=all"],
                features: "alloc,serde",
            },
            simulator("quorate-raft-sim", &["--test=all"]),
        ],
        doc_examples: false,
    },
];

impl MutatedCrate {
    pub(super) fn package(&self) -> String {
        format!("quorate-{}", self.folder)
    }

    /// The survivors that are justified.
    pub(super) fn list(&self) -> String {
        format!("{}/mutants.txt", self.folder)
    }
}
