/// Something that is done many times: so many rounds at each call.
pub(crate) type Rounds = Box<dyn FnMut(u64)>;

/// One operation as one library does it.
pub(crate) struct Case {
    /// `clocks` or `crdt`.
    pub(crate) group: &'static str,
    /// What is done.
    pub(crate) operation: &'static str,
    /// With so many actors or elements; 1 where there is no such number.
    pub(crate) size: usize,
    /// Whose code does it; ours is `quorate`.
    pub(crate) who: &'static str,
    /// Makes what is needed, outside of what is measured.
    pub(crate) make: Box<dyn Fn() -> Rounds>,
}

impl Case {
    pub(crate) fn new<F: FnMut() + 'static>(
        group: &'static str,
        operation: &'static str,
        size: usize,
        who: &'static str,
        make: impl Fn() -> F + 'static,
    ) -> Self {
        let make = Box::new(move || {
            let mut round = make();
            Box::new(move |rounds: u64| (0..rounds).for_each(|_| round())) as Rounds
        });
        Self { group, operation, size, who, make }
    }
}
