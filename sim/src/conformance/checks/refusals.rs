use quorate_core::{Machine, NodeId, Rejected, Rng, Wire};

use crate::conformance::damage::{damage, raise, random_bytes};
use crate::conformance::net::{Input, Moment, Plan, run};
use crate::conformance::observed::Observed;
use crate::conformance::panics::caught;
use crate::conformance::specimen::Specimen;

/// How many messages are tried before an input, and how many earlier ones are remembered.
const TRIES: usize = 10;
const REMEMBERED: usize = 64;

/// One in so many moments is looked at, so that runs of busy machines end soon.
const SAMPLED: u64 = 4;

/// The id of no node.
const STRANGER: NodeId = NodeId::new(99);

pub(in crate::conformance) fn refusals<S: Specimen>(seed: u64) -> Result<(), String> {
    let mut rng = Rng::new(!seed);
    let mut earlier: Vec<Vec<u8>> = Vec::new();
    let mut tried = Tried::default();
    let longest = S::new(0).longest_message();
    let mut probe = |moment: &Moment<'_, S>| {
        if let Input::Message(_, bytes) = moment.input {
            let room = REMEMBERED.min(earlier.len() + 1) as u64;
            let at = rng.below(room) as usize;
            match earlier.get_mut(at) {
                Some(old) => old.clone_from(bytes),
                None => earlier.push(bytes.clone()),
            }
        }
        if rng.chance(1, SAMPLED) {
            try_messages(
                moment,
                Known { earlier: &earlier, longest: longest.as_deref() },
                &mut rng,
                &mut tried,
            )
        } else {
            Ok(())
        }
    };
    run::<S>(Plan { seed, ..Plan::default() }, Some(&mut probe))?;
    let Tried { accepted, refused, ref reasons } = tried;
    if refused == 0 {
        return Err(format!(
            "it accepted all of {accepted} messages that were tried, and so refuses nothing"
        ));
    }
    if accepted == 0 {
        return Err(format!("it refused all of {refused} messages that were tried"));
    }
    match S::REJECTED.iter().find(|reason| !reasons.contains(reason)) {
        Some(reason) => Err(format!(
            "it refused {refused} messages that were tried, and none of them as {reason:?} \
             ({reason})"
        )),
        None => Ok(()),
    }
}

/// How many messages were tried, and why they were refused.
#[derive(Default)]
struct Tried {
    accepted: u64,
    refused: u64,
    reasons: Vec<Rejected>,
}

/// Messages that are there to be tried.
#[derive(Clone, Copy)]
struct Known<'a> {
    /// Of this run.
    earlier: &'a [Vec<u8>],
    longest: Option<&'a [u8]>,
}

fn try_messages<S: Specimen>(
    moment: &Moment<'_, S>,
    known: Known<'_>,
    rng: &mut Rng,
    tried: &mut Tried,
) -> Result<(), String> {
    let host = moment.host;
    let before = Observed::<S>::of(&host.machine, moment)?;
    for _ in 0..TRIES {
        let (from, bytes) = candidate(moment, known, rng);
        let Ok(message) = <S::Machine as Machine>::Message::from_slice(&bytes) else { continue };
        let mut machine = host.machine.clone();
        let mut expected = machine.rejections();
        let name = || format!("message {bytes:02x?} from node {from}");
        let result = caught(|| machine.receive(moment.now, from, message))
            .map_err(|panic| format!("{panic}; the input is the {}", name()))?;
        if let Err(reason) = result {
            expected.count(reason);
        }
        let counted = machine.rejections();
        if counted != expected {
            return Err(format!(
                "it gave {result:?} for the {}, and counts {counted:?} in place of {expected:?}",
                name()
            ));
        }
        let Err(reason) = result else {
            tried.accepted += 1;
            continue;
        };
        tried.refused += 1;
        if !tried.reasons.contains(&reason) {
            tried.reasons.push(reason);
        }
        let refused = || format!("it refused the {} ({reason}), and ", name());
        let after = Observed::<S>::of(&machine, moment).map_err(|what| refused() + &what)?;
        if let Some(difference) = before.difference(&after, Some(reason)) {
            return Err(refused() + &difference);
        }
    }
    Ok(())
}

/// A message that the node should refuse, or may.
fn candidate<S: Specimen>(
    moment: &Moment<'_, S>,
    known: Known<'_>,
    rng: &mut Rng,
) -> (NodeId, Vec<u8>) {
    let earlier = known.earlier.get(rng.below(known.earlier.len() as u64) as usize);
    let message = match (moment.input, known.longest) {
        (Input::Message(_, bytes), _) if rng.chance(1, 2) => Some(bytes.as_slice()),
        (_, Some(longest)) if rng.chance(1, 6) => Some(longest),
        _ => earlier.map(Vec::as_slice),
    };
    let from = match rng.below(6) {
        0 => STRANGER,
        _ => NodeId::new(1 + rng.below(S::NODES as u64)),
    };
    let bytes = match (rng.below(15), message) {
        (0, _) | (_, None) => random_bytes(rng),
        (1..=4, Some(bytes)) => bytes.to_vec(),
        (5..=7, Some(bytes)) => raise(bytes, rng),
        (_, Some(bytes)) => damage(bytes, rng),
    };
    (from, bytes)
}
