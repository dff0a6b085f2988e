//! The modules of a crate and their items, with macros expanded.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Attribute, Expr, ExprLit, ImplItem, Item, Lit, Meta, TraitItem, Visibility};

use super::condition::Condition;
use super::expand::Macro;
use crate::failure::{Failure, Outcome};

/// A crate, without items for tests.
pub(super) struct Source {
    /// Its name in paths.
    pub(super) name: String,
    /// The folder of its root file.
    pub(super) base: PathBuf,
    /// Its files, relative to `base`.
    pub(super) files: Vec<PathBuf>,
    /// Its modules; the first is the root.
    pub(super) modules: Vec<Module>,
    macros: BTreeMap<String, Macro>,
    /// Macros that were not expanded: the module of the invocation, and the name.
    pub(super) unknown: Vec<(usize, String)>,
    /// For each expansion the file of the invocation and the file of the macro.
    pub(super) expansions: Vec<(usize, usize)>,
}

pub(super) struct Module {
    pub(super) parent: Option<usize>,
    pub(super) name: String,
    pub(super) file: usize,
    pub(super) public: bool,
    /// Whether it is `#[doc(hidden)]`.
    pub(super) hidden: bool,
    pub(super) condition: Condition,
    pub(super) items: Vec<Member>,
}

/// An item of a module, other than a child module.
pub(super) struct Member {
    pub(super) item: Item,
    /// Includes the condition of the module.
    pub(super) condition: Condition,
}

/// Where a module is declared.
struct Place {
    parent: Option<usize>,
    /// The folder of the files of its child modules.
    folder: PathBuf,
    file: usize,
    condition: Condition,
}

/// Macros that declare no public items.
const SILENT: &[&str] = &["compile_error", "thread_local"];
/// Limits the nesting of expansions.
const DEPTH: usize = 16;

impl Source {
    /// Reads the crate `name`, whose root is `root`. Macros are not expanded yet.
    pub(super) fn read(name: &str, root: &Path) -> Outcome<Self> {
        let base = root.parent().unwrap_or(root).to_path_buf();
        let mut this = Self {
            name: name.to_owned(),
            files: Vec::new(),
            modules: Vec::new(),
            macros: BTreeMap::new(),
            unknown: Vec::new(),
            expansions: Vec::new(),
            base: base.clone(),
        };
        let (file, parsed) = this.file(root)?;
        let place = Place { parent: None, folder: base, file, condition: Condition::default() };
        this.module(String::new(), true, &parsed.attrs, parsed.items, &place)?;
        this.define();
        Ok(this)
    }

    fn file(&mut self, path: &Path) -> Outcome<(usize, syn::File)> {
        let text = fs::read_to_string(path).map_err(Failure::io(path.display()))?;
        let parsed = syn::parse_file(&text)
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
        self.files.push(path.strip_prefix(&self.base).unwrap_or(path).to_path_buf());
        Ok((self.files.len() - 1, parsed))
    }

    fn module(
        &mut self,
        name: String,
        public: bool,
        attributes: &[Attribute],
        items: Vec<Item>,
        place: &Place,
    ) -> Outcome {
        let Some(own) = Condition::of(attributes) else { return Ok(()) };
        let condition = own.and(&place.condition);
        let index = self.modules.len();
        self.modules.push(Module {
            parent: place.parent,
            name,
            file: place.file,
            public,
            hidden: is_hidden(attributes),
            condition: condition.clone(),
            items: Vec::new(),
        });
        let mut members = Vec::new();
        for item in items {
            let Some(own) = Condition::of(attributes_of(&item)) else { continue };
            let condition = own.and(&condition);
            match item {
                Item::Mod(item) => {
                    let place = Place {
                        parent: Some(index),
                        folder: place.folder.clone(),
                        file: place.file,
                        condition,
                    };
                    self.child(item, place)?;
                }
                item => members.push(Member { item, condition }),
            }
        }
        if let Some(module) = self.modules.get_mut(index) {
            module.items = members;
        }
        Ok(())
    }

    /// A child module.
    fn child(&mut self, item: syn::ItemMod, mut place: Place) -> Outcome {
        let name = item.ident.to_string();
        let public = matches!(item.vis, Visibility::Public(_));
        if let Some((_, items)) = item.content {
            place.folder.push(&name);
            return self.module(name, public, &item.attrs, items, &place);
        }
        let path = match path_attribute(&item.attrs) {
            Some(path) => {
                let file = self.files.get(place.file).cloned().unwrap_or_default();
                let folder = self.base.join(file.parent().unwrap_or(Path::new("")));
                place.folder = folder.clone();
                folder.join(path)
            }
            None => {
                let flat = place.folder.join(format!("{name}.rs"));
                place.folder.push(&name);
                if flat.exists() { flat } else { place.folder.join("mod.rs") }
            }
        };
        let (file, parsed) = self.file(&path)?;
        place.file = file;
        let attributes: Vec<Attribute> = item.attrs.into_iter().chain(parsed.attrs).collect();
        self.module(name, public, &attributes, parsed.items, &place)
    }

    /// Collects the definitions of macros.
    fn define(&mut self) {
        for module in &self.modules {
            for member in &module.items {
                if let Item::Macro(item) = &member.item
                    && let Some(name) = &item.ident
                    && let Some(it) = Macro::new(item.mac.tokens.clone(), &self.name, module.file)
                {
                    self.macros.insert(name.to_string(), it);
                }
            }
        }
    }

    /// The macros that other crates can use.
    pub(super) fn exported(&self) -> BTreeMap<String, Macro> {
        let items = self.modules.iter().flat_map(|module| &module.items);
        let names = items.filter_map(|member| match &member.item {
            Item::Macro(item) if is_exported(&item.attrs) => item.ident.as_ref(),
            _ => None,
        });
        let names = names.map(ToString::to_string);
        names.filter_map(|name| Some((name.clone(), self.macros.get(&name)?.clone()))).collect()
    }

    /// Expands all invocations, also of macros that other crates export.
    pub(super) fn expand(&mut self, exported: &BTreeMap<String, Macro>) {
        for index in 0..self.modules.len() {
            let Some(module) = self.modules.get_mut(index) else { continue };
            let mut expansion = Expansion {
                here: &self.name,
                own: &self.macros,
                exported,
                items: Vec::new(),
                unknown: Vec::new(),
                files: Vec::new(),
            };
            for member in std::mem::take(&mut module.items) {
                expansion.item(member, DEPTH);
            }
            module.items = expansion.items;
            self.unknown.extend(expansion.unknown.into_iter().map(|name| (index, name)));
            self.expansions.extend(expansion.files.into_iter().map(|file| (module.file, file)));
        }
    }
}

/// The expansion of one module.
struct Expansion<'a> {
    here: &'a str,
    own: &'a BTreeMap<String, Macro>,
    exported: &'a BTreeMap<String, Macro>,
    items: Vec<Member>,
    unknown: Vec<String>,
    files: Vec<usize>,
}

impl Expansion<'_> {
    fn item(&mut self, mut member: Member, depth: usize) {
        match &mut member.item {
            Item::Macro(item) if item.ident.is_none() => {
                let condition = member.condition;
                match self.expanded(&item.mac, depth).and_then(|it| parse::<Item>(it).ok()) {
                    Some(items) => {
                        for item in items {
                            let Some(own) = Condition::of(attributes_of(&item)) else { continue };
                            let condition = own.and(&condition);
                            self.item(Member { item, condition }, depth.saturating_sub(1));
                        }
                    }
                    None => self.give_up(&item.mac),
                }
                return;
            }
            Item::Impl(item) => {
                item.items = self.impl_items(std::mem::take(&mut item.items), depth)
            }
            Item::Trait(item) => {
                item.items = self.trait_items(std::mem::take(&mut item.items), depth);
            }
            // modules in expansions are not supported
            Item::Mod(item) => return self.unknown.push(item.ident.to_string()),
            _ => {}
        }
        self.items.push(member);
    }

    fn impl_items(&mut self, items: Vec<ImplItem>, depth: usize) -> Vec<ImplItem> {
        let mut all = Vec::new();
        for item in items {
            let ImplItem::Macro(item) = item else {
                all.push(item);
                continue;
            };
            match self.expanded(&item.mac, depth).and_then(|it| parse::<ImplItem>(it).ok()) {
                Some(items) => all.extend(self.impl_items(items, depth.saturating_sub(1))),
                None => self.give_up(&item.mac),
            }
        }
        all
    }

    fn trait_items(&mut self, items: Vec<TraitItem>, depth: usize) -> Vec<TraitItem> {
        let mut all = Vec::new();
        for item in items {
            let TraitItem::Macro(item) = item else {
                all.push(item);
                continue;
            };
            match self.expanded(&item.mac, depth).and_then(|it| parse::<TraitItem>(it).ok()) {
                Some(items) => all.extend(self.trait_items(items, depth.saturating_sub(1))),
                None => self.give_up(&item.mac),
            }
        }
        all
    }

    fn expanded(&mut self, mac: &syn::Macro, depth: usize) -> Option<TokenStream> {
        let name = mac.path.segments.last()?.ident.to_string();
        let it = self.own.get(&name).or_else(|| self.exported.get(&name))?;
        if it.home == self.here {
            self.files.push(it.file);
        }
        (depth > 0).then(|| it.expand(&mac.tokens, self.here))?
    }

    fn give_up(&mut self, mac: &syn::Macro) {
        let name = mac.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        if !SILENT.contains(&name.as_str()) {
            self.unknown.push(name);
        }
    }
}

/// A sequence of these up to the end of the tokens.
fn parse<T: Parse>(tokens: TokenStream) -> syn::Result<Vec<T>> {
    let parser = |input: ParseStream<'_>| {
        let mut all = Vec::new();
        while !input.is_empty() {
            all.push(input.parse()?);
        }
        Ok(all)
    };
    parser.parse2(tokens)
}

/// Whether there is a `#[doc(hidden)]`.
pub(super) fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("doc") => list.tokens.to_string() == "hidden",
        _ => false,
    })
}

pub(super) fn is_exported(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|it| it.path().is_ident("macro_export"))
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    })
}

pub(super) fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::ExternCrate(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::TraitAlias(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}
