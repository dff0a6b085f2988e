//! What a linked program holds, read from its file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use addr2line::gimli;
use object::{
    Architecture, BinaryFormat, Endianness, Object, ObjectSection, ObjectSymbol, RelocationTarget,
    SectionFlags, SectionKind, SymbolKind, elf,
};

use super::panics::is_panic;
use crate::failure::{Failure, Outcome};

/// A linked ELF program for a board.
pub(crate) struct Image {
    pub(crate) sizes: Sizes,
    pub(crate) architecture: Architecture,
    /// By address, each once: of several names at one address, the first in the alphabet.
    pub(crate) functions: BTreeMap<u64, Function>,
    /// What refers to what, as addresses. Empty unless it was linked with `--emit-relocs`.
    pub(crate) references: Vec<Reference>,
    /// What functions take of the stack, by address: the compiler's `-Z emit-stack-sizes`.
    pub(crate) frames: BTreeMap<u64, u64>,
    /// The numbers a minimal program states of itself: bytes of its state, and how many of those are content.
    pub(crate) figures: Option<(u64, u64)>,
    /// Where constants begin and end between the code.
    constants: BTreeMap<u64, bool>,
    sections: Vec<Section>,
    file: Vec<u8>,
}

/// Bytes by what they become on a board.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Sizes {
    pub(crate) text: u64,
    pub(crate) rodata: u64,
    pub(crate) data: u64,
    pub(crate) bss: u64,
}

pub(crate) struct Function {
    /// As in the source, without the compiler's hash.
    pub(crate) name: String,
    pub(crate) size: u64,
}

#[derive(Clone, Copy)]
pub(crate) struct Reference {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

struct Section {
    address: u64,
    bytes: Vec<u8>,
    code: bool,
}

type Bytes<'a> = gimli::EndianSlice<'a, gimli::RunTimeEndian>;

impl Image {
    /// Reads a program.
    ///
    /// # Errors
    ///
    /// When it is no ELF program, or its names were stripped: nothing could be said of it then.
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let bytes = fs::read(path).map_err(Failure::io(path.display()))?;
        let broken = |error: &dyn core::fmt::Display| {
            Failure::failed(format!("{}: {error}", path.display()))
        };
        let file = object::File::parse(&*bytes).map_err(|e| broken(&e))?;
        if file.format() != BinaryFormat::Elf {
            return Err(broken(&"not an ELF program"));
        }
        let functions = functions(&file);
        if functions.is_empty() {
            return Err(broken(
                &"it names no functions: link it without `strip`, the names are not flashed",
            ));
        }
        Ok(Self {
            sizes: sizes(&file),
            architecture: file.architecture(),
            functions,
            references: references(&file),
            frames: frames(&file),
            figures: figures(&file),
            constants: constants(&file),
            sections: sections(&file),
            file: bytes,
        })
    }

    /// The function that holds the address, and where that begins.
    pub(crate) fn function_at(&self, address: u64) -> Option<(u64, &Function)> {
        let (&start, function) = self.functions.range(..=address).next_back()?;
        (address < start.saturating_add(function.size.max(1))).then_some((start, function))
    }

    /// The code of a function, without the constants in it.
    pub(crate) fn code(&self, start: u64, function: &Function) -> Vec<u8> {
        let holds = |s: &&Section| s.code && start.wrapping_sub(s.address) < s.bytes.len() as u64;
        let Some(section) = self.sections.iter().find(holds) else { return Vec::new() };
        let offset = usize::try_from(start - section.address).unwrap_or(usize::MAX);
        let bytes = section.bytes.iter().skip(offset);
        let bytes = bytes.take(usize::try_from(function.size).unwrap_or(usize::MAX));
        let code = (start..).zip(bytes).filter(|(address, _)| !self.is_constant(*address));
        code.map(|(_, byte)| *byte).collect()
    }

    /// Whether the address lies in code rather than in data.
    pub(crate) fn is_code(&self, address: u64) -> bool {
        self.sections
            .iter()
            .any(|s| s.code && address.wrapping_sub(s.address) < s.bytes.len() as u64)
    }

    /// The lines that lead to an address, innermost first, across functions that were inlined: `function, file:line`. Empty
    /// without debug information.
    pub(crate) fn lines(&self, address: u64) -> Vec<String> {
        let file = object::File::parse(&*self.file).ok();
        let context = file.as_ref().and_then(|file| context(file).ok());
        let frames = context.as_ref().map(|c| c.find_frames(address).skip_all_loads());
        let Some(Ok(mut frames)) = frames else { return Vec::new() };
        let mut found = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().and_then(|f| f.raw_name().ok());
            let name = name.map_or_else(
                || "?".to_owned(),
                |name| {
                    let name = demangled(name.as_ref());
                    Some(without_generics(&name)).filter(|short| !short.is_empty()).unwrap_or(name)
                },
            );
            let place = frame.location.as_ref().and_then(|l| l.file.zip(l.line));
            found.push(match place {
                Some((file, line)) => format!("{name}, {}:{line}", shorten(file)),
                None => name,
            });
        }
        found
    }

    fn is_constant(&self, address: u64) -> bool {
        self.constants.range(..=address).next_back().is_some_and(|(_, constant)| *constant)
    }
}

/// A name without its mangling, and without the compiler's hash.
pub(crate) fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// A demangled name without what is in angle brackets.
pub(crate) fn without_generics(name: &str) -> String {
    let mut depth = 0_usize;
    let mut path = String::new();
    for letter in name.chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => path.push(letter),
            _ => {}
        }
    }
    path.trim_end_matches("::").to_owned()
}

/// A path from the crate's folder on: of the standard library, of a crate that cargo fetched, of this repository.
fn shorten(file: &str) -> &str {
    let file = file.split_once("/library/").map_or(file, |(_, rest)| rest);
    let fetched = file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    let file = fetched.map_or(file, |(_, rest)| rest);
    let root = crate::tool::root();
    let inside = Path::new(file).strip_prefix(&root).ok().and_then(Path::to_str);
    inside.unwrap_or(file)
}

fn sizes(file: &object::File<'_>) -> Sizes {
    let mut sizes = Sizes::default();
    for section in file.sections() {
        let sum = match loaded(&section) {
            None => continue,
            Some((true, _)) => &mut sizes.text,
            Some(_) if section.kind() == SectionKind::UninitializedData => &mut sizes.bss,
            Some((_, true)) => &mut sizes.data,
            Some(_) => &mut sizes.rodata,
        };
        *sum += section.size();
    }
    sizes
}

fn functions(file: &object::File<'_>) -> BTreeMap<u64, Function> {
    let thumb = file.architecture() == Architecture::Arm;
    let mut found: BTreeMap<u64, Function> = BTreeMap::new();
    for symbol in file.symbols() {
        if symbol.kind() != SymbolKind::Text || symbol.is_undefined() {
            continue;
        }
        let Ok(name) = symbol.name() else { continue };
        // marks between code and constants are not functions
        if name.is_empty() || name.starts_with('$') || name.starts_with(".L") {
            continue;
        }
        let address = if thumb { symbol.address() & !1 } else { symbol.address() };
        let function = Function { name: demangled(name), size: symbol.size() };
        let known = found.entry(address).or_insert(Function { name: String::new(), size: 0 });
        if known.name.is_empty() || goes_before(&function.name, &known.name) {
            known.name = function.name;
        }
        known.size = known.size.max(function.size);
    }
    reach_to_the_next(&mut found);
    found
}

/// Which of two names of one function is told. A linker or compiler that folds equal functions must not hide a panic behind another's.
fn goes_before(name: &str, other: &str) -> bool {
    (!is_panic(name), name) < (!is_panic(other), other)
}

/// What was written in assembler states no size: it goes on until the next begins.
fn reach_to_the_next(functions: &mut BTreeMap<u64, Function>) {
    let starts: Vec<u64> = functions.keys().copied().collect();
    let gaps = starts.windows(2).map(|pair| pair.iter().max().zip(pair.iter().min()));
    for (function, gap) in functions.values_mut().zip(gaps) {
        if let Some((next, start)) = gap.filter(|_| function.size == 0) {
            function.size = next - start;
        }
    }
}

fn references(file: &object::File<'_>) -> Vec<Reference> {
    let mut found = BTreeSet::new();
    let thumb = file.architecture() == Architecture::Arm;
    for section in file.sections() {
        if loaded(&section).is_none() {
            continue;
        }
        for (from, relocation) in section.relocations() {
            let RelocationTarget::Symbol(index) = relocation.target() else { continue };
            let Ok(symbol) = file.symbol_by_index(index) else { continue };
            let implicit = relocation.has_implicit_addend();
            let addend = if implicit { 0 } else { relocation.addend() };
            let to = symbol.address().wrapping_add_signed(addend);
            // a section's own symbol: the linker has put the address in place
            let to = match (symbol.kind(), implicit) {
                (SymbolKind::Section, true) => word_at(&section, from, file.endianness()),
                _ => Some(to),
            };
            if let Some(to) = to {
                found.insert((from, if thumb { to & !1 } else { to }));
            }
        }
    }
    found.into_iter().map(|(from, to)| Reference { from, to }).collect()
}

fn word_at<'data>(
    section: &impl ObjectSection<'data>,
    address: u64,
    endian: Endianness,
) -> Option<u64> {
    let bytes = section.data_range(address, 4).ok()??.try_into().ok()?;
    Some(u64::from(match endian {
        Endianness::Little => u32::from_le_bytes(bytes),
        Endianness::Big => u32::from_be_bytes(bytes),
    }))
}

/// The section is a list of an address and the varint of a size.
fn frames(file: &object::File<'_>) -> BTreeMap<u64, u64> {
    let mut found = BTreeMap::new();
    let Some(section) = file.section_by_name(".stack_sizes") else { return found };
    let mut rest = section.data().unwrap_or_default();
    while let Some((address, tail)) = rest.split_first_chunk::<4>() {
        let (size, used) = varint(tail);
        rest = tail.get(used..).unwrap_or_default();
        found.insert(u64::from(u32::from_le_bytes(*address)) & !1, size);
    }
    found
}

fn varint(bytes: &[u8]) -> (u64, usize) {
    let (mut value, mut used) = (0, 0);
    for (at, byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        used = at + 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    (value, used)
}

fn figures(file: &object::File<'_>) -> Option<(u64, u64)> {
    let section = file.section_by_name(".quorate.figures")?;
    let (state, rest) = section.data().ok()?.split_first_chunk::<4>()?;
    let (content, _) = rest.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*state).into(), u32::from_le_bytes(*content).into()))
}

/// The marks of the ARM ELF specification (mapping symbols): `$d` begins constants, `$t`, `$a` and `$x` code.
fn constants(file: &object::File<'_>) -> BTreeMap<u64, bool> {
    let marks = file.symbols().filter_map(|symbol| {
        let name = symbol.name().ok()?;
        let constant = match name.get(..2)? {
            "$d" => true,
            "$t" | "$a" | "$x" => false,
            _ => return None,
        };
        Some((symbol.address() & !1, constant))
    });
    marks.collect()
}

fn sections(file: &object::File<'_>) -> Vec<Section> {
    let loaded = file.sections().filter_map(|section| {
        let (code, _) = loaded(&section)?;
        Some(Section { address: section.address(), bytes: section.data().ok()?.to_vec(), code })
    });
    loaded.collect()
}

fn context<'a>(file: &object::File<'a>) -> Result<addr2line::Context<Bytes<'a>>, gimli::Error> {
    let dwarf = gimli::Dwarf::load(|id| {
        let section = file.section_by_name(id.name());
        let bytes = section.and_then(|s| s.data().ok()).unwrap_or_default();
        Ok::<_, gimli::Error>(Bytes::new(bytes, gimli::RunTimeEndian::Little))
    })?;
    addr2line::Context::from_dwarf(dwarf)
}

/// Whether a section is loaded onto the board, and then whether it is code and whether it may be written.
fn loaded<'data>(section: &impl ObjectSection<'data>) -> Option<(bool, bool)> {
    let SectionFlags::Elf { sh_flags, .. } = section.flags() else { return None };
    // the numbers a minimal program states of itself are none of it
    let stated = section.name().is_ok_and(|name| name == ".quorate.figures");
    (sh_flags.contains(elf::SHF_ALLOC) && !stated)
        .then(|| (sh_flags.contains(elf::SHF_EXECINSTR), sh_flags.contains(elf::SHF_WRITE)))
}

/// An image with functions of 16 bytes each from address 16 on, what they refer to, by their places in the list (one beyond the
/// list is data), and what they take of the stack.
#[cfg(test)]
pub(crate) fn made_of(functions: &[(&str, u64)], references: &[(u64, u64)]) -> Image {
    let address = |place: u64| 16 + 16 * place;
    let named = (0..).zip(functions);
    Image {
        sizes: Sizes::default(),
        architecture: Architecture::Arm,
        functions: named
            .clone()
            .map(|(place, (name, _))| {
                (address(place), Function { name: (*name).to_owned(), size: 16 })
            })
            .collect(),
        references: references
            .iter()
            .map(|(from, to)| Reference { from: address(*from) + 2, to: address(*to) })
            .collect(),
        frames: named.map(|(place, (_, bytes))| (address(place), *bytes)).collect(),
        figures: None,
        constants: BTreeMap::new(),
        sections: vec![Section { address: 16, bytes: vec![0; 16 * functions.len()], code: true }],
        file: Vec::new(),
    }
}

#[cfg(test)]
impl Image {
    /// Puts instructions at an address of one that was [made](made_of).
    pub(crate) fn write(&mut self, address: u64, bytes: &[u8]) {
        let section = self.sections.iter_mut().find(|s| s.address <= address);
        let Some(section) = section else { return };
        let at = usize::try_from(address - section.address).unwrap_or(usize::MAX);
        section.bytes.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_sizes_are_varints() {
        assert_eq!(varint(&[0x08]), (8, 1));
        assert_eq!(varint(&[0xb8, 0x04, 0x99]), (568, 2));
        assert_eq!(varint(&[]), (0, 0));
    }

    #[test]
    fn function_without_a_size_extends_to_the_next() {
        let function = |size| Function { name: String::new(), size };
        let mut functions = BTreeMap::from([(0, function(4)), (8, function(0)), (20, function(0))]);
        reach_to_the_next(&mut functions);
        assert_eq!(functions.values().map(|f| f.size).collect::<Vec<_>>(), [4, 12, 0]);
    }

    #[test]
    fn panic_is_found_under_an_aliased_symbol() {
        let panic = "core::panicking::panic_fmt";
        for other in ["HardFault", "core::hint::black_box", "halt"] {
            assert!(goes_before(panic, other) && !goes_before(other, panic), "{other}");
        }
        assert!(goes_before("halt", "stop") && !goes_before("stop", "halt"));
    }

    #[test]
    fn hashes_are_stripped_from_names() {
        let name = "_ZN4core9panicking9panic_fmt17h0123456789abcdefE";
        assert_eq!(demangled(name), "core::panicking::panic_fmt");
        assert_eq!(demangled("memcpy"), "memcpy");
    }
}
