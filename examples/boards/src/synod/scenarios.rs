use core::time::Duration;
use std::thread;
use std::time::Instant;

use crate::noise::Noise;
use crate::synod::{FAR, Group};
use crate::{Failure, Scenario, Status, TestBench};

/// The scenarios.
pub(crate) const ALL: &[Scenario] = &[
    board("choose", "one board proposes: all learn what", choose),
    board("duel", "all three boards propose at once, five times; the first is killed", duel),
    board("restart", "boards restart in the middle of a ballot, with nobody in reach", restart),
    board("power-cut", "all boards lose power at once in the middle of ballots", power_cut),
    board("blank", "a board with an erased flash does not vote; it learns", blank),
    board("noise", "every wire flips, invents and loses bytes", noise),
    board("frames", "truncated, replayed and foreign frames", frames),
    board("flash-fail", "a board whose flash fails promises nothing and stops", flash_fail),
    board("host", "three nodes within each board, from seeds: the same as on the host", host),
];

const fn board(
    name: &'static str,
    about: &'static str,
    run: fn(&mut TestBench) -> Result<String, Failure>,
) -> Scenario {
    Scenario { name, about, server: false, run }
}

const EVERY: [u64; 3] = [1, 2, 3];

fn choose(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    let begin = Instant::now();
    group.propose(2, "blue")?;
    let value = group.wait_for_choice(&EVERY)?;
    let took = begin.elapsed();
    if value != "blue" || group.propose(1, "red")? {
        return Err(Failure::Violation(format!("`{value}` was chosen, and red is proposed")));
    }
    let counts = group.bench().counts();
    let (frames, bytes) = (counts.frames, counts.bytes);
    Ok(format!("all know after {}; {frames} frames, {bytes} bytes", ms(took)))
}

/// All propose at once: each its own value.
fn propose_all(group: &mut Group<'_>, time: usize) -> Result<(), Failure> {
    for id in EVERY {
        group.propose(id, &format!("v{time}.{id}"))?;
    }
    Ok(())
}

fn duel(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    let mut told = Vec::new();
    for time in 1..=5 {
        if time > 1 {
            group.start_anew()?;
        }
        propose_all(&mut group, time)?;
        let killed = 1 + time as u64 % 3;
        group.bench().kill(killed);
        let rest: Vec<u64> = EVERY.into_iter().filter(|id| *id != killed).collect();
        let value = group.wait_for_choice(&rest)?;
        group.start_board(killed)?;
        // if it had promised nothing, it does not know that there is something to ask for
        group.order(killed, "learn")?;
        group.wait_for_choice(&EVERY)?;
        told.push(value);
    }
    Ok(format!("chosen: {}", told.join(", ")))
}

fn restart(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    group.isolate(3, true)?;
    // board 1 promises its own ballot, and is not heard
    group.bench().cut_direction(1, 2, true)?;
    group.propose(1, "first")?;
    let promised = group.wait("board 1 has promised", |group| {
        let Some(status) = group.status(1)? else { return Ok(None) };
        // that it was founded, and the promise
        let is_written = status.number("records")? >= 2;
        Ok(status.get("promised").filter(|_| is_written).map(str::to_owned))
    })?;
    group.bench().kill(1);
    expect(&group.start_board(1)?, "promised", &promised)?;
    group.bench().cut_direction(1, 2, false)?;
    group.propose(2, "second")?;
    let value = group.wait_for_choice(&[1, 2])?;
    // a board that knows keeps its vote alone, and finds out again what was chosen
    for id in [1, 2] {
        let before = group.wait("the board answers", |group| group.status(id))?;
        group.isolate(id, true)?;
        group.bench().kill(id);
        let after = group.start_board(id)?;
        for key in ["promised", "voted"] {
            expect(&after, key, before.get(key).unwrap_or_default())?;
        }
        expect(&after, "chosen", "none")?;
    }
    // nobody is asked to do anything: those that have voted ask, and end what was begun
    for id in EVERY {
        group.isolate(id, false)?;
    }
    let begin = Instant::now();
    let again = group.wait_for_choice(&[1, 2])?;
    let took = begin.elapsed();
    group.order(3, "learn")?;
    group.wait_for_choice(&EVERY)?;
    Ok(format!(
        "`{value}` in spite of {promised}; `{again}` once more {} after all forgot it",
        ms(took)
    ))
}

fn expect(status: &Status, key: &str, value: &str) -> Result<(), Failure> {
    if status.get(key) == Some(value) {
        return Ok(());
    }
    Err(Failure::Violation(format!("`{key}` is not {value} after a restart: `{status}`")))
}

fn power_cut(bench: &mut TestBench) -> Result<String, Failure> {
    const TIMES: usize = 4;
    let mut group = Group::start(bench)?;
    let mut told = Vec::new();
    for time in 1..=TIMES {
        propose_all(&mut group, time)?;
        thread::sleep(Duration::from_millis(10 * time as u64));
        EVERY.into_iter().for_each(|id| group.bench().kill(id));
        for id in EVERY {
            let status = group.start_board(id)?;
            told.push(status.get("promised").unwrap_or_default().to_owned());
        }
    }
    propose_all(&mut group, TIMES + 1)?;
    let value = group.wait_for_choice(&EVERY)?;
    Ok(format!("`{value}`; promises after each: {}", told.join(" ")))
}

fn blank(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    group.isolate(3, true)?;
    group.propose(1, "kept")?;
    group.wait_for_choice(&[1, 2])?;
    // 2 forgets its vote; 3 never heard of one
    group.bench().kill(2);
    group.erase(2)?;
    group.bench().kill(1);
    group.isolate(3, false)?;
    expect(&group.start_board(2)?, "founded", "0")?;
    if group.ask(2, "propose other")? != Err("not founded".to_owned()) {
        return Err(Failure::unexpected("an erased board proposes"));
    }
    group.propose(3, "other")?;
    // time for many ballots
    thread::sleep(Duration::from_secs(3));
    for id in [2, 3] {
        let status = group.wait("the board answers", |group| group.status(id))?;
        expect(&status, "chosen", "none")?;
        if id == 2 {
            expect(&status, "promised", "0.0")?;
        }
    }
    group.start_board(1)?;
    group.order(2, "learn")?;
    let value = group.wait_for_choice(&EVERY)?;
    expect(&group.wait("the board answers", |group| group.status(2))?, "founded", "0")?;
    if value != "kept" {
        return Err(Failure::Violation(format!("`{value}` was chosen after `kept`")));
    }
    Ok(format!("the board without a record learns `{value}`, and votes for nothing"))
}

fn noise(bench: &mut TestBench) -> Result<String, Failure> {
    let (mut group, took) = disturbed(bench, Noise::LINE, &["badframes"])?;
    let bad = group.sum("badframes")?;
    let done = group.bench().counts().noise;
    if bad == 0 {
        return Err(Failure::unexpected("no board counted a bad frame: was there any noise?"));
    }
    let (damaged, lost) = (done.damaged(), done.lost);
    Ok(format!(
        "{damaged} frames damaged, {lost} lost, {bad} bad ones counted; chosen in {}",
        ms(took)
    ))
}

fn frames(bench: &mut TestBench) -> Result<String, Failure> {
    let (mut group, took) = disturbed(bench, Noise::FRAMES, &["badframes", "rejected"])?;
    for id in EVERY {
        let status = group.wait("the board answers", |group| group.status(id))?;
        let round = status.get("promised").and_then(|text| text.split_once('.'));
        if round.is_none_or(|(round, _)| round.parse().unwrap_or(FAR) >= FAR) {
            return Err(Failure::Violation(format!("a foreign frame was believed: `{status}`")));
        }
    }
    let (bad, rejected) = (group.sum("badframes")?, group.sum("rejected")?);
    let done = group.bench().counts().noise;
    if bad == 0 || rejected == 0 {
        return Err(Failure::Unexpected(format!(
            "{bad} bad frames and {rejected} refused messages were counted, of {done:?}"
        )));
    }
    Ok(format!(
        "{} replayed, {} foreign, {} truncated; {bad} bad frames counted, {rejected} messages refused; chosen in {}",
        done.replays,
        done.foreign_frames,
        done.truncated,
        ms(took)
    ))
}

/// Several decisions on bad wires, and more until the boards have counted all of `counters`. A board that restarts asks again, so there is
/// traffic. The mean time of a decision is returned.
fn disturbed<'a>(
    bench: &'a mut TestBench,
    noise: Noise,
    counters: &[&str],
) -> Result<(Group<'a>, Duration), Failure> {
    const TIMES: u32 = 12;
    const MOST: u32 = 200;
    let mut group = Group::start(bench)?;
    group.bench().disturb(noise);
    propose_all(&mut group, 0)?;
    let mut took = Duration::ZERO;
    let mut times = 0;
    while times < MOST {
        let begin = Instant::now();
        group.wait_for_choice(&EVERY)?;
        took += begin.elapsed();
        times += 1;
        let mut missing = false;
        for counter in counters {
            missing |= group.sum(counter)? == 0;
        }
        if times >= TIMES && !missing {
            break;
        }
        // one forgets what was chosen; the two others keep what they count
        group.bench().kill(1);
        group.start_board(1)?;
        group.propose(1, "again")?;
    }
    group.bench().disturb(Noise::default());
    Ok((group, took / times))
}

fn flash_fail(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    let (_, place) = group.bench().journal().since(0);
    group.order(2, "flash fail")?;
    let begin = Instant::now();
    group.propose(1, "two")?;
    group.wait("2 says that it stopped", |group| {
        Ok(group.bench().journal().contains(2, "# stopped:", place).then_some(()))
    })?;
    let value = group.wait_for_choice(&[1, 3])?;
    let took = begin.elapsed();
    group.bench().kill(2);
    expect(&group.start_board(2)?, "voted", "0.0")?;
    group.order(2, "learn")?;
    group.wait_for_choice(&EVERY)?;
    Ok(format!("2 stops, the others choose `{value}` after {}; it is back, and learns", ms(took)))
}

fn host(bench: &mut TestBench) -> Result<String, Failure> {
    const SEEDS: u64 = 30;
    let mut group = Group::start(bench)?;
    let first = group.bench().rng().next_u64() >> 16;
    let mut restarts = 0;
    for at in 0..SEEDS {
        let seed = first + at;
        let outcome = quorate_duel::run(seed)
            .map_err(|problem| Failure::Violation(format!("seed {seed} on the host: {problem}")))?;
        restarts += outcome.restarts;
        let here = format!(
            "seed={seed} value={} round={} messages={} records={} restarts={} time_us={} digest={}",
            outcome.value,
            outcome.round,
            outcome.messages,
            outcome.records,
            outcome.restarts,
            outcome.time_us,
            outcome.digest
        );
        let there = group.ask(1 + at % 3, &format!("duel {seed}"))?;
        if there != Ok(here.clone()) {
            return Err(Failure::Violation(format!("a board says {there:?}, the host `{here}`")));
        }
    }
    Ok(format!("{SEEDS} duels from seed {first}, {restarts} restarts: every byte is the same"))
}

fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
