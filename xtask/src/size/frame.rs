//! What a function takes of the stack, read from its instructions: for those the compiler told nothing of.

use object::Architecture;

/// Bytes that the code takes from the stack pointer, all places together: no path through it takes more, as none comes by one
/// place twice. `None` where it takes what a register holds, as large frames do, and for processors that are not known here.
///
/// Where the compiler states the frame as well, the two are the same.
pub(crate) fn of_code(architecture: Architecture, code: &[u8]) -> Option<u64> {
    match architecture {
        Architecture::Arm => thumb(code),
        Architecture::Riscv32 | Architecture::Riscv64 => riscv(code),
        _ => None,
    }
}

/// Instructions of the ARMv7-M architecture reference manual, A7.7.
fn thumb(code: &[u8]) -> Option<u64> {
    let mut halves = halves(code);
    let mut taken = 0;
    while let Some(first) = halves.next() {
        // the second half, of those instructions that have one
        let second = if first >> 11 >= 0b11101 { halves.next().unwrap_or(0) } else { 0 };
        taken += match first {
            // add sp, r; sub.w sp, sp, r
            _ if first & 0xff87 == 0x4485 => return None,
            0xebad if second & 0x0f00 == 0x0d00 => return None,
            // push {…}
            _ if first & 0xfe00 == 0xb400 => 4 * ones(first & 0x1ff),
            // sub sp, #
            _ if first & 0xff80 == 0xb080 => 4 * u64::from(first & 0x7f),
            // push.w {…}
            0xe92d => 4 * ones(second),
            // str r, [sp, #-…]!
            0xf84d if second & 0x0f00 == 0x0d00 => u64::from(second & 0xff),
            // strd r, r, [sp, #-…]!
            0xe96d => 4 * u64::from(second & 0xff),
            // vpush {…}
            0xed2d | 0xed6d => 4 * u64::from(second & 0xff),
            // sub.w sp, sp, #
            0xf1ad | 0xf5ad if second & 0x0f00 == 0x0d00 => modified(first, second),
            // subw sp, sp, #
            0xf2ad | 0xf6ad if second & 0x0f00 == 0x0d00 => u64::from(twelve(first, second)),
            _ => 0,
        };
    }
    Some(taken)
}

fn twelve(first: u16, second: u16) -> u32 {
    let (top, middle) = (first >> 10 & 1, second >> 12 & 7);
    u32::from(top << 11 | middle << 8 | second & 0xff)
}

/// A constant of A5.3.2: a byte, a byte repeated, or a byte with its top bit set, rotated.
fn modified(first: u16, second: u16) -> u64 {
    let code = twelve(first, second);
    let byte = code & 0xff;
    u64::from(match code >> 8 {
        0 => byte,
        1 => byte | byte << 16,
        2 => byte << 8 | byte << 24,
        3 => byte * 0x0101_0101,
        _ => (0x80 | code & 0x7f).rotate_right(code >> 7),
    })
}

/// Instructions of the RISC-V unprivileged specification: `addi sp, sp, …` and its compressed forms.
fn riscv(code: &[u8]) -> Option<u64> {
    let mut halves = halves(code);
    let mut taken = 0;
    while let Some(first) = halves.next() {
        let moved = if first & 3 == 3 {
            let second = halves.next().unwrap_or(0);
            let word = u32::from(second) << 16 | u32::from(first);
            // add and sub sp, sp, r
            if word & 0xf_ffff == 0x1_0133 {
                return None;
            }
            if word & 0xf_ffff == 0x1_0113 { word.cast_signed() >> 20 } else { 0 }
        } else if first & 0xff83 == 0x9102 && first & 0x7c != 0 {
            // c.add sp, r
            return None;
        } else if first & 0xef83 == 0x6101 {
            // c.addi16sp
            let bits = (first >> 12 & 1) << 9
                | (first >> 3 & 3) << 7
                | (first >> 5 & 1) << 6
                | (first >> 2 & 1) << 5
                | (first >> 6 & 1) << 4;
            signed(bits, 10)
        } else if first & 0xef83 == 0x0101 {
            // c.addi sp
            signed((first >> 12 & 1) << 5 | first >> 2 & 0x1f, 6)
        } else {
            0
        };
        taken += u64::from(moved.min(0).unsigned_abs());
    }
    Some(taken)
}

fn signed(bits: u16, width: u32) -> i32 {
    let shift = 32 - width;
    (u32::from(bits) << shift).cast_signed() >> shift
}

fn ones(bits: u16) -> u64 {
    u64::from(bits.count_ones())
}

fn halves(code: &[u8]) -> impl Iterator<Item = u16> {
    code.chunks_exact(2).map(|pair| match *pair {
        [low, high] => u16::from_le_bytes([low, high]),
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(halves: &[u16]) -> Vec<u8> {
        halves.iter().flat_map(|half| half.to_le_bytes()).collect()
    }

    #[test]
    fn thumb_frames() {
        // push {r4, r5, lr}; sub sp, #24; pop {r4, r5, pc}
        assert_eq!(thumb(&code(&[0xb530, 0xb086, 0xbd30])), Some(12 + 24));
        // push.w {r4-r11, lr}; sub.w sp, sp, #1024; subw sp, sp, #1020
        assert_eq!(thumb(&code(&[0xe92d, 0x4ff0])), Some(36));
        assert_eq!(thumb(&code(&[0xf5ad, 0x6d80])), Some(1024));
        assert_eq!(thumb(&code(&[0xf2ad, 0x3dfc])), Some(1020));
        // str lr, [sp, #-8]!
        assert_eq!(thumb(&code(&[0xf84d, 0xed08])), Some(8));
        // the second half of a long instruction is none of its own: bl over 0xb530
        assert_eq!(thumb(&code(&[0xf000, 0xb530])), Some(0));
    }

    #[test]
    fn riscv_frames() {
        // c.addi sp, -16; c.addi16sp sp, -64; addi sp, sp, -2032
        assert_eq!(riscv(&code(&[0x1141])), Some(16));
        assert_eq!(riscv(&code(&[0x7139])), Some(64));
        assert_eq!(riscv(&code(&[0x0113, 0x8101])), Some(2032));
        // giving back takes nothing
        assert_eq!(riscv(&code(&[0x0141, 0x6121, 0x0113, 0x7f01])), Some(0));
    }

    #[test]
    fn frame_size_from_a_register_is_unknown() {
        // push {r4, lr}; add sp, r4
        assert_eq!(thumb(&code(&[0xb510, 0x44a5])), None);
        // sub.w sp, sp, r12
        assert_eq!(thumb(&code(&[0xebad, 0x0d0c])), None);
        // sub sp, sp, t0; c.add sp, t0
        assert_eq!(riscv(&code(&[0x0133, 0x4051])), None);
        assert_eq!(riscv(&code(&[0x9116])), None);
        // c.ebreak and c.jalr are like it but for the register
        assert_eq!(riscv(&code(&[0x9002, 0x9102])), Some(0));
    }
}
