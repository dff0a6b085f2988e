use super::group::Group;
use crate::noise::Noise;
use crate::{Failure, Scenario, TestBench};

/// The scenarios of the counter.
pub(super) const TALLY: &[Scenario] = &[
    board("count", "every board counts; all come to the same", count),
    board("cut", "boards count with every wire cut; healed, nothing is lost", count_partitioned),
    board("restart", "boards count and lose power; what they counted is there", count_and_crash),
    board("noise", "every wire flips, invents, repeats and loses frames", count_in_noise),
];

/// The scenarios of the set.
pub(super) const ROSTER: &[Scenario] = &[
    board("change", "every board adds and removes; all come to the same", change),
    board(
        "cut",
        "with every wire cut one removes what another adds again: it stays",
        change_partitioned,
    ),
    board("restart", "boards add and lose power; what they added is there", change_and_crash),
    board("noise", "every wire flips, invents, repeats and loses frames", change_in_noise),
];

const fn board(
    name: &'static str,
    about: &'static str,
    run: fn(&mut TestBench) -> Result<String, Failure>,
) -> Scenario {
    Scenario { name, about, server: false, run }
}

/// What a line may do to frames, and more of each than most lines do.
const ROUGH: Noise =
    Noise { flip: 10, garbage: 10, truncate: 5, drop: 15, replay: 20, foreign: 10 };

/// Counts up and down on every board; returns what that comes to.
fn load(boards: &Group<'_>, rounds: i64) -> Result<i64, Failure> {
    let mut sum = 0;
    for round in 1..=rounds {
        for id in 1..=3 {
            let (word, sign) = if (round + id) % 3 == 0 { ("down", -1) } else { ("up", 1) };
            boards.update(id.unsigned_abs(), &format!("{word} {round}"))?;
            sum += sign * round;
        }
    }
    Ok(sum)
}

fn count(bench: &mut TestBench) -> Result<String, Failure> {
    let mut boards = Group::start(bench, "value")?;
    let before = boards.bench().counts();
    let sum = load(&boards, 20)?;
    let took = boards.converge(&sum.to_string())?;
    let after = boards.bench().counts();
    Ok(format!(
        "60 updates, all hold {sum} {} ms after the last; {} bytes an update on all wires",
        took.as_millis(),
        (after.bytes - before.bytes) / 60
    ))
}

fn count_partitioned(bench: &mut TestBench) -> Result<String, Failure> {
    let mut boards = Group::start(bench, "value")?;
    boards.cut_all(true)?;
    let sum = load(&boards, 30)?;
    // nobody knows of the others
    for id in 1..=3 {
        if boards.value(id)? == Some(sum.to_string()) {
            return Err(Failure::Violation(format!("node {id} knows what it cannot")));
        }
    }
    boards.cut_all(false)?;
    let took = boards.converge(&sum.to_string())?;
    Ok(format!("90 updates apart, all hold {sum} {} ms after healing", took.as_millis()))
}

fn count_and_crash(bench: &mut TestBench) -> Result<String, Failure> {
    let mut boards = Group::start(bench, "value")?;
    let (mut sum, mut slowest) = (0, 0);
    for round in 0..3 {
        boards.cut_all(true)?;
        sum += load(&boards, 5)?;
        // the power goes right after the answer, before anybody has heard
        let victims: &[u64] = if round == 2 { &[1, 2, 3] } else { &[round + 1] };
        for id in victims {
            boards.bench().kill(*id);
        }
        boards.cut_all(false)?;
        for id in victims {
            boards.start_board(*id)?;
        }
        slowest = slowest.max(boards.converge(&sum.to_string())?.as_millis());
    }
    Ok(format!("3 power cuts, the last of all boards; all hold {sum}, {slowest} ms at most"))
}

fn count_in_noise(bench: &mut TestBench) -> Result<String, Failure> {
    let mut boards = Group::start(bench, "value")?;
    boards.bench().disturb(ROUGH);
    let sum = load(&boards, 20)?;
    // it comes about in the noise
    let took = boards.converge(&sum.to_string())?;
    let told = check_bad_frames(&boards)?;
    Ok(format!(
        "60 updates, all hold {sum} {} ms after the last, in the noise; {told}",
        took.as_millis()
    ))
}

fn check_bad_frames(boards: &Group<'_>) -> Result<String, Failure> {
    let bad = boards.sum("badframes")?;
    if bad == 0 {
        return Err(Failure::Unexpected(
            "no bad frame was counted: was there any noise?".to_owned(),
        ));
    }
    Ok(format!("{bad} bad frames counted"))
}

fn change(bench: &mut TestBench) -> Result<String, Failure> {
    let mut boards = Group::start(bench, "elements")?;
    for (id, line) in [(1, "add 7"), (2, "add 8"), (3, "add 9")] {
        boards.update(id, line)?;
    }
    boards.converge("7,8,9")?;
    boards.update(2, "remove 7")?;
    boards.update(3, "add 1")?;
    let took = boards.converge("1,8,9")?;
    boards.update(1, "clear")?;
    boards.converge("")?;
    // full is an error, and passes
    for element in 0..16 {
        boards.update(1, &format!("add {element}"))?;
    }
    if boards.update(1, "add 99").is_ok() {
        return Err(Failure::Unexpected("a full set takes more".to_owned()));
    }
    boards.update(1, "clear")?;
    boards.update(2, "add 5")?;
    boards.converge("5")?;
    Ok(format!(
        "agreed {} ms after an update; full with 16 elements, and not for ever",
        took.as_millis()
    ))
}

fn change_partitioned(bench: &mut TestBench) -> Result<String, Failure> {
    let mut boards = Group::start(bench, "elements")?;
    boards.update(1, "add 7")?;
    boards.update(1, "add 8")?;
    boards.converge("7,8")?;
    boards.cut_all(true)?;
    boards.update(1, "remove 7")?;
    boards.update(1, "remove 8")?;
    boards.update(2, "add 7")?; // at the same time: who adds wins
    boards.update(3, "add 9")?;
    boards.cut_all(false)?;
    let took = boards.converge("7,9")?;
    Ok(format!("added again beats removed; agreed {} ms after healing", took.as_millis()))
}

fn change_and_crash(bench: &mut TestBench) -> Result<String, Failure> {
    let mut boards = Group::start(bench, "elements")?;
    boards.cut_all(true)?;
    for (id, line) in [(1, "add 1"), (2, "add 2"), (3, "add 3"), (1, "add 4"), (1, "remove 4")] {
        boards.update(id, line)?;
    }
    for id in 1..=3 {
        boards.bench().kill(id);
    }
    boards.cut_all(false)?;
    for id in 1..=3 {
        boards.start_board(id)?;
    }
    let took = boards.converge("1,2,3")?;
    boards.update(3, "remove 1")?;
    boards.update(1, "add 6")?;
    boards.converge("2,3,6")?;
    Ok(format!("all boards lost power at once; agreed {} ms after", took.as_millis()))
}

fn change_in_noise(bench: &mut TestBench) -> Result<String, Failure> {
    let mut boards = Group::start(bench, "elements")?;
    boards.bench().disturb(ROUGH);
    for element in 0..10 {
        let id = element % 3 + 1;
        boards.update(id, &format!("add {element}"))?;
        if element % 2 == 1 {
            boards.update(id, &format!("remove {element}"))?;
        }
    }
    let took = boards.converge("0,2,4,6,8")?;
    let told = check_bad_frames(&boards)?;
    Ok(format!("agreed {} ms after the last of 15 updates, in the noise; {told}", took.as_millis()))
}
