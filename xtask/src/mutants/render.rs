//! Writes a source that contains all its mutants, each of them selected by number at run time:
//! mutant schemata (Untch, Offutt and Harrold, "Mutation analysis using mutant schemata", ISSTA
//! 1993).

use core::fmt::Write as _;
use core::ops::Range;

use super::site::{Form, Id, Mutant, Site, Source};
use super::switch;

/// A source with its mutants.
#[derive(Default)]
pub(super) struct Rendered {
    pub(super) text: String,
    /// What belongs to one mutant alone: an error there is that mutant's.
    pub(super) branches: Vec<(Range<usize>, Id)>,
    /// What was written anew, by the number of the site.
    pub(super) sites: Vec<(Range<usize>, usize)>,
    /// The functions, from their signatures on.
    pub(super) functions: Vec<Range<usize>>,
}

/// Writes a source with those mutants that have a number.
pub(super) fn render(source: &Source, at: usize, number: &impl Fn(Id) -> Option<u32>) -> Rendered {
    let mut order: Vec<usize> = (0..source.sites.len()).collect();
    // outer ones first, and what is only added before what begins at the same place
    order.sort_by_key(|index| {
        let range = source.sites.get(*index).map_or(0..0, |site| site.range.clone());
        (range.start, !range.is_empty(), core::cmp::Reverse(range.end), *index)
    });
    let mut renderer =
        Renderer { source, at, number, order, out: Rendered::default(), map: Vec::new() };
    renderer.emit(0..source.text.len(), 0);
    let Renderer { mut out, map, .. } = renderer;
    let place = |old: usize| {
        let copied = map.iter().find(|(from, _)| from.contains(&old));
        copied.map(|(from, to)| to + (old - from.start))
    };
    let functions = source.functions.iter();
    out.functions = functions
        .filter_map(|range| Some(place(range.start)?..place(range.end.checked_sub(1)?)? + 1))
        .collect();
    out
}

struct Renderer<'a, N> {
    source: &'a Source,
    /// The source's number.
    at: usize,
    number: &'a N,
    /// The sites, outer ones first.
    order: Vec<usize>,
    out: Rendered,
    /// What was copied, and to where.
    map: Vec<(Range<usize>, usize)>,
}

/// A mutant that is written: its number, and what it is.
type Live<'a> = (Id, u32, &'a Mutant);

impl<'a, N: Fn(Id) -> Option<u32>> Renderer<'a, N> {
    /// Writes a part of the source, with the sites in it from a place of their order on.
    fn emit(&mut self, range: Range<usize>, from: usize) {
        let mut copied = range.start;
        for place in from..self.order.len() {
            let Some((index, site)) = self.site(place) else { continue };
            let within = if site.range.is_empty() {
                range.start < site.range.start && site.range.end < range.end
            } else {
                range.start <= site.range.start && site.range.end <= range.end
            };
            // one inside another was written with that one
            if !within || site.range.start < copied {
                continue;
            }
            let live = self.live(index, site);
            if live.is_empty() || site.form == Form::Constant {
                continue;
            }
            self.copy(copied..site.range.start);
            let start = self.out.text.len();
            self.write(site, &live, place + 1);
            self.out.sites.push((start..self.out.text.len(), index));
            copied = site.range.end;
        }
        self.copy(copied..range.end);
    }

    fn site(&self, place: usize) -> Option<(usize, &'a Site)> {
        let index = *self.order.get(place)?;
        Some((index, self.source.sites.get(index)?))
    }

    fn live(&self, index: usize, site: &'a Site) -> Vec<Live<'a>> {
        let ids = site.mutants.iter().enumerate().map(|(mutant, it)| {
            let id = Id { source: self.at, site: index, mutant };
            (id, (self.number)(id), it)
        });
        ids.filter_map(|(id, number, mutant)| Some((id, number?, mutant))).collect()
    }

    fn copy(&mut self, range: Range<usize>) {
        let text = self.source.text.get(range.clone()).unwrap_or_default();
        if !text.is_empty() {
            self.map.push((range, self.out.text.len()));
            self.out.text.push_str(text);
        }
    }

    fn say(&mut self, text: &str) {
        self.out.text.push_str(text);
    }

    /// What belongs to a mutant alone.
    fn branch(&mut self, id: Id, write: impl FnOnce(&mut Self)) {
        let start = self.out.text.len();
        write(self);
        self.out.branches.push((start..self.out.text.len(), id));
    }

    /// `if` no mutant is on, then the original, `else` what the mutant that is on makes of it. The
    /// original comes first, so that the types of the mutants are compared with its type, and not
    /// the other way round.
    fn choose(
        &mut self,
        live: &[Live<'_>],
        original: impl FnOnce(&mut Self),
        mut write: impl FnMut(&mut Self, &Live<'_>),
    ) {
        let off: Vec<String> =
            live.iter().map(|(_, number, _)| format!("!{}", on(*number))).collect();
        self.say(&format!("if {} {{ ", off.join(" & ")));
        original(self);
        for (index, mutant) in live.iter().enumerate() {
            if index + 1 < live.len() {
                self.say(&format!(" }} else if {} {{ ", on(mutant.1)));
            } else {
                self.say(" } else { ");
            }
            self.branch(mutant.0, |this| write(this, mutant));
        }
        self.say(" }");
    }

    fn write(&mut self, site: &Site, live: &[Live<'_>], from: usize) {
        match &site.form {
            Form::Body => {
                for (id, number, mutant) in live {
                    self.say(&format!(" if {} {{ ", on(*number)));
                    self.branch(*id, |this| {
                        let _ = write!(this.out.text, "return {};", mutant.text);
                    });
                    self.say(" }");
                }
            }
            Form::Iterator => self.iterator(site, live, from),
            Form::Operator { left, right, op, compares } => {
                let (borrow, deref) = if *compares { ("&", "*") } else { ("", "") };
                self.say(&format!("(match ({borrow}("));
                self.emit(left.clone(), from);
                self.say(&format!("), {borrow}("));
                self.emit(right.clone(), from);
                self.say(")) { (__l, __r) => ");
                let operation = |op: &str| format!("{deref}__l {op} {deref}__r");
                self.choose(
                    live,
                    |this| this.say(&operation(op)),
                    |this, (_, _, mutant)| this.say(&operation(&mutant.text)),
                );
                self.say(" })");
            }
            Form::Lazy { left, right, and } => {
                let Some((_, number, _)) = live.first() else { return };
                // `a && b` is `if a { b } else { false }`, `a || b` is `if !a { b } else { true }`:
                // one of the two, by the switch
                let (compare, mutated) = if *and { ("!=", "") } else { ("==", "!") };
                self.say("(if (");
                self.emit(left.clone(), from);
                self.say(&format!(") {compare} {} {{ ", on(*number)));
                self.emit(right.clone(), from);
                self.say(&format!(" }} else {{ {mutated}{} }})", on(*number)));
            }
            Form::Assign { left, right, op } => {
                self.say("(match (");
                self.emit(right.clone(), from);
                self.say(") { __r => ");
                let left = left.clone();
                let assign = |this: &mut Self, op: &str| {
                    this.emit(left.clone(), from);
                    this.say(&format!(" {op} __r"));
                };
                self.choose(
                    live,
                    |this| assign(this, op),
                    |this, (_, _, mutant)| assign(this, &mutant.text),
                );
                self.say(" })");
            }
            Form::Unary { operand, op, literal: true } => {
                let text = self.source.text.get(operand.clone()).unwrap_or_default();
                self.say("(");
                self.choose(
                    live,
                    |this| this.say(&format!("{op}{text}")),
                    |this, _| this.say(text),
                );
                self.say(")");
            }
            Form::Unary { operand, op, literal: false } => {
                self.say("(match (");
                self.emit(operand.clone(), from);
                self.say(") { __v => ");
                self.choose(live, |this| this.say(&format!("{op}__v")), |this, _| this.say("__v"));
                self.say(" })");
            }
            Form::Arm => {
                let Some((_, number, _)) = live.first() else { return };
                self.say(&format!(" if !{}", on(*number)));
            }
            Form::Guard => {
                self.say("(");
                let range = site.range.clone();
                self.choose(
                    live,
                    |this| this.emit(range, from),
                    |this, (_, _, mutant)| this.say(&mutant.text),
                );
                self.say(")");
            }
            Form::Fields | Form::Call => {
                self.say("(");
                let range = site.range.clone();
                self.choose(
                    live,
                    |this| this.emit(range.clone(), from),
                    |this, (_, _, mutant)| {
                        this.emit(range.start..mutant.range.start, from);
                        this.say(&mutant.text);
                        this.emit(mutant.range.end..range.end, from);
                    },
                );
                self.say(")");
            }
            Form::Statement => {
                let Some((_, number, _)) = live.first() else { return };
                self.say(&format!("if !{} {{ ", on(*number)));
                self.emit(site.range.clone(), from);
                self.say(" }");
            }
            Form::Constant => {}
        }
    }

    /// A function promises one type of iterator: one of two, or of two, and so on.
    fn iterator(&mut self, site: &Site, live: &[Live<'_>], from: usize) {
        let range = site.range.clone();
        let (left, right) = (either("Left"), either("Right"));
        let last = live.len();
        self.say(" ");
        self.choose(
            live,
            |this| {
                this.say(&format!("{left}({{"));
                this.emit(range, from);
                this.say("})");
            },
            |this, (id, _, mutant)| {
                let place = live.iter().position(|(other, ..)| other == id).unwrap_or(0) + 1;
                let (before, after) = (format!("{right}(").repeat(place), ")".repeat(place));
                if place < last {
                    this.say(&format!("{before}{left}({}){after}", mutant.text));
                } else {
                    this.say(&format!("{before}{}{after}", mutant.text));
                }
            },
        );
        self.say(" ");
    }
}

fn on(number: u32) -> String {
    format!("{}::on({number})", switch::PATH)
}

fn either(side: &str) -> String {
    format!("{}::Either::{side}", switch::PATH)
}

#[cfg(test)]
mod tests {
    use super::super::cfg::Cfg;
    use super::super::find;
    use super::super::site::Numbers;
    use super::*;

    fn rendered(text: &str, keep: impl Fn(&Mutant) -> bool) -> String {
        let Ok((source, _)) = find::source("a.rs".into(), text.to_owned(), &Cfg::new("")) else {
            return String::new();
        };
        let sources = [source];
        let numbers = Numbers::of(&sources);
        let number = |id: Id| {
            let mutant = super::super::site::mutant(&sources, id)?;
            keep(mutant).then(|| numbers.of_mutant(id))
        };
        render(&sources[0], 0, &number).text.replace("::mutant_switch::", "")
    }

    #[test]
    fn operators_are_selected_at_run_time() {
        let text = "fn new_sum(a: u8, b: u8) -> u8 { a + b }";
        let operators = |mutant: &Mutant| mutant.what.contains(" in ");
        assert_eq!(
            rendered(text, operators),
            "fn new_sum(a: u8, b: u8) -> u8 { (match ((a), (b)) { (__l, __r) => if !on(3) & !on(4) { __l + __r } else if on(3) { __l - __r } else { __l * __r } }) }"
        );
        let one = |mutant: &Mutant| mutant.what.contains("with *");
        assert_eq!(
            rendered(text, one),
            "fn new_sum(a: u8, b: u8) -> u8 { (match ((a), (b)) { (__l, __r) => if !on(4) { __l + __r } else { __l * __r } }) }"
        );
    }

    #[test]
    fn nested_sites_are_written_inside_each_other() {
        let text = "fn f(a: u8) -> bool { a == 1 || !(a > 2) }";
        let some = |mutant: &Mutant| {
            mutant.what.contains("||")
                || mutant.what.contains("delete")
                || mutant.what.contains(">=")
                || mutant.what.contains("!=")
        };
        assert_eq!(
            rendered(text, some),
            "fn f(a: u8) -> bool { (if ((match (&(a), &(1)) { (__l, __r) => if !on(4) { *__l == *__r } else { *__l != *__r } })) == on(3) { \
            (match (((match (&(a), &(2)) { (__l, __r) => if !on(8) { *__l > *__r } else { *__l >= *__r } }))) { __v => if !on(5) { !__v } else { __v } }) } else { !on(3) }) }"
        );
    }

    #[test]
    fn bodies_arms_and_guards() {
        let text = "fn f(a: u8) -> u8 { match a { 0 => 1, n if n > 3 => 2, _ => 3 } }";
        let some = |mutant: &Mutant| !mutant.what.contains("replace >");
        assert_eq!(
            rendered(text, some),
            "fn f(a: u8) -> u8 { if on(1) { return 0; } if on(2) { return 1; } match a { 0 if !on(3) => 1, \
            n if (if !on(4) & !on(5) { n > 3 } else if on(4) { true } else { false }) => 2, _ => 3 } }"
        );
    }

    #[test]
    fn statements_are_left_out_and_calls_swapped() {
        let text = "fn f(a: &mut u8, b: u8) { *a += 1; *a = b.min(*a + 2); }";
        let some = |mutant: &Mutant| {
            mutant.what.contains("delete assignment") || mutant.what.contains("min")
        };
        assert_eq!(
            rendered(text, some),
            "fn f(a: &mut u8, b: u8) { if !on(2) { *a += 1; } \
            if !on(5) { *a = (if !on(6) { b.min(*a + 2) } else { b.max(*a + 2) }); } }"
        );
    }

    #[test]
    fn sites_without_mutants_are_copied() {
        let text = "fn f(a: i8) -> i8 { // why\n    -a + 1\n}\n";
        assert_eq!(rendered(text, |_| false), text);
    }

    #[test]
    fn branches_and_functions_are_found_again() {
        let text = "fn f(a: u8, b: u8) -> u8 { a + b }";
        let Ok((source, _)) = find::source("a.rs".into(), text.to_owned(), &Cfg::new("")) else {
            return;
        };
        let sources = [source];
        let numbers = Numbers::of(&sources);
        let out = render(&sources[0], 0, &|id| Some(numbers.of_mutant(id)));
        let branches: Vec<&str> =
            out.branches.iter().map(|(range, _)| &out.text[range.clone()]).collect();
        assert_eq!(branches, ["return 0;", "return 1;", "__l - __r", "__l * __r"]);
        let functions = out.functions.iter().map(|range| &out.text[range.clone()]);
        assert_eq!(functions.collect::<Vec<_>>(), [out.text.as_str()]);
    }
}
