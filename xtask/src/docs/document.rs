use super::table::{self, Table};

/// The Markdown of a file: all of a `.md` file, the documentation comments of a source.
pub(crate) struct Document {
    /// From the root of the repository.
    pub(crate) path: String,
    pub(crate) lines: Vec<Line>,
}

pub(crate) struct Line {
    /// In the file, from 1.
    pub(crate) number: usize,
    /// Without the comment's slashes.
    pub(crate) text: String,
    /// Whether it is in a fenced block.
    pub(crate) is_code: bool,
    /// Which comment of the source it is in.
    block: usize,
}

impl Document {
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let is_source = is_source(path);
        let (mut lines, mut block, mut fenced) = (Vec::new(), 0, false);
        for (number, line) in (1..).zip(text.lines()) {
            let text = if is_source { comment(line) } else { Some(line) };
            let Some(text) = text else {
                block += 1;
                fenced = false;
                continue;
            };
            let is_fence = text.trim_start().starts_with("```");
            let is_code = fenced || is_fence;
            fenced ^= is_fence;
            lines.push(Line { number, text: text.to_owned(), is_code, block });
        }
        Self { path: path.to_owned(), lines }
    }

    pub(crate) fn is_source(&self) -> bool {
        is_source(&self.path)
    }

    /// The lines outside fenced blocks.
    pub(crate) fn prose(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| !line.is_code)
    }

    pub(crate) fn tables(&self) -> Vec<Table> {
        table::parse(self)
    }

    /// The only table whose header begins with these cells.
    pub(crate) fn tables_with(&self, header: &[&str]) -> Vec<Table> {
        let mut tables = self.tables();
        tables.retain(|table| {
            table.header.iter().zip(header).filter(|(a, b)| a == b).count() == header.len()
        });
        tables
    }

    /// The runs of lines from a heading to the next, each within one comment of a source.
    pub(crate) fn sections(&self) -> impl Iterator<Item = &[Line]> {
        self.lines.chunk_by(|before, line| before.block == line.block && heading(line).is_none())
    }
}

fn is_source(path: &str) -> bool {
    path.ends_with(".rs")
}

/// What a line of a documentation comment says.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let text = line.strip_prefix("//!").or_else(|| line.strip_prefix("///"))?;
    (!text.starts_with('/')).then(|| text.strip_prefix(' ').unwrap_or(text))
}

/// The text of a heading.
pub(crate) fn heading(line: &Line) -> Option<&str> {
    let text = line.text.trim_start_matches('#');
    let marks = line.text.len() - text.len();
    (!line.is_code && (1..=6).contains(&marks) && text.starts_with(' ')).then(|| text.trim())
}

/// The texts in backticks.
pub(crate) fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let pairs = text.matches('`').count() / 2;
    text.split('`').skip(1).step_by(2).take(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_give_their_comments() {
        let text = [
            "//! # A",
            "//! x",
            "use y;",
            "",
            "    /// ```",
            "    /// z",
            "    /// ```",
            "//// no",
            "/// end",
        ];
        let document = Document::parse("a/src/lib.rs", &text.join("\n"));
        let lines: Vec<(usize, &str, bool)> =
            document.lines.iter().map(|it| (it.number, it.text.as_str(), it.is_code)).collect();
        let code = [(5, "```", true), (6, "z", true), (7, "```", true)];
        assert_eq!(
            lines,
            [&[(1, "# A", false), (2, "x", false)], &code[..], &[(9, "end", false)]].concat()
        );
        assert_eq!(document.sections().count(), 3);
    }

    #[test]
    fn headings_begin_sections() {
        let document = Document::parse("x.md", "a\n# b\nc\n#d\n```\n# e\n```\n## f `g`\n");
        let sections: Vec<usize> = document.sections().map(<[Line]>::len).collect();
        assert_eq!(sections, [1, 6, 1]);
        assert_eq!(document.lines.last().and_then(heading), Some("f `g`"));
    }

    #[test]
    fn backticks_are_read() {
        assert_eq!(quoted("[`core`](core/) and `x`, `").collect::<Vec<_>>(), ["core", "x"]);
        assert_eq!(quoted("–").count(), 0);
    }
}
