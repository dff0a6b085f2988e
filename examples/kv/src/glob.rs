/// Whether `text` matches a pattern of Redis's kind: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before a character to take it
/// as it is.
///
/// A star keeps only its own last place to come back to, so the time is at most the product of the two lengths, whatever the
/// pattern (recursion would let `a*a*a*…b` take exponential time).
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
    fn hostile_patterns_take_no_time() {
        let pattern = [b"a*".repeat(500), b"b".to_vec()].concat();
        assert!(!matches(&pattern, &b"a".repeat(5_000)));
    }

    proptest! {
        #[test]
        fn any_pattern_is_survived(pattern in "[\\[\\]\\^\\-\\\\*?a-c]{0,12}", text in "[a-c\\-]{0,12}") {
            matches(pattern.as_bytes(), text.as_bytes());
        }
    }
}
