use std::io::{self, IsTerminal, Write};

/// Where a bench shows itself: a terminal with the table on top, what was said scrolling below it and the prompt at the bottom, or plain
/// lines, when the output is no terminal.
#[derive(Debug)]
pub(crate) struct Screen {
    /// Rows and columns, of a terminal.
    size: Option<(u16, u16)>,
    /// Rows that the table takes.
    head: u16,
}

/// A terminal with fewer rows gets plain lines.
const MIN_ROWS: u16 = 14;
const PROMPT: &str = "> ";

impl Screen {
    /// For a table of `head` rows.
    pub(crate) fn new(head: u16) -> Self {
        let interactive = io::stdout().is_terminal() && io::stdin().is_terminal();
        let size =
            if interactive { terminal_size().filter(|size| size.0 >= MIN_ROWS) } else { None };
        let screen = Self { size, head };
        screen.draw_layout();
        screen
    }

    /// Whether the table is always in sight.
    pub(crate) const fn shows_table(&self) -> bool {
        self.size.is_some()
    }

    /// Shows the table, if it is always in sight, and follows a changed size of the terminal.
    pub(crate) fn table(&mut self, text: &str) {
        let Some((_, columns)) = self.size else { return };
        if let Some(size) =
            terminal_size().filter(|size| Some(*size) != self.size && size.0 >= MIN_ROWS)
        {
            self.size = Some(size);
            self.draw_layout();
        }
        let mut out = String::from("\x1b7");
        for (row, line) in text.lines().take(usize::from(self.head)).enumerate() {
            out.push_str(&format!("\x1b[{};1H\x1b[2K{}", row + 1, clip(line, columns)));
        }
        out.push_str("\x1b8");
        put(&out);
    }

    /// Adds a line.
    pub(crate) fn line(&self, text: &str) {
        match self.size {
            None => put(&format!("{text}\n")),
            // the cursor stays where somebody types
            Some((rows, columns)) => put(&format!(
                "\x1b7\x1b[{};1H\n\x1b[2K{}\x1b8",
                rows.saturating_sub(1),
                clip(text, columns)
            )),
        }
    }

    /// Asks for the next command.
    pub(crate) fn prompt(&self) {
        if let Some((rows, _)) = self.size {
            put(&format!("\x1b[{rows};1H\x1b[2K{PROMPT}"));
        }
    }

    /// The table's rows, what scrolls, and the prompt's row.
    fn draw_layout(&self) {
        if let Some((rows, columns)) = self.size {
            let rule = "─".repeat(usize::from(columns));
            put(&format!(
                "\x1b[2J\x1b[{};1H{rule}\x1b[{};{}r",
                self.head + 1,
                self.head + 2,
                rows.saturating_sub(1)
            ));
            self.prompt();
        }
    }
}

impl Drop for Screen {
    /// Gives the terminal back as it was.
    fn drop(&mut self) {
        if let Some((rows, _)) = self.size {
            put(&format!("\x1b[r\x1b[{rows};1H\x1b[2K"));
        }
    }
}

fn terminal_size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some((size.ws_row, size.ws_col))
}

fn clip(line: &str, columns: u16) -> String {
    // a board's control characters are not for this terminal
    let plain = line.chars().filter(|c| !c.is_control());
    plain.take(usize::from(columns)).collect()
}

fn put(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
