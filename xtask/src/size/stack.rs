//! The largest stack a program can need, from its calls.

use std::collections::{BTreeMap, BTreeSet};

use super::frame;
use super::image::Image;

/// The deepest chain of calls from the entry.
///
/// A call is whatever function a function's code names: a pointer to a function that is made and handed on counts as called
/// by who made it. The frames are the compiler's; of a function without one (the runtime's, which came compiled; what the
/// linker was given in assembler; code that the compiler moved out of several functions) all that its instructions take from
/// the stack pointer is added up.
pub(crate) struct Stack {
    /// Its bytes, all frames together.
    pub(crate) bytes: u64,
    /// The functions, from the entry on, each with its frame.
    pub(crate) chain: Vec<(String, u64)>,
    /// Functions that call themselves, by whatever way: the bytes count them once.
    pub(crate) recursive: Vec<String>,
    /// Functions whose address is kept in data: who calls them cannot be seen, and the bytes do not count them.
    pub(crate) by_pointer: Vec<String>,
    /// Functions on the way whose frame neither the compiler states nor the instructions tell: the bytes do not count it.
    pub(crate) unknown: Vec<String>,
}

/// Measures from the function with this name.
pub(crate) fn measure(image: &Image, entry: &str) -> Option<Stack> {
    let (&entry, _) = image.functions.iter().find(|(_, f)| f.name == entry)?;
    let mut walk = Walk::new(image);
    let bytes = walk.depth(entry, &mut Vec::new());
    let name = |address: &u64| image.functions.get(address).map(|f| f.name.clone());
    let mut chain = Vec::new();
    let mut at = Some(entry);
    while let Some(address) = at {
        chain.extend(name(&address).map(|name| (name, walk.frame(address).unwrap_or(0))));
        at = walk.depths.get(&address).and_then(|deepest| deepest.next);
    }
    let recursive = walk.recursive.iter().filter_map(name).collect();
    let unknown = walk.depths.keys().filter(|at| walk.frame(**at).is_none()).filter_map(name);
    let unknown = unknown.collect();
    Some(Stack { bytes, chain, recursive, by_pointer: by_pointer(image), unknown })
}

/// The functions each function's code names.
fn calls(image: &Image) -> BTreeMap<u64, BTreeSet<u64>> {
    let mut calls: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for reference in &image.references {
        let (from, to) = (image.function_at(reference.from), image.function_at(reference.to));
        let (Some((from, _)), Some((to, _))) = (from, to) else { continue };
        // a jump within a function is no call of it
        if from != to || reference.to == to {
            calls.entry(from).or_default().insert(to);
        }
    }
    calls
}

fn by_pointer(image: &Image) -> Vec<String> {
    let kept = image.references.iter().filter(|r| !image.is_code(r.from));
    let starts = kept.filter_map(|r| image.functions.get(&r.to));
    let names: BTreeSet<String> = starts.map(|function| function.name.clone()).collect();
    names.into_iter().collect()
}

struct Walk<'a> {
    image: &'a Image,
    calls: BTreeMap<u64, BTreeSet<u64>>,
    depths: BTreeMap<u64, Deepest>,
    recursive: BTreeSet<u64>,
}

struct Deepest {
    bytes: u64,
    next: Option<u64>,
}

impl<'a> Walk<'a> {
    fn new(image: &'a Image) -> Self {
        Self { image, calls: calls(image), depths: BTreeMap::new(), recursive: BTreeSet::new() }
    }

    /// What a function and all it calls take at most. `open` are the calls that lead to it.
    fn depth(&mut self, address: u64, open: &mut Vec<u64>) -> u64 {
        if let Some(known) = self.depths.get(&address) {
            return known.bytes;
        }
        if open.contains(&address) {
            self.recursive.insert(address);
            return 0;
        }
        open.push(address);
        let callees = self.calls.get(&address).cloned().unwrap_or_default();
        let deepest = callees.into_iter().map(|callee| (self.depth(callee, open), callee)).max();
        open.pop();
        let below = deepest.map_or(0, |(bytes, _)| bytes);
        let bytes = self.frame(address).unwrap_or(0).saturating_add(below);
        let next = deepest.filter(|_| below > 0).map(|(_, callee)| callee);
        self.depths.insert(address, Deepest { bytes, next });
        bytes
    }

    fn frame(&self, address: u64) -> Option<u64> {
        let function = self.image.functions.get(&address)?;
        // what the compiler says of code it moved out of others is not that code's whole
        let outlined = function.name.starts_with("OUTLINED_FUNCTION");
        match self.image.frames.get(&address) {
            Some(&bytes) if !outlined => Some(bytes),
            _ => frame::of_code(self.image.architecture, &self.image.code(address, function)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::image::made_of;

    const ENTRY: (&str, u64) = ("_start", 8);

    fn measured(functions: &[(&str, u64)], references: &[(u64, u64)]) -> Stack {
        let Some(stack) = measure(&made_of(functions, references), "_start") else {
            unreachable!("there is an entry")
        };
        stack
    }

    #[test]
    fn deepest_call_chain_counts() {
        let functions = [ENTRY, ("wide", 100), ("deep", 30), ("deeper", 80), ("never", 999)];
        let stack = measured(&functions, &[(0, 1), (0, 2), (2, 3), (1, 1 + 10)]);
        assert_eq!(stack.bytes, 8 + 30 + 80);
        let names: Vec<&str> = stack.chain.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["_start", "deep", "deeper"]);
        assert!(stack.recursive.is_empty() && stack.by_pointer.is_empty());
    }

    #[test]
    fn recursion_is_reported() {
        let functions = [ENTRY, ("one", 10), ("other", 20)];
        let stack = measured(&functions, &[(0, 1), (1, 2), (2, 1)]);
        assert_eq!(stack.recursive, ["one"]);
    }

    #[test]
    fn function_pointers_in_data_are_reported() {
        let functions = [ENTRY, ("callback", 10)];
        let stack = measured(&functions, &[(2, 1)]);
        assert_eq!(stack.by_pointer, ["callback"]);
    }

    #[test]
    fn unknown_frame_size_is_reported() {
        let mut image = made_of(&[ENTRY, ("asm", 0), ("never", 0)], &[(0, 1)]);
        image.frames.retain(|&address, _| address == 16);
        // add sp, r4
        image.write(32, &[0xa5, 0x44]);
        image.write(48, &[0xa5, 0x44]);
        let unknown = measure(&image, "_start").map(|stack| stack.unknown);
        assert_eq!(unknown, Some(vec!["asm".to_owned()]));
    }

    #[test]
    fn image_without_the_entry_is_not_measured() {
        assert!(measure(&made_of(&[("main", 8)], &[]), "_start").is_none());
    }
}
