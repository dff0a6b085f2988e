use quorate_core::Drift;

use crate::ConfigError;

/// How a Raft node behaves. Every field is public; [`Raft::new`](crate::Raft::new) checks them once.
///
/// Times are given in the documentation as the presets have them: [`lan`](Self::lan) (the default), [`wan`](Self::wan),
/// [`radio`](Self::radio). A preset is a place to begin: `Config { pre_vote: false, ..Config::wan() }`. All nodes of a cluster should
/// have the same times. None may have room for fewer members, shorter entries or shorter parts of snapshots than the others: it refuses what
/// does not fit, and stays behind.
///
/// What the presets differ in; everything else is as in [`lan`](Self::lan):
///
/// | field | `lan` | `wan` | `radio` | why |
/// |---|---|---|---|---|
/// | `heartbeat_us` | 50 ms | 500 ms | 5 s | longer than a message takes |
/// | `election_min_us` | 150 ms | 1.5 s | 15 s | three heartbeats: two may get lost |
/// | `election_max_us` | 300 ms | 3 s | 30 s | twice the lower end: candidates rarely split the votes (thesis, 9.3) |
/// | `max_append_bytes` | 64 KiB | 64 KiB | 160 | a good part of what a link takes at once; one radio packet |
/// | `max_inflight_entries` | 4096 | 4096 | 8 | bounds what is sent again after a loss, where entries are small |
/// | `max_inflight_bytes` | 1 MiB | 4 MiB | 320 | what the link carries in a round trip |
/// | `max_entry_bytes` | 1 MiB | 1 MiB | 128 | an entry travels in one message |
/// | `max_uncommitted_bytes` | 16 MiB | 16 MiB | 2 KiB | what proposals may take of memory before they are refused |
/// | `max_snapshot_chunk_bytes` | 64 KiB | 64 KiB | 160 | as `max_append_bytes` |
/// | `max_log_bytes` | 1 GiB | 1 GiB | 64 KiB | what the application keeps before it must have compacted |
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// Lower end of the randomised election timeout, in µs; at least twice `heartbeat_us`. 150 ms, 1.5 s, 15 s.
    pub election_min_us: u64,
    /// Upper end of the randomised election timeout, in µs; above the lower end, best twice that. 300 ms, 3 s, 30 s.
    pub election_max_us: u64,
    /// How often an idle leader is heard, in µs; above 0, and longer than a message takes. 50 ms, 500 ms, 5 s.
    pub heartbeat_us: u64,
    /// Ask whether a majority would vote before disturbing the term (Raft thesis, 9.6). Default true.
    pub pre_vote: bool,
    /// A leader that has not heard a majority for an election timeout steps down, and nodes that hear a leader refuse to
    /// vote (Raft thesis, 6.2 and 4.2.3). Default true.
    pub check_quorum: bool,
    /// Lets a leader answer reads without a round, by [`Raft::read_lease`](crate::Raft::read_lease): how far the rate of any node's clock may be
    /// off the true one (crystals: 100 ppm; bare oscillators: 50,000). At most 250,000 ppm, and only with `check_quorum`. `None` is off.
    ///
    /// Each follower that has it on states with every round for how long it votes for no other node (its `election_min_us`, less the drift), and a
    /// leader counts the least that was stated in its term, by a majority that stated something. So nodes may differ in both settings, and those that have it off,
    /// have [`Fixed`](crate::Fixed) storage or are of an older version do not count: to turn leases on in a running cluster, upgrade all nodes,
    /// then restart one after the other with the setting; leaders have leases once a majority has it on. A node that has it on also votes for nobody
    /// in the shortest election timeout after its start, as it may have promised that to a leader before. So when a node is to be restarted with a shorter
    /// `election_min_us`, or with leases off, first turn them off on all nodes that may lead, or wait out the earlier setting while it is down.
    ///
    /// What [`Raft::receive`](quorate_core::Machine::receive)
    /// is given as `now` must have been read from the clock when the message was there already, or a node keeps its promise to the leader
    /// for too short a time. Default `None`.
    pub lease_drift: Option<Drift>,
    /// Who leads rather: 0 is first, and with each step up a node waits for one more spread (`election_max_us - election_min_us`) before it
    /// starts an election. At most 15. It may differ from node to node. A leader does not make way by itself for one that comes before it: see
    /// [`Raft::transfer`](crate::Raft::transfer). Default 0.
    pub priority: u8,
    /// Least time between two parts of snapshots that this node sends, in µs, so that they leave room on the link for entries; not with
    /// [`Fixed`](crate::Fixed) storage. Default 0.
    pub snapshot_chunk_interval_us: u64,
    /// A leader that has had nothing to do for so long, in µs, and whose members all have everything and are heard, asks them to rest: then no heartbeats are sent
    /// until there is something to do, and [`deadline`](quorate_core::Machine::deadline) is `None`. For batteries, and for many groups in a process. 0 is off.
    /// What is lost: nobody notices that a resting leader died until somebody has something to do; then it takes an election timeout more, and one
    /// or two proposals that are refused. [`unquiesce`](crate::Raft::unquiesce) is for an application that learns of it otherwise. Leases run out meanwhile. Best with
    /// `pre_vote`: without it a proposal at a follower that rests may depose a leader that is well. Not with
    /// [`Fixed`](crate::Fixed) storage, whose nodes do not agree either. Default 0.
    pub quiesce_us: u64,
    /// Commands are [forwarded](crate::Raft::forward) to the leader, and a leader takes those of others. All nodes of a cluster should have it on, or
    /// none. Not with [`Fixed`](crate::Fixed) storage. Default false.
    pub forward: bool,
    /// Bytes of entries in one message, at least 1 (one entry may exceed it alone). 64 KiB, 64 KiB, 160 bytes.
    pub max_append_bytes: usize,
    /// Entries on their way to one follower, at least 1. 4096, 4096, 8.
    pub max_inflight_entries: u64,
    /// Bytes of entries on their way to one follower, at least 1 (one entry may exceed it alone); about what the link carries in a
    /// round trip. 1 MiB, 4 MiB, 320 bytes.
    pub max_inflight_bytes: usize,
    /// Bytes of a proposed command, at least 1; beyond that, and beyond half of the log's bytes, it is too large. 1 MiB, 1 MiB,
    /// 128 bytes.
    pub max_entry_bytes: usize,
    /// Bytes of entries that are not committed yet, at least `max_entry_bytes`; beyond that, and beyond half of the log's bytes or
    /// entries, proposals are refused as [busy](crate::ProposeError::Busy). 16 MiB, 16 MiB, 2 KiB.
    pub max_uncommitted_bytes: usize,
    /// Bytes of one part of a snapshot, at least 1; the inline storage also has its own limit. A part that is longer than the smaller of the
    /// two is refused, so no node may send longer ones than the others take. The commands that a follower
    /// [forwards](crate::Raft::forward) wait in the same buffer. 64 KiB, 64 KiB, 160 bytes.
    pub max_snapshot_chunk_bytes: usize,
    /// Bytes of the whole log on the heap storage, at least twice `max_entry_bytes`; the inline storage has its own limit instead. 1 GiB, 1 GiB,
    /// 64 KiB.
    pub max_log_bytes: usize,
    /// Members of the cluster, at most, learners and witnesses included, on the heap storage. Default 15.
    pub max_members: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self::lan()
    }
}

impl Config {
    /// For nodes in one building: messages take a few ms at most, and links carry megabytes a second. The default.
    ///
    /// ```
    /// use quorate_raft::Config;
    /// assert_eq!(Config::lan(), Config::default());
    /// ```
    #[must_use]
    pub const fn lan() -> Self {
        Self {
            election_min_us: 150_000,
            election_max_us: 300_000,
            heartbeat_us: 50_000,
            pre_vote: true,
            check_quorum: true,
            lease_drift: None,
            priority: 0,
            snapshot_chunk_interval_us: 0,
            quiesce_us: 0,
            forward: false,
            max_append_bytes: 64 << 10,
            max_inflight_entries: 4096,
            max_inflight_bytes: 1 << 20,
            max_entry_bytes: 1 << 20,
            max_uncommitted_bytes: 16 << 20,
            max_snapshot_chunk_bytes: 64 << 10,
            max_log_bytes: 1 << 30,
            max_members: 15,
        }
    }

    /// For nodes on several continents: a round trip takes up to 300 ms.
    ///
    /// ```
    /// use quorate_raft::Config;
    /// assert_eq!(Config::wan().heartbeat_us, 500_000);
    /// ```
    #[must_use]
    pub const fn wan() -> Self {
        Self {
            election_min_us: 1_500_000,
            election_max_us: 3_000_000,
            heartbeat_us: 500_000,
            max_inflight_bytes: 4 << 20,
            ..Self::lan()
        }
    }

    /// For radio and other thin lines: packets of 255 bytes that take a second or two, and a battery. A dead leader is missed after half a
    /// minute.
    ///
    /// The last part of a snapshot carries the members with it, nine bytes each: with up to five of them every message is one packet,
    /// even at terms and indexes near 2^62. A larger cluster sets [`max_snapshot_chunk_bytes`](Self::max_snapshot_chunk_bytes) to as much less:
    /// 64 bytes do for fifteen.
    ///
    /// ```
    /// use quorate_raft::{Config, Inline, Raft};
    /// const PACKET: usize = 255;
    /// let (five, fifteen) = (Config::radio(), Config { max_snapshot_chunk_bytes: 64, ..Config::radio() });
    /// assert!(Raft::<Inline<5, 4096, 64, 160>>::max_message_len(&five) <= PACKET);
    /// assert!(Raft::<Inline<15, 4096, 64, 160>>::max_message_len(&fifteen) <= PACKET);
    /// ```
    #[must_use]
    pub const fn radio() -> Self {
        Self {
            election_min_us: 15_000_000,
            election_max_us: 30_000_000,
            heartbeat_us: 5_000_000,
            max_append_bytes: 160,
            max_inflight_entries: 8,
            max_inflight_bytes: 320,
            max_entry_bytes: 128,
            max_uncommitted_bytes: 2 << 10,
            max_snapshot_chunk_bytes: 160,
            max_log_bytes: 64 << 10,
            ..Self::lan()
        }
    }

    /// Checks the fields against each other.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the field that does not fit.
    ///
    /// ```
    /// use quorate_raft::{Config, ConfigError};
    /// for preset in [Config::lan(), Config::wan(), Config::radio()] {
    ///     assert_eq!(preset.validate(), Ok(()));
    /// }
    /// let hasty = Config { election_min_us: 60_000, ..Config::lan() };
    /// assert_eq!(hasty.validate(), Err(ConfigError::ElectionTimeout));
    /// ```
    pub const fn validate(&self) -> Result<(), ConfigError> {
        if self.heartbeat_us == 0 || self.election_min_us / 2 < self.heartbeat_us {
            return Err(ConfigError::ElectionTimeout);
        }
        if self.election_max_us <= self.election_min_us {
            return Err(ConfigError::ElectionSpread);
        }
        if let Some(drift) = self.lease_drift
            && (!self.check_quorum || drift.ppm() > 250_000)
        {
            return Err(ConfigError::Lease);
        }
        if self.max_append_bytes == 0
            || self.max_inflight_entries == 0
            || self.priority > 15
            || self.max_inflight_bytes == 0
            || self.max_entry_bytes == 0
            || self.max_snapshot_chunk_bytes == 0
            || self.max_uncommitted_bytes < self.max_entry_bytes
            || self.max_log_bytes / 2 < self.max_entry_bytes
        {
            return Err(ConfigError::Limits);
        }
        Ok(())
    }
}
