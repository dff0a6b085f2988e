//! Five nodes elect a leader over UDP, in one process. On a terminal: a live view and commands. Otherwise: a short play that
//! kills the leader, and brings it back.

use std::io::{BufRead, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use quorate_election::{Config, Mode, Takeover};
use quorate_election_demo::Group;

const HELP: &str = "\
Nodes that elect a leader over UDP on the loopback, each with a phi detector for every other.

Usage: quorate-election-demo [--nodes N] [--keep] [--quorum] [--play]

  --nodes N   how many, 1 to 9 (default 5)
  --keep      a leader stays when a higher node comes back (default: the highest leads)
  --quorum    only a node that a majority accepts may lead
  --play      no live view: elect, kill the leader, elect, bring it back; then stop";

struct Options {
    nodes: usize,
    play: bool,
    config: Config,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            say(&format!("{HELP}\n"));
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("{why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let live = !options.play && std::io::stdout().is_terminal();
    let outcome = Group::start(options.nodes, options.config)
        .map_err(|e| format!("the nodes cannot start: {e}"))
        .and_then(|group| if live { watch(group) } else { play(group) });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut config = Config { leader_timeout_us: 2_000_000, ..Config::lan() };
    let (mut nodes, mut play) = (5, false);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--nodes" => {
                let count = words.next().and_then(|n| n.parse().ok());
                nodes = count.filter(|n| (1..=9).contains(n)).ok_or("--nodes wants 1 to 9")?;
            }
            "--keep" => config.takeover = Takeover::Keep,
            "--quorum" => config.mode = Mode::Quorum,
            "--play" => play = true,
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("{word:?} is not an option")),
        }
    }
    Ok(Some(Options { nodes, play, config }))
}

/// The live view, until the person has had enough.
fn watch(mut group: Group) -> Result<(), String> {
    let (commands, typed) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if commands.send(line).is_err() {
                return;
            }
        }
    });
    let mut said = String::new();
    loop {
        say(&format!("\x1b[2J\x1b[H{}\n{said}\nkill N, start N, quit: ", group.table()));
        match typed.recv_timeout(Duration::from_millis(200)) {
            Ok(line) => match obey(&mut group, line.trim()) {
                Ok(Some(answer)) => said = answer,
                Ok(None) => return Ok(()),
                Err(why) => said = why,
            },
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn obey(group: &mut Group, line: &str) -> Result<Option<String>, String> {
    let mut words = line.split_whitespace();
    let verb = words.next().unwrap_or_default();
    let node = || words.next().and_then(|n| n.parse::<usize>().ok()?.checked_sub(1));
    match verb {
        "quit" | "q" => Ok(None),
        "" => Ok(Some(String::new())),
        "kill" | "start" => {
            let at = { node }().ok_or(format!("{verb} which node? For example: {verb} 5"))?;
            let done = if verb == "kill" {
                group.kill(at)
            } else {
                group.revive(at).map_err(|e| format!("it cannot start: {e}"))?
            };
            let outcome = if done { "done" } else { "there is nothing to do" };
            Ok(Some(format!("{verb} {}: {outcome}", at + 1)))
        }
        _ => Err(format!("{verb:?} is not a command")),
    }
}

/// A leader is elected, killed, replaced, and comes back.
fn play(mut group: Group) -> Result<(), String> {
    let first = settle(&group, "all nodes start")?;
    group.kill(first);
    let second = settle(&group, &format!("node {} is killed", first + 1))?;
    group.kill(second);
    settle(&group, &format!("node {} is killed", second + 1))?;
    for at in [first, second] {
        group.revive(at).map_err(|e| format!("it cannot start: {e}"))?;
    }
    // what was true before they came back may be true for a moment
    std::thread::sleep(Duration::from_millis(500));
    settle(&group, &format!("nodes {} and {} are back", first + 1, second + 1))?;
    Ok(())
}

fn settle(group: &Group, what: &str) -> Result<usize, String> {
    let Some((leader, took)) = group.settle(Duration::from_secs(120)) else {
        return Err(format!(
            "{what}: no agreement on a leader within two minutes\n{}",
            group.table()
        ));
    };
    let (node, ms) = (leader + 1, took.as_millis());
    say(&format!("{what}: node {node} leads, and all know after {ms} ms\n{}\n", group.table()));
    Ok(leader)
}

/// Prints; a reader that has gone away has had enough.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(why) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        if why.kind() == ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        eprintln!("the output cannot be written: {why}");
        std::process::exit(1);
    }
}
