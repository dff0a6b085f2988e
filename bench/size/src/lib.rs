//! What the minimal programs share: a port to a world the optimizer cannot see into, the entry and the panic handler.
//!
//! A program reads everything it does from the [`Port`], so nothing can be computed or left out at compile time, and writes
//! everything it makes to it.
#![no_std]

pub mod detector;
pub mod machine;
pub mod state;

use core::cell::UnsafeCell;

/// A byte in, a byte out: a serial line as a driver of a board sees it.
#[derive(Debug)]
pub struct Port {
    _one: (),
}

/// Stands for the register of a line.
struct Register(UnsafeCell<u8>);

// SAFETY: only `Port` touches it, with volatile accesses of a byte, and there is one thread.
unsafe impl Sync for Register {}

static RECEIVED: Register = Register(UnsafeCell::new(0));
static SENT: Register = Register(UnsafeCell::new(0));

impl Port {
    /// The one that [`program!`] makes.
    #[doc(hidden)]
    #[must_use]
    pub const fn new() -> Self {
        Self { _one: () }
    }

    /// The next byte.
    #[inline(never)]
    pub fn u8(&mut self) -> u8 {
        // SAFETY: a valid byte for as long as the program runs
        unsafe { RECEIVED.0.get().read_volatile() }
    }

    /// A number.
    #[inline(never)]
    pub fn u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        bytes.iter_mut().for_each(|byte| *byte = self.u8());
        u64::from_le_bytes(bytes)
    }

    /// Fills the front of a buffer, as far as a length before the bytes says, and returns that part.
    #[inline(never)]
    pub fn read<'b>(&mut self, buffer: &'b mut [u8]) -> &'b mut [u8] {
        let len = usize::from(self.u8()) << 8 | usize::from(self.u8());
        let len = len.min(buffer.len());
        let (bytes, _) = buffer.split_at_mut_checked(len).unwrap_or_default();
        bytes.iter_mut().for_each(|byte| *byte = self.u8());
        bytes
    }

    /// Sends bytes.
    #[inline(never)]
    pub fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            // SAFETY: a valid byte for as long as the program runs
            unsafe { SENT.0.get().write_volatile(byte) };
        }
    }
}

impl Default for Port {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes the program: its entry runs `$run` with the port, and the file tells how many bytes `state` takes, and how many of
/// these are its log or other content whose size is the user's choice.
#[macro_export]
macro_rules! program {
    ($run:path, state = $state:ty, content = $content:expr) => {
        /// Where the board starts.
        #[unsafe(no_mangle)]
        #[unsafe(link_section = ".text._start")]
        pub extern "C" fn _start() -> ! {
            loop {
                $run(&mut $crate::Port::new());
            }
        }

        #[used]
        #[unsafe(link_section = ".quorate.figures")]
        static FIGURES: [u32; 2] = [size_of::<$state>() as u32, $content as u32];
    };
}

/// Never part of an image: `cargo xtask size` fails when it is.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        Port::new().write(b"!");
    }
}
