//! Commands on their way into a log: each has one outcome, whatever becomes of leaders and messages.
#![allow(clippy::unwrap_used, clippy::panic)]

mod board;
mod order;
mod outcomes;
mod random;

use board::{
    AT_MOST_ONCE, Board, EXACTLY_ONCE, NONE, ONE, TWO, due, forward, leads, ms, notice, propose,
    told,
};
use quorate_core::{Full, Instant};
#[cfg(feature = "alloc")]
use quorate_log::Heap;
use quorate_log::submission::{Config, Inline, Outcome, Storage, Submissions};
use quorate_log::{Forwarded, Leadership, Notice, Proposal, SubmitError};

#[test]
fn commands_are_due_in_order_once_a_leader_is_known() {
    let mut board = Board::new(AT_MOST_ONCE);
    for command in ['a', 'b', 'c'] {
        board.submit(ms(0), command).unwrap();
    }
    let nobody = Leadership { leader: None, epoch: 2 };
    assert_eq!(due(&mut board, ms(0), nobody), NONE);
    assert_eq!(board.deadline(), Some(ms(10_000)), "without a leader nothing is due");
    assert_eq!(due(&mut board, ms(1), leads(3)), [1, 2, 3]);
    for number in 1..=3 {
        propose(&mut board, ms(1), number, 3, 10 + number);
    }
    assert_eq!(due(&mut board, ms(9_999), leads(3)), NONE);
    board.submit(ms(9_999), 'd').unwrap();
    assert_eq!(due(&mut board, ms(9_999), leads(3)), [4]);
}

#[test]
fn the_window_begins_at_the_oldest_undecided_command() {
    fn check<S: Storage>() {
        let config = Config { max_pending: 4, ..AT_MOST_ONCE };
        let mut submissions = Submissions::<char, S>::new(config);
        for number in 1..=4 {
            assert_eq!(submissions.submit(ms(0), 'x'), Ok(number));
        }
        assert_eq!(submissions.submit(ms(0), 'x'), Err(Full));
        assert_eq!((submissions.applied(3), submissions.applied(2)), (Some('x'), Some('x')));
        assert_eq!(submissions.submit(ms(0), 'x'), Err(Full), "the first is undecided");
        assert_eq!((submissions.floor(), submissions.len()), (0, 2));
        assert_eq!(submissions.applied(1), Some('x'));
        assert_eq!((submissions.floor(), submissions.len()), (3, 1));
        for number in 5..=7 {
            assert_eq!(submissions.submit(ms(0), 'y'), Ok(number));
        }
        assert!(!submissions.has_room());
        assert_eq!((submissions.get(4), submissions.get(5)), (Some(&'x'), Some(&'y')));
        assert_eq!((submissions.get(3), submissions.get(8)), (None, None));
        for number in 4..=7 {
            submissions.applied(number).unwrap();
        }
        assert!(submissions.is_empty());
        assert_eq!((submissions.floor(), submissions.deadline()), (7, None));
        // round and round
        for number in 8..=99 {
            assert_eq!(submissions.submit(ms(0), 'z'), Ok(number));
            assert_eq!(submissions.applied(number), Some('z'));
        }
    }
    check::<Inline<4>>();
    check::<Inline<9>>();
    #[cfg(feature = "alloc")]
    check::<Heap>();
}

#[test]
fn inline_storage_bounds_the_window_as_well() {
    let mut submissions = Submissions::<char, Inline<2>>::new(AT_MOST_ONCE);
    submissions.submit(ms(0), 'a').unwrap();
    submissions.submit(ms(0), 'b').unwrap();
    assert_eq!(submissions.submit(ms(0), 'c'), Err(Full));
    let mut none = Submissions::<char, Inline<0>>::new(AT_MOST_ONCE);
    assert_eq!(none.submit(ms(0), 'a'), Err(Full));
}

#[test]
fn a_full_log_holds_back_the_commands_behind() {
    for reason in [SubmitError::Busy, SubmitError::LogFull] {
        let mut board = Board::new(AT_MOST_ONCE);
        board.submit(ms(0), 'a').unwrap();
        board.submit(ms(0), 'b').unwrap();
        assert_eq!(board.due(ms(0), leads(3)).unwrap().number, 1);
        board.submitted(ms(0), leads(3), 1, Err(reason));
        assert_eq!(due(&mut board, ms(19), leads(3)), NONE);
        assert_eq!(board.deadline(), Some(ms(20)));
        assert_eq!(due(&mut board, ms(20), leads(3)), [1, 2], "in their order");

        board.submitted(ms(20), leads(3), 1, Err(reason));
        assert_eq!(due(&mut board, ms(21), leads(3)), NONE);
        let entries = quorate_log::Entries::new(1, 0, &[]);
        notice(&mut board, ms(21), Notice::Committed(entries));
        assert_eq!(due(&mut board, ms(21), leads(3)), [1, 2], "there may be room again");
    }
}

#[test]
fn a_command_is_recognized_by_its_place() {
    let mut board = Board::new(AT_MOST_ONCE);
    for (number, command) in (1..).zip(['a', 'b', 'c']) {
        board.submit(ms(0), command).unwrap();
        propose(&mut board, ms(0), number, 3, 10 + number);
    }
    assert_eq!(board.applied_at(Proposal { epoch: 3, index: 10 }), None);
    assert_eq!(board.applied_at(Proposal { epoch: 3, index: 11 }), Some((1, 'a')));
    // another leader's entry: certainly lost, so it may be submitted again
    assert_eq!(board.applied_at(Proposal { epoch: 4, index: 12 }), None);
    assert_eq!(due(&mut board, ms(0), leads(4)), [2]);
    assert_eq!(board.outcome(ms(10_000)), Some((2, 'b', Outcome::Lost)));
    assert_eq!(board.outcome(ms(10_000)), Some((3, 'c', Outcome::Unknown)));
}

#[test]
fn at_most_once_waits_for_the_log_to_decide() {
    let mut board = Board::new(AT_MOST_ONCE);
    for (number, command) in (1..).zip(['a', 'b', 'c', 'd']) {
        board.submit(ms(0), command).unwrap();
        propose(&mut board, ms(0), number, 2 + number, 10 + number);
    }
    assert_eq!(due(&mut board, ms(1_000), leads(6)), NONE, "an old proposal may be committed yet");
    // terms 3 and 4 are decided, up to index 11 by a snapshot
    notice(&mut board, ms(1_000), Notice::Dropped { before: 5, after: 11 });
    assert_eq!(board.outcome(ms(1_000)), Some((1, 'a', Outcome::Unknown)));
    assert_eq!(board.outcome(ms(1_000)), None);
    assert_eq!(due(&mut board, ms(1_000), leads(6)), [2]);
}

#[test]
fn exactly_once_submits_again_under_another_leader() {
    let mut board = Board::new(EXACTLY_ONCE);
    board.submit(ms(0), 'a').unwrap();
    board.submit(ms(0), 'b').unwrap();
    propose(&mut board, ms(0), 1, 3, 11);
    propose(&mut board, ms(0), 2, 3, 12);
    let nobody = Leadership { leader: None, epoch: 4 };
    assert_eq!(due(&mut board, ms(1), nobody), NONE);
    assert_eq!(due(&mut board, ms(2), leads(4)), [1, 2]);
    propose(&mut board, ms(2), 1, 4, 13);
    assert_eq!(due(&mut board, ms(3), leads(4)), NONE, "it was offered just now");
    assert_eq!(due(&mut board, ms(23), leads(4)), [2]);
    assert_eq!(board.applied(1), Some('a'));
    // the first attempt may be in the log: not even a refusal of the second makes that certain
    board.submitted(ms(3), leads(4), 2, Err(SubmitError::LogFull));
    assert_eq!(board.outcome(ms(10_000)), Some((2, 'b', Outcome::Unknown)));
}

#[test]
fn a_command_that_ends_leaders_is_not_submitted_for_ever() {
    let mut board = Board::new(Config { max_lost_leaders: 2, ..EXACTLY_ONCE });
    board.submit(ms(0), 'a').unwrap();
    propose(&mut board, ms(0), 1, 3, 11);
    assert_eq!(due(&mut board, ms(1), leads(4)), [1]);
    propose(&mut board, ms(1), 1, 4, 12);
    assert_eq!(due(&mut board, ms(2), leads(5)), NONE);
    assert_eq!(board.outcome(ms(10_000)), Some((1, 'a', Outcome::Unknown)));
}

#[test]
fn forwarded_commands_have_their_end_told() {
    let mut board = Board::new(AT_MOST_ONCE);
    for (number, command) in (1..).zip(['a', 'b', 'c', 'd']) {
        board.submit(ms(0), command).unwrap();
        forward(&mut board, ms(0), number, 6 + number);
    }
    assert_eq!(due(&mut board, ms(0), leads(4)), NONE, "the machine tells");
    notice(&mut board, ms(1), told(7, 2, Forwarded::Proposed(Proposal { epoch: 3, index: 21 })));
    notice(&mut board, ms(1), told(9, 1, Forwarded::Unknown));
    notice(&mut board, ms(1), told(10, 1, Forwarded::Refused));
    assert_eq!(board.applied_at(Proposal { epoch: 3, index: 22 }), Some((2, 'b')));
    assert_eq!(board.applied_at(Proposal { epoch: 3, index: 21 }), Some((1, 'a')));
    assert_eq!(board.outcome(ms(1)), Some((3, 'c', Outcome::Unknown)));
    assert_eq!(due(&mut board, ms(20), leads(4)), NONE);
    assert_eq!(due(&mut board, ms(21), leads(4)), [4]);
    assert_eq!(board.outcome(ms(10_000)), Some((4, 'd', Outcome::Refused(SubmitError::Busy))));
}

#[test]
fn an_entry_may_be_applied_before_its_place_is_told() {
    let mut board = Board::new(AT_MOST_ONCE);
    for (number, command) in (1..).zip(['a', 'b']) {
        board.submit(ms(0), command).unwrap();
        forward(&mut board, ms(0), number, number);
    }
    assert_eq!(board.applied_at(Proposal { epoch: 3, index: 21 }), None);
    notice(&mut board, ms(1), told(1, 2, Forwarded::Proposed(Proposal { epoch: 3, index: 21 })));
    assert_eq!(board.outcome(ms(1)), Some((1, 'a', Outcome::Committed)));
    assert_eq!(board.outcome(ms(1)), None);
    assert_eq!(board.applied_at(Proposal { epoch: 3, index: 22 }), Some((2, 'b')));
}

#[test]
fn a_message_of_the_applications_own_is_repeated() {
    let mut board = Board::new(EXACTLY_ONCE);
    board.submit(ms(0), 'a').unwrap();
    assert_eq!(due(&mut board, ms(0), leads(3)), [1]);
    let first = board.handed_over(ms(0), leads(3), 1, TWO);
    assert_eq!(due(&mut board, ms(999), leads(3)), NONE);
    assert_eq!(board.deadline(), Some(ms(1_000)));
    // another node has nothing to refuse
    board.refused(ms(999), 1, first, ONE, SubmitError::Busy);
    assert_eq!(due(&mut board, ms(999), leads(3)), NONE);
    assert_eq!(due(&mut board, ms(1_000), leads(3)), [1]);
    let second = board.handed_over(ms(1_000), leads(3), 1, TWO);
    // the first message may still arrive
    board.refused(ms(1_001), 1, second, TWO, SubmitError::Busy);
    assert_eq!(due(&mut board, ms(1_020), leads(3)), NONE);
    assert_eq!(due(&mut board, ms(1_021), leads(3)), [1]);
    assert_eq!(board.outcome(ms(10_000)), Some((1, 'a', Outcome::Unknown)));
}

#[test]
fn at_most_once_hands_a_command_over_once() {
    let mut board = Board::new(AT_MOST_ONCE);
    board.submit(ms(0), 'a').unwrap();
    board.submit(ms(0), 'b').unwrap();
    board.handed_over(ms(0), leads(3), 1, TWO);
    let attempt = board.handed_over(ms(0), leads(3), 2, TWO);
    board.refused(ms(1), 2, attempt, TWO, SubmitError::Busy);
    assert_eq!(due(&mut board, ms(5_000), leads(4)), [2], "it is certainly not in the log");
    assert_eq!(board.outcome(ms(10_000)), Some((1, 'a', Outcome::Unknown)));
    assert_eq!(board.outcome(ms(10_000)), Some((2, 'b', Outcome::Refused(SubmitError::Busy))));
}

#[test]
fn a_full_log_holds_back_nothing_once_nobody_waits() {
    let mut board = Board::new(EXACTLY_ONCE);
    board.submit(ms(0), 'a').unwrap();
    assert_eq!(due(&mut board, ms(0), leads(3)), [1]);
    board.submitted(ms(0), leads(3), 1, Err(SubmitError::LogFull));
    board.give_up(1).unwrap();
    board.submit(ms(1), 'b').unwrap();
    assert_eq!(board.deadline(), Some(Instant::ZERO), "it is due");
    assert_eq!(due(&mut board, ms(1), leads(3)), [2]);
}

#[test]
fn a_higher_limit_of_lost_leaders_makes_a_command_due_again() {
    let mut board = Board::new(Config { max_lost_leaders: 1, ..EXACTLY_ONCE });
    board.submit(ms(0), 'a').unwrap();
    propose(&mut board, ms(0), 1, 3, 11);
    assert_eq!(due(&mut board, ms(1), leads(4)), NONE);
    board.limit_lost_leaders(1, 2);
    assert_eq!(due(&mut board, ms(2), leads(4)), [1]);
}

#[test]
fn an_answer_that_is_lost_is_no_lost_leader() {
    let mut board = Board::new(Config { max_lost_leaders: 1, ..EXACTLY_ONCE });
    board.submit(ms(0), 'a').unwrap();
    assert_eq!(due(&mut board, ms(0), leads(3)), [1]);
    forward(&mut board, ms(0), 1, 7);
    notice(&mut board, ms(1), told(7, 1, Forwarded::Unknown));
    assert_eq!(due(&mut board, ms(1), leads(3)), [1], "the leader is there");
    // this one is lost: the machine tells of the leader first
    forward(&mut board, ms(1), 1, 8);
    notice(&mut board, ms(2), Notice::LeaderChanged { epoch: 3 });
    notice(&mut board, ms(2), told(8, 1, Forwarded::Unknown));
    assert!(board.is_exhausted(1));
    assert_eq!(due(&mut board, ms(3), leads(4)), NONE);
}

#[test]
fn pauses_of_zero_count_as_a_microsecond() {
    let config = Config { retry_us: 0, resend_us: 0, ..EXACTLY_ONCE };
    let (now, next) = (ms(5), ms(5).after(1));
    for refusal in [SubmitError::NotLeader(Some(TWO)), SubmitError::Busy, SubmitError::LogFull] {
        let mut board = Board::new(config);
        board.submit(now, 'a').unwrap();
        assert_eq!(board.due(now, leads(3)).unwrap().number, 1);
        board.submitted(now, leads(3), 1, Err(refusal));
        assert_eq!(due(&mut board, now, leads(3)), NONE, "{refusal}");
        assert_eq!(board.deadline(), Some(next), "{refusal}");
        assert_eq!(due(&mut board, next, leads(3)), [1], "{refusal}");
    }
    let mut board = Board::new(config);
    board.submit(now, 'a').unwrap();
    assert_eq!(board.due(now, leads(3)).unwrap().number, 1);
    let attempt = board.handed_over(now, leads(3), 1, TWO);
    assert_eq!(due(&mut board, now, leads(3)), NONE);
    assert_eq!(board.deadline(), Some(next));
    board.refused(now, 1, attempt, TWO, SubmitError::Busy);
    assert_eq!(due(&mut board, now, leads(3)), NONE);
    assert_eq!(board.deadline(), Some(next));
}

#[test]
fn without_room_nothing_is_taken_in_and_without_time_one_turn_is_left() {
    let mut none = Board::new(Config { max_pending: 0, ..AT_MOST_ONCE });
    assert!(!none.has_room());
    assert_eq!(none.submit(ms(0), 'a'), Err(Full));
    assert_eq!((none.deadline(), none.outcome(Instant::MAX)), (None, None));

    let mut board = Board::new(Config::at_most_once(0));
    for command in ['a', 'b'] {
        board.submit(ms(5), command).unwrap();
    }
    assert_eq!(board.due(ms(5), leads(3)).unwrap().number, 1);
    propose(&mut board, ms(5), 1, 3, 11);
    assert_eq!(board.due(ms(5), leads(3)).unwrap().number, 2);
    board.submitted(ms(5), leads(3), 2, Err(SubmitError::Busy));
    assert_eq!(board.outcome(ms(5)), Some((1, 'a', Outcome::Unknown)));
    assert_eq!(board.outcome(ms(5)), Some((2, 'b', Outcome::Refused(SubmitError::Busy))));
    assert_eq!((board.outcome(ms(5)), board.deadline()), (None, None));
}

#[test]
fn what_is_due_says_whether_it_was_handed_over_before() {
    fn first(board: &mut Board, now: Instant, epoch: u64) -> Option<(u64, bool)> {
        let due = board.due(now, leads(epoch)).map(|due| (due.number, due.resubmitted));
        while board.due(now, leads(epoch)).is_some() {}
        due
    }
    let mut board = Board::new(EXACTLY_ONCE);
    board.submit(ms(0), 'a').unwrap();
    assert_eq!(first(&mut board, ms(0), 3), Some((1, false)));
    board.submitted(ms(0), leads(3), 1, Err(SubmitError::NotLeader(None)));
    assert_eq!(first(&mut board, ms(20), 3), Some((1, false)), "it was refused");
    // its answer is late
    board.handed_over(ms(20), leads(3), 1, TWO);
    assert_eq!(first(&mut board, ms(1_020), 3), Some((1, true)));
    // its leader is lost
    board.handed_over(ms(1_020), leads(3), 1, TWO);
    assert_eq!(first(&mut board, ms(1_021), 4), Some((1, true)));
}
