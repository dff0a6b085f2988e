//! Nodes are killed and started, join and leave, and no acknowledged value is lost.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::Program;

const KEYS: usize = 20;

#[test]
fn last_write_wins() {
    let mut program = Program::start(&[]);
    one_is_down(&mut program);
    members_change(&mut program);
    program.finish();
}

#[test]
fn registers() {
    let mut program = Program::start(&["--register"]);
    one_is_down(&mut program);
    members_change(&mut program);
    program.finish();
}

/// A node that starts while another one is down misses it as all others do.
#[test]
fn node_that_starts_misses_those_that_are_down() {
    let mut program = Program::start(&[]);
    program.insist("put color blue w=3");
    let (replicas, _) = places(&program.say("where color"));
    let [one, other, _] = replicas[..] else { panic!("{replicas:?}") };
    program.say_all(&[&format!("kill {one}"), &format!("kill {other}")]);
    program.say_all(&[&format!("start {other}"), "wait noticed"]);
    let refused = program.say(&format!("try put color red w=3 at={other}"));
    assert_eq!(refused, "failed: 3 replicas must answer, and 2 are up");
    program.say_all(&[&format!("start {one}"), "wait noticed"]);
    program.insist(&format!("put color red w=3 at={other}"));
    program.finish();
}

/// W = 3 fails while a replica is down, a stand-in keeps a hint, and hands it over.
fn one_is_down(program: &mut Program) {
    program.insist("put color blue w=2");
    assert_eq!(program.insist("get color r=2 at=5"), "color is \"blue\"");
    let (replicas, stand_ins) = places(&program.say("where color"));
    assert_eq!((replicas.len(), stand_ins.len()), (3, 2));
    let down = replicas[0];
    program.say(&format!("kill {down}"));
    let failed = program.say("try put color red w=3");
    assert!(failed.starts_with("failed: "), "{failed}");
    program.say("wait noticed");
    let refused = program.say("try put color red w=3");
    assert_eq!(refused, "failed: 3 replicas must answer, and 2 are up");
    assert_eq!(program.say("hints"), "no node keeps hints");

    program.insist("put color green w=3 sloppy");
    let hints = program.say("hints");
    assert!(stand_ins.iter().any(|id| hints.contains(&format!("node {id} keeps"))), "{hints}");
    let told = program.say("where color");
    assert!(told.contains(&format!("node {down} is down")), "{}", told);

    program.say(&format!("start {down}"));
    program.say_all(&["wait noticed", "wait handed", "wait copies color"]);
    assert_eq!(program.say("hints"), "no node keeps hints");
    let told = program.say("where color");
    assert!(told.contains(&format!("node {down} has \"green\"")), "{}", told);
    let nodes = program.say("nodes");
    assert!(handed_over(&nodes) > 0, "{nodes}");
    assert_eq!(program.insist(&format!("get color r=all at={down}")), "color is \"green\"");
}

/// A node that will not come back is taken out, though it cannot take part in that.
#[test]
fn lost_node_is_taken_out() {
    let mut program = Program::start(&[]);
    program.insist("fill 20");
    assert_eq!(program.say("try lost 1"), "failed: node 1 runs: kill 1 ends it");
    program.say_all(&["kill 1", "leave 1", "lost 1", "wait moved"]);
    for number in 1..=KEYS {
        program.say(&format!("wait copies key-{number}"));
        assert!(!lives_on(&mut program, &format!("key-{number}"), 1));
        let told = program.insist(&format!("get key-{number} r=all"));
        assert_eq!(told, format!("key-{number} is \"value-{number}\""));
    }
    program.finish();
}

/// Keys move to a node that joins, and away from it when it leaves; all are written meanwhile.
fn members_change(program: &mut Program) {
    let mut values: Vec<(String, String)> = (1..=KEYS)
        .map(|number| (format!("key-{number}"), format!("value-{number}")))
        .chain([("color".into(), "green".into())])
        .collect();
    program.insist(&format!("fill {KEYS}"));
    change(program, "join 6", &mut values);
    assert!(values.iter().any(|(key, _)| lives_on(program, key, 6)));
    change(program, "leave 6", &mut values);
    assert!(!values.iter().any(|(key, _)| lives_on(program, key, 6)));
}

fn change(program: &mut Program, how: &str, values: &mut [(String, String)]) {
    let mark = how.replace(' ', "-");
    let mut written = values[..KEYS].iter_mut().step_by(2);
    let (key, value) = written.next().unwrap();
    *value = format!("{value}-{mark}");
    // in one go, so that the write comes while the keys move, unless they are quicker
    let told = program.say_all(&[how, &format!("put {key} {value}")]);
    assert!(told[0].contains(" move\n"), "{}", told[0]);
    for (key, value) in written {
        *value = format!("{value}-{mark}");
        program.insist(&format!("put {key} {value}"));
    }
    program.demand(values);
    program.say("wait moved");
    program.demand(values);
    for (key, _) in values.iter() {
        program.say(&format!("wait copies {key}"));
    }
    program.demand(values);
}

fn lives_on(program: &mut Program, key: &str, id: u64) -> bool {
    places(&program.say(&format!("where {key}"))).0.contains(&id)
}

/// Replicas and stand-ins, as `where` tells them.
fn places(told: &str) -> (Vec<u64>, Vec<u64>) {
    let ids = |after: &str| {
        let (_, rest) = told.split_once(after).unwrap();
        let list = rest.split([';', ',']).next().unwrap();
        list.split_whitespace().map(|id| id.parse().unwrap()).collect()
    };
    (ids("lives on "), ids("stand-ins are "))
}

/// The sum of a column of the table of nodes.
fn handed_over(nodes: &str) -> u64 {
    let column = |line: &str| line.split_whitespace().nth(5)?.parse::<u64>().ok();
    nodes.lines().skip(1).filter_map(column).sum()
}
