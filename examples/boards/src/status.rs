use core::fmt;
use std::collections::BTreeMap;

use crate::Failure;

/// What a node says of itself: `key=value` pairs, in whatever order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Status {
    pairs: BTreeMap<String, String>,
}

impl Status {
    /// Reads the answer to `status`; words without a `=` are not for us.
    ///
    /// ```
    /// use quorate_boards::Status;
    /// let status = Status::parse("id=1 role=leader term=3");
    /// assert_eq!(status.get("role"), Some("leader"));
    /// assert_eq!(status.number("term")?, 3);
    /// assert!(status.number("commit").is_err());
    /// # Ok::<(), quorate_boards::Failure>(())
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let pair = |word: &str| {
            let (key, value) = word.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        };
        Self { pairs: text.split_whitespace().filter_map(pair).collect() }
    }

    /// A value as it was said.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.get(key).map(String::as_str)
    }

    /// A value that is a number.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when there is none.
    pub fn number(&self, key: &str) -> Result<i64, Failure> {
        self.get(key).and_then(|value| value.parse().ok()).ok_or_else(|| {
            Failure::Unexpected(format!("the status has no number `{key}`: it is `{self}`"))
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, value)) in self.pairs.iter().enumerate() {
            write!(f, "{}{key}={value}", if at == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}
