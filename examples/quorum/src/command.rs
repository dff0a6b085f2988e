use quorate_ring::quorum::{Level, ReadRepair};

use crate::node::{MAX_KEY, MAX_VALUE};

/// What a person can ask for, one on a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Write a key.
    Put(Put),
    /// Read a key.
    Get(Get),
    /// Write so many keys.
    Fill(u32),
    /// End a node; its disk stays.
    Kill(u64),
    /// Start a node that was killed.
    Start(u64),
    /// End a node, and erase its disk.
    Erase(u64),
    /// A node becomes a member.
    Join(u64),
    /// A member is to be none any more.
    Leave(u64),
    /// A node that does not run will not come back.
    Lost(u64),
    /// Tell where a key lives.
    Where(String),
    /// Tell who keeps writes for others.
    Hints,
    /// Tell how the nodes do.
    Nodes,
    /// Do nothing until something is so.
    Wait(Condition),
    /// Carry this out; it may fail.
    Try(Box<Self>),
    /// Tell what there is to ask for.
    Help,
    /// End the program.
    Quit,
    /// An empty line, or a comment.
    Nothing,
}

/// A write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Put {
    /// What is written.
    pub key: String,
    /// `None` deletes it.
    pub value: Option<String>,
    /// The node that is asked; any if it is `None`.
    pub at: Option<u64>,
    /// W.
    pub level: Level,
    /// PW.
    pub primaries: u8,
    /// Others may stand in for replicas.
    pub sloppy: bool,
}

/// A read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Get {
    /// What is read.
    pub key: String,
    /// The node that is asked; any if it is `None`.
    pub at: Option<u64>,
    /// R.
    pub level: Level,
    /// PR.
    pub primaries: u8,
    /// Others may stand in for replicas.
    pub sloppy: bool,
    /// What it does for replicas that are behind; `None`: what is usual for these values.
    pub repair: Option<ReadRepair>,
}

/// What a script can wait for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// All nodes know which nodes are up.
    Noticed,
    /// No node keeps a write for another.
    Handed,
    /// Nobody is joining or leaving.
    Moved,
    /// All members know what they hold.
    Rebuilt,
    /// All replicas of a key have it, the same of it, and nobody else has it.
    Copies(String),
}

impl Command {
    /// Whether it takes as long as something else.
    #[must_use]
    pub fn waits(&self) -> bool {
        match self {
            Self::Wait(_) => true,
            Self::Try(command) => command.waits(),
            _ => false,
        }
    }

    /// What a line asks for.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim();
        let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let node = || match rest.parse() {
            Ok(id) => Ok(id),
            Err(_) => Err(format!("{verb} which node? For example: {verb} 3")),
        };
        Ok(match verb {
            "" => Self::Nothing,
            _ if verb.starts_with('#') => Self::Nothing,
            "put" => Self::Put(put(rest, true)?),
            "delete" => Self::Put(put(rest, false)?),
            "get" => Self::Get(get(rest)?),
            "fill" => {
                let count = rest.parse().ok().filter(|count| (1..=500).contains(count));
                Self::Fill(count.ok_or("fill how many keys, 1 to 500? For example: fill 20")?)
            }
            "kill" => Self::Kill(node()?),
            "start" => Self::Start(node()?),
            "erase" => Self::Erase(node()?),
            "join" => Self::Join(node()?),
            "leave" => Self::Leave(node()?),
            "lost" => Self::Lost(node()?),
            "where" => Self::Where(key(rest)?),
            "hints" => Self::Hints,
            "nodes" => Self::Nodes,
            "wait" => Self::Wait(condition(rest)?),
            "try" => match Self::parse(rest)? {
                Self::Nothing => return Err("try what? For example: try put color blue".into()),
                command => Self::Try(Box::new(command)),
            },
            "help" | "?" => Self::Help,
            "quit" | "exit" | "q" => Self::Quit,
            _ => return Err(format!("{verb:?} is not a command: try help")),
        })
    }
}

fn key(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("which key?".into()),
        1..=MAX_KEY => Ok(text.into()),
        len => Err(format!("the key has {len} bytes, and may have {MAX_KEY}")),
    }
}

fn condition(text: &str) -> Result<Condition, String> {
    Ok(match text.split_once(char::is_whitespace) {
        Some(("copies", of)) => Condition::Copies(key(of.trim())?),
        None if text == "noticed" => Condition::Noticed,
        None if text == "handed" => Condition::Handed,
        None if text == "moved" => Condition::Moved,
        None if text == "rebuilt" => Condition::Rebuilt,
        _ => return Err("wait for noticed, handed, moved, rebuilt, or copies KEY".into()),
    })
}

/// Words that are options, and the others.
fn sort(text: &str) -> (Vec<&str>, Vec<(&str, &str)>) {
    let mut plain = Vec::new();
    let mut options = Vec::new();
    for word in text.split_whitespace() {
        match word.split_once('=') {
            Some(option) if ["at", "w", "pw", "r", "pr", "repair"].contains(&option.0) => {
                options.push(option);
            }
            _ => plain.push(word),
        }
    }
    (plain, options)
}

fn put(text: &str, has_value: bool) -> Result<Put, String> {
    let (mut words, options) = sort(text);
    let sloppy = words.len() > 1 + usize::from(has_value) && words.last() == Some(&"sloppy");
    if sloppy {
        words.pop();
    }
    let (name, value) = match (words.as_slice(), has_value) {
        ([name, value], true) => (*name, Some((*value).to_owned())),
        ([name], false) => (*name, None),
        (_, true) => {
            return Err("put KEY VALUE: for example: put color blue w=2 at=1 sloppy".into());
        }
        (_, false) => return Err("delete KEY: for example: delete color w=2".into()),
    };
    if value.as_ref().is_some_and(|value| value.len() > MAX_VALUE) {
        return Err(format!("a value may have {MAX_VALUE} bytes"));
    }
    let mut put =
        Put { key: key(name)?, value, at: None, level: Level::Quorum, primaries: 0, sloppy };
    for (name, given) in options {
        match name {
            "at" => put.at = Some(number(name, given)?),
            "w" => put.level = level(name, given)?,
            "pw" => put.primaries = number(name, given)?,
            _ => return Err(format!("{name}= is for reads")),
        }
    }
    Ok(put)
}

fn get(text: &str) -> Result<Get, String> {
    let (mut words, options) = sort(text);
    let sloppy = words.len() > 1 && words.last() == Some(&"sloppy");
    if sloppy {
        words.pop();
    }
    let [name] = words.as_slice() else {
        return Err("get KEY: for example: get color r=2 at=1 repair=blocking".into());
    };
    let mut get =
        Get { key: key(name)?, at: None, level: Level::Quorum, primaries: 0, sloppy, repair: None };
    for (name, given) in options {
        match name {
            "at" => get.at = Some(number(name, given)?),
            "r" => get.level = level(name, given)?,
            "pr" => get.primaries = number(name, given)?,
            "repair" => {
                get.repair = Some(match given {
                    "off" => ReadRepair::Off,
                    "background" => ReadRepair::Background,
                    "blocking" => ReadRepair::Blocking,
                    "always" => ReadRepair::Always,
                    _ => return Err("repair is off, background, blocking or always".into()),
                });
            }
            _ => return Err(format!("{name}= is for writes")),
        }
    }
    Ok(get)
}

fn number<T: std::str::FromStr>(name: &str, given: &str) -> Result<T, String> {
    given.parse().map_err(|_| format!("{name}={given}: a small number is wanted"))
}

fn level(name: &str, given: &str) -> Result<Level, String> {
    Ok(match given {
        "one" => Level::One,
        "quorum" => Level::Quorum,
        "all" => Level::All,
        _ => Level::Count(number(name, given)?),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn commands_have_options_in_any_order() {
        let put = Put {
            key: "color".into(),
            value: Some("blue".into()),
            at: Some(3),
            level: Level::Count(2),
            primaries: 1,
            sloppy: true,
        };
        let line = "put w=2 color at=3 blue pw=1 sloppy";
        assert_eq!(Command::parse(line).unwrap(), Command::Put(put));
        let get = Get {
            key: "color".into(),
            at: None,
            level: Level::All,
            primaries: 0,
            sloppy: false,
            repair: Some(ReadRepair::Always),
        };
        let line = "  get color r=all repair=always ";
        assert_eq!(Command::parse(line).unwrap(), Command::Get(get));
    }

    #[test]
    fn value_may_look_like_an_option() {
        for value in ["sloppy", "x=1"] {
            let Command::Put(put) = Command::parse(&format!("put a {value}")).unwrap() else {
                unreachable!("it is a put")
            };
            assert_eq!((put.value.as_deref(), put.sloppy), (Some(value), false));
        }
    }

    #[test]
    fn wrong_lines_are_told() {
        for line in [
            "put",
            "put a",
            "put a b c",
            "put a b r=1",
            "put a b w=many",
            "get",
            "get a w=1",
            "get a repair=some",
            "kill",
            "kill x",
            "wait",
            "wait long",
            "wait copies",
            "try",
            "fill 0",
            "where",
            "sing",
            "put a b w=300",
        ] {
            assert!(Command::parse(line).is_err(), "{line}");
        }
        let long = "k".repeat(MAX_KEY + 1);
        assert!(Command::parse(&format!("put {long} b")).is_err());
        assert_eq!(Command::parse("# a comment"), Ok(Command::Nothing));
    }
}
