use quorate_core::Reader;

use crate::batch::Batch;
use crate::limits;
use crate::op::{Op, SetCondition, put};
use crate::resp::{Arguments, number};
use crate::table::{self, Name, Spec};

/// Whether a command may wait for long before it is answered: `WAIT`.
pub(crate) fn may_block(arguments: Arguments<'_>) -> bool {
    arguments.get(0).is_some_and(|name| name.eq_ignore_ascii_case(b"WAIT"))
}

/// Finds the command of a request and checks how many words it has.
///
/// # Errors
///
/// The error reply, in Redis's words.
pub(crate) fn look_up(arguments: Arguments<'_>) -> Result<&'static Spec, String> {
    let name = arguments.get(0).unwrap_or_default();
    let spec = table::find(name).ok_or_else(|| unknown(arguments))?;
    let words = arguments.len() as i64;
    let fits = if spec.arity < 0 { words >= -spec.arity } else { words == spec.arity };
    if fits { Ok(spec) } else { Err(wrong_arity(spec.name)) }
}

/// Adds a command on the store to a batch.
///
/// # Errors
///
/// The error reply, in Redis's words; the batch is as before.
pub(crate) fn add(spec: &Spec, arguments: Arguments<'_>, batch: &mut Batch) -> Result<(), String> {
    check_keys(spec, arguments)?;
    let word = |index| arguments.get(index).unwrap_or_default();
    let before = batch.ops.len();
    let out = &mut batch.ops;
    match spec.name_id {
        Name::Append => put::append(out, word(1), word(2)),
        Name::DbSize => put::dbsize(out),
        Name::Decr => put::add(out, word(1), -1),
        Name::DecrBy => {
            let by = integer(word(2))?.checked_neg().ok_or("ERR decrement would overflow")?;
            put::add(out, word(1), by);
        }
        Name::Del => put::del(out, arguments.from(1).iter()),
        Name::Exists => put::exists(out, arguments.from(1).iter()),
        Name::FlushAll => {
            flush_mode(arguments)?;
            put::flush_all(out);
        }
        Name::Get => put::get(out, word(1)),
        Name::Incr => put::add(out, word(1), 1),
        Name::IncrBy => put::add(out, word(1), integer(word(2))?),
        Name::MGet => put::mget(out, arguments.from(1).iter()),
        Name::MSet => {
            if arguments.len().is_multiple_of(2) {
                return Err(wrong_arity("mset"));
            }
            put::mset(out, arguments.from(1).iter());
        }
        Name::Scan => scan(arguments, out)?,
        Name::Set => {
            let (condition, get) = set_options(arguments.from(3))?;
            put::set(out, word(1), word(2), condition, get);
        }
        Name::StrLen => put::strlen(out, word(1)),
        Name::Type => put::kind(out, word(1)),
        // the others are about connections, and do not come here
        _ => return Err(unknown(arguments)),
    }
    let written = out.get(before..).unwrap_or_default();
    let op = Op::decode(&mut Reader::new(written)).map(|op| (op.is_write(), op.work()));
    // what was just written can be read
    let (is_write, work) = op.map_err(|_| SYNTAX)?;
    batch.count(is_write, work);
    Ok(())
}

pub(crate) const SYNTAX: &str = "ERR syntax error";

pub(crate) fn integer(digits: &[u8]) -> Result<i64, String> {
    number(digits).ok_or_else(|| "ERR value is not an integer or out of range".into())
}

pub(crate) fn wrong_arity(name: &str) -> String {
    format!("ERR wrong number of arguments for '{name}' command")
}

/// A word of a client in an error reply: cut, and without line ends.
pub(crate) fn shown(word: &[u8], limit: usize) -> String {
    String::from_utf8_lossy(&word[..word.len().min(limit)]).replace(['\r', '\n'], " ")
}

fn unknown(arguments: Arguments<'_>) -> String {
    let name = shown(arguments.get(0).unwrap_or_default(), 128);
    let mut text = format!("ERR unknown command '{name}', with args beginning with: ");
    for word in arguments.from(1).iter() {
        if text.len() >= 128 + 60 {
            break;
        }
        text.push('\'');
        text.push_str(&shown(word, 128));
        text.push_str("' ");
    }
    text
}

fn check_keys(spec: &Spec, arguments: Arguments<'_>) -> Result<(), String> {
    let (first, last, step) = spec.keys;
    if first == 0 {
        return Ok(());
    }
    let last = if last < 0 { arguments.len() } else { 2 };
    let too_long = (1..last)
        .step_by(usize::try_from(step).unwrap_or(1))
        .any(|index| arguments.get(index).is_some_and(|key| key.len() > limits::KEY_BYTES));
    if too_long {
        return Err(format!("ERR a key may have {} bytes", limits::KEY_BYTES));
    }
    let count = (last - 1) / usize::try_from(step).unwrap_or(1).max(1);
    if count > limits::KEYS {
        return Err(format!("ERR a command may have {} keys: send several", limits::KEYS));
    }
    Ok(())
}

fn set_options(options: Arguments<'_>) -> Result<(SetCondition, bool), String> {
    let (mut condition, mut get) = (SetCondition::Always, false);
    for option in options.iter() {
        let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
        if is("NX") && condition != SetCondition::IfPresent {
            condition = SetCondition::IfMissing;
        } else if is("XX") && condition != SetCondition::IfMissing {
            condition = SetCondition::IfPresent;
        } else if is("GET") {
            get = true;
        } else if ["EX", "PX", "EXAT", "PXAT", "KEEPTTL"].into_iter().any(is) {
            return Err(format!(
                "ERR SET {} is not supported: keys of this server do not expire",
                shown(option, 8).to_uppercase()
            ));
        } else {
            return Err(SYNTAX.into());
        }
    }
    Ok((condition, get))
}

fn flush_mode(arguments: Arguments<'_>) -> Result<(), String> {
    match (arguments.len(), arguments.get(1)) {
        (1, _) => Ok(()),
        (2, Some(mode))
            if mode.eq_ignore_ascii_case(b"SYNC") || mode.eq_ignore_ascii_case(b"ASYNC") =>
        {
            Ok(())
        }
        _ => Err(SYNTAX.into()),
    }
}

fn scan(arguments: Arguments<'_>, out: &mut Vec<u8>) -> Result<(), String> {
    let cursor = core::str::from_utf8(arguments.get(1).unwrap_or_default()).unwrap_or_default();
    let cursor: u64 = cursor.parse().map_err(|_| "ERR invalid cursor")?;
    let (mut count, mut pattern, mut strings) = (10, None, true);
    let mut options = arguments.from(2).iter();
    while let Some(option) = options.next() {
        let value = options.next().ok_or(SYNTAX)?;
        if option.eq_ignore_ascii_case(b"COUNT") {
            count = u64::try_from(integer(value)?).ok().filter(|&count| count > 0).ok_or(SYNTAX)?;
        } else if option.eq_ignore_ascii_case(b"MATCH") {
            if value.len() > limits::PATTERN_BYTES {
                return Err(format!("ERR a pattern may have {} bytes", limits::PATTERN_BYTES));
            }
            pattern = Some(value);
        } else if option.eq_ignore_ascii_case(b"TYPE") {
            strings = value.eq_ignore_ascii_case(b"string");
        } else {
            return Err(SYNTAX.into());
        }
    }
    put::scan(out, cursor, count, pattern, strings);
    Ok(())
}
