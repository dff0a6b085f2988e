use crate::conformance::net::{Peer, Plan, Rate, run};
use crate::conformance::specimen::Specimen;

pub(in crate::conformance) fn message_rate<S: Specimen>(seed: u64) -> Result<(), String> {
    let messages = S::MESSAGES_PER_SECOND;
    let bounded = Rate { messages, answers: 0, burst: S::BURST };
    let answered = Rate { messages, answers: S::ANSWERS_PER_MESSAGE, burst: None };
    for (last, rate) in [
        (Peer::Honest, bounded),
        (Peer::Refuses, bounded),
        (Peer::ForgetsEachMessage, bounded),
        (Peer::ForgetsEachSecond, bounded),
        (Peer::RestartsFast, answered),
    ] {
        let plan = Plan { seed, last, max_rate: Some(rate), ..Plan::default() };
        run::<S>(plan, None)
            .and_then(|run| {
                let tally = run.tally;
                match () {
                    () if last == Peer::Honest => Ok(()),
                    () if tally.to_last == 0 => Err("no node sent it a message"),
                    () if last == Peer::Refuses && tally.of_last == 0 => Err("it answered nothing"),
                    // it may forget each time before it says anything
                    () if last != Peer::Refuses && tally.erased == 0 => Err("it forgot nothing"),
                    () => Ok(()),
                }
                .map_err(str::to_owned)
            })
            .map_err(|error| format!("with a peer that {last}: {error}"))?;
    }
    Ok(())
}
