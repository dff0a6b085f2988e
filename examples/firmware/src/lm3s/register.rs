/// A register of a peripheral, by its address.
#[derive(Clone, Copy)]
pub(super) struct Register(pub(super) usize);

impl Register {
    pub(super) fn read(self) -> u32 {
        // SAFETY: only addresses of the board's peripherals are made into registers
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    pub(super) fn write(self, value: u32) {
        // SAFETY: as above
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }
}
