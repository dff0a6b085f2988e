use quorate_core::{Machine, NodeId, Rng, Wire};

use crate::conformance::damage::{damage, random_bytes};
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
            try_messages(moment, &earlier, &mut rng, &mut tried)
        } else {
            Ok(())
        }
    };
    run::<S>(Plan { seed, ..Plan::default() }, Some(&mut probe))?;
    match tried {
        Tried { accepted, refused: 0 } => Err(format!(
            "it accepted all of {accepted} messages that were tried, and so refuses nothing"
        )),
        Tried { accepted: 0, refused } => {
            Err(format!("it refused all of {refused} messages that were tried"))
        }
        _ => Ok(()),
    }
}

/// How many messages were tried.
#[derive(Default)]
struct Tried {
    accepted: u64,
    refused: u64,
}

fn try_messages<S: Specimen>(
    moment: &Moment<'_, S>,
    earlier: &[Vec<u8>],
    rng: &mut Rng,
    tried: &mut Tried,
) -> Result<(), String> {
    let host = moment.host;
    let before = Observed::<S>::of(&host.machine, moment.now, host.issued)?;
    for _ in 0..TRIES {
        let (from, bytes) = candidate(moment, earlier, rng);
        let Ok(message) = <S::Machine as Machine>::Message::from_slice(&bytes) else { continue };
        let mut machine = host.machine.clone();
        let mut expected = machine.rejections();
        let name = || format!("message {bytes:02x?} from node {from}");
        let result = caught(|| machine.receive(moment.now, from, message))
            .map_err(|panic| format!("{panic}; the input is the {}", name()))?;
        if let Err(reason) = result {
            tried.refused += 1;
            let _ = expected.count(reason);
            let after = Observed::<S>::of(&machine, moment.now, host.issued)?;
            if let Some(difference) = before.difference(&after) {
                return Err(format!("it refused the {} ({reason}), and {difference}", name()));
            }
        } else {
            tried.accepted += 1;
        }
        let counted = machine.rejections();
        if counted != expected {
            return Err(format!(
                "it gave {result:?} for the {}, and counts {counted:?} in place of {expected:?}",
                name()
            ));
        }
    }
    Ok(())
}

/// A message that the node should refuse, or may.
fn candidate<S: Specimen>(
    moment: &Moment<'_, S>,
    earlier: &[Vec<u8>],
    rng: &mut Rng,
) -> (NodeId, Vec<u8>) {
    let now = match moment.input {
        Input::Message(_, bytes) if rng.chance(1, 2) => Some(bytes),
        _ => earlier.get(rng.below(earlier.len() as u64) as usize),
    };
    let from = match rng.below(6) {
        0 => STRANGER,
        _ => NodeId::new(1 + rng.below(S::NODES as u64)),
    };
    match now {
        Some(bytes) if rng.chance(1, 3) => (from, bytes.clone()),
        Some(bytes) if rng.chance(9, 10) => (from, damage(bytes, rng)),
        _ => (from, random_bytes(rng)),
    }
}
