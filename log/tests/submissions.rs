//! Commands on their way into a log: each has one outcome, whatever becomes of leaders and messages.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_core::{Fatal, Full, Instant, NodeId};
#[cfg(feature = "alloc")]
use quorate_log::Heap;
use quorate_log::submission::{Config, Inline, Outcome, Storage, Submissions};
use quorate_log::{ForwardId, Forwarded, Leadership, Notice, Proposal, SubmitError, Submitted};

use crate::headers::Tagged;

const ONE: NodeId = NodeId::new(1);
const TWO: NodeId = NodeId::new(2);
/// Ten seconds, retries after 20 ms.
const AT_MOST_ONCE: Config = Config::at_most_once(10_000_000);
const EXACTLY_ONCE: Config = Config::exactly_once(10_000_000);

const NONE: [u64; 0] = [];

type Board = Submissions<char, Inline<4>>;

const fn leads(epoch: u64) -> Leadership {
    Leadership { leader: Some(ONE), epoch }
}

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Commands that are due, as their numbers, without being handed over.
fn due<S: Storage>(
    submissions: &mut Submissions<char, S>,
    now: Instant,
    leadership: Leadership,
) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(due) = submissions.due(now, leadership) {
        numbers.push(due.number);
    }
    numbers
}

fn propose(submissions: &mut Board, now: Instant, number: u64, epoch: u64, index: u64) {
    let result = Ok(Submitted::Proposed(Proposal { epoch, index }));
    submissions.submitted(now, leads(epoch), number, result);
}

fn forward(submissions: &mut Board, now: Instant, number: u64, id: u64) {
    let result = Ok(Submitted::Forwarded(ForwardId::new(id)));
    submissions.submitted(now, leads(3), number, result);
}

fn notice(submissions: &mut Board, now: Instant, notice: Notice<'_, Tagged>) {
    submissions.notice(now, &notice);
}

fn told(first: u64, count: u64, end: Forwarded) -> Notice<'static, Tagged> {
    Notice::Forwarded { first: ForwardId::new(first), count, end }
}

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
    board.handed_over(ms(0), leads(3), 1, TWO);
    assert_eq!(due(&mut board, ms(999), leads(3)), NONE);
    assert_eq!(board.deadline(), Some(ms(1_000)));
    // another node has nothing to refuse
    board.refused(ms(999), 1, ONE, SubmitError::Busy);
    assert_eq!(due(&mut board, ms(999), leads(3)), NONE);
    assert_eq!(due(&mut board, ms(1_000), leads(3)), [1]);
    board.handed_over(ms(1_000), leads(3), 1, TWO);
    // the first message may still arrive
    board.refused(ms(1_001), 1, TWO, SubmitError::Busy);
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
    board.handed_over(ms(0), leads(3), 2, TWO);
    board.refused(ms(1), 2, TWO, SubmitError::Busy);
    assert_eq!(due(&mut board, ms(5_000), leads(4)), [2], "it is certainly not in the log");
    assert_eq!(board.outcome(ms(10_000)), Some((1, 'a', Outcome::Unknown)));
    assert_eq!(board.outcome(ms(10_000)), Some((2, 'b', Outcome::Refused(SubmitError::Busy))));
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
        board.handed_over(ms(1_020), leads(3), 1, TWO);
        board.refused(ms(1_021), 1, TWO, SubmitError::Busy);
        assert_eq!(board.known(1), Some(Outcome::Unknown), "{reason}");
    }
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
    board.handed_over(now, leads(3), 1, TWO);
    assert_eq!(due(&mut board, now, leads(3)), NONE);
    assert_eq!(board.deadline(), Some(next));
    board.refused(now, 1, TWO, SubmitError::Busy);
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
    assert_eq!(board.due(ms(20), leads(3)).unwrap().number, 1);
    propose(&mut board, ms(20), 1, 3, 11);
    assert_eq!(board.due(ms(20), leads(3)).unwrap().number, 2);
    board.submitted(ms(20), leads(3), 2, Err(SubmitError::NotLeader(Some(TWO))));
    let elsewhere = SubmitError::NotLeader(Some(TWO));
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
    // nor does what the log says of old proposals change it
    notice(&mut board, ms(1), Notice::Dropped { before: 5, after: 30 });
    board.stop();
    assert_eq!(board.outcome(ms(1)), Some((1, 'a', Outcome::Committed)));
    assert_eq!(board.outcome(ms(1)), Some((2, 'b', Outcome::Unknown)));
    assert_eq!(board.outcome(ms(1)), Some((3, 'c', Outcome::Refused(SubmitError::TooLarge))));
    assert_eq!(board.outcome(ms(1)), Some((4, 'd', Outcome::Refused(SubmitError::Stopped))));
    assert_eq!(board.outcome(ms(1)), None);
}
