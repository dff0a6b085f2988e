use core::time::Duration;
use std::thread;

use crate::bully::Group;
use crate::noise::Noise;
use crate::{Failure, Rig, Scenario};

pub(crate) const ALL: &[Scenario] = &[
    board("elect", "the highest of three boards leads, and all know", elect),
    board("kill", "the leader dies, the next follows; it comes back and takes over", kill),
    board("last", "all but the lowest die; then they come back", last),
    board(
        "cut",
        "the leader is cut off and leads on alone; healed, one leads, in a later epoch",
        cut,
    ),
    board("noise", "every wire flips, invents and loses bytes; then one leads", noise),
    board("power-cut", "all boards lose power at once: epochs only grow", power_cut),
];

const fn board(
    name: &'static str,
    about: &'static str,
    run: fn(&mut Rig) -> Result<String, Failure>,
) -> Scenario {
    Scenario { name, about, server: false, run }
}

fn elect(rig: &mut Rig) -> Result<String, Failure> {
    let mut group = Group::start(rig)?;
    let epoch = group.status(3)?.number("epoch")?;
    // a steady leader is not suspected
    thread::sleep(Duration::from_secs(2));
    let (leader, _) = group.settle()?;
    let mut suspected = 0;
    for id in [1, 2] {
        suspected += group.status(id)?.number("suspected")?;
    }
    let later = group.status(3)?.number("epoch")?;
    Ok(format!("node {leader} leads since epoch {epoch}, now {later}; suspected {suspected} times"))
}

fn kill(rig: &mut Rig) -> Result<String, Failure> {
    let mut group = Group::start(rig)?;
    let mut told = Vec::new();
    for _ in 0..3 {
        group.rig().kill(3);
        let (leader, took) = group.settle()?;
        // missed by its silence: nobody told
        let suspected =
            group.status(1)?.number("suspected")? + group.status(2)?.number("suspected")?;
        if suspected == 0 {
            return Err(Failure::Wrong("nobody suspected the dead leader".to_owned()));
        }
        group.rig().start(3)?;
        let (back, over) = group.settle()?;
        told.push(format!(
            "{leader} after {} ms, {back} after {} ms",
            took.as_millis(),
            over.as_millis()
        ));
    }
    Ok(told.join("; "))
}

fn last(rig: &mut Rig) -> Result<String, Failure> {
    let mut group = Group::start(rig)?;
    group.rig().kill(3);
    group.rig().kill(2);
    let (_, alone) = group.settle()?;
    group.rig().start(2)?;
    let (_, second) = group.settle()?;
    group.rig().start(3)?;
    let (_, third) = group.settle()?;
    Ok(format!(
        "1 leads alone after {} ms, 2 takes over after {} ms, 3 after {} ms",
        alone.as_millis(),
        second.as_millis(),
        third.as_millis()
    ))
}

fn cut(rig: &mut Rig) -> Result<String, Failure> {
    let mut group = Group::start(rig)?;
    group.rig().cut(1, 3, true)?;
    group.rig().cut(2, 3, true)?;
    let (_, rest) = group.settle_among(&[1, 2])?;
    let (old, new) = (group.status(3)?.number("epoch")?, group.status(2)?.number("epoch")?);
    if new <= old {
        return Err(Failure::Wrong(format!(
            "the new leader's epoch is {new}, the old one's {old}"
        )));
    }
    group.rig().cut(1, 3, false)?;
    group.rig().cut(2, 3, false)?;
    let (_, healed) = group.settle()?;
    let last = group.status(1)?.number("epoch")?;
    Ok(format!(
        "2 leads beside it in epoch {new} after {} ms; healed, 3 leads in epoch {last} after {} ms",
        rest.as_millis(),
        healed.as_millis()
    ))
}

fn noise(rig: &mut Rig) -> Result<String, Failure> {
    let mut group = Group::start(rig)?;
    group.rig().disturb(Noise {
        flip: 8,
        garbage: 20,
        lose: 20,
        replay: 20,
        stranger: 20,
        ..Noise::default()
    });
    for _ in 0..30 {
        thread::sleep(Duration::from_millis(150));
        for id in [1, 2, 3] {
            group.status(id)?;
        }
    }
    group.rig().disturb(Noise::default());
    let (leader, took) = group.settle()?;
    let mut bad = 0;
    let mut rejected = 0;
    for id in [1, 2, 3] {
        let status = group.status(id)?;
        bad += status.number("badframes")?;
        rejected += status.number("rejected")?;
    }
    if bad == 0 || rejected == 0 {
        return Err(Failure::Wrong(format!(
            "{bad} bad frames and {rejected} refused messages were counted"
        )));
    }
    Ok(format!(
        "{bad} bad frames, {rejected} messages refused; {leader} leads {} ms after the noise",
        took.as_millis()
    ))
}

fn power_cut(rig: &mut Rig) -> Result<String, Failure> {
    let mut group = Group::start(rig)?;
    let mut epochs = vec![group.status(3)?.number("epoch")?];
    for _ in 0..3 {
        for id in [1, 2, 3] {
            group.rig().kill(id);
        }
        for id in [1, 2, 3] {
            group.rig().start(id)?;
        }
        group.settle()?;
        epochs.push(group.status(1)?.number("epoch")?);
    }
    if epochs.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(Failure::Wrong(format!("epochs do not grow: {epochs:?}")));
    }
    Ok(format!("epochs {epochs:?}"))
}
