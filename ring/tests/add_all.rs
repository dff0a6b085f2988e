//! Several members of a ring at once.

use quorate_core::{NodeId, Rng};
use quorate_ring::{HashRing, Inline, KeyHash, Member};

type Ring = HashRing<Inline<4, 40>>;

#[test]
fn error_is_that_of_the_first_member_that_cannot_be_added() {
    let mut rng = Rng::new(24);
    let mut errors = std::collections::BTreeSet::new();
    for round in 0..4_000 {
        let members: Vec<Member> = (0..1 + rng.below(6))
            .map(|_| {
                let weight = [0, 1, 1, 2, 3, 60_000][rng.below(6) as usize];
                Member::new(NodeId::new(1 + rng.below(6))).with_weight(weight)
            })
            .collect();
        let mut ring = Ring::new(KeyHash::default(), 9);
        if round % 2 > 0 {
            assert!(ring.add(Member::new(NodeId::new(1))).is_ok());
        }
        let before = ring.clone();
        let mut one_by_one = ring.clone();
        let expected = members.iter().try_for_each(|member| one_by_one.add(*member));
        assert_eq!(ring.add_all(&members), expected, "{members:?}");
        assert_eq!(ring, if expected.is_ok() { one_by_one } else { before });
        errors.extend(expected.err().map(|error| error.to_string()));
    }
    assert!(errors.len() >= 6, "{errors:?}");
}
