use crate::tool::Tool;

/// A number drawn from the hash of the commit that is checked out, from which CI takes its samples: each commit sees another
/// one, and the same commit the same. 0 outside a git repository.
pub(crate) fn number() -> u64 {
    from_hash(&hash(&["rev-parse", "HEAD"]))
}

/// The commit's short hash, with a `+` if files differ from it, but for `but`.
pub(crate) fn name(but: &str) -> String {
    let hash = hash(&["rev-parse", "--short=10", "HEAD"]);
    let (same, ..) = Tool::new("git")
        .args(["diff", "--quiet", "HEAD", "--", ".", &format!(":!{but}")])
        .try_read()
        .unwrap_or_default();
    if hash.is_empty() || same { hash } else { hash + "+" }
}

fn hash(args: &[&str]) -> String {
    match Tool::new("git").args(args).try_read() {
        Ok((true, hash, _)) => hash.trim().to_owned(),
        _ => String::new(),
    }
}

/// Nine decimal digits: short enough to be typed.
fn from_hash(hash: &str) -> u64 {
    let digits = hash.get(..12).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_default() % 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::from_hash;

    #[test]
    fn number_is_derived_from_the_hash() {
        assert_eq!(from_hash("0000000003e8ffff0000"), 1_000);
        assert_eq!(from_hash("ffffffffffff0000"), 281_474_976_710_655 % 1_000_000_000);
        assert_eq!(from_hash(""), 0);
    }
}
