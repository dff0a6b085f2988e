/// Storage on the heap, bounded by the limits in the configuration of what it stores.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Heap;
