//! Calls to the host that emulates or debugs the board (Arm, "Semihosting for AArch32 and AArch64", 2023).
//!
//! Only where there is a host: on a board alone the instruction is a fault.

use core::arch::asm;

/// The call's number.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Call {
    Open = 0x01,
    Write = 0x05,
    Read = 0x06,
    Seek = 0x0a,
    Length = 0x0c,
    CommandLine = 0x15,
}

/// An open file of the host.
#[derive(Clone, Copy, Debug)]
pub struct File(usize);

/// How to open a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Mode {
    /// It must exist (`r+b`).
    Update = 3,
    /// To append or to a terminal (`w`).
    Write = 4,
    /// It is made anew (`w+b`).
    Create = 7,
}

/// The host refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused;

impl File {
    /// Opens a file. `name` ends with a zero.
    ///
    /// # Errors
    ///
    /// [`Refused`], also for a name without a zero.
    pub fn open(name: &[u8], mode: Mode) -> Result<Self, Refused> {
        let Some((0, text)) = name.split_last() else {
            return Err(Refused);
        };
        let handle = call(Call::Open, &[name.as_ptr() as usize, mode as usize, text.len()]);
        if handle == usize::MAX { Err(Refused) } else { Ok(Self(handle)) }
    }

    /// Bytes in it.
    ///
    /// # Errors
    ///
    /// [`Refused`].
    pub fn size(self) -> Result<usize, Refused> {
        let len = call(Call::Length, &[self.0]);
        if len == usize::MAX { Err(Refused) } else { Ok(len) }
    }

    /// Reads all of `bytes` from `at` on.
    ///
    /// # Errors
    ///
    /// [`Refused`], also when there are fewer.
    pub fn read(self, at: usize, bytes: &mut [u8]) -> Result<(), Refused> {
        self.seek(at)?;
        let left = call(Call::Read, &[self.0, bytes.as_mut_ptr() as usize, bytes.len()]);
        if left == 0 { Ok(()) } else { Err(Refused) }
    }

    /// Writes all of `bytes` from `at` on.
    ///
    /// # Errors
    ///
    /// [`Refused`].
    pub fn write(self, at: usize, bytes: &[u8]) -> Result<(), Refused> {
        self.seek(at)?;
        self.append(bytes)
    }

    /// Writes all of `bytes` where the last write ended.
    ///
    /// # Errors
    ///
    /// [`Refused`].
    pub fn append(self, bytes: &[u8]) -> Result<(), Refused> {
        let left = call(Call::Write, &[self.0, bytes.as_ptr() as usize, bytes.len()]);
        if left == 0 { Ok(()) } else { Err(Refused) }
    }

    fn seek(self, at: usize) -> Result<(), Refused> {
        if call(Call::Seek, &[self.0, at]) == 0 { Ok(()) } else { Err(Refused) }
    }
}

/// The words that the host started the image with.
///
/// # Errors
///
/// [`Refused`] when they do not fit.
pub fn command_line(buffer: &mut [u8]) -> Result<&[u8], Refused> {
    let mut block = [buffer.as_mut_ptr() as usize, buffer.len()];
    // SAFETY: the block is a pointer and a length, both of `buffer`; the host writes within it, and the length into the block
    let result = unsafe { raw(Call::CommandLine as usize, block.as_mut_ptr()) };
    if result != 0 {
        return Err(Refused);
    }
    let text = buffer.split(|&byte| byte == 0).next();
    text.ok_or(Refused)
}

fn call(call: Call, block: &[usize]) -> usize {
    // SAFETY: the calls of `Call` other than the command line read their block and do not write to it; pointers in it are of slices
    // that live for the call, with their lengths, and what `Read` writes to is borrowed mutably by its caller
    unsafe { raw(call as usize, block.as_ptr().cast_mut()) }
}

/// # Safety
///
/// `block` must be what the call takes.
unsafe fn raw(number: usize, block: *mut usize) -> usize {
    let result: usize;
    // SAFETY: a breakpoint with this number is the call; it returns in r0 and keeps all else
    unsafe {
        asm!("bkpt 0xab", inout("r0") number => result, in("r1") block, options(nostack));
    }
    result
}
