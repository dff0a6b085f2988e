use crate::Failure;

/// A command typed at the prompt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    /// A line for a node's console.
    Type(u64, String),
    /// Cut or heal a wire.
    Cut(Selection, bool),
    /// Disturb a wire, or stop that.
    Noise(Selection, bool),
    Kill(u64),
    Restart(u64),
    /// Show how the nodes do.
    Status,
    /// Show what can be typed.
    Help,
    /// Do nothing for some seconds: for commands that come from a file.
    Wait(u64),
    Quit,
}

/// Which wires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Selection {
    All,
    /// Both directions between two nodes.
    Both(u64, u64),
    /// The direction from one node to another.
    One(u64, u64),
}

/// The text of `help`.
pub(crate) const HELP: &[&str] = &[
    "1 set 20, 2 get, 3 status     type a line at a node's console; `1 help` tells what it knows",
    "cut 1-2, cut 1>2, cut         cut a wire, one direction of it, or all wires",
    "heal 1-2, heal 1>2, heal      and join them again",
    "noise 1-2, noise              flip, invent and lose bytes on a wire, or on all",
    "silence 1-2, silence          and no more",
    "kill 3, restart 3             power a node off, and on again (its flash is as it was)",
    "status, help, wait SECONDS, quit",
];

impl Command {
    /// Reads a line; `None` when it is empty.
    pub(crate) fn parse(line: &str) -> Result<Option<Self>, Failure> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        Ok(Some(match word {
            "" => return Ok(None),
            "cut" => Self::Cut(parse_selection(rest)?, true),
            "heal" => Self::Cut(parse_selection(rest)?, false),
            "noise" => Self::Noise(parse_selection(rest)?, true),
            "silence" => Self::Noise(parse_selection(rest)?, false),
            "kill" => Self::Kill(parse_number(rest)?),
            "restart" | "start" => Self::Restart(parse_number(rest)?),
            "wait" => Self::Wait(parse_number(rest)?),
            "status" => Self::Status,
            "help" | "?" => Self::Help,
            "quit" | "exit" => Self::Quit,
            _ => match word.parse() {
                Ok(id) if !rest.is_empty() => Self::Type(id, rest.to_owned()),
                _ => {
                    return Err(Failure::Unexpected(format!(
                        "`{line}`? `help` tells what there is"
                    )));
                }
            },
        }))
    }
}

fn parse_selection(words: &str) -> Result<Selection, Failure> {
    if words.is_empty() {
        return Ok(Selection::All);
    }
    let pair = |sign| words.split_once(sign);
    match (pair('-'), pair('>')) {
        (Some((a, b)), _) => Ok(Selection::Both(parse_number(a)?, parse_number(b)?)),
        (None, Some((a, b))) => Ok(Selection::One(parse_number(a)?, parse_number(b)?)),
        _ => Err(Failure::Unexpected(format!(
            "`{words}` is no wire: 1-2 is one, 1>2 a direction of it"
        ))),
    }
}

fn parse_number(word: &str) -> Result<u64, Failure> {
    word.trim().parse().map_err(|_| Failure::Unexpected(format!("`{word}` is no number")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(line: &str) -> Command {
        Command::parse(line).unwrap().unwrap()
    }

    #[test]
    fn commands_parse() {
        assert_eq!(parse(" 1 set 20 "), Command::Type(1, "set 20".to_owned()));
        assert_eq!(parse("cut 1-2"), Command::Cut(Selection::Both(1, 2), true));
        assert_eq!(parse("heal 2 > 1"), Command::Cut(Selection::One(2, 1), false));
        assert_eq!(parse("noise"), Command::Noise(Selection::All, true));
        assert_eq!(parse("kill 3"), Command::Kill(3));
        assert_eq!(Command::parse("  ").unwrap(), None);
    }

    #[test]
    fn invalid_commands_are_rejected() {
        for line in ["1", "cut 1", "cut a-b", "kill", "kill x", "set 20", "wait"] {
            assert!(Command::parse(line).is_err(), "{line}");
        }
    }
}
