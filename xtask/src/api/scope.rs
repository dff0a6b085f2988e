//! Name resolution within a crate.

use std::collections::BTreeMap;

use syn::{Item, UseTree, Visibility};

use super::condition::Condition;
use super::source::{Member, Source, attributes_of, is_exported, is_hidden};

/// An item, by its module and its index there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Id {
    pub(super) module: usize,
    pub(super) index: usize,
}

/// The target of a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Thing {
    Item(Id),
    Module(usize),
    /// An item or module of another crate.
    Foreign(Vec<String>),
}

/// A name in a module.
pub(super) struct Binding {
    pub(super) public: bool,
    pub(super) hidden: bool,
    pub(super) condition: Condition,
    to: To,
}

enum To {
    Thing(Thing),
    /// The path of a `use`.
    Path(Vec<String>),
}

#[derive(Default)]
struct Names {
    bindings: BTreeMap<String, Vec<Binding>>,
    globs: Vec<Binding>,
}

/// The names of a crate.
pub(super) struct Scope<'a> {
    pub(super) source: &'a Source,
    names: Vec<Names>,
}

/// Limits chains of imports, which may be circular.
const DEPTH: usize = 12;

impl<'a> Scope<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        let mut names: Vec<Names> = source.modules.iter().map(|_| Names::default()).collect();
        for (module, it) in source.modules.iter().enumerate() {
            let binding = Binding {
                public: it.public,
                hidden: it.hidden,
                condition: it.condition.clone(),
                to: To::Thing(Thing::Module(module)),
            };
            if let Some(names) = it.parent.and_then(|parent| names.get_mut(parent)) {
                names.bindings.entry(it.name.clone()).or_default().push(binding);
            }
            for (index, member) in it.items.iter().enumerate() {
                bind(&mut names, Id { module, index }, member);
            }
        }
        Self { source, names }
    }

    pub(super) fn member(&self, id: Id) -> Option<&'a Member> {
        self.source.modules.get(id.module)?.items.get(id.index)
    }

    /// The names that a module declares or imports.
    pub(super) fn names(&self, module: usize) -> impl Iterator<Item = (&str, &Binding)> {
        let bindings = self.names.get(module).map(|names| names.bindings.iter());
        bindings
            .into_iter()
            .flatten()
            .flat_map(|(name, each)| each.iter().map(move |binding| (name.as_str(), binding)))
    }

    /// The imports by `*`.
    pub(super) fn globs(&self, module: usize) -> &[Binding] {
        self.names.get(module).map(|names| names.globs.as_slice()).unwrap_or_default()
    }

    /// The targets of a name: several if a type, a function and a macro share it.
    pub(super) fn things(&self, module: usize, binding: &Binding) -> Vec<Thing> {
        self.follow(module, binding, DEPTH)
    }

    /// The targets of the longest prefix of a path that resolves, and the length of that prefix. A path of several segments whose
    /// first is unknown belongs to another crate.
    pub(super) fn resolve(&self, module: usize, path: &[String]) -> Option<(Vec<Thing>, usize)> {
        self.walk(module, path, DEPTH)
    }

    fn follow(&self, module: usize, binding: &Binding, depth: usize) -> Vec<Thing> {
        match &binding.to {
            To::Thing(thing) => vec![thing.clone()],
            To::Path(path) => {
                let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
                let Some((things, taken)) = self.walk(module, path, depth) else {
                    // a crate by its name
                    return vec![Thing::Foreign(path.clone())];
                };
                // the rest is a path in another crate, or a variant, which counts as its enum
                let rest = path.get(taken..).unwrap_or_default();
                let whole = |thing| match thing {
                    Thing::Foreign(start) => Thing::Foreign([&start, rest].concat()),
                    other => other,
                };
                things.into_iter().map(whole).collect()
            }
        }
    }

    fn walk(&self, from: usize, path: &[String], depth: usize) -> Option<(Vec<Thing>, usize)> {
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "" => return Some((vec![Thing::Foreign(rest.to_vec())], path.len())),
            "crate" => vec![Thing::Module(0)],
            "self" => vec![Thing::Module(from)],
            "super" => vec![Thing::Module(self.source.modules.get(from)?.parent?)],
            name => {
                let things = self.lookup(from, name, !rest.is_empty(), depth);
                if things.is_empty() {
                    // of another crate, or unknown
                    let foreign = Thing::Foreign(vec![name.to_owned()]);
                    return (!rest.is_empty()).then(|| (vec![foreign], 1));
                }
                things
            }
        };
        let mut things = start;
        let mut taken = 1;
        for (at, name) in rest.iter().enumerate() {
            let module = things.iter().find_map(|thing| match thing {
                Thing::Module(module) => Some(*module),
                _ => None,
            });
            let Some(module) = module else { break };
            let next = if name == "super" {
                vec![Thing::Module(self.source.modules.get(module)?.parent?)]
            } else if name == "self" {
                vec![Thing::Module(module)]
            } else {
                self.lookup(module, name, at + 1 < rest.len(), depth)
            };
            if next.is_empty() {
                break;
            }
            things = next;
            taken = at + 2;
        }
        Some((things, taken))
    }

    /// The targets of a name in a module. `on_the_way`, more of the path follows, so a child module takes precedence.
    fn lookup(&self, module: usize, name: &str, on_the_way: bool, depth: usize) -> Vec<Thing> {
        let Some(names) = self.names.get(module) else { return Vec::new() };
        let bindings = names.bindings.get(name).map(Vec::as_slice).unwrap_or_default();
        let declared = bindings.iter().find_map(|binding| match &binding.to {
            To::Thing(thing @ Thing::Module(_)) => Some(thing.clone()),
            _ => None,
        });
        if let (true, Some(module)) = (on_the_way, declared) {
            return vec![module];
        }
        let mut things: Vec<Thing> =
            bindings.iter().flat_map(|binding| self.follow(module, binding, depth)).collect();
        if things.is_empty()
            && let Some(depth) = depth.checked_sub(1)
        {
            for glob in &names.globs {
                let To::Path(path) = &glob.to else { continue };
                let from = self.walk(module, path, depth);
                for thing in from.into_iter().flat_map(|(things, _)| things) {
                    if let Thing::Module(module) = thing {
                        things.extend(self.lookup(module, name, on_the_way, depth));
                    }
                }
            }
        }
        things.sort();
        things.dedup();
        things
    }
}

fn bind(names: &mut [Names], id: Id, member: &Member) {
    let mut push = |module: usize, name: String, public: bool| {
        let binding = Binding {
            public,
            hidden: is_hidden(attributes_of(&member.item)),
            condition: member.condition.clone(),
            to: To::Thing(Thing::Item(id)),
        };
        if let Some(names) = names.get_mut(module) {
            names.bindings.entry(name).or_default().push(binding);
        }
    };
    if let Item::Macro(item) = &member.item
        && let Some(name) = &item.ident
    {
        // an exported macro is in the root, wherever it is defined
        let exported = is_exported(&item.attrs);
        return push(if exported { 0 } else { id.module }, name.to_string(), exported);
    }
    if let Some((name, vis)) = name(&member.item) {
        return push(id.module, name, is_public(vis));
    }
    let Item::Use(item) = &member.item else { return };
    let leading = if item.leading_colon.is_some() { vec![String::new()] } else { Vec::new() };
    for (name, path) in imports(&item.tree, leading) {
        let binding = Binding {
            public: is_public(&item.vis),
            hidden: is_hidden(&item.attrs),
            condition: member.condition.clone(),
            to: To::Path(path),
        };
        let Some(names) = names.get_mut(id.module) else { return };
        match name {
            Some(name) => names.bindings.entry(name).or_default().push(binding),
            None => names.globs.push(binding),
        }
    }
}

pub(super) fn is_public(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}

/// The name and visibility of an item that has one.
pub(super) fn name(item: &Item) -> Option<(String, &Visibility)> {
    let (ident, vis) = match item {
        Item::Const(it) => (&it.ident, &it.vis),
        Item::Enum(it) => (&it.ident, &it.vis),
        Item::Fn(it) => (&it.sig.ident, &it.vis),
        Item::Static(it) => (&it.ident, &it.vis),
        Item::Struct(it) => (&it.ident, &it.vis),
        Item::Trait(it) => (&it.ident, &it.vis),
        Item::Type(it) => (&it.ident, &it.vis),
        Item::Union(it) => (&it.ident, &it.vis),
        _ => return None,
    };
    Some((ident.to_string(), vis))
}

/// The paths that a `use` imports, each with its local name; `None` for `*`.
pub(super) fn imports(tree: &UseTree, mut path: Vec<String>) -> Vec<(Option<String>, Vec<String>)> {
    match tree {
        UseTree::Path(it) => {
            path.push(it.ident.to_string());
            imports(&it.tree, path)
        }
        UseTree::Name(it) if it.ident == "self" => vec![(path.last().cloned(), path)],
        UseTree::Name(it) => {
            path.push(it.ident.to_string());
            vec![(Some(it.ident.to_string()), path)]
        }
        UseTree::Rename(it) => {
            if it.ident != "self" {
                path.push(it.ident.to_string());
            }
            vec![(Some(it.rename.to_string()), path)]
        }
        UseTree::Glob(_) => vec![(None, path)],
        UseTree::Group(it) => {
            it.items.iter().flat_map(|tree| imports(tree, path.clone())).collect()
        }
    }
}
