#![allow(clippy::unwrap_used, clippy::panic)]
//! Flashes of other kinds: words that are read as wholes, pages as small as a word, pages of odd sizes, rooms for a record of odd sizes.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use quorate_core::NodeId;
use quorate_flash::{Error, FlashLog, Identity};

const IDENTITY: Identity = Identity { cluster: 9, node: NodeId::new(3) };

/// It refuses whatever its sizes do not divide.
#[derive(Clone)]
struct Flash<const READ: usize, const WRITE: usize, const ERASE: usize> {
    bytes: Vec<u8>,
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> Flash<READ, WRITE, ERASE> {
    fn new(pages: usize) -> Self {
        Self { bytes: vec![0xff; pages * ERASE] }
    }
}

impl<const R: usize, const W: usize, const E: usize> ErrorType for Flash<R, W, E> {
    type Error = NorFlashErrorKind;
}

impl<const R: usize, const W: usize, const E: usize> ReadNorFlash for Flash<R, W, E> {
    const READ_SIZE: usize = R;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const R: usize, const W: usize, const E: usize> NorFlash for Flash<R, W, E> {
    const WRITE_SIZE: usize = W;
    const ERASE_SIZE: usize = E;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        self.bytes[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        let room = &mut self.bytes[offset as usize..][..bytes.len()];
        assert!(room.iter().all(|&byte| byte == 0xff), "a word is written twice");
        room.copy_from_slice(bytes);
        Ok(())
    }
}

/// Numbers are appended, with checkpoints when there is no room, and the log is opened anew after each.
fn numbers<const N: usize, const R: usize, const W: usize, const E: usize>(pages: usize) {
    let mut flash = Flash::<R, W, E>::new(pages);
    for number in 1..60_u64 {
        let mut last = 0;
        let mut log = FlashLog::<_, N>::open(&mut flash, IDENTITY, |record| {
            last = u64::from_le_bytes(record.try_into().unwrap());
            Ok(())
        })
        .unwrap_or_else(|error| panic!("number {number}: {error}"));
        assert_eq!(last, number - 1);
        match log.append(|out| out.raw(&number.to_le_bytes())) {
            Ok(()) => {}
            Err(Error::Full) => {
                let mut checkpoint = log.checkpoint().unwrap();
                checkpoint.push(|out| out.raw(&number.to_le_bytes())).unwrap();
                checkpoint.commit().unwrap();
            }
            Err(error) => panic!("number {number}: {error}"),
        }
    }
}

#[test]
fn all_geometries_work() {
    numbers::<97, 1, 1, 256>(4);
    numbers::<96, 4, 4, 256>(4);
    numbers::<97, 4, 4, 256>(4);
    numbers::<101, 8, 2, 264>(5);
    numbers::<129, 2, 32, 96>(6);
    numbers::<150, 1, 32, 32>(12);
    numbers::<70, 1, 4, 4>(64);
    numbers::<75, 4, 1, 12>(30);
}

/// After a checkpoint the old log is gone: were the new one damaged, it must not pass for the newest.
fn assert_old_half_is_erased<const W: usize>() {
    let mut flash = Flash::<1, W, W>::new(512 / W);
    let mut log = FlashLog::<_, 128>::open(&mut flash, IDENTITY, |_| Ok(())).unwrap();
    log.append(|out| out.raw(b"vote 1")).unwrap();
    let mut checkpoint = log.checkpoint().unwrap();
    checkpoint.push(|out| out.raw(b"vote 2")).unwrap();
    checkpoint.commit().unwrap();

    let header = 256 + W + 8; // of the second half, after its mark, length and checksum
    flash.bytes[header] ^= 1;
    let opened = FlashLog::<_, 128>::open(&mut flash, IDENTITY, |_| Ok(())).err();
    assert!(matches!(opened, Some(Error::Corrupt { .. })), "{opened:?}");
}

#[test]
fn pages_smaller_than_a_header_work() {
    assert_old_half_is_erased::<4>();
    assert_old_half_is_erased::<8>();
    assert_old_half_is_erased::<16>();
    assert_old_half_is_erased::<32>();
    assert_old_half_is_erased::<64>();
}
