//! A program with all mutants of a small source behaves as the source with each of them alone does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::cfg::Cfg;
use super::site::{self, Form, Id, Numbers};
use super::trial::Verdict;
use super::{find, render, switch};

/// One of everything; every mutant of it compiles.
const TOY: &str = r#"
const SEVEN: u8 = 3 + 4;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point { x: u8, y: u8, z: i8 }

impl Point {
    const ORIGIN: Self = Self { x: 1, y: 2, z: 3 };

    fn at(x: u8) -> Self { Self { x, y: x / 2, ..Self::ORIGIN } }

    const fn sum(&self) -> u8 { self.x.wrapping_add(self.y) % SEVEN + 1 }

    fn both(&self, a: u8) -> impl Iterator<Item = u8> + '_ {
        [self.x, self.y].into_iter().filter(move |x| *x != a)
    }

    fn grow(&mut self, by: u8) -> Result<(), u8> {
        self.x += by;
        self.y <<= 1; // a comment
        self.z -= -1;
        self.x |= by
            ^ 1;
        self.y = self.y.min(self.x >> 1).max(by);
        (self.x, self.y) = (self.x % 101, core::cmp::max(self.x & 7, self.y));
        if self.x > 200 || by == 3 && !self.z.is_negative() { return Err(self.x) }
        Ok(())
    }
}

fn chain(a: Option<u8>, b: u8) -> Option<u8> {
    if let Some(x) = a && x <= b && (x | b) >= 2 { return Some(x ^ b) }
    let c = a?.checked_sub(b & 3)?;
    Some(c >> 1)
}

fn choice(a: u8, b: u8) -> &'static str {
    match (a, b) {
        (0, _) => "zero",
        (x, y) if x < y && y - x < 5 => "near",
        (1 | 2, _) => "few",
        (x, 3..) if x * 2 != 4 => "more",
        _ => "rest",
    }
}

fn order(a: u8, b: u8) -> bool { a < b || a == b && a + 1 > 1 }

fn texts(a: &str, b: &str) -> String {
    let mut s = String::new();
    if *a != *b { s.push_str(a) }
    s.push_str(b);
    s
}

pub fn all(a: u8, b: u8) -> String {
    let mut point = Point::at(a);
    let both: Vec<u8> = point.both(b).collect();
    let grown = point.grow(b);
    let text = texts(choice(a, b), choice(b, a));
    format!("{both:?} {grown:?} {point:?} {} {:?} {text} {}", point.sum(), chain(a.checked_sub(1), b), order(a, b))
}
"#;

const MAIN: &str = r#"
fn probe(all: fn(u8, u8) -> String) -> String {
    let mut out = String::new();
    for a in [0, 1, 2, 3, 7, 100, 250] {
        for b in [0, 1, 3, 4, 100] {
            out += &format!("{:?};", std::panic::catch_unwind(|| all(a, b)).ok());
        }
    }
    out
}
"#;

fn rustc(folder: &Path, args: &[&str]) -> Result<(), String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["--edition=2024", "--cap-lints=allow", "-Cdebug-assertions=on"]);
    command.args(args).current_dir(folder).env(switch::BOOTSTRAP.0, switch::BOOTSTRAP.1);
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn run(folder: &Path, program: &str, variable: (&str, &str)) -> Result<String, String> {
    let output = Command::new(folder.join(program)).env(variable.0, variable.1).output();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn mutants_selected_at_run_time_behave_as_those_built_alone() -> Result<(), String> {
    let (source, _) =
        find::source("toy.rs".into(), TOY.to_owned(), &Cfg::new("")).map_err(|f| f.to_string())?;
    let sources = [source];
    let [source] = &sources;
    let numbers = Numbers::of(&sources);
    let forms: BTreeSet<String> = source
        .sites
        .iter()
        .map(|site| format!("{:?}", site.form).chars().take(5).collect())
        .collect();
    assert!(forms.len() == 12, "one of everything: {forms:?}");
    let selected =
        |id: &Id| site::site(&sources, *id).is_some_and(|site| site.form != Form::Constant);

    let folder = std::env::temp_dir().join(format!("quorate-mutants-{}", std::process::id()));
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).map_err(|error| error.to_string())
    };
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    write("switch.rs", &switch::SOURCE.replace("COUNT_OF_MUTANTS", &numbers.len().to_string()))?;
    let rendered = render::render(source, 0, &|id| Some(numbers.of_mutant(id)));
    write(
        "all.rs",
        &format!(
            "{MAIN}mod toy {{{}}}\nfn main() {{ print!(\"{{}}\", probe(toy::all)) }}",
            rendered.text
        ),
    )?;
    let mut alone = format!(
        "{MAIN}mod m0 {{{}}}\nfn main() {{\nprintln!(\"{{}}\", probe(m0::all));\n",
        source.text
    );
    let mut modules = String::new();
    for id in numbers.all().filter(selected) {
        let Some(mutant) = site::mutant(&sources, id) else { continue };
        let number = numbers.of_mutant(id);
        // what a value of the switch's crate is named in full for is in scope here
        modules.push_str(&format!("mod m{number} {{{}}}\n", source.with(mutant)));
        alone.push_str(&format!("println!(\"{{}}\", probe(m{number}::all));\n"));
    }
    write("alone.rs", &format!("{alone}}}\n{modules}"))?;

    rustc(&folder, &["--crate-type=rlib", "--crate-name=mutant_switch", "switch.rs"])?;
    let switch = "--extern=mutant_switch=libmutant_switch.rlib";
    rustc(&folder, &[switch, "all.rs"])?;
    rustc(&folder, &[switch, "alone.rs"])?;

    let expected = run(&folder, "alone", (switch::ON, "0"))?;
    let mut expected = expected.lines();
    let original = expected.next().unwrap_or_default();
    assert_eq!(run(&folder, "all", (switch::ON, "0"))?, original, "without a mutant");
    let mut different = 0;
    for id in numbers.all().filter(selected) {
        let number = numbers.of_mutant(id);
        let what = site::mutant(&sources, id).map(|mutant| mutant.what.clone()).unwrap_or_default();
        let expected = expected.next().unwrap_or_default();
        assert_eq!(
            run(&folder, "all", (switch::ON, &number.to_string()))?,
            expected,
            "{number}: {what}"
        );
        different += usize::from(expected != original);
    }
    assert!(different > 70, "{different} of {} mutants change anything", numbers.len());

    let file = folder.join("reached");
    run(&folder, "all", (switch::REACHED, &file.to_string_lossy()))?;
    let bytes = fs::read(&file).map_err(|error| error.to_string())?;
    let reached: BTreeSet<u32> = bytes
        .chunks_exact(4)
        .filter_map(|chunk| Some(u32::from_le_bytes(chunk.try_into().ok()?)))
        .collect();
    let wanted: BTreeSet<u32> =
        numbers.all().filter(selected).map(|id| numbers.of_mutant(id)).collect();
    assert_eq!(reached, wanted);
    fs::remove_dir_all(&folder).map_err(|error| error.to_string())
}

#[test]
fn const_fn_survivors_may_be_noticed_when_built_individually() {
    // `const SIX: u8 = twice(3)` in a test evaluates the function without calling it
    assert!(super::is_undecided(Verdict::Survives, true));
    assert!(!super::is_undecided(Verdict::Survives, false));
    assert!(!super::is_undecided(Verdict::Noticed, true));
}
