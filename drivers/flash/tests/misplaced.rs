#![allow(clippy::unwrap_used, clippy::panic)]
//! Records that are whole and in the wrong place: exchanged, copied over others, or left by an earlier generation.

use crate::common::{self, Mock};
use quorate_core::NodeId;
use quorate_flash::{Error, FlashLog, Identity};

const IDENTITY: Identity = Identity { cluster: 9, node: NodeId::new(3) };
/// Of every record in these tests: a mark, length and checksum, and 8 bytes.
const RECORD: usize = 20;
const HEADER: usize = 40;

type Log<'a> = FlashLog<&'a mut Mock<4>, 96>;

/// Numbers from 1 on; a checkpoint is made after some of them, which keeps the last.
fn written(numbers: u64, checkpoints: &[u64]) -> (Mock<4>, Vec<u64>, usize) {
    let mut flash = Mock::<4>::new(1);
    let mut kept = Vec::new();
    let mut log = Log::open(&mut flash, IDENTITY, |_| Ok(())).unwrap();
    for number in 1..=numbers {
        log.append(|out| out.raw(&number.to_le_bytes())).unwrap();
        kept.push(number);
        if checkpoints.contains(&number) {
            kept.drain(..kept.len() - 1);
            let mut checkpoint = log.checkpoint().unwrap();
            checkpoint.push(|out| out.raw(&number.to_le_bytes())).unwrap();
            checkpoint.commit().unwrap();
        }
    }
    let start = if checkpoints.len().is_multiple_of(2) { 0 } else { common::LEN / 2 };
    (flash, kept, start)
}

fn read(flash: &mut Mock<4>) -> Result<Vec<u64>, Error> {
    let mut found = Vec::new();
    Log::open(flash, IDENTITY, |record| {
        found.push(u64::from_le_bytes(record.try_into().unwrap()));
        Ok(())
    })?;
    Ok(found)
}

/// The log is refused, or all of it is there.
fn check(mut flash: Mock<4>, kept: &[u64], what: &str) -> bool {
    match read(&mut flash) {
        Ok(found) => {
            assert_eq!(found, kept, "{what}");
            false
        }
        Err(Error::Corrupt { .. }) => true,
        Err(error) => panic!("{what}: {error}"),
    }
}

#[test]
fn exchanged_records_are_detected() {
    for checkpoints in [&[][..], &[3], &[3, 7]] {
        let (flash, kept, start) = written(12, checkpoints);
        for first in 0..kept.len() {
            for second in first + 1..kept.len() {
                let mut damaged = flash.clone();
                let location = |number| start + HEADER + number * RECORD;
                for byte in 0..RECORD {
                    damaged.bytes.swap(location(first) + byte, location(second) + byte);
                }
                assert!(check(damaged, &kept, &format!("{first} and {second}")));
            }
        }
    }
}

/// A record, or the remains of one in the half that is not the log any more, lies over another record, or where the next is to be.
#[test]
fn copied_records_are_detected() {
    for checkpoints in [&[][..], &[3], &[3, 7]] {
        let (flash, kept, start) = written(12, checkpoints);
        for half in [0, common::LEN / 2] {
            for from in (0..16).map(|number| half + HEADER + number * RECORD) {
                for to in 0..=kept.len() {
                    let to = start + HEADER + to * RECORD;
                    let mut damaged = flash.clone();
                    damaged.bytes.copy_within(from..from + RECORD, to);
                    let changed = damaged.bytes[to..][..RECORD] != flash.bytes[to..][..RECORD];
                    let erased = damaged.bytes[to..][..RECORD].iter().all(|&byte| byte == 0xff);
                    let refused = check_or_last(
                        damaged,
                        &kept,
                        erased,
                        to == start + HEADER + (kept.len() - 1) * RECORD,
                    );
                    assert_eq!(refused, changed && !erased, "{from} to {to}");
                }
            }
        }
    }
}

/// As `check`; but blank flash over the last record is what was there before it, which nothing tells.
fn check_or_last(mut flash: Mock<4>, kept: &[u64], erased: bool, last: bool) -> bool {
    if !erased {
        return check(flash, kept, "a copy");
    }
    if !last {
        let found = read(&mut flash);
        assert!(matches!(found, Err(Error::Corrupt { .. })) || found.as_deref() == Ok(kept));
    }
    false
}

/// A header lies where it was not written: over the other half's beginning.
#[test]
fn header_copied_to_the_other_half_is_detected() {
    for checkpoints in [&[][..], &[3], &[3, 7]] {
        let (flash, kept, start) = written(12, checkpoints);
        let other = common::LEN / 2 - start;
        let mut damaged = flash.clone();
        damaged.bytes.copy_within(start..start + HEADER, other);
        check(damaged, &kept, "a header");
    }
}
