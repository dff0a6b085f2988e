/// Sorts a list in place, with no memory and no panic, in n log n steps on any input.
///
/// `slice::sort_unstable` takes longer lists in less time. A firmware image that calls it has core's panicking machinery
/// in it, as that function guards against orders that are none. Equal elements may change places.
///
/// ```
/// let mut list = [3, 1, 2, 1];
/// quorate_core::sort(&mut list);
/// assert_eq!(list, [1, 1, 2, 3]);
/// ```
///
/// Source: as [`sort_places`].
pub fn sort<T: Ord>(list: &mut [T]) {
    let len = list.len();
    sort_places(list, len, |list, one, other| list.get(one) < list.get(other), swap);
}

/// Sorts what has places from 0 to `len`, such as lists of which the elements at one place belong together: `is_less` compares two
/// places, and `swap` exchanges what is there. Both get places below `len` only.
///
/// An order that is none leaves the elements in any order, after as many steps.
///
/// ```
/// let mut lists = ([30, 10, 20], ['c', 'a', 'b']);
/// quorate_core::sort_places(
///     &mut lists,
///     3,
///     |(keys, _), one, other| keys.get(one) < keys.get(other),
///     |(keys, names), one, other| {
///         keys.swap(one, other);
///         names.swap(one, other);
///     },
/// );
/// assert_eq!(lists, ([10, 20, 30], ['a', 'b', 'c']));
/// ```
///
/// Source: heapsort (Williams, "Algorithm 232", CACM 7(6), 1964), with the heap built as by Floyd ("Algorithm 245", CACM 7(12), 1964).
pub fn sort_places<L: ?Sized>(
    lists: &mut L,
    len: usize,
    is_less: impl Fn(&L, usize, usize) -> bool,
    swap: impl Fn(&mut L, usize, usize),
) {
    // lists that come sorted are common, and others are told from them soon
    if !(1..len).any(|at| is_less(lists, at, at.saturating_sub(1))) {
        return;
    }
    for root in (0..len / 2).rev() {
        sift(lists, root, len, &is_less, &swap);
    }
    for end in (1..len).rev() {
        swap(lists, 0, end);
        sift(lists, 0, end, &is_less, &swap);
    }
}

/// Moves what is at a place down until none of the two below it is greater.
fn sift<L: ?Sized>(
    lists: &mut L,
    root: usize,
    end: usize,
    is_less: &impl Fn(&L, usize, usize) -> bool,
    swap: &impl Fn(&mut L, usize, usize),
) {
    let mut at = root;
    loop {
        let left = at.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        if left >= end {
            return;
        }
        let greater = if right < end && is_less(lists, left, right) { right } else { left };
        if !is_less(lists, at, greater) {
            return;
        }
        swap(lists, at, greater);
        at = greater;
    }
}

fn swap<T>(list: &mut [T], one: usize, other: usize) {
    if let Ok([one, other]) = list.get_disjoint_mut([one, other]) {
        core::mem::swap(one, other);
    }
}

#[cfg(test)]
mod tests {
    use super::{sort, sort_places};
    use core::cell::Cell;
    use core::cmp::Ordering;
    use std::vec::Vec;

    #[test]
    fn sorts_all_short_lists() {
        for len in 0..=6u32 {
            for code in 0..4u32.pow(len) {
                let mut list: Vec<u32> = (0..len).map(|n| code >> (2 * n) & 3).collect();
                let mut expected = list.clone();
                expected.sort_unstable();
                sort(&mut list);
                assert_eq!(list, expected);
            }
        }
    }

    #[test]
    fn asks_for_places_that_there_are() {
        for len in 0..40 {
            let mut list: Vec<u32> = (0..60).map(|n| n * 7 % 60).collect();
            let check =
                |one: usize, other: usize| assert!(one < len && other < len && one != other);
            sort_places(
                &mut list,
                len,
                |list, one, other| {
                    check(one, other);
                    list[one] < list[other]
                },
                |list, one, other| {
                    check(one, other);
                    list.swap(one, other);
                },
            );
            assert!(list[..len].is_sorted());
            assert!(list[len..].iter().copied().eq((len as u32..60).map(|n| n * 7 % 60)));
        }
    }

    /// Counts how often it is compared.
    struct Counted<'a>(u32, &'a Cell<usize>);

    impl PartialEq for Counted<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }

    impl Eq for Counted<'_> {}

    impl PartialOrd for Counted<'_> {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }

    impl Ord for Counted<'_> {
        fn cmp(&self, other: &Self) -> Ordering {
            self.1.set(self.1.get() + 1);
            self.0.cmp(&other.0)
        }
    }

    #[test]
    fn no_input_takes_the_square_of_its_length() {
        let shapes: [fn(u32) -> u32; 5] = [
            |n| n,
            |n| 4096 - n,
            |n| n % 2,
            |n| n.min(4096 - n),
            |n| n.wrapping_mul(2_654_435_761),
        ];
        for shape in shapes {
            let count = Cell::new(0);
            let mut list: Vec<_> = (0..4096).map(|n| Counted(shape(n), &count)).collect();
            sort(&mut list);
            assert!(count.get() <= 3 * 4096 * 12, "{}", count.get());
            assert!(list.is_sorted());
        }
    }
}
