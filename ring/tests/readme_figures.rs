//! The README's figures are those of the code: sizes in bytes, and shares of the circle.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use quorate_core::NodeId;
use quorate_ring::ranges::{self, Ranges, SplitFinder};
use quorate_ring::{
    Bounded, Divided, HashRing, Heap, Inline, Jump, KeyHash, Member, Modulo, Moves, Partitions,
    Placement, PreferenceList, Rendezvous, Slots, TokenRange,
};

const README: &str = include_str!("../README.md");

/// The cells of the README's table rows that begin with this.
fn row(beginning: &str) -> Vec<&'static str> {
    let line = README.lines().find(|line| line.starts_with(beginning));
    let line = line.unwrap_or_else(|| panic!("no row {beginning}"));
    line.trim_matches('|').split('|').map(str::trim).collect()
}

/// A number as the README writes it.
fn number(cell: &str) -> usize {
    cell.trim_end_matches(" B").replace(',', "").parse().unwrap()
}

#[cfg(target_pointer_width = "64")]
#[test]
fn sizes_are_those_of_the_formulas() {
    const fn up(bytes: usize) -> usize {
        bytes.next_multiple_of(8)
    }
    macro_rules! sizes {
        ($($formula:literal: $($type:ty => $bytes:expr),+;)+) => {$(
            assert!(README.contains($formula), "the README lacks {}", $formula);
            $(assert_eq!(size_of::<$type>(), up($bytes), "{}", stringify!($type));)+
        )+};
    }
    sizes! {
        "| 56 + 16 M + 10 P |": HashRing<Inline<8, 256>> => 56 + 16 * 8 + 10 * 256,
            HashRing<Inline<5, 33>> => 56 + 16 * 5 + 10 * 33;
        "| 48 + 24 M |": Rendezvous<Inline<8>> => 48 + 24 * 8, Rendezvous<Inline<3>> => 48 + 24 * 3;
        "| 48 + 16 B |": Jump<Inline<0, 8>> => 48 + 16 * 8, Jump<Inline<9, 3>> => 48 + 16 * 3;
        "| 32 + 16 M |": Modulo<Inline<8>> => 32 + 16 * 8, Modulo<Inline<3>> => 32 + 16 * 3;
        "| 24 + 16 M + 24 R |": Slots<Inline<8, 9>> => 24 + 16 * 8 + 24 * 9;
        "| 80 + 32 M + 10 P |": Bounded<Inline<8, 256>> => 80 + 32 * 8 + 10 * 256;
        "| 8 + that of P |": Partitions<Modulo<Inline<8>>> => 8 + size_of::<Modulo<Inline<8>>>();
        "| 16 + R (16 + 8 N + K) |": Ranges<ranges::Inline<16, 8, 3>> => 16 + 16 * (16 + 8 * 3 + 8),
            Ranges<ranges::Inline<4, 24, 1>> => 16 + 4 * (16 + 8 + 24);
        "| 24 + S (32 + K) |": SplitFinder<16, 8> => 24 + 16 * (32 + 8),
            SplitFinder<4, 16> => 24 + 4 * (32 + 16);
        "an iterator of 5,432 bytes": Moves<'static, HashRing<Heap>> => 5_432;
        "4 members with 64 points each: 2,680 bytes": HashRing<Inline<4, 256>> => 2_680;
    }
    assert_eq!(number(row("| `PreferenceList` |")[1]), size_of::<PreferenceList>());
}

/// The largest share of the circle, as a multiple of the mean, in hundredths.
fn largest_share(members: u64, points: u16, key: u64) -> u128 {
    let mut ring = HashRing::<Heap>::new(KeyHash::new([key, 0]), points);
    let all: Vec<Member> = (1..=members).map(|id| Member::new(NodeId::new(id))).collect();
    ring.add_all(&all).unwrap();
    let mut shares = vec![0_u128; all.len()];
    let mut at = ring.first_token();
    loop {
        let end = ring.end_of_range(at);
        shares[ring.owner(at).unwrap().get() as usize - 1] += TokenRange::new(at, end).len();
        at = end.next();
        if at == ring.first_token() {
            break;
        }
    }
    assert_eq!(shares.iter().sum::<u128>(), 1 << 64);
    (shares.iter().max().unwrap() * u128::from(members) * 100 + (1 << 63)) >> 64
}

#[test]
fn shares_are_those_of_the_table() {
    for points in [16, 64, 100, 256] {
        let cells = row(&format!("| {points} | "));
        assert_eq!(number(cells[1]), 100 * (16 + 10 * usize::from(points)));
        for (members, cell) in [10, 100, 1_000].into_iter().zip(&cells[2..]) {
            if cfg!(debug_assertions) && members * u64::from(points) > 30_000 {
                continue; // it takes seconds without optimization
            }
            let mut shares: Vec<_> =
                (0..5).map(|key| largest_share(members, points, key)).collect();
            shares.sort_unstable();
            let median = format!("{}.{:02}", shares[2] / 100, shares[2] % 100);
            assert_eq!(*cell, median, "{points} points, {members} members");
        }
    }
}
