use core::time::Duration;
use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::Instant;
use std::{fs, io};

use crate::noise::Noise;
use crate::setpoint::{Change, Cluster, decode};
use crate::{Failure, Reply, Scenario, TestBench};

/// The scenarios, easy ones first.
pub(crate) const ALL: &[Scenario] = &[
    board("elect", "three boards elect one of them", elect),
    board("idle", "idle boards sleep between heartbeats", idle),
    board("replicate", "changes typed at every board reach all", replicate),
    board("kill", "the leader dies, another is elected; it comes back and catches up", kill),
    board("flash", "a board restarts with no peer connected: term and log are in its flash", flash),
    board("snapshot", "a board that missed more than the log holds gets a snapshot", snapshot),
    board("torn", "the power went in the middle of a record, then a snapshot comes", torn),
    board(
        "cut",
        "the leader's wires are cut, it is restarted, they are healed; then one wire",
        cut,
    ),
    board("one-way", "the leader hears but is not heard, then is heard but does not hear", one_way),
    board("noise", "every wire flips, invents and loses bytes under load", noise),
    board("frames", "truncated, replayed and foreign frames under load", frames),
    board("log-full", "a full log is an error on the command line, and passes", log_full),
    board(
        "flash-fail",
        "a board whose flash fails stops and says so; the others go on",
        flash_fail,
    ),
    board("power-cut", "all boards lose power at once, again and again", power_cut),
    Scenario {
        name: "server",
        about: "two boards and a server process are one cluster, of the same bytes",
        server: true,
        run: server,
    },
];

const fn board(
    name: &'static str,
    about: &'static str,
    run: fn(&mut TestBench) -> Result<String, Failure>,
) -> Scenario {
    Scenario { name, about, server: false, run }
}

fn elect(bench: &mut TestBench) -> Result<String, Failure> {
    let begin = Instant::now();
    let mut cluster = Cluster::start(bench)?;
    let took = begin.elapsed();
    let (leader, _) = cluster.wait_for_leader(&[1, 2, 3])?;
    let term = cluster.status(leader)?.number("term")?;
    Ok(format!("node {leader} leads in term {term}, {} after power-on", ms(took)))
}

/// Longer than any heartbeat.
const IDLE: Duration = Duration::from_secs(3);
/// Wake-ups of an idle board in a second of its time, at most: heartbeats, each a few interrupts of the UART's. A board that does
/// not sleep makes a hundred thousand turns.
const WAKEUPS: i64 = 500;

fn idle(bench: &mut TestBench) -> Result<String, Failure> {
    let mut cluster = Cluster::start(bench)?;
    cluster.converge()?;
    let before = wakeups(&mut cluster)?;
    thread::sleep(IDLE);
    let after = wakeups(&mut cluster)?;
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

/// Of each node: how often it woke up, and at which of its milliseconds.
fn wakeups(cluster: &mut Cluster<'_>) -> Result<Vec<(u64, i64, i64)>, Failure> {
    let mut all = Vec::new();
    for id in cluster.bench().ids() {
        let status = cluster.status(id)?;
        all.push((id, status.number("wakeups")?, status.number("uptime_ms")?));
    }
    Ok(all)
}

fn replicate(bench: &mut TestBench) -> Result<String, Failure> {
    const EACH: u32 = 20;
    let mut cluster = Cluster::start(bench)?;
    let (begin, before) = (Instant::now(), cluster.bench().counts());
    for number in 1..=EACH {
        for id in [1, 2, 3] {
            // a follower names the leader, who is asked next
            cluster.change_at(id, Change::Add(number))?;
        }
        cluster.change(Change::Set(i64::from(number)))?;
        cluster.get()?;
    }
    let took = begin.elapsed();
    cluster.converge()?;
    let after = cluster.bench().counts();
    let changes = u64::from(EACH) * 4;
    Ok(format!(
        "{changes} changes, {} each; {} bytes and {} frames a change on all wires",
        ms(took / (EACH * 4)),
        (after.bytes - before.bytes) / changes,
        (after.frames - before.frames) / changes,
    ))
}

fn kill(bench: &mut TestBench) -> Result<String, Failure> {
    let mut cluster = Cluster::start(bench)?;
    let mut took = Vec::new();
    for _ in 0..3 {
        cluster.load(6)?;
        let (leader, _) = cluster.wait_for_leader(&[1, 2, 3])?;
        cluster.bench().kill(leader);
        let others = cluster.bench().alive();
        let (next, elected) = cluster.wait_for_leader(&others)?;
        if next == leader {
            return Err(Failure::unexpected("a dead board leads"));
        }
        cluster.load(6)?;
        cluster.bench().start(leader)?;
        let caught_up = cluster.converge()?;
        took.push(format!("{} / {}", ms(elected), ms(caught_up)));
    }
    Ok(format!("re-elected / caught up after {}", took.join(", ")))
}

fn flash(bench: &mut TestBench) -> Result<String, Failure> {
    let mut cluster = Cluster::start(bench)?;
    cluster.load(9)?;
    cluster.converge()?;
    let mut results = Vec::new();
    for id in [1, 2, 3] {
        let before = cluster.status(id)?;
        cluster.bench().kill(id);
        for other in cluster.bench().alive() {
            cluster.bench().cut(id, other, true)?;
        }
        cluster.bench().start(id)?;
        let after = cluster.wait("it is back", |cluster| cluster.try_status(id))?;
        for key in ["term", "last"] {
            if after.number(key)? < before.number(key)? {
                return Err(Failure::Unexpected(format!(
                    "node {id} had {key} {} and has {} after its restart: `{after}`",
                    before.number(key)?,
                    after.number(key)?
                )));
            }
        }
        results.push(format!(
            "{id}: term {} last {}",
            after.number("term")?,
            after.number("last")?
        ));
        for other in cluster.bench().alive() {
            if other != id {
                cluster.bench().cut(id, other, false)?;
            }
        }
        cluster.converge()?;
    }
    cluster.load(4)?;
    cluster.converge()?;
    Ok(format!("from flash alone: {}", results.join(", ")))
}

fn snapshot(bench: &mut TestBench) -> Result<String, Failure> {
    const MISSED: u32 = 120;
    let mut cluster = Cluster::start(bench)?;
    cluster.load(4)?;
    let (leader, _) = cluster.wait_for_leader(&[1, 2, 3])?;
    let late = leader % 3 + 1;
    let had = cluster.status(late)?.number("last")?;
    cluster.bench().kill(late);
    cluster.load(MISSED)?;
    cluster.bench().start(late)?;
    let took = cluster.converge()?;
    let covers = cluster.status(late)?.number("snapshot")?;
    // it takes snapshots of its own as well: that one came is seen on the wire
    let mut sent = 0;
    for from in [1, 2, 3].into_iter().filter(|id| *id != late) {
        for frame in cluster.bench().wire(from, late)?.from(from).recent() {
            sent += u32::from(decode(&frame, late)?.1.starts_with("Snapshot"));
        }
    }
    if sent == 0 || covers <= had {
        return Err(Failure::Unexpected(format!(
            "node {late} had entries up to {had}, its snapshot covers {covers}, and {sent} were sent to it"
        )));
    }
    Ok(format!(
        "node {late} missed {MISSED} changes after entry {had}; got a snapshot in {sent} frames, was level in {}",
        ms(took)
    ))
}

fn torn(bench: &mut TestBench) -> Result<String, Failure> {
    const MISSED: u32 = 120;
    let mut cluster = Cluster::start(bench)?;
    cluster.load(4)?;
    let (leader, _) = cluster.wait_for_leader(&[1, 2, 3])?;
    let late = leader % 3 + 1;
    cluster.bench().kill(late);
    cluster.load(MISSED)?;
    let path = cluster.bench().dir().join(format!("storage{late}"));
    tear_record(&path).map_err(Failure::io(path.display()))?;
    // nothing but the snapshot is to be kept: the leader and the term are what they were
    cluster.bench().start(late)?;
    let took = cluster.converge()?;
    Ok(format!("node {late} was level in {}", ms(took)))
}

/// Leaves what a power cut leaves in a flash of two halves: the beginning of a record, without the mark that it is whole.
fn tear_record(path: &Path) -> io::Result<()> {
    const WORD: usize = 4;
    let mut flash = match fs::read(path) {
        Ok(flash) => flash,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()), // a node without a flash
        Err(error) => return Err(error),
    };
    let half = flash.len() / 2;
    for half in flash.chunks_mut(half.max(1)) {
        let used = half.iter().rposition(|&byte| byte != 0xff).map_or(0, |last| last + 1);
        let begin = used.next_multiple_of(WORD) + WORD;
        half.iter_mut().skip(begin).take(WORD).for_each(|byte| *byte = 0);
    }
    fs::write(path, flash)
}

fn cut(bench: &mut TestBench) -> Result<String, Failure> {
    let mut cluster = Cluster::start(bench)?;
    cluster.load(4)?;
    let (leader, _) = cluster.wait_for_leader(&[1, 2, 3])?;
    let others: Vec<u64> = [1, 2, 3].into_iter().filter(|id| *id != leader).collect();
    for other in &others {
        cluster.bench().cut(leader, *other, true)?;
    }
    let begin = Instant::now();
    // it still believes that it leads, as it may when the others have another leader: nothing it takes from now on may count
    cluster.add_without_waiting(leader, 1_000, Duration::from_millis(500))?;
    let (next, _) = cluster.wait_for_leader(&others)?;
    let elected = begin.elapsed();
    cluster.add_without_waiting(leader, 2_000, Duration::from_millis(500))?;
    cluster.change_at(next, Change::Add(7))?;
    cluster.load(6)?;
    cluster.wait("the leader without a majority steps down", |cluster| {
        let role = cluster.status(leader)?;
        Ok((role.get("role") != Some("leader")).then_some(()))
    })?;
    // nor does the node itself remember it, which would submit it again
    cluster.bench().kill(leader);
    cluster.bench().start(leader)?;
    for other in &others {
        cluster.bench().cut(leader, *other, false)?;
    }
    let healed = cluster.converge()?;
    // one wire alone: two of the three pairs are joined, that is enough
    let (leader, _) = cluster.wait_for_leader(&[1, 2, 3])?;
    let other = leader % 3 + 1;
    cluster.bench().cut(leader, other, true)?;
    cluster.load(10)?;
    cluster.bench().cut(leader, other, false)?;
    cluster.converge()?;
    let cut = cluster.bench().counts().cut;
    Ok(format!("others elect in {}, healed in {}; {cut} frames lost", ms(elected), ms(healed)))
}

fn one_way(bench: &mut TestBench) -> Result<String, Failure> {
    let mut cluster = Cluster::start(bench)?;
    let mut took = Vec::new();
    for deaf in [false, true] {
        cluster.load(4)?;
        let (leader, _) = cluster.wait_for_leader(&[1, 2, 3])?;
        let others: Vec<u64> = [1, 2, 3].into_iter().filter(|id| *id != leader).collect();
        for &other in &others {
            let (from, to) = if deaf { (other, leader) } else { (leader, other) };
            cluster.bench().cut_direction(from, to, true)?;
        }
        let begin = Instant::now();
        // a leader that is heard, and hears nobody, must give up before others can lead
        let next = cluster.wait("another leader", |cluster| {
            for &other in &others {
                if let Some(status) = cluster.try_status(other)?
                    && status.get("role") == Some("leader")
                {
                    return Ok(Some(other));
                }
            }
            Ok(None)
        })?;
        took.push(ms(begin.elapsed()));
        cluster.change_at(next, Change::Add(3))?;
        for &other in &others {
            let (from, to) = if deaf { (other, leader) } else { (leader, other) };
            cluster.bench().cut_direction(from, to, false)?;
        }
        cluster.converge()?;
    }
    Ok(format!("another leader after {} (mute / deaf)", took.join(" / ")))
}

fn noise(bench: &mut TestBench) -> Result<String, Failure> {
    const CHANGES: u32 = 60;
    let mut cluster = Cluster::start(bench)?;
    let before = cluster.sum("badframes")?;
    cluster.bench().disturb(Noise::LINE);
    let begin = Instant::now();
    cluster.load_at(CHANGES, &[1, 2, 3])?;
    let took = begin.elapsed();
    cluster.bench().disturb(Noise::default());
    cluster.converge()?;
    let bad = cluster.sum("badframes")? - before;
    let counts = cluster.bench().counts();
    if bad == 0 {
        return Err(Failure::unexpected("no board counted a bad frame: was there any noise?"));
    }
    Ok(format!(
        "{CHANGES} changes in {}; of {} frames {} damaged and {} lost, {bad} bad ones counted by the boards",
        ms(took),
        counts.frames,
        counts.noise.damaged(),
        counts.noise.lost,
    ))
}

fn frames(bench: &mut TestBench) -> Result<String, Failure> {
    const CHANGES: u32 = 60;
    let mut cluster = Cluster::start(bench)?;
    let before = (cluster.sum("badframes")?, cluster.sum("rejected")?);
    cluster.bench().disturb(Noise::FRAMES);
    // heartbeats are disturbed as well: a board that accepts foreign frames is found before a
    // change has to wait for it
    cluster.wait("foreign frames are sent", |cluster| {
        check_term(cluster)?;
        Ok((cluster.bench().counts().noise.foreign_frames >= 20).then_some(()))
    })?;
    for _ in 0..CHANGES / 6 {
        check_term(&mut cluster)?;
        cluster.load_at(6, &[1, 2, 3])?;
    }
    cluster.bench().disturb(Noise::default());
    cluster.converge()?;
    cluster.wait_for_leader(&[1, 2, 3])?;
    let term = check_term(&mut cluster)?;
    let bad = cluster.sum("badframes")? - before.0;
    let rejected = cluster.sum("rejected")? - before.1;
    let done = cluster.bench().counts().noise;
    if bad == 0 || rejected == 0 {
        return Err(Failure::Unexpected(format!(
            "{bad} bad frames and {rejected} refused messages were counted, of {done:?}"
        )));
    }
    Ok(format!(
        "{} replayed, {} foreign, {} truncated; boards counted {bad} bad frames, refused {rejected} messages; term {term}",
        done.replays, done.foreign_frames, done.truncated
    ))
}

/// The latest term that a node is in, which must not come from a foreign frame.
fn check_term(cluster: &mut Cluster<'_>) -> Result<i64, Failure> {
    let mut latest = 0;
    for id in cluster.bench().ids() {
        latest = latest.max(cluster.status(id)?.number("term")?);
    }
    // foreign frames have terms from a thousand on
    if latest >= 1_000 {
        return Err(Failure::Unexpected(format!(
            "a foreign frame brought the cluster to term {latest}"
        )));
    }
    Ok(latest)
}

fn log_full(bench: &mut TestBench) -> Result<String, Failure> {
    let mut cluster = Cluster::start(bench)?;
    cluster.load(4)?;
    let (leader, _) = cluster.wait_for_leader(&[1, 2, 3])?;
    let reply = cluster.bench().console(leader)?.request("log fill", Duration::from_secs(20));
    let full = match reply {
        Ok(Reply::Error(text)) if text.starts_with("log full") => text,
        Ok(reply) => return Err(Failure::Unexpected(format!("`log fill` says: {reply}"))),
        Err(silence) => return Err(Failure::Unexpected(format!("`log fill`: {silence}"))),
    };
    let begin = Instant::now();
    cluster.load(6)?;
    let took = begin.elapsed();
    cluster.converge()?;
    Ok(format!("\"{full}\"; six changes more, {} later", ms(took)))
}

fn flash_fail(bench: &mut TestBench) -> Result<String, Failure> {
    let mut cluster = Cluster::start(bench)?;
    let mut stopped = String::new();
    for of_leader in [false, true] {
        cluster.load(4)?;
        let (leader, _) = cluster.wait_for_leader(&[1, 2, 3])?;
        let broken = if of_leader { leader } else { leader % 3 + 1 };
        let (_, place) = cluster.bench().journal().since(0);
        let reply = cluster.bench().console(broken)?.request("flash fail", Duration::from_secs(5));
        if !matches!(reply, Ok(Reply::Ok(_))) {
            return Err(Failure::Unexpected(format!("`flash fail` says: {reply:?}")));
        }
        // it notices when it next has something to write
        cluster.change(Change::Add(5))?;
        cluster.wait("it says that it stopped", |cluster| {
            Ok(cluster.bench().journal().contains(broken, "# stopped:", place).then_some(()))
        })?;
        match cluster.bench().console(broken)?.request("get", Duration::from_secs(5)) {
            Ok(Reply::Error(text)) if text.starts_with("stopped") => stopped = text,
            reply => return Err(Failure::Unexpected(format!("a stopped node says: {reply:?}"))),
        }
        let others: Vec<u64> = [1, 2, 3].into_iter().filter(|id| *id != broken).collect();
        cluster.wait_for_leader(&others)?;
        cluster.load(6)?;
        // another board, its flash as it was left
        cluster.bench().kill(broken);
        cluster.bench().start(broken)?;
        cluster.converge()?;
    }
    Ok(format!("a follower's, then the leader's: \"{stopped}\"; back after a restart"))
}

fn power_cut(bench: &mut TestBench) -> Result<String, Failure> {
    const TIMES: u32 = 4;
    let mut cluster = Cluster::start(bench)?;
    let mut longest = Duration::ZERO;
    for number in 1..=TIMES {
        cluster.load(8)?;
        let (leader, _) = cluster.wait_for_leader(&[1, 2, 3])?;
        // in the middle of something
        cluster.add_without_waiting(leader, number, Duration::from_millis(2))?;
        for id in [1, 2, 3] {
            cluster.bench().kill(id);
        }
        let begin = Instant::now();
        for id in [1, 2, 3] {
            cluster.bench().start(id)?;
        }
        cluster.wait_for_leader(&[1, 2, 3])?;
        longest = longest.max(begin.elapsed());
        cluster.get()?;
        cluster.converge()?;
    }
    let (acknowledged, unclear) = cluster.ledger().counts();
    Ok(format!(
        "{TIMES} times; {acknowledged} changes acknowledged, none lost, {unclear} unclear; a leader again after {} at most",
        ms(longest)
    ))
}

fn server(bench: &mut TestBench) -> Result<String, Failure> {
    const SERVER: u64 = 3;
    let mut cluster = Cluster::start(bench)?;
    for number in 1..=4 {
        for id in [1, 2, SERVER] {
            cluster.change_at(id, Change::Add(number))?;
        }
    }
    cluster.converge()?;
    // the server does without a board, the boards without the server, and each catches up
    for absent in [1, SERVER] {
        cluster.bench().kill(absent);
        let others: Vec<u64> = [1, 2, SERVER].into_iter().filter(|id| *id != absent).collect();
        cluster.wait_for_leader(&others)?;
        cluster.load(8)?;
        cluster.bench().start(absent)?;
        cluster.converge()?;
    }
    let led = make_leader(&mut cluster, SERVER)?;
    let caught = check_frames(&mut cluster, SERVER)?;
    Ok(format!("{caught}; the server led from term {led}"))
}

/// Every frame that was caught between the boards and the server is read, and made again to the same bytes.
fn check_frames(cluster: &mut Cluster<'_>, server: u64) -> Result<String, Failure> {
    let mut kinds = BTreeSet::new();
    let mut counts = Vec::new();
    for to_server in [true, false] {
        let mut count = 0;
        for board in [1, 2] {
            let (from, to) = if to_server { (board, server) } else { (server, board) };
            for frame in cluster.bench().wire(from, to)?.from(from).recent() {
                let (sender, kind) = decode(&frame, to)?;
                if sender != from {
                    let text = format!("a frame from {from} says that it is from {sender}");
                    return Err(Failure::Unexpected(text));
                }
                kinds.insert(kind);
                count += 1;
            }
        }
        if count == 0 {
            return Err(Failure::unexpected("nothing went between the boards and the server"));
        }
        counts.push(count.to_string());
    }
    let kinds: Vec<String> = kinds.into_iter().collect();
    let (counts, kinds) = (counts.join(" + "), kinds.join(", "));
    Ok(format!("{counts} frames caught between the two worlds read the same ({kinds})"))
}

/// Cuts off leaders until the server is elected; then the boards follow it. Returns the term.
fn make_leader(cluster: &mut Cluster<'_>, server: u64) -> Result<i64, Failure> {
    for _ in 0..20 {
        let (leader, _) = cluster.wait_for_leader(&[1, 2, server])?;
        if leader == server {
            cluster.load(6)?;
            cluster.converge()?;
            return cluster.status(server)?.number("term");
        }
        cluster.bench().kill(leader);
        let others = cluster.bench().alive();
        cluster.wait_for_leader(&others)?;
        cluster.bench().start(leader)?;
        cluster.converge()?;
    }
    Err(Failure::unexpected("in twenty elections the server was never elected"))
}

/// A duration for people; the emulators' clocks run with the host's.
fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
