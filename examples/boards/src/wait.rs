use core::time::Duration;
use std::thread;
use std::time::Instant;

use crate::Failure;

/// How long a condition may take: emulators share a machine with others. How long it took is
/// measured, not judged.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Between two polls.
const POLL_INTERVAL: Duration = Duration::from_millis(15);

/// Polls until `poll` returns something.
///
/// # Errors
///
/// [`Failure::TimedOut`] when it does not, [`Failure::Interrupted`] when somebody asks to stop, and
/// the error of `poll`.
pub(crate) fn wait<C, T>(
    context: &mut C,
    interrupted: impl Fn(&C) -> bool,
    what: &str,
    poll: &mut dyn FnMut(&mut C) -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let begin = Instant::now();
    loop {
        if interrupted(context) {
            return Err(Failure::Interrupted);
        }
        if let Some(found) = poll(context)? {
            return Ok(found);
        }
        if begin.elapsed() > TIMEOUT {
            return Err(Failure::TimedOut { what: what.to_owned(), after: TIMEOUT });
        }
        thread::sleep(POLL_INTERVAL);
    }
}
