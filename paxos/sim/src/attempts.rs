use quorate_core::Instant;
use quorate_paxos::Ballot;
use quorate_paxos::synod::{Config, Phase, Status};
use quorate_sim::Marks;

/// What the proposer of a node does, as its status shows it: it backs off when it was preempted, and for a random time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempts {
    phase: Phase,
    ballot: Ballot,
    /// When the back-off began, if it is one.
    since: Instant,
    is_after_fast: bool,
}

impl Default for Attempts {
    fn default() -> Self {
        let (phase, ballot, since) = (Phase::Idle, Ballot::ZERO, Instant::ZERO);
        Self { phase, ballot, since, is_after_fast: false }
    }
}

/// The back-offs of a run.
#[derive(Clone, Default, Debug)]
pub(crate) struct BackOffs {
    all: u64,
    /// Those that last a multiple of what is configured.
    multiples: u64,
}

/// So many back-offs are not all without chance, if they are random.
const MIN_BACK_OFFS: u64 = 4;

impl BackOffs {
    pub(crate) fn finish(&self) -> Result<(), String> {
        if self.all >= MIN_BACK_OFFS && self.multiples == self.all {
            return Err(format!("of {} back-offs none was for a random time", self.all));
        }
        Ok(())
    }
}

impl Attempts {
    /// The node was drained, now; the machine was told a time before.
    pub(crate) fn observe(
        &mut self,
        (now, told_at): (Instant, Instant),
        (status, deadline): (Status, Option<Instant>),
        (config, back_offs): (&Config, &mut BackOffs),
        marks: &mut Marks,
    ) -> Result<(), String> {
        let before = *self;
        let is_next = status.ballot != before.ballot && !before.ballot.is_zero();
        let waited = now.since(before.since);
        if is_next && before.phase == Phase::BackingOff {
            marks.hit("another ballot after a back-off");
            if waited < config.backoff_us && !before.is_after_fast {
                return Err(format!("node {} backs off for {waited} us", status.id));
            }
        }
        if is_next && matches!(before.phase, Phase::Preparing | Phase::Accepting) {
            return Err(format!("node {} does not back off before {}", status.id, status.ballot));
        }
        if status.phase == before.phase && status.ballot == before.ballot {
            return Ok(());
        }
        (self.phase, self.ballot) = (status.phase, status.ballot);
        if status.phase == Phase::BackingOff {
            (self.since, self.is_after_fast) = (told_at, before.phase == Phase::Fast);
            match before.phase {
                Phase::Preparing => marks.hit("preempted in phase 1"),
                Phase::Accepting => marks.hit("preempted in phase 2"),
                Phase::Fast => marks.hit("fast ballot given up"),
                _ => {}
            }
            let wait = deadline.map_or(0, |deadline| deadline.since(told_at));
            if wait >= config.backoff_us {
                back_offs.all += 1;
                back_offs.multiples += u64::from(wait.is_multiple_of(config.backoff_us));
            }
        }
        Ok(())
    }
}
