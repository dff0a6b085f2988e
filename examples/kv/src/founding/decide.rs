//! What a founder does next: a pure function of its disk and of the others' answers.

use std::collections::BTreeMap;

/// How far a founder is. It is durable before it is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Stage {
    /// It knows nothing: a new node, or one whose disk was erased.
    Empty,
    /// It is ready to found the cluster under this id, and has no machine yet.
    Prepared(u64),
    /// It founded the cluster under this id: its machine runs, or may have run.
    Founded(u64),
}

/// What a founder does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decision {
    /// It queries again.
    Wait,
    /// It generates an id and prepares under it.
    Generate,
    /// It prepares under this id, and drops earlier answers.
    Prepare(u64),
    /// It founds the cluster, and starts its machine.
    Found(u64),
    /// The cluster was founded without this disk: it must not take part under its id.
    Refuse { peer: u64, id: u64 },
}

/// Decides for node `own`. `others` are all other founders; `answers` is what each said last, of
/// those that answered since this process was started and since this node's own stage changed.
///
/// Why that is safe, provided that disks are erased only while their node is down:
///
/// * *One id.* Who founds under F by the answers of all was prepared under F before each of them said so. Were there another that
///   founds under G, each would have to have said both, one after the other, between the other's preparing and founding: but who
///   founds keeps its id from preparing on. Whoever follows one that has founded takes that id.
/// * *No amnesia.* A machine talks to machines of founders that have founded. So if one that was erased has ever talked to
///   another, that other says so now, and as an empty node asks everybody before it prepares, it is refused.
///
/// `others` may be silent for any time: nothing is decided without them, unless one has founded already.
pub(crate) fn decide(
    own: u64,
    others: &[u64],
    stage: Stage,
    answers: &BTreeMap<u64, Stage>,
) -> Decision {
    let founded = answers.iter().find_map(|(&peer, stage)| match *stage {
        Stage::Founded(id) => Some((peer, id)),
        _ => None,
    });
    let prepared = || {
        answers.iter().filter_map(|(&peer, stage)| match *stage {
            Stage::Prepared(id) => Some((peer, id)),
            _ => None,
        })
    };
    let all_answered = others.iter().all(|other| answers.contains_key(other));
    match (stage, founded) {
        (Stage::Founded(id), _) => Decision::Found(id),
        (Stage::Empty, Some((peer, id))) => Decision::Refuse { peer, id },
        (Stage::Prepared(id), Some((_, their_id))) if id == their_id => Decision::Found(id),
        (Stage::Prepared(_), Some((_, their_id))) => Decision::Prepare(their_id),
        (Stage::Prepared(id), None) => {
            let lowest = prepared().next().filter(|(peer, _)| others.iter().all(|o| o >= peer));
            match lowest {
                Some((peer, their_id)) if peer < own && their_id != id => {
                    Decision::Prepare(their_id)
                }
                _ if all_answered && others.iter().all(|o| answers[o] == stage) => {
                    Decision::Found(id)
                }
                _ => Decision::Wait,
            }
        }
        (Stage::Empty, None) if !all_answered => Decision::Wait,
        (Stage::Empty, None) => match prepared().next() {
            Some((_, id)) => Decision::Prepare(id),
            None if others.iter().all(|&other| own < other) => Decision::Generate,
            None => Decision::Wait,
        },
    }
}

#[cfg(test)]
#[path = "model.rs"]
mod model;
