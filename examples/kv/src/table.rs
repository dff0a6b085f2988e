/// A command of the server, as `COMMAND` describes it.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Lower case.
    pub(crate) name: &'static str,
    pub(crate) name_id: Name,
    /// Words of a call, its name included; at least so many if negative.
    pub(crate) arity: i64,
    pub(crate) kind: Kind,
    /// The positions of the first and the last key and the step between them; 0 if it takes none.
    pub(crate) keys: (i64, i64, i64),
    pub(crate) group: &'static str,
    pub(crate) summary: &'static str,
}

/// What a command does to the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Read,
    Write,
    /// Nothing: it is about the connection or the server.
    Connection,
}

/// Every command there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Name {
    Append,
    Auth,
    Client,
    Command,
    Config,
    DbSize,
    Decr,
    DecrBy,
    Del,
    Discard,
    Echo,
    Exec,
    Exists,
    FlushAll,
    Get,
    Hello,
    Incr,
    IncrBy,
    Info,
    MGet,
    MSet,
    Multi,
    Ping,
    Quit,
    Quorate,
    ReadOnly,
    ReadWrite,
    Reset,
    Scan,
    Select,
    Set,
    StrLen,
    Type,
    Unwatch,
    Wait,
    Watch,
}

/// Finds a command by its name in any case.
pub(crate) fn find(name: &[u8]) -> Option<&'static Spec> {
    // the two that matter for speed come before the search
    if name.eq_ignore_ascii_case(b"get") {
        return Some(&TABLE[GET]);
    }
    if name.eq_ignore_ascii_case(b"set") {
        return Some(&TABLE[SET]);
    }
    TABLE.iter().find(|spec| name.eq_ignore_ascii_case(spec.name.as_bytes()))
}

const GET: usize = 14;
const SET: usize = 30;

#[rustfmt::skip]
pub(crate) static TABLE: [Spec; 36] = {
    use Kind::{Connection as C, Read as R, Write as W};
    const NONE: (i64, i64, i64) = (0, 0, 0);
    const ONE: (i64, i64, i64) = (1, 1, 1);
    const ALL: (i64, i64, i64) = (1, -1, 1);
    const fn spec(name: &'static str, name_id: Name, arity: i64, kind: Kind, keys: (i64, i64, i64), group: &'static str, summary: &'static str) -> Spec {
        Spec { name, name_id, arity, kind, keys, group, summary }
    }
    [
        spec("append",    Name::Append,    3,  W, ONE,        "string",     "Adds to the end of a value, and makes the key if there is none"),
        spec("auth",      Name::Auth,      -2, C, NONE,       "connection", "Is refused: this server has no passwords"),
        spec("client",    Name::Client,    -2, C, NONE,       "connection", "Names and lists connections"),
        spec("command",   Name::Command,   -1, C, NONE,       "server",     "Describes the commands"),
        spec("config",    Name::Config,    -2, C, NONE,       "server",     "Shows settings under Redis's names"),
        spec("dbsize",    Name::DbSize,    1,  R, NONE,       "server",     "Counts the keys"),
        spec("decr",      Name::Decr,      2,  W, ONE,        "string",     "Takes one from a number"),
        spec("decrby",    Name::DecrBy,    3,  W, ONE,        "string",     "Takes a number from a number"),
        spec("del",       Name::Del,       -2, W, ALL,        "generic",    "Deletes keys, and counts those that were there"),
        spec("discard",   Name::Discard,   1,  C, NONE,       "transactions", "Ends what a refused MULTI began"),
        spec("echo",      Name::Echo,      2,  C, NONE,       "connection", "Says the same"),
        spec("exec",      Name::Exec,      1,  C, NONE,       "transactions", "Ends what a refused MULTI began: nothing was executed"),
        spec("exists",    Name::Exists,    -2, R, ALL,        "generic",    "Counts the keys that are there"),
        spec("flushall",  Name::FlushAll,  -1, W, NONE,       "server",     "Deletes every key"),
        spec("get",       Name::Get,       2,  R, ONE,        "string",     "Gets a value"),
        spec("hello",     Name::Hello,     -1, C, NONE,       "connection", "Chooses the version of the protocol"),
        spec("incr",      Name::Incr,      2,  W, ONE,        "string",     "Adds one to a number"),
        spec("incrby",    Name::IncrBy,    3,  W, ONE,        "string",     "Adds a number to a number"),
        spec("info",      Name::Info,      -1, C, NONE,       "server",     "Tells how this node and its cluster are"),
        spec("mget",      Name::MGet,      -2, R, ALL,        "string",     "Gets several values of one moment"),
        spec("mset",      Name::MSet,      -3, W, (1, -1, 2), "string",     "Sets several values at one moment"),
        spec("multi",     Name::Multi,     1,  C, NONE,       "transactions", "Is refused, with all that follows up to EXEC or DISCARD"),
        spec("ping",      Name::Ping,      -1, C, NONE,       "connection", "Answers"),
        spec("quit",      Name::Quit,      -1, C, NONE,       "connection", "Closes the connection"),
        spec("quorate",   Name::Quorate,   -2, C, NONE,       "cluster",    "Shows and changes the members of the cluster, transfers leadership"),
        spec("readonly",  Name::ReadOnly,  1,  C, NONE,       "cluster",    "Lets this connection read what this node has, perhaps a little old"),
        spec("readwrite", Name::ReadWrite, 1,  C, NONE,       "cluster",    "Makes this connection's reads linearizable again"),
        spec("reset",     Name::Reset,     1,  C, NONE,       "connection", "Puts the connection into the state of a new one"),
        spec("scan",      Name::Scan,      -2, R, NONE,       "generic",    "Goes through the keys, some at a time"),
        spec("select",    Name::Select,    2,  C, NONE,       "connection", "Chooses the database: there is only 0"),
        spec("set",       Name::Set,       -3, W, ONE,        "string",     "Sets a value"),
        spec("strlen",    Name::StrLen,    2,  R, ONE,        "string",     "Tells the length of a value"),
        spec("type",      Name::Type,      2,  R, ONE,        "generic",    "Tells the type of a value: string, or none"),
        spec("unwatch",   Name::Unwatch,   1,  C, NONE,       "transactions", "Does nothing: no key is watched"),
        spec("wait",      Name::Wait,      3,  C, NONE,       "generic",    "Waits until so many followers have this connection's writes on disk"),
        spec("watch",     Name::Watch,     -2, C, ALL,        "transactions", "Is refused: this server has no transactions"),
    ]
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn shortcuts_match_the_table() {
        assert_eq!((TABLE[GET].name, TABLE[SET].name), ("get", "set"));
        for spec in &TABLE {
            assert_eq!(find(spec.name.to_uppercase().as_bytes()).unwrap().name_id, spec.name_id);
        }
        assert!(TABLE.is_sorted_by_key(|spec| spec.name));
        assert!(find(b"").is_none() && find(b"gets").is_none());
    }
}
