//! The list of verbs in CONTRIBUTING.md, and verbs that are named anywhere.

use super::document::{Document, quoted};
use super::finding::Finding;
use super::table::Row;

const DOCUMENT: &str = "CONTRIBUTING.md";
const HEADER: [&str; 3] = ["verb", "what it does", "ci runs"];
const CALL: &str = "cargo xtask ";

/// A verb as `cargo xtask --help` lists it, and the steps of `ci` that call it.
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) steps: Vec<String>,
}

/// The verbs there are.
pub(crate) fn listed() -> Vec<Listed> {
    let steps: Vec<String> = crate::ci::steps().iter().map(|step| step.join(" ")).collect();
    let listed = crate::VERBS.iter().map(|verb| Listed {
        name: verb.name.to_owned(),
        about: verb.about.to_owned(),
        steps: steps.iter().filter(|it| it.split(' ').next() == Some(verb.name)).cloned().collect(),
    });
    listed.collect()
}

pub(crate) fn check(documents: &[&Document], verbs: &[Listed]) -> Vec<Finding> {
    let mut findings = check_list(documents, verbs);
    for document in documents {
        findings.extend(check_calls(document, verbs));
    }
    findings
}

fn check_list(documents: &[&Document], verbs: &[Listed]) -> Vec<Finding> {
    let document = documents.iter().find(|document| document.path == DOCUMENT);
    let table = document.and_then(|it| Some((it, it.tables_with(&HEADER).into_iter().next()?)));
    let Some((document, table)) = table else {
        let text = "there is no table `| verb | what it does | ci runs | … |`: list the verbs";
        return vec![Finding::at(DOCUMENT, 1, text)];
    };
    let mut findings = Vec::new();
    for row in &table.rows {
        let name = quoted(row.cell(0)).next().unwrap_or_default();
        match verbs.iter().find(|verb| verb.name == name) {
            Some(verb) => findings.extend(check_row(document, row, verb)),
            None => {
                let text = format!("there is no verb `{name}`: remove the row");
                findings.push(Finding::new(document, row.line, text));
            }
        }
    }
    let is_listed =
        |verb: &&Listed| table.rows.iter().any(|row| quoted(row.cell(0)).eq([&*verb.name]));
    for verb in verbs.iter().filter(|verb| !is_listed(verb)) {
        let text = format!(
            "no row for the verb `{}`: add `| `{}` | {} | … |`",
            verb.name, verb.name, verb.about
        );
        findings.push(Finding::new(document, table.line, text));
    }
    findings
}

fn check_row(document: &Document, row: &Row, verb: &Listed) -> Vec<Finding> {
    let mut findings = Vec::new();
    if row.cell(1) != verb.about {
        let text = format!("`cargo xtask --help` says of `{}`: {}", verb.name, verb.about);
        findings.push(Finding::new(document, row.line, text));
    }
    if !quoted(row.cell(2)).eq(verb.steps.iter().map(String::as_str)) {
        let text = match verb.steps.as_slice() {
            [] => format!("`ci` does not run `{}`: say `–`", verb.name),
            steps => format!("`ci` runs `{}`: say so, in this order", steps.join("`, `")),
        };
        findings.push(Finding::new(document, row.line, text));
    }
    findings
}

/// Every `cargo xtask WORD` names a verb.
fn check_calls(document: &Document, verbs: &[Listed]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for line in &document.lines {
        let calls = line.text.split(CALL).skip(1);
        let words = calls
            .map(|rest| rest.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or_default());
        let unknown =
            words.filter(|word| !word.is_empty() && !verbs.iter().any(|verb| verb.name == *word));
        findings.extend(unknown.map(|word| {
            let text = format!("there is no verb `{word}`; `cargo xtask --help` lists them");
            Finding::new(document, line.number, text)
        }));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::said;
    use super::*;

    const TEXT: &str = "`cargo xtask VERB --help`, `cargo xtask sim`\n\n| verb | what it does | ci runs |\n|-|-|-|\n| `sim` | simulates | `sim --sample`, `sim x` |\n| `fmt` | formats | – |\n";

    fn findings(text: &str) -> Vec<String> {
        let verb = |name: &str, about: &str, steps: &[&str]| Listed {
            name: name.to_owned(),
            about: about.to_owned(),
            steps: steps.iter().map(|&it| it.to_owned()).collect(),
        };
        let verbs =
            [verb("sim", "simulates", &["sim --sample", "sim x"]), verb("fmt", "formats", &[])];
        said(&check(&[&Document::parse("CONTRIBUTING.md", text)], &verbs))
    }

    #[test]
    fn what_is_true_passes() {
        assert_eq!(findings(TEXT), [""; 0]);
    }

    #[test]
    fn the_list_is_that_of_the_verbs() {
        let said = findings(&TEXT.replace("| `fmt` |", "| `format` |"));
        let wanted = [
            "6: there is no verb `format`: remove the row",
            "3: no row for the verb `fmt`: add `| `fmt` | formats | … |`",
        ];
        assert_eq!(said, wanted);
        assert_eq!(findings("").len(), 1);
    }

    #[test]
    fn what_a_verb_does_and_what_ci_runs_are_compared() {
        let said = findings(
            &TEXT.replace("simulates", "plays").replace("`, `sim x`", "`").replace('–', "`fmt`"),
        );
        let wanted = [
            "5: `cargo xtask --help` says of `sim`: simulates",
            "5: `ci` runs `sim --sample`, `sim x`: say so, in this order",
            "6: `ci` does not run `fmt`: say `–`",
        ];
        assert_eq!(said, wanted);
    }

    #[test]
    fn unknown_verbs_are_found_anywhere() {
        let said = findings(&TEXT.replace("xtask sim", "xtask simulate"));
        assert_eq!(said, ["1: there is no verb `simulate`; `cargo xtask --help` lists them"]);
    }

    #[test]
    fn ci_runs_the_tests_and_this() {
        let steps = |name: &str| listed().into_iter().find(|it| it.name == name).map(|it| it.steps);
        assert_eq!(steps("test"), Some(vec!["test --no-fail-fast".to_owned()]));
        assert_eq!(steps("docs"), Some(vec!["docs".to_owned()]));
    }
}
