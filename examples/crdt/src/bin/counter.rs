//! One counter on three nodes under one partition, three ways: the plain wrong one, which loses increments; a replicated data type, which
//! loses none, and takes them everywhere; and Raft, which loses none, and refuses them where it cannot be agreed.

use std::error::Error;

use quorate_clocks::Heap;
use quorate_crdt::PnCounter;
use quorate_crdt_demo::{Cluster, Group};

fn main() -> Result<(), Box<dyn Error>> {
    println!("three nodes; each counts 100 before, 100 during and 100 after a partition: 900");
    println!("plain, the last write wins: {}", plain());
    println!("PnCounter, on every node:   {:?}", replicated()?);
    let (counts, refused) = agreed()?;
    println!(
        "Raft, on every node:        {counts:?}, and {refused} refused while parted, asked again after"
    );
    Ok(())
}

/// Each node adds one to the number it has and sends the result to those it reaches. When the partition heals, the number that was
/// written last counts: the third node's.
fn plain() -> u64 {
    let mut numbers = [0u64; 3];
    for phase in 0..3 {
        for turn in 0..300 {
            let writer = turn % 3;
            let result = numbers[writer] + 1;
            let parted = phase == 1;
            for (node, number) in numbers.iter_mut().enumerate() {
                if !parted || (node < 2) == (writer < 2) {
                    *number = result;
                }
            }
        }
        let [.., last] = numbers;
        numbers = [last; 3];
    }
    let [.., last] = numbers;
    last
}

fn replicated() -> Result<Vec<i128>, Box<dyn Error>> {
    let mut group = Group::new(3, &PnCounter::<Heap>::new())?;
    for phase in 0..3 {
        group.cut((phase == 1).then_some(2));
        for _ in 0..100 {
            for node in 0..3 {
                group.update(node, |counter, me| counter.increment(me, 1))?;
            }
        }
        group.seconds(2)?;
        let values: Vec<_> =
            (0..3).filter_map(|node| group.state(node)).map(PnCounter::value).collect();
        println!("  {} {values:?}", ["before:   ", "parted:   ", "healed:   "][phase]);
    }
    group.seconds(3)?;
    Ok((0..3).filter_map(|node| group.state(node)).map(PnCounter::value).collect())
}

/// Each node asks for its increments, and for those that were refused once more when the partition has healed. Tells what every node has in
/// the end, and how many were refused.
fn agreed() -> Result<(Vec<u64>, u64), Box<dyn Error>> {
    let mut cluster = Cluster::new(3)?;
    let mut refused = [0u64; 3];
    for phase in 0..3 {
        cluster.cut((phase == 1).then_some(2));
        cluster.run(1_000)?;
        for _ in 0..100 {
            for (node, refused) in refused.iter_mut().enumerate() {
                *refused += u64::from(!cluster.increment(node)?);
            }
        }
        cluster.run(1_000)?;
        let counts: Vec<_> = (0..3).map(|node| cluster.count(node)).collect();
        println!("  {} {counts:?}", ["before:   ", "parted:   ", "healed:   "][phase]);
    }
    let again = refused;
    for (node, count) in again.into_iter().enumerate() {
        for _ in 0..count {
            cluster.increment(node)?;
        }
    }
    cluster.run(1_000)?;
    Ok(((0..3).map(|node| cluster.count(node)).collect(), again.iter().sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_loses_and_two_do_not() -> Result<(), Box<dyn Error>> {
        assert_eq!(plain(), 700);
        assert_eq!(replicated()?, [900; 3]);
        // the node that is cut off knows its leader for a moment more, and then nobody
        assert_eq!(agreed()?, (vec![900; 3], 100));
        Ok(())
    }
}
