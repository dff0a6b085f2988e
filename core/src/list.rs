use core::ops::{Deref, DerefMut};

use crate::{DecodeError, Full, Reader, Wire, Writer};

/// A bounded list: a slice that can grow up to its limit, and says [`Full`] after that.
///
/// Protocol logic is written over `&[T]` and `&mut [T]`, which both shipped lists deref to, so that several capacities do not
/// multiply code.
pub trait List<T>: Deref<Target = [T]> + DerefMut {
    /// An empty list that takes at most `limit` elements (or fewer, where the capacity is fixed by the type).
    fn with_limit(limit: usize) -> Self;

    /// How many elements it takes at most.
    fn limit(&self) -> usize;

    /// Adds an element at the end.
    ///
    /// # Errors
    ///
    /// [`Full`] at the limit; the list is unchanged.
    fn push(&mut self, value: T) -> Result<(), Full>;

    /// Keeps the first `len` elements.
    fn truncate(&mut self, len: usize);

    /// Removes the element at `index`, moving the later ones down; `None` beyond the end.
    fn remove(&mut self, index: usize) -> Option<T>;

    /// Adds all elements, or none of them.
    ///
    /// # Errors
    ///
    /// [`Full`] if they do not all fit; the list is unchanged.
    fn extend_from_slice(&mut self, values: &[T]) -> Result<(), Full>
    where
        T: Clone;

    /// Removes everything.
    fn clear(&mut self) {
        self.truncate(0);
    }
}

/// A list of at most `N` elements inside the value itself: no heap.
///
/// ```
/// use quorate_core::{Full, InlineList, List};
/// let mut list = InlineList::<u8, 2>::with_limit(8);
/// assert_eq!(list.limit(), 2);
/// list.push(1)?;
/// assert_eq!(list.extend_from_slice(&[2, 3]), Err(Full));
/// list.push(2)?;
/// assert_eq!(list.push(3), Err(Full));
/// assert_eq!(list.remove(0), Some(1));
/// assert_eq!(*list, [2]);
/// # Ok::<(), Full>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct InlineList<T, const N: usize>(heapless::Vec<T, N>);

impl<T, const N: usize> Deref for InlineList<T, N> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const N: usize> DerefMut for InlineList<T, N> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T, const N: usize> List<T> for InlineList<T, N> {
    fn with_limit(_limit: usize) -> Self {
        Self(heapless::Vec::new())
    }

    fn limit(&self) -> usize {
        N
    }

    fn push(&mut self, value: T) -> Result<(), Full> {
        self.0.push(value).map_err(|_| Full)
    }

    fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    fn remove(&mut self, index: usize) -> Option<T> {
        (index < self.0.len()).then(|| self.0.remove(index))
    }

    fn extend_from_slice(&mut self, values: &[T]) -> Result<(), Full>
    where
        T: Clone,
    {
        self.0.extend_from_slice(values).map_err(|_| Full)
    }
}

/// A list on the heap with a limit chosen when it is made.
///
/// ```
/// use quorate_core::{Full, HeapList, List};
/// let mut list = HeapList::with_limit(2);
/// list.extend_from_slice(&[1, 2])?;
/// assert_eq!(list.push(3), Err(Full));
/// # Ok::<(), Full>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct HeapList<T> {
    items: alloc::vec::Vec<T>,
    limit: usize,
}

#[cfg(feature = "alloc")]
impl<T> Deref for HeapList<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.items
    }
}

#[cfg(feature = "alloc")]
impl<T> DerefMut for HeapList<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

#[cfg(feature = "alloc")]
impl<T> List<T> for HeapList<T> {
    fn with_limit(limit: usize) -> Self {
        Self { items: alloc::vec::Vec::new(), limit }
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn push(&mut self, value: T) -> Result<(), Full> {
        if self.items.len() >= self.limit {
            return Err(Full);
        }
        self.items.push(value);
        Ok(())
    }

    fn truncate(&mut self, len: usize) {
        self.items.truncate(len);
    }

    fn remove(&mut self, index: usize) -> Option<T> {
        (index < self.items.len()).then(|| self.items.remove(index))
    }

    fn extend_from_slice(&mut self, values: &[T]) -> Result<(), Full>
    where
        T: Clone,
    {
        if self.limit.saturating_sub(self.items.len()) < values.len() {
            return Err(Full);
        }
        self.items.extend_from_slice(values);
        Ok(())
    }
}

/// As `&[u8]`. Reading more than `N` bytes is [`DecodeError::Invalid`].
///
/// ```
/// use quorate_core::{DecodeError, InlineList, Wire};
/// type Name = InlineList<u8, 4>;
/// let name = Name::from_slice(&[3, b'a', b'b', b'c'])?;
/// assert_eq!((&*name, name.encoded_len()), (&b"abc"[..], 4));
/// assert_eq!(Name::from_slice(&[5, 1, 2, 3, 4, 5]), Err(DecodeError::Invalid));
/// # Ok::<(), DecodeError>(())
/// ```
impl<const N: usize> Wire<'_> for InlineList<u8, N> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.bytes(self);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut list = Self::with_limit(N);
        list.extend_from_slice(input.bytes()?).map_err(|_| DecodeError::Invalid)?;
        Ok(list)
    }
}

/// As `&[u8]`. It allocates no more than the input has bytes.
///
/// ```
/// use quorate_core::Wire;
/// let name = Vec::<u8>::from_slice(&[3, b'a', b'b', b'c'])?;
/// assert_eq!((&*name, name.encoded_len()), (&b"abc"[..], 4));
/// # Ok::<(), quorate_core::DecodeError>(())
/// ```
#[cfg(feature = "alloc")]
impl Wire<'_> for alloc::vec::Vec<u8> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.bytes(self);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.bytes().map(Self::from)
    }
}

/// As the bytes of its UTF-8. It allocates no more than the input has bytes.
///
/// ```
/// use quorate_core::{DecodeError, Wire};
/// let name = String::from_slice(&[4, b'z', 0xc3, 0xbc, b'g'])?;
/// assert_eq!((&*name, name.encoded_len()), ("züg", 5));
/// assert_eq!(String::from_slice(&[1, 0xff]), Err(DecodeError::Invalid));
/// # Ok::<(), DecodeError>(())
/// ```
#[cfg(feature = "alloc")]
impl Wire<'_> for alloc::string::String {
    fn encode(&self, out: &mut Writer<'_>) {
        out.bytes(self.as_bytes());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        core::str::from_utf8(input.bytes()?).map(Self::from).map_err(|_| DecodeError::Invalid)
    }
}
