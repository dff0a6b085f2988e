//! What is told of commands at their end.

use quorate_core::{Fatal, Instant};
#[cfg(feature = "alloc")]
use quorate_log::Heap;
use quorate_log::submission::{Inline, Outcome, Storage, Submissions};
use quorate_log::{Forwarded, Leadership, Notice, Proposal, SubmitError};

use super::board::{
    AT_MOST_ONCE, Board, EXACTLY_ONCE, NONE, TWO, due, forward, leads, ms, notice, propose, told,
};

#[test]
fn what_the_log_never_takes_ends_at_once() {
    for reason in [SubmitError::TooLarge, SubmitError::Stopped] {
        let mut board = Board::new(EXACTLY_ONCE);
        board.submit(ms(0), 'a').unwrap();
        board.submit(ms(0), 'b').unwrap();
        board.submitted(ms(0), leads(3), 1, Err(reason));
        assert_eq!(board.deadline(), Some(Instant::ZERO));
        assert_eq!(board.outcome(ms(0)), Some((1, 'a', Outcome::Refused(reason))));
        assert_eq!(board.outcome(ms(0)), None);
        assert_eq!(due(&mut board, ms(0), leads(3)), [2]);
    }
}

#[test]
fn deadlines_tell_what_is_known() {
    let mut board = Board::new(AT_MOST_ONCE);
    for command in ['a', 'b', 'c'] {
        board.submit(ms(0), command).unwrap();
    }
    propose(&mut board, ms(0), 1, 3, 10);
    board.submitted(ms(0), leads(3), 2, Err(SubmitError::NotLeader(Some(TWO))));
    assert_eq!(board.outcome(ms(9_999)), None);
    assert_eq!(board.outcome(ms(10_000)), Some((1, 'a', Outcome::Unknown)));
    let asked = SubmitError::NotLeader(Some(TWO));
    assert_eq!(board.outcome(ms(10_000)), Some((2, 'b', Outcome::Refused(asked))));
    let no_leader = SubmitError::NotLeader(None);
    assert_eq!(board.outcome(ms(10_000)), Some((3, 'c', Outcome::Refused(no_leader))));
    assert_eq!(board.outcome(ms(10_000)), None);
}

#[test]
fn a_stopped_log_ends_everything() {
    let stopped = Outcome::Refused(SubmitError::Stopped);
    let mut board = Board::new(EXACTLY_ONCE);
    board.submit(ms(0), 'a').unwrap();
    board.submit(ms(0), 'b').unwrap();
    propose(&mut board, ms(0), 2, 3, 11);
    notice(&mut board, ms(0), Notice::Fatal(Fatal::LostState));
    assert_eq!(board.deadline(), Some(Instant::ZERO));
    assert_eq!(board.outcome(ms(0)), Some((1, 'a', stopped)));
    assert_eq!(board.outcome(ms(0)), Some((2, 'b', Outcome::Unknown)));
    assert_eq!(board.outcome(ms(0)), None);
    assert!(board.is_empty());
    // what comes in later ends at once, though no leader is known that could refuse it
    board.submit(ms(1), 'c').unwrap();
    assert_eq!(due(&mut board, ms(1), leads(3)), NONE);
    assert_eq!(board.deadline(), Some(Instant::ZERO));
    assert_eq!(board.outcome(ms(1)), Some((3, 'c', stopped)));
    assert_eq!((board.outcome(ms(1)), board.deadline()), (None, None));
}

#[test]
fn outcomes_say_whether_the_command_may_be_in_the_log() {
    for outcome in [Outcome::Lost, Outcome::Refused(SubmitError::Busy)] {
        assert!(outcome.is_certainly_absent());
        assert!(outcome.to_string().contains("not executed"), "{outcome}");
    }
    for outcome in [Outcome::Committed, Outcome::Unknown] {
        assert!(!outcome.is_certainly_absent());
    }
    assert!(Outcome::Unknown.to_string().contains("may or may not"));
}

#[test]
fn a_refused_repeat_leaves_the_first_message_on_its_way() {
    let refusals = [
        SubmitError::NotLeader(Some(TWO)),
        SubmitError::Busy,
        SubmitError::LogFull,
        SubmitError::TooLarge,
        SubmitError::Stopped,
    ];
    for reason in refusals {
        let mut board = Board::new(EXACTLY_ONCE);
        board.submit(ms(0), 'a').unwrap();
        board.handed_over(ms(0), leads(3), 1, TWO);
        assert_eq!(due(&mut board, ms(1_000), leads(3)), [1]);
        board.submitted(ms(1_000), leads(3), 1, Err(reason));
        assert_eq!(board.known(1), Some(Outcome::Unknown), "{reason}");
        // nor does a refusal of the next message make anything certain
        let attempt = board.handed_over(ms(1_020), leads(3), 1, TWO);
        board.refused(ms(1_021), 1, attempt, TWO, SubmitError::Busy);
        assert_eq!(board.known(1), Some(Outcome::Unknown), "{reason}");
    }
}

#[test]
fn outcomes_go_on_where_the_last_one_was() {
    fn check<S: Storage>() {
        let mut submissions = Submissions::<char, S>::new(AT_MOST_ONCE);
        for (millis, command) in [(9, 'a'), (5, 'b'), (7, 'c'), (5, 'd')] {
            submissions.submit_until(ms(millis), command).unwrap();
        }
        let mut outcome = |millis| submissions.outcome(ms(millis)).map(|(_, command, _)| command);
        assert_eq!((outcome(4), outcome(5)), (None, Some('b')));
        // what was passed over has its turn, though its time comes before the others were looked at
        assert_eq!((outcome(9), outcome(9), outcome(9)), (Some('c'), Some('d'), Some('a')));
        assert_eq!(outcome(9), None);
        submissions.submit_until(ms(20), 'e').unwrap();
        submissions.submit_until(ms(10), 'f').unwrap();
        submissions.submit_until(ms(10), 'g').unwrap();
        assert!(submissions.outcome(ms(10)).is_some_and(|(_, command, _)| command == 'f'));
        submissions.stop();
        let mut outcome = |millis| submissions.outcome(ms(millis)).map(|(_, command, _)| command);
        assert_eq!((outcome(10), outcome(10), outcome(10)), (Some('e'), Some('g'), None));
        assert!(submissions.outcome(Instant::MAX).is_none());
    }
    check::<Inline<4>>();
    #[cfg(feature = "alloc")]
    check::<Heap>();
}

#[test]
fn what_ends_behind_the_last_outcome_is_told_as_well() {
    let mut board = Board::new(AT_MOST_ONCE);
    board.submit_until(ms(9), 'a').unwrap();
    board.submit_until(ms(5), 'b').unwrap();
    forward(&mut board, ms(0), 1, 7);
    assert!(board.outcome(ms(5)).is_some_and(|(number, ..)| number == 2));
    notice(&mut board, ms(5), told(7, 1, Forwarded::Unknown));
    assert_eq!(board.outcome(ms(5)), Some((1, 'a', Outcome::Unknown)));
}

#[test]
fn a_command_that_was_held_back_is_told_why() {
    for reason in [SubmitError::Busy, SubmitError::LogFull] {
        let mut board = Board::new(EXACTLY_ONCE);
        for command in ['a', 'b'] {
            board.submit(ms(0), command).unwrap();
        }
        assert_eq!(board.due(ms(0), leads(3)).unwrap().number, 1);
        board.submitted(ms(0), leads(3), 1, Err(reason));
        assert_eq!(due(&mut board, ms(1), leads(3)), NONE);
        assert_eq!(board.known(2), Some(Outcome::Refused(reason)));
        board.submit(ms(1), 'c').unwrap();
        assert_eq!(board.give_up(3), Some(('c', Outcome::Refused(reason))));
        // there may be room again, but the first command has not been tried yet
        notice(&mut board, ms(1), Notice::Committed(quorate_log::Entries::new(1, 0, &[])));
        assert_eq!(board.outcome(ms(10_000)), Some((1, 'a', Outcome::Refused(reason))));
        assert_eq!(board.outcome(ms(10_000)), Some((2, 'b', Outcome::Refused(reason))));
        // nothing is held back any more
        board.submit(ms(10_000), 'd').unwrap();
        let no_leader = SubmitError::NotLeader(None);
        assert_eq!(board.known(4), Some(Outcome::Refused(no_leader)));
    }
}

#[test]
fn room_in_the_log_ends_what_held_commands_back() {
    let mut board = Board::new(EXACTLY_ONCE);
    for command in ['a', 'b'] {
        board.submit(ms(0), command).unwrap();
    }
    assert_eq!(board.due(ms(0), leads(3)).unwrap().number, 1);
    board.submitted(ms(0), leads(3), 1, Err(SubmitError::LogFull));
    assert_eq!(due(&mut board, ms(0), leads(3)), NONE);
    // one that is too large says nothing of room for the others
    board.submit(ms(1), 'c').unwrap();
    board.submitted(ms(1), leads(3), 3, Err(SubmitError::TooLarge));
    assert_eq!(board.known(3), Some(Outcome::Refused(SubmitError::TooLarge)));
    assert_eq!(board.known(2), Some(Outcome::Refused(SubmitError::LogFull)));

    assert_eq!(board.due(ms(20), leads(3)).unwrap().number, 1);
    let elsewhere = SubmitError::NotLeader(Some(TWO));
    board.submitted(ms(20), leads(3), 1, Err(elsewhere));
    assert_eq!(board.known(1), Some(Outcome::Refused(elsewhere)));
    assert_eq!(board.due(ms(20), leads(3)).unwrap().number, 2);
    board.submitted(ms(20), leads(3), 2, Err(SubmitError::LogFull));
    assert_eq!(due(&mut board, ms(20), leads(3)), NONE);

    assert_eq!(board.due(ms(40), leads(3)).unwrap().number, 1);
    propose(&mut board, ms(40), 1, 3, 11);
    assert_eq!(board.due(ms(40), leads(3)).unwrap().number, 2);
    board.submitted(ms(40), leads(3), 2, Err(elsewhere));
    assert_eq!(board.known(2), Some(Outcome::Refused(elsewhere)));
    assert_eq!(board.known(1), Some(Outcome::Unknown), "it was proposed");
}

#[test]
fn a_reason_does_not_outlive_its_leader() {
    let no_leader = Outcome::Refused(SubmitError::NotLeader(None));
    let nobody = Leadership { leader: None, epoch: 4 };
    for reason in [SubmitError::NotLeader(Some(TWO)), SubmitError::Busy, SubmitError::LogFull] {
        let mut board = Board::new(EXACTLY_ONCE);
        for command in ['a', 'b', 'c'] {
            board.submit(ms(0), command).unwrap();
        }
        // the first was proposed, and its place went to another entry
        propose(&mut board, ms(0), 1, 3, 11);
        assert_eq!(board.applied_at(Proposal { epoch: 4, index: 11 }), None);
        assert_eq!(board.due(ms(0), leads(3)).unwrap().number, 1);
        assert_eq!(board.due(ms(0), leads(3)).unwrap().number, 2);
        board.submitted(ms(0), leads(3), 2, Err(reason));
        assert_eq!(board.known(2), Some(Outcome::Refused(reason)));
        assert_eq!(due(&mut board, ms(1), nobody), NONE);
        assert_eq!(board.outcome(ms(10_000)), Some((1, 'a', Outcome::Lost)), "{reason}");
        assert_eq!(board.outcome(ms(10_000)), Some((2, 'b', no_leader)), "{reason}");
        assert_eq!(board.outcome(ms(10_000)), Some((3, 'c', no_leader)), "{reason}");
    }
}

#[test]
fn what_has_ended_keeps_its_outcome_when_the_log_stops() {
    let mut board = Board::new(AT_MOST_ONCE);
    for (number, command) in (1..).zip(['a', 'b', 'c', 'd']) {
        board.submit(ms(0), command).unwrap();
        if number < 3 {
            forward(&mut board, ms(0), number, number);
        }
    }
    board.applied_at(Proposal { epoch: 3, index: 21 });
    notice(&mut board, ms(1), told(1, 1, Forwarded::Proposed(Proposal { epoch: 3, index: 21 })));
    board.submitted(ms(1), leads(3), 3, Err(SubmitError::TooLarge));
    board.submitted(ms(1), leads(3), 4, Err(SubmitError::Busy));
    // nor does what the log says of others, or of old proposals, change it
    notice(&mut board, ms(1), Notice::Dropped { before: 5, after: 30 });
    board.stop();
    assert_eq!(board.outcome(ms(1)), Some((1, 'a', Outcome::Committed)));
    assert_eq!(board.outcome(ms(1)), Some((2, 'b', Outcome::Unknown)));
    assert_eq!(board.outcome(ms(1)), Some((3, 'c', Outcome::Refused(SubmitError::TooLarge))));
    assert_eq!(board.outcome(ms(1)), Some((4, 'd', Outcome::Refused(SubmitError::Stopped))));
    assert_eq!(board.outcome(ms(1)), None);
}

#[test]
fn a_late_refusal_says_nothing_of_the_next_attempt() {
    let mut board = Board::new(AT_MOST_ONCE);
    board.submit(ms(0), 'a').unwrap();
    assert_eq!(due(&mut board, ms(0), leads(3)), [1]);
    let first = board.handed_over(ms(0), leads(3), 1, TWO);
    board.refused(ms(1), 1, first, TWO, SubmitError::Busy);
    assert_eq!(board.known(1), Some(Outcome::Refused(SubmitError::Busy)));
    assert_eq!(due(&mut board, ms(21), leads(3)), [1]);
    let second = board.handed_over(ms(21), leads(3), 1, TWO);
    // the network delivers the refusal twice
    board.refused(ms(22), 1, first, TWO, SubmitError::Busy);
    assert_eq!(board.known(1), Some(Outcome::Unknown));
    assert_eq!(due(&mut board, ms(5_000), leads(3)), NONE, "it may be proposed");
    board.refused(ms(5_000), 1, second, TWO, SubmitError::Busy);
    assert_eq!(board.known(1), Some(Outcome::Refused(SubmitError::Busy)));
    assert_eq!(due(&mut board, ms(5_020), leads(3)), [1]);
}

#[test]
fn attempts_of_different_commands_have_different_numbers() {
    let mut board = Board::new(AT_MOST_ONCE);
    board.submit(ms(0), 'a').unwrap();
    board.submit(ms(0), 'b').unwrap();
    let first = board.handed_over(ms(0), leads(3), 1, TWO);
    let second = board.handed_over(ms(0), leads(3), 2, TWO);
    assert_ne!(first, second);
    board.refused(ms(1), 1, second, TWO, SubmitError::Busy);
    assert_eq!(board.known(1), Some(Outcome::Unknown));
}
