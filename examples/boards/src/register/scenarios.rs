use core::time::Duration;
use std::collections::BTreeSet;
use std::thread;
use std::time::Instant;

use crate::noise::Noise;
use crate::register::frames::{FAR, TARGET};
use crate::register::{Found, Group};
use crate::{Failure, Reply, Scenario, Status, TestBench};

/// The scenarios, easy ones first.
pub(crate) const ALL: &[Scenario] = &[
    board("write", "what is written at one board is read at every other", write),
    board("race", "two boards write at the same time and the third reads: all read the same", race),
    board("idle", "idle boards sleep between sweeps", idle),
    board("full", "a seventeenth register is an error, and passes when one is deleted", full),
    board("cut", "a board is cut off: the others go on, it does not, and catches up", cut),
    board("one-way", "a board hears but is not heard, then is heard but does not hear", one_way),
    board(
        "restart",
        "each board restarts with nobody in reach, with what is in its flash",
        restart,
    ),
    board("blank", "a board with a blank flash answers for nothing until it is rebuilt", blank),
    board("partial", "a write reaches one board alone: once it was read, all read it", partial),
    board("noise", "every wire flips, invents, repeats and loses frames under load", noise),
    board("frames", "truncated, replayed and foreign frames under load", frames),
    board("replay", "a board that has restarted hears answers to what it asked before", replay),
    board(
        "flash-fail",
        "a board whose flash fails stops and says so; the others go on",
        flash_fail,
    ),
    board("power-cut", "all boards lose power at once in the middle of a write", power_cut),
];

const fn board(
    name: &'static str,
    about: &'static str,
    run: fn(&mut TestBench) -> Result<String, Failure>,
) -> Scenario {
    Scenario { name, about, server: false, run }
}

/// Registers that are written in turn.
const KEYS: [&str; 3] = [TARGET, "y", "z"];

/// Writes registers in turn, each at the next of these boards, and reads each at another one.
fn load(group: &mut Group<'_>, writes: usize, boards: &[u64]) -> Result<(), Failure> {
    let keys = KEYS.iter().cycle();
    let (writers, readers) = (boards.iter().cycle(), boards.iter().cycle().skip(1));
    for ((key, writer), reader) in keys.zip(writers).zip(readers).take(writes) {
        group.write(*writer, key)?;
        group.read(*reader, key)?;
    }
    Ok(())
}

fn write(bench: &mut TestBench) -> Result<String, Failure> {
    const EACH: u64 = 10;
    let mut group = Group::start(bench)?;
    let (begin, before) = (Instant::now(), group.bench().counts());
    for _ in 0..EACH {
        for (writer, key) in (1..).zip(KEYS) {
            let value = group.write(writer, key)?;
            for reader in [1, 2, 3] {
                let found = group.read(reader, key)?;
                if found.value != Some(value) {
                    return Err(Failure::Violation(format!(
                        "node {writer} wrote {value} to {key}, and {reader} reads {found:?}"
                    )));
                }
            }
        }
    }
    let took = begin.elapsed();
    let after = group.bench().counts();
    group.converge()?;
    let requests = EACH * 3 * 4;
    Ok(format!(
        "{requests} writes and reads, {} each; {} bytes and {} frames each on all wires",
        ms(took / u32::try_from(requests).unwrap_or(1)),
        (after.bytes - before.bytes) / requests,
        (after.frames - before.frames) / requests,
    ))
}

fn race(bench: &mut TestBench) -> Result<String, Failure> {
    const ROUNDS: u64 = 30;
    let mut group = Group::start(bench)?;
    let (mut clear, mut ties) = (0, 0);
    for round in 0..ROUNDS {
        let [one, two, reader] = [0, 1, 2].map(|place| (round + place) % 3 + 1);
        let [first, second, during] = group.race([one, two], reader, TARGET)?;
        let written: Vec<Found> = [&first, &second].into_iter().flatten().copied().collect();
        if written.len() < 2 || during.is_err() {
            continue; // what is not acknowledged may yet come
        }
        clear += 1;
        let after: BTreeSet<Option<u32>> = [1, 2, 3]
            .into_iter()
            .map(|id| group.read(id, TARGET).map(|found| found.value))
            .collect::<Result<_, Failure>>()?;
        let is_written = written.iter().any(|found| after.contains(&found.value));
        if after.len() != 1 || !is_written {
            return Err(Failure::Violation(format!("{written:?} were written, {after:?} read")));
        }
        ties += u32::from(first.map(|found| found.number) == second.map(|found| found.number));
    }
    group.converge()?;
    if clear == 0 {
        return Err(Failure::unexpected("with all wires whole no two writes were acknowledged"));
    }
    Ok(format!(
        "{clear} pairs of writes, of which {ties} got the same number; one came last for all"
    ))
}

/// Longer than the pause between two sweeps.
const IDLE: Duration = Duration::from_secs(3);
/// Wake-ups of an idle board in a second of its time, at most: sweeps, each a few messages. A board that does
/// not sleep makes a hundred thousand turns.
const WAKEUPS: i64 = 500;

fn idle(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    load(&mut group, 3, &[1, 2, 3])?;
    group.converge()?;
    let before = wakeups(&mut group)?;
    thread::sleep(IDLE);
    let after = wakeups(&mut group)?;
    let mut results = Vec::new();
    for ((id, woke, at), (_, woke_before, at_before)) in after.into_iter().zip(before) {
        let rate = (woke - woke_before) * 1000 / (at - at_before).max(1);
        if rate > WAKEUPS {
            let text = format!("node {id} wakes up {rate} times a second: {WAKEUPS} is plenty");
            return Err(Failure::Unexpected(text));
        }
        results.push(format!("{id}: {rate}"));
    }
    Ok(format!("wake-ups in a second: {}", results.join(", ")))
}

/// Of each board: how often it woke up, and at which of its milliseconds.
fn wakeups(group: &mut Group<'_>) -> Result<Vec<(u64, i64, i64)>, Failure> {
    let mut all = Vec::new();
    for id in group.bench().ids() {
        let status = group.wait("the board answers", |group| group.status(id))?;
        all.push((id, status.number("wakeups")?, status.number("uptime_ms")?));
    }
    Ok(all)
}

fn full(bench: &mut TestBench) -> Result<String, Failure> {
    const ROOM: usize = 16;
    let mut group = Group::start(bench)?;
    let keys: Vec<String> = (1..=ROOM).map(|number| format!("k{number}")).collect();
    for (key, id) in keys.iter().zip([1, 2, 3].into_iter().cycle()) {
        group.write(id, key)?;
    }
    group.converge()?;
    wait_for_error(&mut group, "full", |group| group.try_write(2, "more"))?;
    // those that are there can be written
    group.write(3, "k1")?;
    group.delete(1, "k2")?;
    if group.read(3, "k2")?.value.is_some() {
        return Err(Failure::unexpected("a deleted register holds something"));
    }
    // the tombstone is forgotten once every board has it, and with it goes the register
    let begin = Instant::now();
    group.write(2, "more")?;
    let took = begin.elapsed();
    for id in [1, 2, 3] {
        group.read(id, "k2")?;
        group.read(id, "more")?;
    }
    group.converge()?;
    Ok(format!(
        "{ROOM} registers; one is deleted, and there is room for another {} later",
        ms(took)
    ))
}

fn cut(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    load(&mut group, 3, &[1, 2, 3])?;
    group.converge()?;
    let held = group.held(1, TARGET)?;
    group.isolate(1, true)?;
    load(&mut group, 6, &[2, 3])?;
    // the board that is cut off says so, whether it knows that the others are out of reach or not
    expect_error(&group.try_read(1, TARGET)?, "timeout acked=1 required=2")?;
    expect_error(&group.try_write(1, TARGET)?, "timeout acked=1 required=2")?;
    for other in [2, 3] {
        group.order(1, &format!("down {other}"))?;
    }
    expect_error(&group.try_read(1, TARGET)?, "unavailable required=2 alive=1")?;
    expect_error(&group.try_write(1, TARGET)?, "unavailable required=2 alive=1")?;
    if group.held(1, TARGET)? != held {
        return Err(Failure::unexpected("a board that is cut off holds something new"));
    }
    for other in [2, 3] {
        group.order(1, &format!("up {other}"))?;
    }
    group.isolate(1, false)?;
    // nobody asks for anything: sweeps do it
    let caught_up = group.converge()?;
    for key in KEYS {
        group.read(1, key)?;
    }
    // one wire alone: a board that hears one of the others has a majority
    group.bench().cut(1, 2, true)?;
    load(&mut group, 6, &[1, 2, 3])?;
    group.bench().cut(1, 2, false)?;
    group.converge()?;
    let lost = group.bench().counts().cut;
    Ok(format!("caught up {} after it was healed; {lost} frames lost", ms(caught_up)))
}

fn one_way(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    let mut took = Vec::new();
    for deaf in [false, true] {
        load(&mut group, 3, &[1, 2, 3])?;
        for other in [1, 2] {
            let (from, to) = if deaf { (other, 3) } else { (3, other) };
            group.bench().cut_direction(from, to, true)?;
        }
        load(&mut group, 6, &[1, 2])?;
        expect_error(&group.try_read(3, TARGET)?, "timeout acked=1 required=2")?;
        for other in [1, 2] {
            let (from, to) = if deaf { (other, 3) } else { (3, other) };
            group.bench().cut_direction(from, to, false)?;
        }
        took.push(ms(group.converge()?));
    }
    Ok(format!("mute, then deaf: the others go on; level {} after it was healed", took.join(" / ")))
}

fn restart(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    load(&mut group, 6, &[1, 2, 3])?;
    let mut took = Vec::new();
    for id in [1, 2, 3] {
        group.converge()?;
        let before = group.held(id, TARGET)?;
        group.bench().kill(id);
        let others = group.bench().alive();
        load(&mut group, 3, &others)?;
        group.isolate(id, true)?;
        let status = group.start_board(id)?;
        let after = group.held(id, TARGET)?;
        if after != before || status.get("founded") != Some("1") {
            return Err(Failure::Violation(format!(
                "node {id} held {before:?} and holds {after:?} after its restart: `{status}`"
            )));
        }
        // what it has may be old, so it does not say it
        expect_error(&group.try_read(id, TARGET)?, "timeout acked=1 required=2")?;
        group.isolate(id, false)?;
        took.push(ms(group.converge()?));
    }
    load(&mut group, 6, &[1, 2, 3])?;
    Ok(format!("level with the others after {}", took.join(", ")))
}

fn blank(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    load(&mut group, 6, &[1, 2, 3])?;
    group.converge()?;
    // written at 1 and 3, without 2
    group.isolate(2, true)?;
    load(&mut group, 3, &[1, 3])?;
    group.bench().kill(3);
    group.bench().kill(1);
    group.erase(1)?;
    group.isolate(2, false)?;
    let status = group.start_board(1)?;
    if status.get("founded") != Some("0") {
        return Err(Failure::Violation(format!("an erased board says `{status}`")));
    }
    // 2 has old values and 1 has none, and yet they are two of three
    for (id, key) in [1, 2].into_iter().zip(KEYS) {
        wait_for_error(&mut group, "blank", |group| group.try_read(id, key))?;
        wait_for_error(&mut group, "blank", |group| group.try_write(id, key))?;
    }
    // it does not know after a restart either
    group.bench().kill(1);
    let status = group.start_board(1)?;
    if status.get("founded") != Some("0") {
        return Err(Failure::Violation(format!("a blank board that restarts says `{status}`")));
    }
    group.start_board(3)?;
    let took = group.wait_until_founded(1)?;
    // what it holds then is not behind anything that was acknowledged
    for key in KEYS {
        let called = group.history().call();
        let held = group.held(1, key)?;
        group.history().read(key, called, held)?;
    }
    group.converge()?;
    // it is one of two now
    group.bench().kill(3);
    load(&mut group, 6, &[1, 2])?;
    group.start_board(3)?;
    group.converge()?;
    Ok(format!(
        "no answers from two of which one is blank; rebuilt {} after the third came",
        ms(took)
    ))
}

fn partial(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    load(&mut group, 3, &[1, 2, 3])?;
    for (writer, reader, last) in [(1, 2, 3), (2, 3, 1), (3, 1, 2)] {
        group.converge()?;
        let (_, place) = group.bench().journal().since(0);
        for other in [reader, last] {
            group.order(other, "flash fail")?;
        }
        // the others answer what is there, and stop when they are to write
        group.wait("both say that they stopped", |group| {
            if [reader, last].iter().all(|other| has_stopped(group, *other, place)) {
                return Ok(Some(()));
            }
            expect_error(&group.try_write(writer, TARGET)?, "timeout acked=1 required=2")?;
            Ok(None)
        })?;
        for other in [reader, last] {
            group.bench().kill(other);
        }
        let written = group.held(writer, TARGET)?;
        group.isolate(last, true)?;
        group.start_board(reader)?;
        group.start_board(last)?;
        // it asks the writer alone; what it tells, the writer must not be needed for any more
        let found = group.read(reader, TARGET)?;
        group.bench().kill(writer);
        if found != written {
            return Err(Failure::Unexpected(format!("{written:?} is held, and {found:?} read")));
        }
        group.isolate(last, false)?;
        group.read(last, TARGET)?;
        group.start_board(writer)?;
    }
    let level = group.converge()?;
    Ok(format!("three times; all boards level {} after the last", ms(level)))
}

/// What a line may do to frames, and more of each than most lines do.
const ROUGH: Noise =
    Noise { flip: 10, garbage: 10, truncate: 5, drop: 15, replay: 20, foreign: 10 };

fn noise(bench: &mut TestBench) -> Result<String, Failure> {
    const WRITES: usize = 45;
    let mut group = Group::start(bench)?;
    group.bench().disturb(ROUGH);
    let begin = Instant::now();
    load(&mut group, WRITES, &[1, 2, 3])?;
    let took = begin.elapsed();
    // it comes about in the noise
    let level = group.converge()?;
    group.bench().disturb(Noise::default());
    let bad = group.sum("badframes")?;
    let counts = group.bench().counts();
    if bad == 0 {
        return Err(Failure::unexpected("no board counted a bad frame: was there any noise?"));
    }
    let (_, unclear) = group.history().counts();
    Ok(format!(
        "{WRITES} writes, each read at another board, in {}, level {} later, in the noise; {unclear} unclear; of {} frames {} damaged and {} lost, {bad} bad ones counted",
        ms(took),
        ms(level),
        counts.frames,
        counts.noise.damaged(),
        counts.noise.lost,
    ))
}

fn frames(bench: &mut TestBench) -> Result<String, Failure> {
    const FOREIGN: u64 = 20;
    let mut group = Group::start(bench)?;
    load(&mut group, 6, &[1, 2, 3])?;
    group.bench().disturb(Noise::FRAMES);
    group.wait("foreign frames are sent", |group| {
        load(group, 6, &[1, 2, 3])?;
        check_numbers(group)?;
        Ok((group.bench().counts().noise.foreign_frames >= FOREIGN).then_some(()))
    })?;
    group.bench().disturb(Noise::default());
    group.converge()?;
    let highest = check_numbers(&mut group)?;
    let (bad, unknown) = (group.sum("badframes")?, group.sum("unknown")?);
    let done = group.bench().counts().noise;
    if bad == 0 || unknown == 0 {
        return Err(Failure::Unexpected(format!(
            "{bad} bad frames and {unknown} of unknown nodes were counted, of {done:?}"
        )));
    }
    Ok(format!(
        "{} replayed, {} foreign, {} truncated; {bad} bad frames counted, {unknown} of unknown nodes; {highest} writes of {TARGET}",
        done.replays, done.foreign_frames, done.truncated
    ))
}

fn replay(bench: &mut TestBench) -> Result<String, Failure> {
    const ASKED: usize = 3;
    let mut group = Group::start(bench)?;
    for _ in 0..ASKED {
        group.write(2, TARGET)?;
    }
    let mut frames = Vec::new();
    for other in [1, 3] {
        let recent = group.bench().wire(other, 2)?.from(other).recent();
        frames.extend(recent.into_iter().map(|frame| (other, frame)));
    }
    // what was answered then is old now
    load(&mut group, 3, &[1, 3])?;
    group.bench().kill(2);
    group.isolate(2, true)?;
    group.start_board(2)?;
    if frames.is_empty() {
        return Err(Failure::unexpected("nothing was answered"));
    }
    let (mut asked, mut replayed) = (0, 0);
    let mut old = frames.iter().cycle();
    // all of them, in each of its first requests or in later ones
    while asked < ASKED || replayed < frames.len() {
        let outcome = group.read_meanwhile(2, TARGET, |bench| {
            let Some((from, frame)) = old.next() else { return Ok(()) };
            bench.wire(*from, 2)?.from(*from).inject(&[&[0], frame.as_slice(), &[0]].concat());
            replayed += 1;
            Ok(())
        })?;
        expect_error(&outcome, "timeout acked=1 required=2")?;
        asked += 1;
    }
    group.isolate(2, false)?;
    group.converge()?;
    Ok(format!(
        "{} old frames, {replayed} times in all, in {asked} requests: not one counts",
        frames.len()
    ))
}

/// The latest write that a board holds, which must not come from a foreign frame.
fn check_numbers(group: &mut Group<'_>) -> Result<u64, Failure> {
    let mut latest = 0;
    for id in group.bench().ids() {
        latest = latest.max(group.held(id, TARGET)?.number);
    }
    if latest >= FAR {
        return Err(Failure::Violation(format!("a foreign frame wrote, with number {latest}")));
    }
    Ok(latest)
}

/// A console may take so long.
const STOPS: Duration = Duration::from_secs(5);

fn flash_fail(bench: &mut TestBench) -> Result<String, Failure> {
    let mut group = Group::start(bench)?;
    load(&mut group, 3, &[1, 2, 3])?;
    let mut told = BTreeSet::new();
    // of a board that is asked, and of one that hears of it
    for (broken, asked) in [(2, 2), (1, 3)] {
        group.converge()?;
        let before = group.held(broken, TARGET)?;
        let (_, place) = group.bench().journal().since(0);
        group.order(broken, "flash fail")?;
        // it notices when it next has something to write
        if broken != asked {
            group.write(asked, TARGET)?;
        }
        group.wait("it says that it stopped", |group| {
            if has_stopped(group, broken, place) {
                return Ok(Some(()));
            }
            if broken == asked
                && let Ok(found) = group.try_write(asked, TARGET)?
            {
                return Err(Failure::Violation(format!(
                    "{found:?} was acknowledged, and not kept"
                )));
            }
            Ok(None)
        })?;
        match group.bench().console(broken)?.request(&format!("get {TARGET}"), STOPS) {
            Ok(Reply::Error(text)) if text.starts_with("stopped") => told.insert(text),
            reply => return Err(Failure::Unexpected(format!("a stopped node says: {reply:?}"))),
        };
        let others: Vec<u64> = [1, 2, 3].into_iter().filter(|id| *id != broken).collect();
        load(&mut group, 6, &others)?;
        // another board, its flash as it was left
        group.bench().kill(broken);
        group.isolate(broken, true)?;
        group.start_board(broken)?;
        let after = group.held(broken, TARGET)?;
        if after != before {
            return Err(Failure::Violation(format!(
                "node {broken} held {before:?} when its flash failed, and holds {after:?}"
            )));
        }
        group.isolate(broken, false)?;
        group.converge()?;
    }
    let told: Vec<String> = told.into_iter().collect();
    Ok(format!("\"{}\"; back after a restart, with what its flash had", told.join("\", \"")))
}

fn power_cut(bench: &mut TestBench) -> Result<String, Failure> {
    const TIMES: u64 = 4;
    let mut group = Group::start(bench)?;
    let mut longest = Duration::ZERO;
    for time in 0..TIMES {
        load(&mut group, 6, &[1, 2, 3])?;
        // in the middle of something
        let _ = group.write_within(time % 3 + 1, TARGET, Duration::from_millis(2))?;
        for id in [1, 2, 3] {
            group.bench().kill(id);
        }
        for id in [1, 2, 3] {
            let status: Status = group.start_board(id)?;
            if status.get("founded") != Some("1") {
                return Err(Failure::Violation(format!("node {id} has forgotten: `{status}`")));
            }
        }
        let begin = Instant::now();
        for (key, id) in KEYS.into_iter().zip([1, 2, 3]) {
            group.read(id, key)?;
        }
        longest = longest.max(begin.elapsed());
        group.converge()?;
    }
    let (acknowledged, unclear) = group.history().counts();
    Ok(format!(
        "{TIMES} times; {acknowledged} writes acknowledged, none lost, {unclear} unclear; all is read again after {} at most",
        ms(longest)
    ))
}

/// Whether a board has stopped after that place of the journal.
fn has_stopped(group: &mut Group<'_>, id: u64, place: usize) -> bool {
    group.bench().journal().contains(id, "# stopped:", place)
}

/// Asks until a request fails in this way, and not because others were slow; it must not be done.
fn wait_for_error(
    group: &mut Group<'_>,
    beginning: &str,
    mut ask: impl FnMut(&mut Group<'_>) -> Result<Result<Found, String>, Failure>,
) -> Result<(), Failure> {
    group.wait(&format!("a request fails with `{beginning}`"), |group| match ask(group)? {
        Ok(found) => Err(Failure::Violation(format!("instead of `{beginning}` came {found:?}"))),
        Err(why) => Ok(why.starts_with(beginning).then_some(())),
    })
}

/// A request must have failed in this way.
fn expect_error(outcome: &Result<Found, String>, beginning: &str) -> Result<(), Failure> {
    match outcome {
        Err(why) if why.starts_with(beginning) => Ok(()),
        _ => Err(Failure::Unexpected(format!("instead of `{beginning}` came {outcome:?}"))),
    }
}

/// A duration for people; the emulators' clocks run with the host's.
fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
