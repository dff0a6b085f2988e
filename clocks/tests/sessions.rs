//! Each session guarantee alone and all together, against sets of writes.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorate_clocks::{Dot, Guarantees, Inline, Session, VersionVector};
use quorate_core::{Full, NodeId, Wire};

type Vector = VersionVector<Inline<3>>;
type Token = Session<Inline<3>>;

#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    Write(usize),
    /// Another client writes.
    Other(usize),
    /// A server takes over what another has.
    Spread(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0usize..3).prop_map(Step::Read),
        (0usize..3).prop_map(Step::Write),
        (0usize..3).prop_map(Step::Other),
        (0usize..3, 0usize..3).prop_map(|(a, b)| Step::Spread(a, b)),
    ];
    prop::collection::vec(step, 0..60)
}

fn guarantees() -> impl Strategy<Value = Guarantees> {
    any::<[bool; 4]>().prop_map(|[ryw, mr, mw, wfr]| Guarantees {
        read_your_writes: ryw,
        monotonic_reads: mr,
        monotonic_writes: mw,
        writes_follow_reads: wfr,
    })
}

proptest! {
    #[test]
    fn session_checks_match_model(steps in steps(), needs in guarantees()) {
        let mut servers = [(); 3].map(|()| (Vector::new(), BTreeSet::<Dot>::new()));
        let mut token = Token::new(needs);
        let (mut read, mut written) = (BTreeSet::<Dot>::new(), BTreeSet::<Dot>::new());
        for step in steps {
            match step {
                Step::Read(at) => {
                    let (vector, set) = &servers[at];
                    let allowed = (!needs.read_your_writes || written.is_subset(set))
                        && (!needs.monotonic_reads || read.is_subset(set));
                    match token.may_read(vector) {
                        Ok(()) => {
                            prop_assert!(allowed);
                            token.record_read(vector).unwrap();
                            read.extend(set);
                        }
                        Err(behind) => {
                            prop_assert!(!allowed);
                            prop_assert!(!set.contains(&behind.dot));
                            prop_assert!(read.contains(&behind.dot) || written.contains(&behind.dot));
                        }
                    }
                }
                Step::Write(at) => {
                    let (vector, set) = &mut servers[at];
                    let allowed = (!needs.monotonic_writes || written.is_subset(set))
                        && (!needs.writes_follow_reads || read.is_subset(set));
                    prop_assert_eq!(token.may_write(vector).is_ok(), allowed);
                    if allowed {
                        let dot = vector.increment(NodeId::new(at as u64).into()).unwrap();
                        set.insert(dot);
                        written.insert(dot);
                        token.record_write(dot).unwrap();
                    }
                }
                Step::Other(at) => {
                    let dot = servers[at].0.increment(NodeId::new(at as u64).into()).unwrap();
                    servers[at].1.insert(dot);
                }
                Step::Spread(to, from) => {
                    let (vector, set) = servers[from].clone();
                    servers[to].0.merge(&vector).unwrap();
                    servers[to].1.extend(set);
                }
            }
            let mut buffer = [0; 128];
            let bytes = token.to_slice(&mut buffer).unwrap();
            prop_assert_eq!(Token::from_slice(bytes), Ok(token.clone()));
        }
    }
}

#[test]
fn full_session_is_unchanged() {
    let mut server = Vector::new();
    let [a, b] = [1, 2].map(|n| server.increment(NodeId::new(n).into()).unwrap());
    let mut token = Session::<Inline<1>>::new(Guarantees::ALL);
    token.record_write(a).unwrap();
    let before = token.clone();
    assert_eq!(token.record_write(b), Err(Full));
    assert_eq!(token.record_read(&server), Err(Full));
    assert_eq!(token, before);
}
