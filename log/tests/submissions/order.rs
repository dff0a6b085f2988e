//! Commands enter the log in the order of their numbers, even if some are refused first.

use quorate_core::Instant;
use quorate_log::submission::Config;
use quorate_log::{Leadership, SubmitError};

use super::board::{AT_MOST_ONCE, Board, EXACTLY_ONCE, NONE, ONE, TWO, due, leads, ms, propose};

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

#[test]
fn another_leader_ends_the_pause_of_a_refused_command() {
    let nobody = Leadership { leader: None, epoch: 4 };
    let elsewhere = Leadership { leader: Some(TWO), epoch: 3 };
    for between in [None, Some(nobody)] {
        let mut board = Board::new(AT_MOST_ONCE);
        board.submit(ms(0), 'a').unwrap();
        assert_eq!(board.due(ms(0), elsewhere).unwrap().number, 1);
        board.submitted(ms(0), elsewhere, 1, Err(SubmitError::NotLeader(Some(TWO))));
        assert_eq!(due(&mut board, ms(0), elsewhere), NONE);
        if let Some(nobody) = between {
            assert_eq!(due(&mut board, ms(0), nobody), NONE);
        }
        board.submit(ms(1), 'b').unwrap();
        assert_eq!(due(&mut board, ms(1), leads(4)), [1, 2]);
    }
}

#[test]
fn another_leader_within_a_turn_begins_with_the_first_command() {
    let elsewhere = Leadership { leader: Some(TWO), epoch: 3 };
    let mut board = Board::new(AT_MOST_ONCE);
    for command in ['a', 'b'] {
        board.submit(ms(0), command).unwrap();
    }
    assert_eq!(board.due(ms(0), elsewhere).unwrap().number, 1);
    board.submitted(ms(0), elsewhere, 1, Err(SubmitError::NotLeader(Some(TWO))));
    assert_eq!(due(&mut board, ms(0), leads(4)), [1, 2]);
}

#[test]
fn another_leader_does_not_end_what_the_application_postponed() {
    let mut board = Board::new(EXACTLY_ONCE);
    board.submit(ms(0), 'a').unwrap();
    board.submit(ms(0), 'b').unwrap();
    assert_eq!(board.due(ms(0), leads(3)).unwrap().number, 1);
    board.submitted(ms(0), leads(3), 1, Err(SubmitError::NotLeader(Some(ONE))));
    board.postpone(1, ms(500));
    board.postpone(2, Instant::MAX);
    assert_eq!(due(&mut board, ms(1), leads(4)), NONE);
    assert_eq!(due(&mut board, ms(500), leads(4)), [1]);
    // a refusal takes the place of what was postponed
    board.submitted(ms(500), leads(4), 1, Err(SubmitError::NotLeader(Some(ONE))));
    assert_eq!(due(&mut board, ms(501), leads(5)), [1]);
    // and so does a lost leader
    board.handed_over(ms(502), leads(5), 1, ONE);
    board.postpone(1, Instant::MAX);
    assert_eq!(due(&mut board, ms(503), leads(6)), [1]);
    board.submitted(ms(503), leads(6), 1, Err(SubmitError::NotLeader(Some(ONE))));
    assert_eq!(due(&mut board, ms(504), leads(7)), [1]);
}
