use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{SLACK, build, each, short};
use crate::callgrind;
use crate::failure::{Failure, Outcome};
use crate::figures;
use crate::peers::PEERS;
use crate::tool::{Tool, root, target_dir};

/// The package and its program.
const PROGRAM: &str = "quorate-bench-log";

/// A protocol that keeps a log, and the file of what it was allowed before.
pub(crate) struct Protocol {
    pub(crate) name: &'static str,
    title: &'static str,
    ceilings: &'static str,
}

pub(crate) const RAFT: Protocol =
    Protocol { name: "raft", title: "Raft", ceilings: "bench/log/raft.txt" };
pub(crate) const PAXOS: Protocol =
    Protocol { name: "paxos", title: "Multi-Paxos", ceilings: "bench/log/paxos.txt" };

const ROWS: [(usize, usize); 4] = [(16, 1), (16, 64), (256, 1), (256, 64)];
/// Proposals that are counted: enough for several snapshots.
const PROPOSALS: usize = 20_480;
/// Instructions aimed at, by row.
pub(crate) const TARGETS: [((usize, usize), u64); 2] = [((16, 1), 3_000), ((16, 64), 400)];
/// Bytes of heap aimed at for an entry of 16 bytes on a node.
const LIVE_TARGET: f64 = 24.0;

/// What a row came to, for a proposal.
pub(crate) struct Row {
    pub(crate) payload: usize,
    pub(crate) batch: usize,
    pub(crate) instructions: u64,
    pub(crate) allocations: f64,
    pub(crate) messages: f64,
    pub(crate) live_bytes: f64,
}

pub(super) fn measure(protocol: &Protocol) -> Outcome<Vec<Row>> {
    let target = target_dir()?;
    let program = build(PROGRAM, &target, false)?;
    ROWS.iter().map(|&row| measure_row(&program, &target, protocol, row)).collect()
}

fn measure_row(
    program: &Path,
    target: &Path,
    protocol: &Protocol,
    (payload, batch): (usize, usize),
) -> Outcome<Row> {
    let args = arguments(protocol, &payload.to_string(), &batch.to_string());
    let printed = Tool::new(program).args(&args).read()?;
    let numbers: Vec<f64> = printed.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let [_, _, proposals, messages, allocations, live_bytes, _] = *numbers else {
        return Err(Failure::failed(format!(
            "{PROGRAM} printed what icount cannot read: {printed}"
        )));
    };
    let out = target.join("callgrind.out");
    let total = callgrind::count(program, &args, &out)?;
    Ok(Row {
        payload,
        batch,
        instructions: each(total, proposals),
        allocations: allocations / proposals,
        messages: messages / proposals,
        live_bytes,
    })
}

fn arguments(protocol: &Protocol, payload: &str, batch: &str) -> [String; 4] {
    [protocol.name, payload, batch, &PROPOSALS.to_string()].map(str::to_owned)
}

pub(super) fn print_plain(protocol: &Protocol, rows: &[Row]) {
    for row in rows {
        println!(
            "{} {} {} {} {} {}",
            protocol.name,
            row.payload,
            row.batch,
            row.instructions,
            short(row.allocations),
            short(row.messages)
        );
    }
}

pub(super) fn print_table(protocol: &Protocol, rows: &[Row]) {
    println!(
        "{}, per proposal, whole cluster of three\n{:<38}  instructions (aim)  allocations  messages  bytes an entry and node",
        protocol.title, ""
    );
    for row in rows {
        let is_raft = protocol.name == RAFT.name;
        let aim = TARGETS.iter().find(|(at, _)| is_raft && *at == (row.payload, row.batch));
        let aim = aim.map_or(String::new(), |(_, aim)| format!("({aim})"));
        println!(
            "{:>4} B, batch {:<2}  {:<21} {:>12} {:<8} {:>9}  {:>8}  {:>6.1}",
            row.payload,
            row.batch,
            "quorate, encoded",
            row.instructions,
            aim,
            short(row.allocations),
            short(row.messages),
            row.live_bytes,
        );
        let peers =
            PEERS.iter().filter(|p| is_raft && (p.payload, p.batch) == (row.payload, row.batch));
        for peer in peers {
            println!(
                "    {:<34} {:>12} {:<8} {:>9}  {:>8}",
                peer.name,
                peer.instructions,
                "",
                short(peer.allocations),
                short(peer.messages)
            );
        }
    }
    println!(
        "aims: 0 allocations, 4 messages at batch 1, {LIVE_TARGET} bytes for an entry of 16 bytes"
    );
}

pub(super) fn check(protocol: &Protocol) -> Outcome<Vec<String>> {
    let rows = measure(protocol)?;
    print_table(protocol, &rows);
    let ceilings = read_ceilings(protocol)?;
    let mut wrong = Vec::new();
    for row in &rows {
        let name = format!("{}, {} B at batch {}", protocol.title, row.payload, row.batch);
        if row.allocations > 0.0 {
            wrong.push(format!("{name}: {} allocations a proposal", short(row.allocations)));
        }
        if row.batch == 1 && (row.messages - 4.0).abs() > f64::EPSILON {
            wrong.push(format!("{name}: {} messages a proposal, not 4", short(row.messages)));
        }
        match ceilings.get(&(row.payload, row.batch)) {
            Some(ceiling) if row.instructions * 100 > ceiling * (100 + SLACK) => {
                let taken = row.instructions;
                wrong.push(format!(
                    "{name}: {taken} instructions, over {SLACK} % above the {ceiling} reached \
                     before"
                ));
            }
            Some(_) => {}
            None => wrong.push(format!("{name}: not in {}", ceilings_path(protocol).display())),
        }
    }
    Ok(wrong)
}

pub(super) fn bless(protocol: &Protocol) -> Outcome {
    let rows = measure(protocol)?;
    print_table(protocol, &rows);
    let mut text = String::from(
        "# payload batch instructions: what `cargo xtask icount --bless` counted; CI lets 3 % more pass\n",
    );
    for row in &rows {
        text.push_str(&format!("{} {} {}\n", row.payload, row.batch, row.instructions));
    }
    let path = ceilings_path(protocol);
    fs::write(&path, text).map_err(Failure::io(path.display()))?;
    if protocol.name == RAFT.name { figures::write(&rows) } else { Ok(()) }
}

fn read_ceilings(protocol: &Protocol) -> Outcome<HashMap<(usize, usize), u64>> {
    let path = ceilings_path(protocol);
    let text = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    rows.map(|line| {
        let mut words = line.split_whitespace();
        let payload = words.next().and_then(|w| w.parse().ok());
        let batch = words.next().and_then(|w| w.parse().ok());
        let ceiling = words.next().and_then(|w| w.parse().ok());
        payload.zip(batch).zip(ceiling).ok_or_else(|| {
            Failure::failed(format!("{}: not `payload batch instructions`: {line}", path.display()))
        })
    })
    .collect()
}

fn ceilings_path(protocol: &Protocol) -> PathBuf {
    root().join(protocol.ceilings)
}

pub(super) fn profile(protocol: &Protocol, payload: &str, batch: &str) -> Outcome {
    let args = arguments(protocol, payload, batch);
    super::profile(PROGRAM, &args, "proposal", PROPOSALS as u64)
}
