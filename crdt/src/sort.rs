use crate::grow_map::swap;

/// Sorts in place: heapsort (Williams, "Algorithm 232", 1964, with the heap built as by Floyd, "Algorithm 245", 1964). It needs no
/// memory, takes n log n steps on any input, hostile ones too, and has no panic, which the library's has.
pub(crate) fn sort<T: Ord>(list: &mut [T]) {
    if list.iter().zip(list.iter().skip(1)).all(|(one, next)| one <= next) {
        return;
    }
    for root in (0..list.len() / 2).rev() {
        sift(list, root);
    }
    for end in (1..list.len()).rev() {
        swap(list, 0, end);
        sift(list.get_mut(..end).unwrap_or_default(), 0);
    }
}

/// Moves an element down until none of the two below it is greater.
fn sift<T: Ord>(heap: &mut [T], root: usize) {
    let mut at = root;
    loop {
        let left = at.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        let greater = if heap.get(right) > heap.get(left) { right } else { left };
        if heap.get(greater) <= heap.get(at) {
            return; // what is not there is less than all
        }
        swap(heap, at, greater);
        at = greater;
    }
}

#[cfg(test)]
mod tests {
    use super::sort;
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
