use std::fmt::Write as _;

use crate::app::View;
use crate::cluster::{Cluster, Places};
use crate::value::Stored;

/// Keys on the screen.
const KEYS: usize = 12;

/// What is to be seen of a cluster, as text for a terminal.
#[must_use]
pub fn screen<V: Stored>(cluster: &Cluster<V>) -> String {
    let mut out = table(cluster);
    let mut keys = cluster.keys();
    let more = keys.len().saturating_sub(KEYS);
    keys.truncate(KEYS);
    if keys.is_empty() {
        out.push_str("\nno keys yet: try put color blue\n");
        return out;
    }
    let ids = cluster.ids();
    let views: Vec<Option<View<V>>> = ids.iter().map(|id| cluster.view(*id, &keys)).collect();
    let _ = write!(out, "\n{:<16}", "key");
    for id in &ids {
        let _ = write!(out, " {id:>2}");
    }
    out.push_str("  newest value\n");
    for (place, key) in keys.iter().enumerate() {
        let held = |view: &Option<View<V>>| view.as_ref()?.held.get(place)?.clone();
        let mut newest: Option<V> = None;
        for value in views.iter().filter_map(held) {
            match &mut newest {
                // values that contradict each other are shown as they are
                Some(newest) => drop(newest.merge(&value)),
                None => newest = Some(value),
            }
        }
        let Places { replicas, next, .. } = cluster.places(key);
        let _ = write!(out, "{:<16}", short(key));
        for (id, view) in ids.iter().zip(&views) {
            let holds = replicas.contains(id);
            let will = next.as_ref().is_some_and(|next| next.contains(id));
            let mark = match held(view) {
                None if view.is_none() && holds => "x",
                None if view.is_none() => " ",
                Some(value) if newest.as_ref() == Some(&value) => "=",
                Some(_) => "<",
                None if holds || will => ".",
                None => " ",
            };
            let _ = write!(out, " {mark:>2}");
        }
        let value = newest.as_ref().and_then(V::data).map(crate::shell::text);
        let _ = writeln!(out, "  {}", value.unwrap_or_else(|| "-".into()));
    }
    if more > 0 {
        let _ = writeln!(out, "and {more} more");
    }
    out.push_str("= has it   < has an older one   . is to have it   x is down\n");
    out
}

/// How the nodes do.
pub(crate) fn table<V: Stored>(cluster: &Cluster<V>) -> String {
    let mut out =
        String::from("node  member    keys  hints  taken  handed over  sweeps  takes for dead\n");
    for id in cluster.ids() {
        let member = cluster.membership(id);
        let Some(view) = cluster.view(id, &[]) else {
            let _ = writeln!(out, "{id:>4}  {member:<7}   down");
            continue;
        };
        let status = view.status;
        let dead: Vec<String> = view.suspected.iter().map(ToString::to_string).collect();
        let blank = if status.founded || member != "member" { "" } else { "  is being rebuilt" };
        let _ = writeln!(
            out,
            "{id:>4}  {member:<7}  {:>5}  {:>5}  {:>5}  {:>11}  {:>6}  {}{blank}",
            status.keys,
            status.hints,
            view.hints.0,
            view.hints.1,
            view.sweeps,
            if dead.is_empty() { "-".into() } else { dead.join(" ") },
        );
    }
    out
}

fn short(key: &str) -> String {
    let key: String = key.escape_debug().collect();
    if key.chars().count() <= 15 {
        key
    } else {
        key.chars().take(12).chain("...".chars()).collect()
    }
}
