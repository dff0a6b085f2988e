use cortex_m_rt::exception;

use super::HZ;
use super::register::Register;
use crate::Ring;

/// A PL011 with a queue each way.
pub struct Uart {
    base: usize,
    /// Its interrupt.
    irq: i16,
    queues: &'static Queues,
}

struct Queues {
    received: Ring<1024>,
    to_send: Ring<2048>,
}

/// UART0: the command line.
pub static CONSOLE: Uart = Uart { base: 0x4000_c000, irq: 5, queues: &QUEUES_0 };
/// UART1 and UART2: lines to other nodes.
pub static LINES: [Uart; 2] = [
    Uart { base: 0x4000_d000, irq: 6, queues: &QUEUES_1 },
    Uart { base: 0x4000_e000, irq: 33, queues: &QUEUES_2 },
];

// apart from what is not zero, so that they take no flash
static QUEUES_0: Queues = Queues::new();
static QUEUES_1: Queues = Queues::new();
static QUEUES_2: Queues = Queues::new();

const BAUD: u32 = 115_200;
const RECEIVE_EMPTY: u32 = 1 << 4;
const SEND_FULL: u32 = 1 << 5;
/// Interrupts: something came, it came and no more follows, there is room to send.
const RECEIVED: u32 = (1 << 4) | (1 << 6);
const SENT: u32 = 1 << 5;

impl Queues {
    const fn new() -> Self {
        Self { received: Ring::new(), to_send: Ring::new() }
    }
}

impl Uart {
    /// The next byte that came.
    pub fn take(&self) -> Option<u8> {
        self.queues.received.pop()
    }

    /// Whether nothing waits to be taken.
    pub fn is_quiet(&self) -> bool {
        self.queues.received.is_empty()
    }

    /// Sends bytes, all of them or, if there is no room for `len`, none.
    pub fn send(&self, len: usize, bytes: impl Iterator<Item = u8>) -> bool {
        if self.queues.to_send.room() < len {
            return false;
        }
        for byte in bytes.take(len) {
            self.queues.to_send.push(byte);
        }
        critical_section::with(|_| self.pump());
        true
    }

    /// Moves bytes into the UART while it takes them; its interrupt goes on with the rest.
    fn pump(&self) {
        while self.flags() & SEND_FULL == 0 {
            let Some(byte) = self.queues.to_send.pop() else {
                self.mask().write(RECEIVED);
                return;
            };
            self.data().write(u32::from(byte));
        }
        self.mask().write(RECEIVED | SENT);
    }

    fn interrupt(&self) {
        self.clear().write(RECEIVED | SENT);
        while self.flags() & RECEIVE_EMPTY == 0 {
            let [byte, ..] = self.data().read().to_le_bytes();
            // what finds no room is lost, as on any line: frames have checksums
            self.queues.received.push(byte);
        }
        self.pump();
    }

    fn start(&self) {
        // bits a second, in 64ths of what the divider counts
        let divisor = (HZ * 4 + BAUD / 2) / BAUD;
        self.register(0x24).write(divisor / 64);
        self.register(0x28).write(divisor % 64);
        self.register(0x2c).write((0b11 << 5) | (1 << 4)); // eight bits, queues on
        self.register(0x30).write((1 << 9) | (1 << 8) | 1);
        self.mask().write(RECEIVED);
    }

    const fn register(&self, offset: usize) -> Register {
        Register(self.base.wrapping_add(offset))
    }

    const fn data(&self) -> Register {
        self.register(0)
    }

    fn flags(&self) -> u32 {
        self.register(0x18).read()
    }

    const fn mask(&self) -> Register {
        self.register(0x38)
    }

    const fn clear(&self) -> Register {
        self.register(0x44)
    }
}

pub(super) fn start() {
    // clocks of UART0 to 2 and of ports A, D and G, and a few cycles until they run
    const CLOCKS: [Register; 2] = [Register(0x400f_e104), Register(0x400f_e108)];
    let [uarts, ports] = CLOCKS;
    uarts.write(uarts.read() | 0b111);
    ports.write(ports.read() | 1 | (1 << 3) | (1 << 6));
    cortex_m::asm::delay(16);
    // A0, A1; D2, D3; G0, G1
    for (port, pins) in [(0x4000_4000_usize, 0b11), (0x4000_7000, 0b1100), (0x4002_6000, 0b11)] {
        for offset in [0x420, 0x51c] {
            let register = Register(port.wrapping_add(offset)); // alternate function, digital
            register.write(register.read() | pins);
        }
    }
    for uart in all() {
        uart.start();
    }
    const ENABLE: [Register; 2] = [Register(0xe000_e100), Register(0xe000_e104)];
    let [low, high] = ENABLE;
    low.write((1 << 5) | (1 << 6));
    high.write(1 << 1);
}

fn all() -> impl Iterator<Item = &'static Uart> {
    core::iter::once(&CONSOLE).chain(&LINES)
}

// SAFETY: it touches the UARTs' registers and queues, whose other side is in critical sections or atomic
#[exception]
unsafe fn DefaultHandler(irq: i16) {
    for uart in all().filter(|uart| uart.irq == irq) {
        uart.interrupt();
    }
}
