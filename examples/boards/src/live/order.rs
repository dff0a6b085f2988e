use crate::Failure;

/// What somebody typed at the prompt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// A line for a node's console.
    Say(u64, String),
    /// Cut or heal a wire.
    Cut(Reach, bool),
    /// Disturb a wire, or stop that.
    Noise(Reach, bool),
    Kill(u64),
    Restart(u64),
    /// Show how the nodes do.
    Status,
    /// Show what can be typed.
    Help,
    /// Do nothing for some seconds: for orders that come from a file.
    Wait(u64),
    Quit,
}

/// Which wires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    All,
    /// Both directions between two nodes.
    Both(u64, u64),
    /// The direction from one node to another.
    One(u64, u64),
}

/// What `help` says.
pub(crate) const HELP: &[&str] = &[
    "1 set 20, 2 get, 3 status     type a line at a node's console; `1 help` tells what it knows",
    "cut 1-2, cut 1>2, cut         cut a wire, one direction of it, or all wires",
    "heal 1-2, heal 1>2, heal      and join them again",
    "noise 1-2, noise              flip, invent and lose bytes on a wire, or on all",
    "silence 1-2, silence          and no more",
    "kill 3, restart 3             take the power from a node, and give it back (its flash is as it was)",
    "status, help, wait SECONDS, quit",
];

impl Order {
    /// Reads a line; `None` when it is empty.
    pub(crate) fn read(line: &str) -> Result<Option<Self>, Failure> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        Ok(Some(match word {
            "" => return Ok(None),
            "cut" => Self::Cut(reach(rest)?, true),
            "heal" => Self::Cut(reach(rest)?, false),
            "noise" => Self::Noise(reach(rest)?, true),
            "silence" => Self::Noise(reach(rest)?, false),
            "kill" => Self::Kill(number(rest)?),
            "restart" | "start" => Self::Restart(number(rest)?),
            "wait" => Self::Wait(number(rest)?),
            "status" => Self::Status,
            "help" | "?" => Self::Help,
            "quit" | "exit" => Self::Quit,
            _ => match word.parse() {
                Ok(id) if !rest.is_empty() => Self::Say(id, rest.to_owned()),
                _ => return Err(Failure::Wrong(format!("`{line}`? `help` tells what there is"))),
            },
        }))
    }
}

fn reach(words: &str) -> Result<Reach, Failure> {
    if words.is_empty() {
        return Ok(Reach::All);
    }
    let pair = |sign| words.split_once(sign);
    match (pair('-'), pair('>')) {
        (Some((a, b)), _) => Ok(Reach::Both(number(a)?, number(b)?)),
        (None, Some((a, b))) => Ok(Reach::One(number(a)?, number(b)?)),
        _ => {
            Err(Failure::Wrong(format!("`{words}` is no wire: 1-2 is one, 1>2 a direction of it")))
        }
    }
}

fn number(word: &str) -> Result<u64, Failure> {
    word.trim().parse().map_err(|_| Failure::Wrong(format!("`{word}` is no number")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(line: &str) -> Order {
        Order::read(line).unwrap().unwrap()
    }

    #[test]
    fn orders_are_read() {
        assert_eq!(read(" 1 set 20 "), Order::Say(1, "set 20".to_owned()));
        assert_eq!(read("cut 1-2"), Order::Cut(Reach::Both(1, 2), true));
        assert_eq!(read("heal 2 > 1"), Order::Cut(Reach::One(2, 1), false));
        assert_eq!(read("noise"), Order::Noise(Reach::All, true));
        assert_eq!(read("kill 3"), Order::Kill(3));
        assert_eq!(Order::read("  ").unwrap(), None);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["1", "cut 1", "cut a-b", "kill", "kill x", "set 20", "wait"] {
            assert!(Order::read(line).is_err(), "{line}");
        }
    }
}
