//! The paths by which a user of a crate names its items.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use syn::{Item, Visibility};

use super::condition::Condition;
use super::scope::{Binding, Id, Scope, Thing, is_public, name};
use super::source::is_exported;

/// A path from the crate's root, and the condition of its existence.
pub(super) type Named = (Vec<String>, Condition);

/// The public items of a crate.
#[derive(Default)]
pub(super) struct Public {
    /// The paths of each item, the shortest first.
    pub(super) items: BTreeMap<Id, Vec<Named>>,
    /// The paths of each module, the shortest first.
    pub(super) modules: BTreeMap<usize, Vec<Named>>,
    /// Re-exports from other crates: the path in this crate, and in the other one.
    pub(super) foreign: Vec<(Named, Vec<String>)>,
}

impl Public {
    pub(super) fn of(scope: &Scope<'_>) -> Self {
        let mut this = Self::default();
        let mut queue = VecDeque::from([(0, (Vec::new(), Condition::default()))]);
        // breadth first: short paths come first
        while let Some((module, named)) = queue.pop_front() {
            let paths = this.modules.entry(module).or_default();
            paths.push(named.clone());
            if paths.len() > 1 {
                // its contents are listed under the first path
                continue;
            }
            for (found, condition, name) in visible(scope, module, &mut BTreeSet::new()) {
                let path = [named.0.as_slice(), &[name]].concat();
                let named = (path, named.1.and(&condition));
                match found {
                    Thing::Module(child) => queue.push_back((child, named)),
                    Thing::Item(id) => this.items.entry(id).or_default().push(named),
                    Thing::Foreign(there) => this.foreign.push((named, there)),
                }
            }
        }
        let all = this.items.values_mut().chain(this.modules.values_mut());
        for paths in all {
            paths.sort_by(|a, b| (a.0.len(), a).cmp(&(b.0.len(), b)));
            paths.dedup();
        }
        this
    }

    /// The path of an item that users can name.
    pub(super) fn path(&self, id: Id) -> Option<&[String]> {
        self.items.get(&id)?.first().map(|(path, _)| path.as_slice())
    }
}

/// The public names of a module, including those it re-exports by `*`.
fn visible(
    scope: &Scope<'_>,
    module: usize,
    seen: &mut BTreeSet<usize>,
) -> Vec<(Thing, Condition, String)> {
    let mut all = Vec::new();
    if !seen.insert(module) {
        return all;
    }
    let offered = |binding: &&Binding| binding.public && !binding.hidden;
    for (name, binding) in scope.names(module).filter(|(_, it)| offered(it)) {
        if name == "_" {
            continue;
        }
        for thing in scope.things(module, binding) {
            if is_offered(scope, &thing) {
                all.push((thing, binding.condition.clone(), name.to_owned()));
            }
        }
    }
    for binding in scope.globs(module).iter().filter(offered) {
        for thing in scope.things(module, binding) {
            match thing {
                Thing::Module(child) => {
                    let inner = visible(scope, child, seen);
                    all.extend(inner.into_iter().map(|(thing, condition, name)| {
                        (thing, condition.and(&binding.condition), name)
                    }));
                }
                Thing::Foreign(mut path) => {
                    path.push("*".to_owned());
                    all.push((Thing::Foreign(path), binding.condition.clone(), "*".to_owned()));
                }
                Thing::Item(_) => {}
            }
        }
    }
    all
}

/// A re-export covers only the public ones of the things that share a name.
fn is_offered(scope: &Scope<'_>, thing: &Thing) -> bool {
    match thing {
        Thing::Module(module) => {
            scope.source.modules.get(*module).is_some_and(|it| it.public && !it.hidden)
        }
        Thing::Foreign(_) => true,
        Thing::Item(id) => match scope.member(*id).map(|member| &member.item) {
            Some(Item::Macro(item)) => is_exported(&item.attrs),
            Some(item) => name(item).is_some_and(|(_, vis): (_, &Visibility)| is_public(vis)),
            None => false,
        },
    }
}
