/// A pattern of Redis's kind: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before a character to take it as it is.
///
/// All ways to match are followed at once, a bit for each place in the pattern (Baeza-Yates and Gonnet, "A new approach to text
/// searching", 1992): a byte of the text takes the same few steps, whatever the pattern and whatever came before.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// Words of 64 places.
    words: usize,
    /// Places but for the stars; the place behind the last one is where a match ends.
    places: usize,
    /// For each byte, the places that take it.
    takes: Vec<u64>,
    /// Places before which there is a star.
    stars: Vec<u64>,
    /// What it took to make this.
    work: u64,
}

impl Pattern {
    pub(crate) fn new(pattern: &[u8]) -> Self {
        // no more places than bytes
        let words = pattern.len() / 64 + 1;
        let mut this = Self {
            words,
            places: 0,
            takes: vec![0; 256 * words],
            stars: vec![0; words],
            work: 256 * words as u64,
        };
        let mut rest = pattern;
        while let Some((&first, after)) = rest.split_first() {
            rest = match (first, after) {
                (b'*', _) => {
                    this.stars[this.places / 64] |= 1 << (this.places % 64);
                    after
                }
                (b'?', _) => {
                    this.place(0..=255);
                    after
                }
                (b'[', _) => {
                    let (class, length) = class(after);
                    this.place((0..=255).filter(|&byte| class[usize::from(byte)]));
                    &after[length..]
                }
                (b'\\', [escaped, after @ ..]) => {
                    this.place([*escaped].into_iter());
                    after
                }
                _ => {
                    this.place([first].into_iter());
                    after
                }
            };
        }
        this
    }

    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        if self.words == 1 {
            return self.matches_short(text);
        }
        let mut state = vec![0; self.words];
        state[0] = 1;
        for &byte in text {
            let takes = &self.takes[usize::from(byte) * self.words..][..self.words];
            let mut carry = 0;
            for ((state, takes), stars) in state.iter_mut().zip(takes).zip(&self.stars) {
                let taken = *state & takes;
                *state = taken << 1 | carry | *state & stars;
                carry = taken >> 63;
            }
        }
        state[self.places / 64] >> (self.places % 64) & 1 == 1
    }

    /// Steps to make it.
    pub(crate) const fn work(&self) -> u64 {
        self.work
    }

    /// Steps to look at a text.
    pub(crate) const fn work_on(&self, text: usize) -> u64 {
        (text as u64).saturating_mul(self.words as u64)
    }

    fn matches_short(&self, text: &[u8]) -> bool {
        let (mut state, stars) = (1_u64, self.stars[0]);
        for &byte in text {
            let taken = state & self.takes[usize::from(byte)];
            state = taken << 1 | state & stars;
            if state == 0 {
                return false;
            }
        }
        state >> self.places & 1 == 1
    }

    /// One more place, which takes these bytes.
    fn place(&mut self, bytes: impl Iterator<Item = u8>) {
        let (word, bit) = (self.places / 64, self.places % 64);
        for byte in bytes {
            self.takes[usize::from(byte) * self.words + word] |= 1 << bit;
            self.work += 1;
        }
        self.places += 1;
    }
}

/// The bytes in the class that begins after its `[`, and how long the class is. An unclosed one ends with the pattern.
fn class(class: &[u8]) -> ([bool; 256], usize) {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut set = [negated; 256];
    let mut put = |bytes: core::ops::RangeInclusive<u8>| {
        bytes.for_each(|byte| set[usize::from(byte)] = !negated);
    };
    while let Some(&first) = class.get(at) {
        match (first, &class[at + 1..]) {
            (b']', _) => return (set, at + 1),
            (b'\\', [escaped, ..]) => {
                put(*escaped..=*escaped);
                at += 2;
            }
            (low, [b'-', high, ..]) => {
                put(low.min(*high)..=low.max(*high));
                at += 3;
            }
            (single, _) => {
                put(single..=single);
                at += 1;
            }
        }
    }
    (set, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How it was done before: with one place to come back to.
    fn reference(pattern: &[u8], text: &[u8]) -> bool {
        let (mut p, mut t) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while t < text.len() {
            if pattern.get(p) == Some(&b'*') {
                p += 1;
                star = Some((p, t));
            } else if let Some(taken) = one(&pattern[p..], text[t]) {
                p += taken;
                t += 1;
            } else if let Some((after, from)) = star {
                p = after;
                t = from + 1;
                star = Some((after, t));
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|&byte| byte == b'*')
    }

    /// How many bytes of the pattern match this one byte; `None` if they do not.
    fn one(pattern: &[u8], byte: u8) -> Option<usize> {
        match *pattern {
            [] => None,
            [b'?', ..] => Some(1),
            [b'[', ref class @ ..] => {
                let (found, length) = in_class(class, byte);
                found.then_some(1 + length)
            }
            [b'\\', escaped, ..] => (escaped == byte).then_some(2),
            [literal, ..] => (literal == byte).then_some(1),
        }
    }

    /// Whether a byte is in the class that begins after its `[`, and how long the class is. An unclosed one ends with the pattern.
    fn in_class(class: &[u8], byte: u8) -> (bool, usize) {
        let negated = class.first() == Some(&b'^');
        let mut at = usize::from(negated);
        let mut found = false;
        while let Some(&first) = class.get(at) {
            match (first, &class[at + 1..]) {
                (b']', _) => return (found != negated, at + 1),
                (b'\\', [escaped, ..]) => {
                    found |= *escaped == byte;
                    at += 2;
                }
                (low, [b'-', high, ..]) => {
                    found |= (low.min(*high)..=low.max(*high)).contains(&byte);
                    at += 3;
                }
                (single, _) => {
                    found |= single == byte;
                    at += 1;
                }
            }
        }
        (found != negated, at)
    }

    fn matches(pattern: &[u8], text: &[u8]) -> bool {
        Pattern::new(pattern).matches(text)
    }

    #[test]
    fn patterns_match_as_documented() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "heeeello", true),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*ab", "aab", true),
            ("", "", true),
            ("", "a", false),
            ("[", "a", false),
            ("[a", "a", true),
            ("a\\", "a\\", true),
            ("user:*:name", "user:7:name", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn hostile_patterns_take_bounded_time() {
        let pattern = [b"a*".repeat(500), b"b".to_vec()].concat();
        assert!(!matches(&pattern, &b"a".repeat(5_000)));
        // a text costs its length times the words of the pattern
        let pattern = Pattern::new(&[&b"*"[..], &b"a".repeat(254), b"b"].concat());
        assert!(!pattern.matches(&b"a".repeat(64 << 10)));
        assert_eq!(pattern.work_on(64 << 10), 5 * (64 << 10));
    }

    proptest! {
        #[test]
        fn patterns_match_the_reference(pattern in "[\\[\\]\\^\\-\\\\*?a-c]{0,12}", text in "[a-c\\-]{0,12}") {
            prop_assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), reference(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn long_patterns_match_the_reference(repeat in 1usize..30, pattern in "[*?a-b]{1,9}", text in "[a-b]{0,200}") {
            let pattern = pattern.repeat(repeat);
            prop_assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), reference(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
