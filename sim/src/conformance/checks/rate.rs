use crate::conformance::net::{Peer, Plan, run};
use crate::conformance::specimen::Specimen;

pub(in crate::conformance) fn message_rate<S: Specimen>(seed: u64) -> Result<(), String> {
    let max_rate = Some(S::MESSAGES_PER_SECOND);
    for last in [Peer::Refuses, Peer::ForgetsEachMessage, Peer::ForgetsEachSecond] {
        run::<S>(Plan { seed, last, max_rate, ..Plan::default() }, None)
            .map_err(|error| format!("with a peer that {last}: {error}"))?;
    }
    Ok(())
}
