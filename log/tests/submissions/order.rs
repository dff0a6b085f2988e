//! Commands come into the log in the order of their numbers, whoever refuses them.

use quorate_log::SubmitError;
use quorate_log::submission::Config;

use super::board::{AT_MOST_ONCE, Board, NONE, due, leads, ms, propose};

const REFUSALS: [SubmitError; 2] = [SubmitError::Busy, SubmitError::LogFull];

/// Two commands, which were refused once: the next pass is over both.
fn refused_before(config: Config) -> Board {
    let mut board = Board::new(config);
    for (number, command) in (1..).zip(['a', 'b']) {
        board.submit(ms(0), command).unwrap();
        assert_eq!(board.due(ms(0), leads(3)).unwrap().number, number);
        board.submitted(ms(0), leads(3), number, Err(SubmitError::NotLeader(None)));
    }
    assert_eq!(due(&mut board, ms(0), leads(3)), NONE);
    board
}

#[test]
fn a_command_without_room_is_not_overtaken_when_the_pause_ends_within_a_turn() {
    for retry_us in [0, 20_000] {
        for refusal in REFUSALS {
            let mut board = refused_before(Config { retry_us, ..AT_MOST_ONCE });
            assert_eq!(board.due(ms(20), leads(3)).unwrap().number, 1);
            board.submitted(ms(20), leads(3), 1, Err(refusal));
            // the driver reads the clock anew within the turn, which ends nevertheless
            assert_eq!(board.due(ms(40), leads(3)).map(|due| due.number), None);
            assert!(board.deadline().is_some_and(|deadline| deadline <= ms(40)));
            assert_eq!(board.due(ms(40), leads(3)).unwrap().number, 1);
            propose(&mut board, ms(40), 1, 3, 11);
            assert_eq!(board.due(ms(40), leads(3)).unwrap().number, 2);
        }
    }
}

#[test]
fn a_command_without_room_is_not_overtaken_when_the_driver_leaves_its_loop() {
    for refusal in REFUSALS {
        // both were offered before, or the second was not
        let mut fresh = Board::new(AT_MOST_ONCE);
        for command in ['a', 'b'] {
            fresh.submit(ms(0), command).unwrap();
        }
        for mut board in [refused_before(AT_MOST_ONCE), fresh] {
            assert_eq!(board.due(ms(20), leads(3)).unwrap().number, 1);
            board.submitted(ms(20), leads(3), 1, Err(refusal));
            assert_eq!(board.deadline(), Some(ms(40)));
            assert_eq!(board.due(ms(40), leads(3)).map(|due| due.number), None);
            assert_eq!(board.deadline(), Some(ms(40)), "the next turn is at once");
            assert_eq!(due(&mut board, ms(40), leads(3)), [1, 2]);
        }
    }
}
