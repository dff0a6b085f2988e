use core::time::Duration;
use std::thread;
use std::time::Instant;

use crate::Failure;

/// Whatever must come about has this long: emulators share a machine with others. How long it took is measured, not judged.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(15);

/// Looks again and again until `look` finds something.
///
/// # Errors
///
/// [`Failure::Late`] when it does not, [`Failure::Interrupted`] when somebody asks to stop, and what `look` says.
pub(crate) fn wait<C, T>(
    context: &mut C,
    interrupted: impl Fn(&C) -> bool,
    what: &str,
    look: &mut dyn FnMut(&mut C) -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let begin = Instant::now();
    loop {
        if interrupted(context) {
            return Err(Failure::Interrupted);
        }
        if let Some(found) = look(context)? {
            return Ok(found);
        }
        if begin.elapsed() > PATIENCE {
            return Err(Failure::Late { what: what.to_owned(), after: PATIENCE });
        }
        thread::sleep(LOOK);
    }
}
