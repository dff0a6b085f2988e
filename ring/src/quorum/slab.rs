use core::marker::PhantomData;

use quorate_core::{Full, List};

/// No place.
const NONE: u32 = u32::MAX;

/// How many queues an element can be in at once.
const QUEUES: usize = 2;

/// Elements that keep their places, in queues that run through them: what a place holds is found in
/// one step, and so are the first of a queue and its successor.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Slab<T, L> {
    cells: L,
    free: u32,
    len: u32,
    queues: [Ends; QUEUES],
    of: PhantomData<T>,
}

/// A place of a [`Slab`], taken by an element and its links or free.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(unnameable_types)] // of the sealed storage
pub struct Cell<T> {
    links: [Links; QUEUES],
    /// The next free place, where this is one.
    next_free: u32,
    element: Option<T>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Ends {
    first: u32,
    last: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Links {
    queued: bool,
    previous: u32,
    next: u32,
}

const UNLINKED: Links = Links { queued: false, previous: NONE, next: NONE };

/// Which of the queues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Queue {
    /// Elements that have something to put out.
    Due = 0,
    /// Elements in the order in which their time is up, or their ticket returns.
    Waiting = 1,
}

impl<T, L: List<Cell<T>>> Slab<T, L> {
    pub(crate) fn with_limit(limit: usize) -> Self {
        let none = Ends { first: NONE, last: NONE };
        let cells = L::with_limit(limit.min(NONE as usize));
        Self { cells, free: NONE, len: 0, queues: [none; QUEUES], of: PhantomData }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn limit(&self) -> usize {
        self.cells.limit().min(NONE as usize)
    }

    /// All places there were elements in until now are below this.
    pub(crate) fn places(&self) -> usize {
        self.cells.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.limit()
    }

    /// Puts an element into a free place, and tells which.
    pub(crate) fn insert(&mut self, element: T) -> Result<u32, Full> {
        if self.is_full() {
            return Err(Full);
        }
        let place = if self.free == NONE {
            let place = u32::try_from(self.cells.len()).map_err(|_| Full)?;
            let links = [UNLINKED; QUEUES];
            self.cells.push(Cell { links, next_free: NONE, element: Some(element) })?;
            place
        } else {
            let place = self.free;
            let cell = self.cells.get_mut(place as usize).ok_or(Full)?;
            self.free = cell.next_free;
            cell.element = Some(element);
            place
        };
        self.len = self.len.saturating_add(1);
        Ok(place)
    }

    /// Takes an element out, of its queues too.
    pub(crate) fn remove(&mut self, place: u32) -> Option<T> {
        self.unqueue(place, Queue::Due);
        self.unqueue(place, Queue::Waiting);
        let free = self.free;
        let cell = self.cells.get_mut(place as usize)?;
        let element = cell.element.take()?;
        cell.next_free = free;
        self.free = place;
        self.len = self.len.saturating_sub(1);
        Some(element)
    }

    pub(crate) fn get(&self, place: u32) -> Option<&T> {
        self.cells.get(place as usize)?.element.as_ref()
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        self.cells.get_mut(place as usize)?.element.as_mut()
    }

    /// The elements with their places, in the order of those.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0_u32..)
            .zip(self.cells.iter())
            .filter_map(|(place, cell)| Some((place, cell.element.as_ref()?)))
    }

    /// The first of a queue.
    pub(crate) const fn first(&self, queue: Queue) -> Option<u32> {
        let [due, waiting] = &self.queues;
        let ends = match queue {
            Queue::Due => due,
            Queue::Waiting => waiting,
        };
        if ends.first == NONE { None } else { Some(ends.first) }
    }

    /// Whether an element is in a queue.
    pub(crate) fn is_queued(&self, place: u32, queue: Queue) -> bool {
        let links = self.cells.get(place as usize).and_then(|cell| cell.links.get(queue as usize));
        links.is_some_and(|links| links.queued)
    }

    /// Puts an element at the end of a queue, unless it is in it.
    pub(crate) fn enqueue(&mut self, place: u32, queue: Queue) {
        let Some(ends) = self.queues.get(queue as usize).copied() else { return };
        match self.links(place, queue) {
            Some(links) if !links.queued => {
                *links = Links { queued: true, previous: ends.last, next: NONE };
            }
            _ => return,
        }
        if let Some(links) = self.links(ends.last, queue) {
            links.next = place;
        }
        if let Some(ends) = self.queues.get_mut(queue as usize) {
            ends.last = place;
            if ends.first == NONE {
                ends.first = place;
            }
        }
    }

    /// Takes an element out of a queue, if it is in it.
    pub(crate) fn unqueue(&mut self, place: u32, queue: Queue) {
        let Some(links) = self.links(place, queue) else { return };
        let Links { queued: true, previous, next } = core::mem::replace(links, UNLINKED) else {
            return;
        };
        if let Some(links) = self.links(previous, queue) {
            links.next = next;
        }
        if let Some(links) = self.links(next, queue) {
            links.previous = previous;
        }
        if let Some(ends) = self.queues.get_mut(queue as usize) {
            if ends.first == place {
                ends.first = next;
            }
            if ends.last == place {
                ends.last = previous;
            }
        }
    }

    fn links(&mut self, place: u32, queue: Queue) -> Option<&mut Links> {
        self.cells.get_mut(place as usize)?.links.get_mut(queue as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_core::{InlineList, Rng};
    use std::vec::Vec;

    #[test]
    fn queues_and_places_match_plain_lists() {
        let mut rng = Rng::new(1);
        let mut slab = Slab::<u64, InlineList<Cell<u64>, 6>>::with_limit(6);
        let mut elements: Vec<(u32, u64)> = Vec::new();
        let mut queues: [Vec<u32>; 2] = [Vec::new(), Vec::new()];
        for step in 0..20_000 {
            let which = rng.below(2) as usize;
            let queue = [Queue::Due, Queue::Waiting][which];
            let place = rng.below(6) as u32;
            let taken = elements.iter().any(|(at, _)| *at == place);
            match rng.below(4) {
                0 => match slab.insert(step) {
                    Ok(place) => {
                        assert!(elements.iter().all(|(at, _)| *at != place));
                        elements.push((place, step));
                    }
                    Err(Full) => assert_eq!(elements.len(), 6),
                },
                1 => {
                    let at = elements.iter().position(|(at, _)| *at == place);
                    let element = at.map(|at| elements.remove(at).1);
                    queues.iter_mut().for_each(|queue| queue.retain(|at| *at != place));
                    assert_eq!(slab.remove(place), element);
                }
                2 => {
                    slab.unqueue(place, queue);
                    queues[which].retain(|at| *at != place);
                }
                _ if taken => {
                    slab.enqueue(place, queue);
                    if !queues[which].contains(&place) {
                        queues[which].push(place);
                    }
                }
                _ => {}
            }
            assert_eq!(slab.len(), elements.len());
            for (place, element) in &elements {
                assert_eq!(slab.get(*place), Some(element));
            }
            assert_eq!(slab.first(queue), queues[which].first().copied());
        }
        for (which, queue) in [Queue::Due, Queue::Waiting].into_iter().enumerate() {
            while let Some(first) = slab.first(queue) {
                assert_eq!(queues[which].remove(0), first);
                slab.unqueue(first, queue);
            }
            assert!(queues[which].is_empty());
        }
    }
}
