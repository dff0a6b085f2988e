//! How even the placements are, and what moves when a member comes, as one table: `UPDATE=1` rewrites it.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

use core::fmt::Write as _;

use quorate_core::{NodeId, Rng};
use quorate_ring::{HashRing, Heap, Jump, KeyHash, Member, Modulo, Placement, Rendezvous, Token};

const fn node(id: usize) -> NodeId {
    NodeId::new(id as u64)
}

/// What is measured: with so many nodes, of random keys.
struct Measured {
    /// The largest share, as a multiple of the mean, in thousandths.
    largest: usize,
    /// How many keys moved when one more node came, in millionths.
    moved: usize,
    /// How many of them moved between nodes that were there before.
    spurious: usize,
}

fn measure<P: Placement + for<'k> Placement<Position<'k> = Token>>(
    nodes: usize,
    keys: usize,
    before: &P,
    after: &P,
) -> Measured {
    let mut rng = Rng::new(7);
    let mut shares = vec![0; nodes + 2];
    let (mut moved, mut spurious) = (0, 0);
    for _ in 0..keys {
        let token = Token::new(rng.next_u64());
        let (old, new) = (before.owner(token).unwrap(), after.owner(token).unwrap());
        shares[old.get() as usize] += 1;
        if old != new {
            moved += 1;
            spurious += usize::from(new != node(nodes + 1));
        }
    }
    let largest = shares.iter().max().unwrap() * 1_000 * nodes / keys;
    Measured { largest, moved: moved * 1_000_000 / keys, spurious: spurious * 1_000_000 / keys }
}

fn ring(nodes: usize, keys: usize, points: u16) -> Measured {
    let members: Vec<_> = (1..=nodes).map(|id| Member::new(node(id))).collect();
    let mut before = HashRing::<Heap>::new(KeyHash::default(), points);
    before.add_all(&members).unwrap();
    let mut after = before.clone();
    after.add(Member::new(node(nodes + 1))).unwrap();
    measure(nodes, keys, &before, &after)
}

macro_rules! measured {
    ($nodes:expr, $keys:expr, $placement:expr) => {{
        let mut before = $placement;
        (1..=$nodes).for_each(|id| before.add(Member::new(node(id))).unwrap());
        let mut after = before.clone();
        after.add(Member::new(node($nodes + 1))).unwrap();
        measure($nodes, $keys, &before, &after)
    }};
}

#[test]
fn balance_and_moves_are_those_of_the_table() {
    let hash = KeyHash::default();
    let mut found = String::from(
        "largest: the largest share / the mean; moved: keys that move when a node comes, in a million;\n\
         spurious: those of them that move between nodes that were there before\n\
         with k random keys a node, the largest is about 1 + 3/sqrt(k) by chance: 1.95 for 10, 1.21 for 200, 1.09 for 1,000\n\n\
         placement           nodes   keys    largest    moved  ideal spurious\n",
    );
    for nodes in [10_usize, 100, 1_000] {
        let keys = if nodes == 1_000 { 200_000 } else { 100_000 };
        let few = if nodes == 1_000 { 10_000 } else { keys };
        for (name, keys, measured) in [
            ("ring, 100 points", keys, ring(nodes, keys, 100)),
            ("ring, 256 points", keys, ring(nodes, keys, 256)),
            ("rendezvous", few, measured!(nodes, few, Rendezvous::<Heap>::new(hash))),
            ("jump", keys, measured!(nodes, keys, Jump::<Heap>::new(hash))),
            ("modulo", keys, measured!(nodes, keys, Modulo::<Heap>::new(hash))),
        ] {
            let Measured { largest, moved, spurious } = measured;
            let (whole, rest) = (largest / 1_000, largest % 1_000);
            let ideal = 1_000_000 / (nodes + 1);
            writeln!(
                found,
                "{name:<18} {nodes:>6} {keys:>6}   {whole:>4}.{rest:03} {moved:>8} {ideal:>6} \
                 {spurious:>8}"
            )
            .unwrap();
            if name != "modulo" {
                assert_eq!(spurious, 0, "{name}");
                // as many as the new node has: its share, as uneven as the others
                assert!((ideal / 2..ideal * 2).contains(&moved), "{name}: {moved} moved");
            }
            // shares vary by 1/sqrt(points) and by 1/sqrt(keys of a node): the largest by four times both at most
            let of_points = match name {
                "ring, 100 points" => 1.0 / 100.0,
                "ring, 256 points" => 1.0 / 256.0,
                _ => 0.0,
            };
            let of_keys = nodes as f64 / keys as f64;
            let bound = 1_000.0 + 4_000.0 * f64::sqrt(of_points + of_keys);
            assert!((largest as f64) < bound, "{name}: {largest} of at most {bound}");
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/balance.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    let wanted = std::fs::read_to_string(path).unwrap_or_default();
    assert!(wanted == found, "{path} says\n{wanted}\nbut it is\n{found}\nUPDATE=1 takes it over");
}
