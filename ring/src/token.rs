use core::fmt;

/// A place in the space of hashes, which is a circle: after `u64::MAX` comes 0.
///
/// ```
/// use quorate_ring::Token;
/// assert!(Token::new(5) < Token::new(6));
/// assert_eq!(Token::MAX.next(), Token::MIN);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Token(u64);

impl Token {
    /// The first token, 0.
    pub const MIN: Self = Self(0);
    /// The last token, `u64::MAX`.
    pub const MAX: Self = Self(u64::MAX);

    /// The token of this number.
    #[must_use]
    pub const fn new(token: u64) -> Self {
        Self(token)
    }

    /// Its number.
    ///
    /// ```
    /// # use quorate_ring::Token;
    /// assert_eq!(Token::new(7).get(), 7);
    /// ```
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The token after this one; after the last comes the first.
    ///
    /// ```
    /// # use quorate_ring::Token;
    /// assert_eq!(Token::new(7).next(), Token::new(8));
    /// ```
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// The token before this one; before the first comes the last.
    ///
    /// ```
    /// # use quorate_ring::Token;
    /// assert_eq!(Token::MIN.previous(), Token::MAX);
    /// ```
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// All tokens from `first` to `last`, both included. Where `last` is below `first`, the range wraps: it goes on after `Token::MAX` with 0.
///
/// Both ends belong to the range, so no range is empty, and all tokens together are one range. A half-open range with equal ends would be
/// ambiguous: nothing or everything.
///
/// ```
/// use quorate_ring::{Token, TokenRange};
/// let over_the_end = TokenRange::new(Token::new(u64::MAX - 1), Token::new(2));
/// assert_eq!(over_the_end.len(), 5);
/// assert!(over_the_end.contains(Token::new(0)));
/// assert!(!over_the_end.contains(Token::new(3)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TokenRange {
    /// The first token.
    pub first: Token,
    /// The last token.
    pub last: Token,
}

impl TokenRange {
    /// All tokens there are.
    pub const ALL: Self = Self { first: Token::MIN, last: Token::MAX };

    /// The tokens from `first` to `last`.
    #[must_use]
    pub const fn new(first: Token, last: Token) -> Self {
        Self { first, last }
    }

    /// Whether the token is in the range.
    ///
    /// ```
    /// # use quorate_ring::{Token, TokenRange};
    /// assert!(TokenRange::ALL.contains(Token::new(9)));
    /// ```
    #[must_use]
    pub const fn contains(self, token: Token) -> bool {
        token.0.wrapping_sub(self.first.0) <= self.last.0.wrapping_sub(self.first.0)
    }

    /// The number of tokens in the range: 1 to 2^64.
    ///
    /// ```
    /// # use quorate_ring::{Token, TokenRange};
    /// assert_eq!(TokenRange::ALL.len(), 1 << 64);
    /// assert_eq!(TokenRange::new(Token::new(4), Token::new(4)).len(), 1);
    /// ```
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // none is empty
    pub const fn len(self) -> u128 {
        (self.last.0.wrapping_sub(self.first.0) as u128).saturating_add(1)
    }
}

impl fmt::Display for TokenRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.first, self.last)
    }
}
