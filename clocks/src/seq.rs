//! Bounded lists through serde, for types that hold some: what comes from elsewhere takes no more room than the storage has.

use core::fmt;
use core::marker::PhantomData;

use quorate_core::List;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use crate::{Element, Storage};

/// Reads a sequence of at most [`Storage::LIMIT`] elements into a list of the storage, for `#[serde(deserialize_with)]`.
///
/// # Errors
///
/// What the format says, or an error of its own if there are more elements than that.
///
/// ```
/// use quorate_clocks::{Inline, Storage, seq};
///
/// #[derive(serde::Deserialize)]
/// struct Track {
///     #[serde(deserialize_with = "seq::deserialize::<Inline<3>, u16, _>")]
///     points: <Inline<3> as Storage>::List<u16>,
/// }
///
/// let track: Track = postcard::from_bytes(&[2, 7, 8])?;
/// assert_eq!(&*track.points, [7, 8]);
/// assert!(postcard::from_bytes::<Track>(&[4, 7, 8, 9, 10]).is_err());
/// # Ok::<(), postcard::Error>(())
/// ```
pub fn deserialize<'de, S, T, D>(deserializer: D) -> Result<S::List<T>, D::Error>
where
    S: Storage,
    T: Element + Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct Sequence<S, T>(PhantomData<(S, T)>);

    impl<'de, S: Storage, T: Element + Deserialize<'de>> Visitor<'de> for Sequence<S, T> {
        type Value = S::List<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a sequence of at most {}", S::LIMIT)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<S::List<T>, A::Error> {
            let mut list = S::List::with_limit(S::LIMIT);
            while let Some(element) = input.next_element()? {
                list.push(element)
                    .map_err(|_| A::Error::custom("more elements than there is room for"))?;
            }
            Ok(list)
        }
    }

    deserializer.deserialize_seq(Sequence::<S, T>(PhantomData))
}
