/// One operation as one library does it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Its number in the bench program.
    pub(crate) case: usize,
    pub(crate) operation: String,
    pub(crate) size: usize,
    pub(crate) who: String,
    pub(crate) ns: f64,
    pub(crate) allocations: f64,
    pub(crate) instructions: Option<u64>,
}

impl Row {
    /// Reads a line `case|group|operation|size|who|ns|allocations`.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split('|').collect();
        let [case, _group, operation, size, who, ns, allocations] = *words else { return None };
        Some(Self {
            case: case.parse().ok()?,
            operation: operation.to_owned(),
            size: size.parse().ok()?,
            who: who.to_owned(),
            ns: ns.parse().ok()?,
            allocations: allocations.parse().ok()?,
            instructions: None,
        })
    }

    /// What is compared with each other.
    pub(crate) fn key(&self) -> (&str, usize) {
        (&self.operation, self.size)
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.who == "quorate"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let row = Row::parse("7|clocks|merge|16|crdts|160.93|3.00");
        assert!(row.as_ref().is_some_and(|row| row.key() == ("merge", 16) && !row.is_ours()));
        assert!(row.is_some_and(|row| (row.case, row.ns, row.allocations) == (7, 160.93, 3.0)));
        assert_eq!(Row::parse("7|clocks|merge|16|crdts|160.93"), None);
        assert_eq!(Row::parse("7|clocks|merge|many|crdts|160.93|3.00"), None);
    }
}
