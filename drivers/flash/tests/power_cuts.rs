#![allow(clippy::unwrap_used, clippy::panic)]
//! The power goes at every single write and erasure of a history, and again while the log is opened: what was acknowledged is there.

use crate::common::{self, Mock};
use quorate_core::{Corrupt, NodeId, Reader, Rng};
use quorate_flash::{Error, FlashLog, Identity};

const IDENTITY: Identity = Identity { cluster: 9, node: NodeId::new(3) };

type Log<'a, const WORD: usize> = FlashLog<&'a mut Mock<WORD>, 96>;

/// A register: every record is a number one above the last, with padding; a checkpoint is the last number.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
struct Register {
    value: u64,
}

impl Register {
    fn replay(&mut self, record: &[u8]) -> Result<(), Corrupt> {
        let value = Reader::new(record).u64().unwrap();
        assert!(self.value == 0 || value == self.value + 1, "{} after {}", value, self.value);
        self.value = value;
        Ok(())
    }
}

fn open<const WORD: usize>(flash: &mut Mock<WORD>) -> Result<(Log<'_, WORD>, Register), Error> {
    let mut register = Register::default();
    let log = FlashLog::open(flash, IDENTITY, |record| register.replay(record))?;
    Ok((log, register))
}

/// Writes numbers until `to`; `register` holds what was acknowledged.
fn write<const WORD: usize>(
    flash: &mut Mock<WORD>,
    register: &mut Register,
    (to, padding): (u64, usize),
) -> Result<(), Error> {
    let (mut log, found) = open(flash)?;
    *register = found;
    while register.value < to {
        let next = register.value + 1;
        let encode = |out: &mut quorate_core::Writer<'_>| {
            out.u64(next);
            out.raw(&[0x5a; 40][..padding]);
        };
        match log.append(encode) {
            Ok(()) => {}
            Err(Error::Full) => {
                let mut checkpoint = log.checkpoint()?;
                checkpoint.push(encode)?;
                checkpoint.commit()?;
            }
            Err(error) => return Err(error),
        }
        register.value = next;
    }
    Ok(())
}

/// Returns how many cuts fell into the opening of the log.
fn assert_all_power_cuts<const WORD: usize>(padding: usize) -> u64 {
    let to = 40;
    let mut whole = Mock::<WORD>::new(0);
    write(&mut whole, &mut Register::default(), (to, padding)).unwrap();
    assert!(whole.steps > 150, "the history has {} steps", whole.steps);

    let mut torn_at_opening = 0;
    for cut in 0..whole.steps {
        let mut rng = Rng::new(cut);
        let mut flash = Mock::<WORD>::new(cut);
        let mut acknowledged = Register::default();
        flash.left = cut;
        write(&mut flash, &mut acknowledged, (to, padding)).unwrap_err();
        let mut least = acknowledged.value;

        // once or several times more, soon
        for _ in 0..rng.range(0, 3) {
            flash.left = rng.range(0, 40);
            let mut register = Register::default();
            match write(&mut flash, &mut register, (to, padding)) {
                Ok(()) => {}
                Err(Error::Flash(_)) => torn_at_opening += u64::from(register.value == 0),
                Err(error) => panic!("cut {cut}: {error}"),
            }
            if register.value > 0 {
                assert!(register.value >= least, "cut {cut}: {register:?}, had {least}");
                least = register.value;
            }
        }

        flash.left = u64::MAX;
        let (_, found) = open(&mut flash).unwrap_or_else(|error| panic!("cut {cut}: {error}"));
        // the one that was being written may be there or not
        assert!((least..=least + 1).contains(&found.value), "cut {cut}: {found:?}, had {least}");
        // and what is there stays, and goes on
        let mut register = Register::default();
        write(&mut flash, &mut register, (found.value + 5, padding)).unwrap();
        assert_eq!(open(&mut flash).unwrap().1, register);
    }
    torn_at_opening
}

#[test]
fn power_cuts_with_words_of_4_bytes() {
    assert!(
        assert_all_power_cuts::<4>(0) + assert_all_power_cuts::<4>(31) > 0,
        "no cut ever fell into the opening"
    );
}

#[test]
fn power_cuts_with_words_of_1_and_16_bytes() {
    assert!(
        assert_all_power_cuts::<1>(7) + assert_all_power_cuts::<16>(20) > 0,
        "no cut ever fell into the opening"
    );
}

/// One flipped bit anywhere: the log is refused, or nothing of it is missing.
#[test]
fn damage_is_never_taken_for_the_end() {
    for records in 0..30 {
        let mut flash = Mock::<4>::new(1);
        write(&mut flash, &mut Register::default(), (records, 11)).unwrap();
        let mut refused = 0;
        for bit in 0..common::LEN * 8 {
            let mut damaged = flash.clone();
            damaged.bytes[bit / 8] ^= 1 << (bit % 8);
            let mut found = Register::default();
            let opened =
                FlashLog::<_, 96>::open(&mut damaged, IDENTITY, |record| found.replay(record));
            match opened {
                Ok(_) => assert_eq!(found.value, records, "bit {bit} of {records} records"),
                Err(Error::Corrupt { .. }) => refused += 1,
                Err(error) => panic!("bit {bit}: {error}"),
            }
        }
        assert!(refused > 0 || records == 0);
    }
}

#[test]
fn invalid_operations_are_refused() {
    let mut flash = Mock::<4>::new(1);
    let mut register = Register::default();
    write(&mut flash, &mut register, (3, 0)).unwrap();
    let other = Identity { cluster: 8, ..IDENTITY };
    assert_eq!(FlashLog::<_, 96>::open(&mut flash, other, |_| Ok(())).err(), Some(Error::Identity));

    let refuse = |_: &[u8]| Err(Corrupt::Regression);
    let refused = FlashLog::<_, 96>::open(&mut flash, IDENTITY, refuse).err();
    assert!(matches!(refused, Some(Error::Refused { reason: Corrupt::Regression, .. })));

    let (mut log, _) = open(&mut flash).unwrap();
    assert_eq!(log.append(|out| out.raw(&[0; 200])), Err(Error::TooLarge { needed: 212 }));
    log.append(|out| out.u64(4)).unwrap();

    let mut small = Mock::<4>::new(1);
    small.bytes.truncate(common::PAGE);
    assert_eq!(FlashLog::<_, 96>::open(small, IDENTITY, |_| Ok(())).err(), Some(Error::Geometry));
    assert_eq!(open(&mut flash).unwrap().1.value, 4);
}

/// A record that the power left half written, or whole but without its mark, is told: it may not stay.
#[test]
fn torn_end_is_reported() {
    let mut torn = 0;
    for cut in 0..6 {
        let mut flash = Mock::<4>::new(cut);
        let (mut log, _) = open(&mut flash).unwrap();
        log.append(|out| out.u64(1)).unwrap();
        let end = log.used() as usize;
        log.flash().left = cut;
        log.append(|out| out.raw(&[2; 12])).unwrap_err(); // a mark and five words
        flash.left = u64::MAX;
        let erased = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0xff);
        let (mark, rest) = flash.bytes[end..end + 24].split_at(4);
        let expected = erased(mark) && !erased(rest);
        let log = FlashLog::<_, 96>::open(&mut flash, IDENTITY, |_| Ok(())).unwrap();
        assert_eq!(log.is_torn(), expected, "cut {cut}");
        torn += u32::from(expected);
    }
    assert!(torn > 3);
}

/// A flash that fails takes nothing more, even if it works again: what it holds is not known.
#[test]
fn failed_write_is_final() {
    let mut flash = Mock::<4>::new(1);
    let (mut log, _) = open(&mut flash).unwrap();
    log.append(|out| out.u64(1)).unwrap();
    log.flash().left = 1;
    assert!(matches!(log.append(|out| out.u64(2)), Err(Error::Flash(_))));
    log.flash().left = u64::MAX;
    assert!(matches!(log.append(|out| out.u64(2)), Err(Error::Flash(_))));
    assert!(matches!(log.checkpoint().err(), Some(Error::Flash(_))));
    assert_eq!(open(&mut flash).unwrap().1.value, 1);
}
