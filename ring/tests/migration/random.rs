//! Random orders of everything: messages lost, repeated and reordered, crashes with a part of the records, disks that are erased.
//! `SEEDS` and `FIRST` choose how many, and which.

use super::world::{Tally, World};

const STEPS: u32 = 1_500;
const CALM_STEPS: u32 = 6_000;

fn run(seed: u64) -> Tally {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.calm = true;
    for _ in 0..CALM_STEPS {
        world.step();
        if world.is_settled() {
            return world.tally;
        }
    }
    panic!("seed {seed}: hand-overs do not end: {}", world.describe());
}

#[test]
fn each_range_has_one_owner_and_no_write_is_lost() {
    let seeds = std::env::var("SEEDS").map_or(30, |seeds| seeds.parse().unwrap());
    let first = std::env::var("FIRST").map_or(0, |first| first.parse().unwrap());
    let mut all = Tally::default();
    let mut refused = Vec::new();
    for seed in first..first + seeds {
        let tally = std::panic::catch_unwind(|| run(seed));
        let Ok(tally) = tally else { panic!("seed {seed}") };
        all.handed_over += tally.handed_over;
        all.canceled += tally.canceled;
        all.restarted += tally.restarted;
        all.forwarded += tally.forwarded;
        all.crashes += tally.crashes;
        all.lost_records += tally.lost_records;
        all.erased += tally.erased;
        all.reclaimed += tally.reclaimed;
        if tally.rejected > 0 {
            refused.push(seed);
        }
        all.stalled += tally.stalled;
        all.released_at_crash += tally.released_at_crash;
    }
    assert!(refused.is_empty(), "honest messages are refused with the seeds {refused:?}");
    eprintln!("{seeds} seeds: {all:?}");
    assert!(all.handed_over > seeds && all.forwarded > seeds, "hardly anything happened: {all:?}");
    assert!(all.released_at_crash > 0 && all.erased > 0 && all.restarted > 0, "{all:?}");
}
