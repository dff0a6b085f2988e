use crate::{Setup, Stop, lm3s, semihosting};

/// Starts the board, and runs a node on it with the setup that the host gave; tells why when that ends.
pub fn start(run: impl FnOnce(&Setup<'_>) -> Stop) -> ! {
    lm3s::start();
    let mut words = [0; 512];
    let words = semihosting::command_line(&mut words).unwrap_or_default();
    match Setup::parse(words) {
        Ok(setup) => run(&setup).tell(),
        Err(what) => Stop::Setup(what).tell(),
    }
}
