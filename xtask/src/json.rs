//! Reads JSON: what cargo and the compiler say.

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// Only whole ones are ever looked at.
    Number(String),
    Text(String),
    List(Vec<Json>),
    /// In the order of the text.
    Object(Vec<(String, Json)>),
}

/// Lists and objects inside each other.
const DEPTH: usize = 128;

impl Json {
    /// A whole text; `None` if it is no JSON.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let value = value(&mut rest, DEPTH)?;
        rest.trim().is_empty().then_some(value)
    }

    /// A member of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn number(&self) -> Option<usize> {
        if let Self::Number(text) = self { text.parse().ok() } else { None }
    }

    pub(crate) fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }

    /// The members of an object; none of anything else.
    pub(crate) fn members(&self) -> &[(String, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// The elements of a list; none of anything else.
    pub(crate) fn list(&self) -> &[Self] {
        if let Self::List(list) = self { list } else { &[] }
    }
}

/// A value at the start of the text, which is moved behind it.
fn value(text: &mut &str, depth: usize) -> Option<Json> {
    let depth = depth.checked_sub(1)?;
    *text = text.trim_start();
    for (word, value) in
        [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
    {
        if eat(text, word) {
            return Some(value);
        }
    }
    if text.starts_with('"') {
        return Some(Json::Text(string(text)?));
    }
    if eat(text, "[") {
        let mut list = Vec::new();
        return until(text, "]", |text| {
            list.push(value(text, depth)?);
            Some(())
        })
        .map(|()| Json::List(list));
    }
    if eat(text, "{") {
        let mut members = Vec::new();
        return until(text, "}", |text| {
            *text = text.trim_start();
            let key = string(text)?;
            *text = text.trim_start();
            eat(text, ":").then_some(())?;
            members.push((key, value(text, depth)?));
            Some(())
        })
        .map(|()| Json::Object(members));
    }
    let end = text.find(|c: char| !"+-.eE0123456789".contains(c)).unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end).filter(|(number, _)| !number.is_empty())?;
    *text = rest;
    Some(Json::Number(number.to_owned()))
}

fn eat(text: &mut &str, word: &str) -> bool {
    let rest = text.strip_prefix(word);
    if let Some(rest) = rest {
        *text = rest;
    }
    rest.is_some()
}

/// Elements with commas between them, up to the closing bracket.
fn until(
    text: &mut &str,
    close: &str,
    mut each: impl FnMut(&mut &str) -> Option<()>,
) -> Option<()> {
    *text = text.trim_start();
    if eat(text, close) {
        return Some(());
    }
    loop {
        each(text)?;
        *text = text.trim_start();
        if eat(text, close) {
            return Some(());
        }
        eat(text, ",").then_some(())?;
    }
}

fn string(text: &mut &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.strip_prefix('"')?.chars();
    loop {
        match chars.next()? {
            '"' => break,
            '\\' => match chars.next()? {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                'b' => out.push('\u{8}'),
                'f' => out.push('\u{c}'),
                'u' => {
                    let mut unit = || {
                        let digits: String = chars.by_ref().take(4).collect();
                        u16::from_str_radix(&digits, 16).ok()
                    };
                    let first = unit()?;
                    let mut units = vec![first];
                    if (0xd800..0xdc00).contains(&first) {
                        // the second half of a pair
                        (chars.next()? == '\\' && chars.next()? == 'u').then_some(())?;
                        let digits: String = chars.by_ref().take(4).collect();
                        units.push(u16::from_str_radix(&digits, 16).ok()?);
                    }
                    out.push_str(&String::from_utf16(&units).ok()?);
                }
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
    *text = chars.as_str();
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_parse() {
        let text = r#" {"reason":"x","n":[1, -2,3e4 ],"deep":{"a":null,"b":true},"t":"a\"\\\n\u00e9\ud83d\ude00/","e":{},"l":[]} "#;
        let json = Json::parse(text).unwrap_or(Json::Null);
        assert_eq!(json.get("reason").and_then(Json::text), Some("x"));
        assert_eq!(json.get("n").map(|n| n.list().len()), Some(3));
        assert_eq!(json.get("n").and_then(|n| n.list().first()?.number()), Some(1));
        assert_eq!(json.get("deep").and_then(|d| d.get("a")), Some(&Json::Null));
        assert!(json.get("deep").and_then(|d| d.get("b")).is_some_and(Json::is_true));
        assert_eq!(json.get("t").and_then(Json::text), Some("a\"\\\né😀/"));
        assert_eq!(json.get("l"), Some(&Json::List(Vec::new())));
    }

    #[test]
    fn invalid_json_is_none() {
        let deep = "[".repeat(100_000);
        for text in ["", "{", "[1,]", "{\"a\"}", "\"", "\"\\u12\"", "1 2", "x", "[1 2]", &deep] {
            assert_eq!(Json::parse(text), None, "{}", text.get(..8).unwrap_or(text));
        }
    }
}
