//! Four records of 100 bytes and one durable commit, again and again: the write-ahead log beside storage crates.
//!
//! ```text
//! cargo run --release -- rate  [DIR]            commits per second, side by side, in turns
//! cargo run --release -- only ENGINE N [DIR]    N commits of one engine, to be counted by strace or callgrind
//! cargo run --release -- damage [DIR]           one byte in the middle is flipped, and the store opened again
//! ```
mod engines;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use engines::{ENGINES, Engine};

const RECORDS: u64 = 4;
const LEN: usize = 100;

/// Four records that begin with their number.
fn records(commit: u64) -> Vec<Vec<u8>> {
    let record = |i: u64| {
        let mut record = vec![0x5a; LEN];
        record[..8].copy_from_slice(&(commit * RECORDS + i).to_le_bytes());
        record
    };
    (0..RECORDS).map(record).collect()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["rate", ref dir @ ..] => rate(&place(dir)),
        ["only", name, n, ref dir @ ..] => {
            let engine = ENGINES.iter().find(|engine| engine.name == name).expect("an engine");
            only(engine, n.parse().expect("a number"), &place(dir));
        }
        ["damage", ref dir @ ..] => damage(&place(dir)),
        _ => eprintln!("usage: rate [DIR] | only ENGINE N [DIR] | damage [DIR]"),
    }
}

fn place(dir: &[&str]) -> PathBuf {
    let dir =
        dir.first().map_or_else(std::env::temp_dir, PathBuf::from).join("quorate-bench-storage");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a directory");
    dir
}

fn rate(dir: &Path) {
    const ROUNDS: usize = 7;
    const COMMITS: u64 = 2000;
    let mut stores: Vec<_> =
        ENGINES.iter().map(|e| (e.open)(&dir.join(e.name)).expect(e.name).0).collect();
    let mut rates = vec![Vec::new(); ENGINES.len()];
    for round in 0..ROUNDS as u64 {
        for (store, rates) in stores.iter_mut().zip(&mut rates) {
            let started = Instant::now();
            for commit in round * COMMITS..(round + 1) * COMMITS {
                store.commit(&records(commit));
            }
            rates.push(COMMITS as f64 / started.elapsed().as_secs_f64());
        }
    }
    println!(
        "{RECORDS} records of {LEN} bytes a commit, {ROUNDS} rounds of {COMMITS} commits in turns"
    );
    println!("{:<12} {:>8} {:>8} {:>8}   commits/s", "", "median", "least", "most");
    for (engine, rates) in ENGINES.iter().zip(&mut rates) {
        rates.sort_by(f64::total_cmp);
        let (least, median, most) = (rates[0], rates[ROUNDS / 2], rates[ROUNDS - 1]);
        println!("{:<12} {median:>8.0} {least:>8.0} {most:>8.0}", engine.name);
    }
}

fn only(engine: &Engine, n: u64, dir: &Path) {
    let (mut store, _) = (engine.open)(&dir.join(engine.name)).expect(engine.name);
    for commit in 0..n {
        store.commit(&records(commit));
    }
    // what closing costs is not of interest
    std::process::exit(0);
}

fn damage(dir: &Path) {
    const COMMITS: u64 = 200;
    for engine in &ENGINES {
        let dir = dir.join(engine.name);
        let (mut store, _) = (engine.open)(&dir).expect(engine.name);
        for commit in 0..COMMITS {
            store.commit(&records(commit));
        }
        drop(store);
        let hit = flip(&dir, COMMITS / 2 * RECORDS);
        let before = sizes(&dir);
        // a panic is an answer too
        let opened = std::panic::catch_unwind(|| (engine.open)(&dir).map(|(_, found)| found));
        let changed = if sizes(&dir) == before { "files as before" } else { "files changed" };
        println!("{}: hit {hit}: {changed}", engine.name);
        match opened {
            Ok(Ok(found)) => println!("    opened, {found} of {} records", COMMITS * RECORDS),
            Ok(Err(error)) => println!("    refused: {error}"),
            Err(_) => println!("    panicked"),
        }
    }
}

/// Flips a bit within the record with this number, in every file that has it.
fn flip(dir: &Path, number: u64) -> usize {
    let record = &records(number / RECORDS)[(number % RECORDS) as usize];
    let mut hit = 0;
    for path in files(dir) {
        let mut bytes = fs::read(&path).expect("a file");
        let places: Vec<usize> = bytes
            .windows(LEN - 20)
            .enumerate()
            .filter(|(_, w)| *w == &record[..LEN - 20])
            .map(|(at, _)| at)
            .collect();
        for &at in &places {
            bytes[at + 50] ^= 1;
            hit += 1;
        }
        if !places.is_empty() {
            fs::write(&path, bytes).expect("a file");
        }
    }
    hit
}

fn sizes(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = files(dir)
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap_or_default()))
        .collect();
    files.sort();
    files
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(_) => found.push(entry.path()),
            Err(_) => {}
        }
    }
    found
}
