use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Verb;
use crate::callgrind::{self, Profile};
use crate::failure::{Failure, Outcome};
use crate::figures;
use crate::peers::PEERS;
use crate::tool::{Tool, root, target_dir};

pub(crate) const VERB: Verb = Verb {
    name: "icount",
    about: "instructions, allocations and messages a proposal costs",
    help: "
Three Raft nodes in one thread (bench/raft), every message and record encoded and decoded,
committed entries read, snapshots taken; callgrind counts the instructions of the whole cluster,
built with the profile `bench` (fat LTO). Counts are the same on every run of the same binary; they
differ between compilers. Long copies count more than they cost: callgrind counts a `rep movsb`,
which the C library uses from 2 KiB on, as one instruction a byte.

    cargo xtask icount            a table beside the targets and the peers' numbers
    cargo xtask icount --plain    a line a row: payload batch instructions allocations messages, all
                                  but the first two per proposal
    cargo xtask icount --check    also fails when a proposal allocates, takes other than 4 messages
                                  at batch 1, or takes over 3 % more instructions than
                                  bench/raft/ceilings.txt allows
    cargo xtask icount --bless    writes the counts to that file and into the README
    cargo xtask icount --profile [PAYLOAD BATCH]
                                  where the instructions of a row go (16 1 unless told): by
                                  function, file and line",
    run,
};

const ROWS: [(usize, usize); 4] = [(16, 1), (16, 64), (256, 1), (256, 64)];
/// Proposals that are counted: enough for several snapshots.
const PROPOSALS: usize = 20_480;
/// Instructions aimed at, by row.
pub(crate) const TARGETS: [((usize, usize), u64); 2] = [((16, 1), 3_000), ((16, 64), 400)];
/// Bytes of heap aimed at for an entry of 16 bytes on a node.
const LIVE_TARGET: f64 = 24.0;
/// Percent above the ceiling that are let pass.
const SLACK: u64 = 3;

/// What a row came to, for a proposal.
pub(crate) struct Row {
    pub(crate) payload: usize,
    pub(crate) batch: usize,
    pub(crate) instructions: u64,
    pub(crate) allocations: f64,
    pub(crate) messages: f64,
    pub(crate) live_bytes: f64,
}

fn run(args: &[String]) -> Outcome {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] => measure().map(|rows| print_table(&rows)),
        ["--plain"] => measure().map(|rows| print_plain(&rows)),
        ["--check"] => check(),
        ["--bless"] => bless(),
        ["--profile"] => profile("16", "1"),
        ["--profile", payload, batch] => profile(payload, batch),
        _ => Err(Failure::usage("icount does not know these arguments; see `icount --help`")),
    }
}

fn measure() -> Outcome<Vec<Row>> {
    let target = target_dir()?;
    let program = build(&target, false)?;
    ROWS.iter().map(|&(payload, batch)| measure_row(&program, &target, payload, batch)).collect()
}

/// Builds the bench program; with line tables for a profile, which change nothing in the code.
fn build(target: &Path, lines: bool) -> Outcome<PathBuf> {
    let tool =
        Tool::cargo().args(["build", "--quiet", "--profile", "bench", "-p", "quorate-bench-raft"]);
    let dir = if lines { target.join("profile") } else { target.to_path_buf() };
    if lines {
        tool.args(["--config", "profile.bench.debug=\"line-tables-only\""])
            .env("CARGO_TARGET_DIR", &dir)
            .run()?;
    } else {
        tool.run()?;
    }
    Ok(dir.join("release").join("quorate-bench-raft"))
}

fn measure_row(program: &Path, target: &Path, payload: usize, batch: usize) -> Outcome<Row> {
    let args = [payload, batch, PROPOSALS].map(|n| n.to_string());
    let printed = Tool::new(program).args(&args).read()?;
    let numbers: Vec<f64> = printed.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let [_, _, proposals, messages, allocations, live_bytes, _] = *numbers else {
        return Err(Failure::failed(format!(
            "quorate-bench-raft printed what icount cannot read: {printed}"
        )));
    };
    let out = target.join("callgrind.out");
    let total = callgrind::count(program, &args, &out)?;
    Ok(Row {
        payload,
        batch,
        instructions: per_proposal(total, proposals),
        allocations: allocations / proposals,
        messages: messages / proposals,
        live_bytes,
    })
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn per_proposal(total: u64, proposals: f64) -> u64 {
    (total as f64 / proposals).round() as u64
}

fn print_plain(rows: &[Row]) {
    for row in rows {
        println!(
            "{} {} {} {} {}",
            row.payload,
            row.batch,
            row.instructions,
            short(row.allocations),
            short(row.messages)
        );
    }
}

fn print_table(rows: &[Row]) {
    println!(
        "per proposal, whole cluster of three    instructions (aim)  allocations  messages  bytes an entry and node"
    );
    for row in rows {
        let aim = TARGETS.iter().find(|(at, _)| *at == (row.payload, row.batch));
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
        let peers = PEERS.iter().filter(|p| (p.payload, p.batch) == (row.payload, row.batch));
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

fn check() -> Outcome {
    let rows = measure()?;
    print_table(&rows);
    let ceilings = read_ceilings()?;
    let mut wrong = Vec::new();
    for row in &rows {
        let name = format!("{} B at batch {}", row.payload, row.batch);
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
            None => wrong.push(format!("{name}: not in {}", ceilings_path().display())),
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{}\nIf that is meant, `cargo xtask icount --bless` writes the new counts; say why in the commit.",
        wrong.join("\n")
    )))
}

fn bless() -> Outcome {
    let rows = measure()?;
    print_table(&rows);
    let mut text = String::from(
        "# payload batch instructions: what `cargo xtask icount --bless` counted; CI lets 3 % more pass\n",
    );
    for row in &rows {
        text.push_str(&format!("{} {} {}\n", row.payload, row.batch, row.instructions));
    }
    let path = ceilings_path();
    fs::write(&path, text).map_err(Failure::io(path.display()))?;
    figures::write(&rows)
}

fn read_ceilings() -> Outcome<HashMap<(usize, usize), u64>> {
    let path = ceilings_path();
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

fn ceilings_path() -> PathBuf {
    root().join("bench/raft/ceilings.txt")
}

fn profile(payload: &str, batch: &str) -> Outcome {
    let target = target_dir()?;
    let program = build(&target, true)?;
    let args = [payload.to_owned(), batch.to_owned(), PROPOSALS.to_string()];
    let profile = Profile::take(&program, &args, &target.join("callgrind.out"))?;
    let share = |cost: u64| -> String {
        let tenths = cost * 1000 / profile.total.max(1);
        format!("{:>7} {:>3}.{}%", cost / PROPOSALS as u64, tenths / 10, tenths % 10)
    };
    println!(
        "instructions a proposal: {}\n\nby function, its own:",
        profile.total / PROPOSALS as u64
    );
    for (function, cost) in profile.functions.iter().take(25) {
        println!("{}  {function}", share(*cost));
    }
    println!("\nby file:");
    for (file, cost) in profile.files.iter().take(20) {
        println!("{}  {}", share(*cost), shorten(file));
    }
    println!("\nby line:");
    let mut sources = HashMap::new();
    for ((file, line), cost) in profile.lines.iter().take(60) {
        let text = source_line(&mut sources, file, *line);
        println!("{}  {}:{line}  {text}", share(*cost), shorten(file));
    }
    Ok(())
}

fn source_line(sources: &mut HashMap<String, String>, file: &str, line: u32) -> String {
    let text = sources
        .entry(file.to_owned())
        .or_insert_with(|| fs::read_to_string(root().join(file)).unwrap_or_default());
    let at = (line as usize).saturating_sub(1);
    text.lines().nth(at).unwrap_or_default().trim().to_owned()
}

/// The path without what leads to this repository or to the standard library.
fn shorten(file: &str) -> &str {
    let file = file.split_once("/library/").map_or(file, |(_, rest)| rest);
    let root = root();
    match Path::new(file).strip_prefix(&root) {
        Ok(rest) => rest.to_str().unwrap_or(file),
        Err(_) => file,
    }
}

/// A number without zeros at the end.
pub(crate) fn short(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_abbreviated() {
        assert_eq!(short(4.0), "4");
        assert_eq!(short(0.0), "0");
        assert_eq!(short(0.0625), "0.0625");
        assert_eq!(short(31.5), "31.5");
    }
}
