use core::fmt;

use super::document::Document;

/// A statement that is not true.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    /// What is said, what is true, and what to do.
    text: String,
}

impl Finding {
    pub(crate) fn new(document: &Document, line: usize, text: impl Into<String>) -> Self {
        Self::at(&document.path, line, text)
    }

    pub(crate) fn at(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// What findings say, for tests: `LINE: TEXT`.
#[cfg(test)]
pub(crate) fn said(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{}: {}", finding.line, finding.text)).collect()
}
