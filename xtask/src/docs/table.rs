use super::document::{Document, Line, heading};

/// A table, with the heading that it stands below.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Table {
    pub(crate) heading: String,
    /// The line of the header.
    pub(crate) line: usize,
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(crate) line: usize,
    pub(crate) cells: Vec<String>,
}

impl Row {
    /// A cell; empty if the row is shorter.
    pub(crate) fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }
}

pub(crate) fn parse(document: &Document) -> Vec<Table> {
    let (mut tables, mut above) = (Vec::new(), String::new());
    for section in document.sections() {
        if let Some(text) = section.first().and_then(heading) {
            above = text.to_owned();
        }
        let runs = section.chunk_by(|before, line| is_row(before) == is_row(line));
        for run in runs.filter(|run| run.first().is_some_and(is_row)) {
            let mut rows = run.iter().map(row);
            let Some(header) = rows.next() else { continue };
            let rows = rows.filter(|row| !row.cells.iter().all(|cell| is_rule(cell))).collect();
            tables.push(Table {
                heading: above.clone(),
                line: header.line,
                header: header.cells,
                rows,
            });
        }
    }
    tables
}

fn is_row(line: &Line) -> bool {
    !line.is_code && line.text.trim_start().starts_with('|')
}

/// Whether a cell is one of those below the header.
fn is_rule(cell: &str) -> bool {
    cell.contains('-') && cell.chars().all(|c| matches!(c, '-' | ':'))
}

fn row(line: &Line) -> Row {
    const ESCAPED: &str = "\u{0}";
    let text = line.text.trim().replace("\\|", ESCAPED);
    let text = text.trim_start_matches('|');
    let text = text.strip_suffix('|').unwrap_or(text);
    let cells = text.split('|').map(|cell| cell.trim().replace(ESCAPED, "|")).collect();
    Row { line: line.number, cells }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        let text = "# A\n\n| x | y |\n|---|---:|\n| 1 \\| 2 | |\n| - |\n\n```\n| no |\n```\n## B\n| z |\n|-|\n";
        let tables = Document::parse("x.md", text).tables();
        let [first, second] = tables.as_slice() else { unreachable!("two tables: {tables:?}") };
        assert_eq!((first.heading.as_str(), first.line), ("A", 3));
        assert_eq!(first.header, ["x", "y"]);
        assert_eq!(first.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [5]);
        assert_eq!(first.rows[0].cells, ["1 | 2", ""]);
        assert_eq!(first.rows[0].cell(7), "");
        assert_eq!((second.heading.as_str(), second.rows.len()), ("B", 0));
    }
}
