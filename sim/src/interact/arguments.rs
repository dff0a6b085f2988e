//! The arguments of commands.

/// `NAME=VALUE` arguments, taken one by one.
#[derive(Debug)]
pub struct Options<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Options<'a> {
    /// Splits arguments at `=`.
    ///
    /// # Errors
    ///
    /// An argument without `=`.
    pub fn parse(args: &[&'a str]) -> Result<Self, String> {
        let split = |word: &&'a str| {
            word.split_once('=').ok_or_else(|| format!("{word:?} is not NAME=VALUE"))
        };
        Ok(Self(args.iter().map(split).collect::<Result<_, _>>()?))
    }

    /// The value of an option, which is taken out.
    pub fn take(&mut self, name: &str) -> Option<&'a str> {
        let at = self.0.iter().position(|(n, _)| *n == name)?;
        Some(self.0.remove(at).1)
    }

    /// A number, or `default` if it is not given.
    ///
    /// # Errors
    ///
    /// A value that is no number.
    pub fn number(&mut self, name: &str, default: u64) -> Result<u64, String> {
        self.take(name).map_or(Ok(default), |value| parse_number(name, value))
    }

    /// `on` or `off`, or `default` if it is not given.
    ///
    /// # Errors
    ///
    /// Another value.
    pub fn switch(&mut self, name: &str, default: bool) -> Result<bool, String> {
        match self.take(name) {
            None => Ok(default),
            Some("on") => Ok(true),
            Some("off") => Ok(false),
            Some(value) => Err(format!("{name} is `on` or `off`, not {value:?}")),
        }
    }

    /// No option may be left.
    ///
    /// # Errors
    ///
    /// The first that is.
    pub fn finish(&self) -> Result<(), String> {
        match self.0.first() {
            Some((name, _)) => Err(format!("there is no option {name:?}")),
            None => Ok(()),
        }
    }
}

/// Links between nodes, each in one direction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Links(pub Vec<(u64, u64)>);

impl Links {
    /// Reads `1->2`, `1-2`, `1->*` or `*->2`, or several of these with commas.
    ///
    /// # Errors
    ///
    /// What is wrong with the word.
    pub fn parse(word: &str, nodes: u64) -> Result<Self, String> {
        let mut links = Vec::new();
        for part in word.split(',') {
            let arrow = part.split_once("->");
            let (from, to) = arrow
                .or_else(|| part.split_once('-'))
                .ok_or_else(|| format!("{part:?} is no link such as 1->2"))?;
            let both = arrow.is_none();
            for a in ends(from, nodes)? {
                for b in ends(to, nodes)?.filter(|&b| b != a) {
                    links.push((a, b));
                    if both {
                        links.push((b, a));
                    }
                }
            }
        }
        Ok(Self(links))
    }
}

fn ends(word: &str, nodes: u64) -> Result<std::ops::RangeInclusive<u64>, String> {
    if word == "*" {
        return Ok(1..=nodes);
    }
    let node = parse_node(word, nodes)?;
    Ok(node..=node)
}

/// One node.
pub(crate) fn parse_node(word: &str, nodes: u64) -> Result<u64, String> {
    match parse_number("a node", word)? {
        node if (1..=nodes).contains(&node) => Ok(node),
        node => Err(format!("there is no node {node}")),
    }
}

/// `all`, or numbers with commas.
pub(crate) fn parse_nodes(word: &str, nodes: u64) -> Result<Vec<u64>, String> {
    if word == "all" {
        return Ok((1..=nodes).collect());
    }
    word.split(',').map(|word| parse_node(word, nodes)).collect()
}

/// A number; `what` names it if it is none.
pub(crate) fn parse_number(what: &str, word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("{what} is a number, not {word:?}"))
}

/// Reads `50ms`, `2s` or `10us` as microseconds.
///
/// # Errors
///
/// A word that is none of these.
pub fn time_us(word: &str) -> Result<u64, String> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match word.get(digits.len()..) {
        Some("us") => 1,
        Some("ms") => 1_000,
        Some("s") => 1_000_000,
        _ => return Err(format!("{word:?} is no time such as 50ms")),
    };
    Ok(parse_number("a time", digits)?.saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_parse_in_all_forms() {
        let links = |word| Links::parse(word, 3).map(|l| l.0);
        assert_eq!(links("1->2").unwrap(), [(1, 2)]);
        assert_eq!(links("1-2").unwrap(), [(1, 2), (2, 1)]);
        assert_eq!(links("1->*").unwrap(), [(1, 2), (1, 3)]);
        assert_eq!(links("*->3,3->1").unwrap(), [(1, 3), (2, 3), (3, 1)]);
        for bad in ["", "1", "1->4", "0->1", "a->b"] {
            assert!(links(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_need_a_unit() {
        assert_eq!(time_us("50ms"), Ok(50_000));
        assert_eq!(time_us("2s"), Ok(2_000_000));
        assert_eq!(time_us("7us"), Ok(7));
        for bad in ["50", "ms", "5 ms", "5min"] {
            assert!(time_us(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_options_are_rejected() {
        let mut options = Options::parse(&["a=1", "b=on", "c=x"]).unwrap();
        assert_eq!(options.number("a", 7), Ok(1));
        assert_eq!(options.number("z", 7), Ok(7));
        assert_eq!(options.switch("b", false), Ok(true));
        assert!(options.finish().unwrap_err().contains('c'));
        assert!(options.switch("c", true).is_err());
        assert!(options.finish().is_ok());
        assert!(Options::parse(&["novalue"]).is_err());
    }
}
