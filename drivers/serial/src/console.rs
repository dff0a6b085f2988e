//! Lines of text to and from a person, without `core::fmt`, which an image without a panic cannot hold.

use core::fmt;

/// Cuts what is typed into lines of at most `N` bytes.
///
/// ```
/// use quorate_serial::LineReader;
/// let mut lines = LineReader::<16>::new();
/// let mut typed = |text: &str| text.bytes().find_map(|byte| lines.push(byte).map(<[u8]>::to_vec));
/// assert_eq!(typed("set 20\r"), Some(b"set 20".to_vec()));
/// assert_eq!(typed("\nget\n"), Some(b"get".to_vec())); // "\r\n" is one end
/// assert_eq!(typed("longer than it may be\n"), Some(b"longer than it m".to_vec()));
/// assert_eq!(typed("ab\x08c\n"), Some(b"ac".to_vec())); // backspace
/// ```
#[derive(Clone, Debug)]
pub struct LineReader<const N: usize> {
    bytes: [u8; N],
    len: usize,
    /// The line was handed out: the next byte begins another.
    done: bool,
}

impl<const N: usize> LineReader<N> {
    /// Nothing was typed yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0, done: false }
    }

    /// Takes a byte; returns the line that it ends, without its end. Empty lines are no lines. What is beyond `N` is cut off.
    pub fn push(&mut self, byte: u8) -> Option<&[u8]> {
        if core::mem::take(&mut self.done) {
            self.len = 0;
        }
        match byte {
            b'\r' | b'\n' => {
                self.done = true;
                return self.bytes.get(..self.len).filter(|line| !line.is_empty());
            }
            0x08 | 0x7f => self.len = self.len.saturating_sub(1),
            _ => {
                if let Some(room) = self.bytes.get_mut(self.len) {
                    *room = byte;
                    self.len = self.len.saturating_add(1);
                }
            }
        }
        None
    }
}

impl<const N: usize> Default for LineReader<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// A text of at most `N` bytes; what is beyond is cut off.
///
/// ```
/// use quorate_serial::Text;
/// let mut text = Text::<64>::new();
/// text.str("ok").pair("index", 18).signed_pair("setpoint", -5);
/// assert_eq!(text.as_str(), "ok index=18 setpoint=-5");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    /// Makes it empty.
    pub const fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends words.
    pub fn str(&mut self, words: &str) -> &mut Self {
        for &byte in words.as_bytes() {
            self.byte(byte);
        }
        self
    }

    /// Appends a number.
    pub fn number(&mut self, mut number: u64) -> &mut Self {
        let mut digits = [0_u8; 20];
        let mut used = 0_usize;
        for digit in digits.iter_mut().rev() {
            // below ten
            *digit = b'0'.saturating_add(u8::try_from(number % 10).unwrap_or(0));
            used = used.saturating_add(1);
            number /= 10;
            if number == 0 {
                break;
            }
        }
        for &digit in digits.iter().skip(20_usize.saturating_sub(used)) {
            self.byte(digit);
        }
        self
    }

    /// Appends a number with its sign, if it is below zero.
    pub fn signed(&mut self, number: i64) -> &mut Self {
        if number < 0 {
            self.byte(b'-');
        }
        self.number(number.unsigned_abs())
    }

    /// Appends ` key=number`.
    pub fn pair(&mut self, key: &str, number: u64) -> &mut Self {
        self.key(key).number(number)
    }

    /// Appends ` key=number`.
    pub fn signed_pair(&mut self, key: &str, number: i64) -> &mut Self {
        self.key(key).signed(number)
    }

    /// Appends ` key=`.
    pub fn key(&mut self, key: &str) -> &mut Self {
        self.byte(b' ');
        self.str(key);
        self.byte(b'=');
        self
    }

    /// What it holds.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// What it holds; empty if the cut fell into a character.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    fn byte(&mut self, byte: u8) {
        if let Some(room) = self.bytes.get_mut(self.len) {
            *room = byte;
            self.len = self.len.saturating_add(1);
        }
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString as _;

    #[test]
    fn numbers() {
        for number in [0, 1, 9, 10, 99, 100, u64::MAX, u64::MAX - 1] {
            assert_eq!(Text::<20>::new().number(number).as_str(), number.to_string());
        }
        for number in [0, -1, i64::MIN, i64::MAX] {
            assert_eq!(Text::<20>::new().signed(number).as_str(), number.to_string());
        }
    }

    #[test]
    fn overlong_input_is_truncated() {
        assert_eq!(Text::<4>::new().str("abc").number(123).as_str(), "abc1");
        assert_eq!(Text::<3>::new().str("abä").as_str(), "");
    }
}
