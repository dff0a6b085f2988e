use std::fmt;

use super::{Harness, Protocol};

/// An interaction test: blocks of commands and what they print.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scenario {
    blocks: Vec<Block>,
}

/// One block of a [`Scenario`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Block {
    /// Where it starts, counted from 1.
    line: usize,
    /// Comments and commands.
    input: Vec<String>,
    /// What is printed; nothing is expected of a block of comments.
    output: Option<Vec<String>>,
}

/// What stands between commands and their output.
const SEPARATOR: &str = "----";

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    ///
    /// Commands without a separator line below them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut blocks = Vec::new();
        let mut block = Block::default();
        for (at, line) in text.lines().chain([""]).enumerate() {
            let line = line.trim_end();
            if line.is_empty() {
                if !block.input.is_empty() {
                    blocks.push(std::mem::take(&mut block).checked()?);
                }
                continue;
            }
            if block.input.is_empty() {
                block.line = at + 1;
            }
            match &mut block.output {
                None if line == SEPARATOR => block.output = Some(Vec::new()),
                None => block.input.push(line.into()),
                Some(output) => output.push(line.into()),
            }
        }
        Ok(Self { blocks })
    }

    /// A scenario of commands one by one, that prints nothing yet.
    #[must_use]
    pub fn from_commands(comment: &str, commands: &[String]) -> Self {
        let comment =
            Block { line: 1, input: comment.lines().map(Into::into).collect(), output: None };
        let one = |command: &String| Block {
            line: 0,
            input: vec![command.clone()],
            output: Some(Vec::new()),
        };
        Self { blocks: std::iter::once(comment).chain(commands.iter().map(one)).collect() }
    }

    /// Runs the commands: the same scenario with what they print.
    ///
    /// # Errors
    ///
    /// The line, and what is wrong with the command there, or what it violates.
    pub fn run<P: Protocol>(&self) -> Result<Self, String> {
        let mut harness = Harness::<P>::default();
        let mut blocks = self.blocks.clone();
        for block in &mut blocks {
            let Some(output) = &mut block.output else { continue };
            output.clear();
            for (at, command) in block.input.iter().enumerate() {
                let line = block.line + at;
                harness
                    .execute(command)
                    .map_err(|what| format!("line {line}: `{command}`: {what}"))?;
            }
            output.extend(harness.take_output());
        }
        Ok(Self { blocks })
    }

    /// Compares what was expected with what was printed.
    ///
    /// # Errors
    ///
    /// The first block that differs.
    pub fn compare(&self, actual: &Self) -> Result<(), String> {
        for (expected, actual) in self.blocks.iter().zip(&actual.blocks) {
            if expected.output != actual.output {
                return Err(expected.differs(actual));
            }
        }
        Ok(())
    }

    /// Whether the first block is a comment that names a source.
    #[must_use]
    pub fn has_source(&self) -> bool {
        let first = self.blocks.first();
        first.is_some_and(|b| {
            b.output.is_none() && b.input.iter().any(|line| line.starts_with("# Source: "))
        })
    }
}

impl Block {
    fn checked(self) -> Result<Self, String> {
        let commands = self.input.iter().any(|line| !line.starts_with('#'));
        if commands && self.output.is_none() {
            return Err(format!(
                "line {}: commands without a line `{SEPARATOR}` below them",
                self.line
            ));
        }
        Ok(self)
    }

    fn differs(&self, actual: &Self) -> String {
        let empty = Vec::new();
        let expected = self.output.as_ref().unwrap_or(&empty);
        let actual = actual.output.as_ref().unwrap_or(&empty);
        let same = expected.iter().zip(actual).take_while(|(a, b)| a == b).count();
        let mut text = format!("line {}: {}\n", self.line, self.input.join("\n"));
        for line in expected.iter().take(same) {
            text.push_str(&format!("   {line}\n"));
        }
        for line in expected.iter().skip(same) {
            text.push_str(&format!(" - {line}\n"));
        }
        for line in actual.iter().skip(same) {
            text.push_str(&format!(" + {line}\n"));
        }
        text.push_str("(- expected, + printed; UPDATE=1 takes what was printed)");
        text
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, block) in self.blocks.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            block.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.input {
            writeln!(f, "{line}")?;
        }
        if let Some(output) = &self.output {
            writeln!(f, "{SEPARATOR}")?;
            for line in output {
                writeln!(f, "{line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# A title\n# Source: here\n\nnodes 3\n----\n\n# why\ntick 1 5ms\n----\nan\n  output\n";

    #[test]
    fn parse_and_display_round_trip() {
        let scenario = Scenario::parse(TEXT).unwrap();
        assert_eq!(scenario.to_string(), TEXT);
        assert_eq!(scenario.blocks.len(), 3);
        assert!(scenario.has_source());
        assert!(!Scenario::parse("nodes 3\n----\n").unwrap().has_source());
    }

    #[test]
    fn commands_without_a_separator_are_rejected() {
        assert!(Scenario::parse("# fine\n\nnodes 3\n\n").unwrap_err().contains("line 3"));
    }

    #[test]
    fn diff_starts_at_the_first_difference() {
        let expected = Scenario::parse("tick 1 1ms\n----\na\nb\n").unwrap();
        let actual = Scenario::parse("tick 1 1ms\n----\na\nc\nd\n").unwrap();
        let difference = expected.compare(&actual).unwrap_err();
        assert!(difference.contains("   a\n - b\n + c\n + d\n"), "{difference}");
        assert_eq!(expected.compare(&expected), Ok(()));
    }
}
