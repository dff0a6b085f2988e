//! The contract of [`Machine`](quorate_core::Machine), as tests that every machine passes.
mod check;
mod checks;
mod damage;
mod emitted;
mod host;
mod net;
mod observed;
mod specimen;

use core::ops::Range;

pub use check::{Check, Failure};
pub use specimen::Specimen;

/// Runs one check with each of the seeds.
///
/// # Errors
///
/// The first failure.
pub fn check<S: Specimen>(check: Check, seeds: Range<u64>) -> Result<(), Failure> {
    let run = match check {
        Check::Refusals => checks::refusals::<S>,
        Check::Checkpoints => checks::checkpoints::<S>,
        Check::Replay => checks::replay::<S>,
        Check::Determinism => checks::determinism::<S>,
        Check::SpuriousInputs => checks::spurious_inputs::<S>,
        Check::Deadlines => checks::deadlines::<S>,
        Check::Encoding => checks::encoding::<S>,
        Check::Memory => checks::memory::<S>,
        Check::Sizes => checks::sizes::<S>,
        Check::MessageRate => checks::message_rate::<S>,
    };
    seeds.into_iter().try_for_each(|seed| {
        run(seed).map_err(|what| Failure { machine: S::NAME, check, seed, what })
    })
}

/// Runs all checks with each of the seeds.
///
/// # Errors
///
/// The first failure.
pub fn check_all<S: Specimen>(seeds: Range<u64>) -> Result<(), Failure> {
    Check::ALL.into_iter().try_for_each(|rule| check::<S>(rule, seeds.clone()))
}

/// Tests that a machine conforms: a module for each specimen, with a test for each check, so that
/// the name of a failed test says what is wrong with which machine.
#[macro_export]
macro_rules! conformance_tests {
    ($($name:ident: $specimen:ty, seeds $seeds:expr;)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            type Tested = $specimen;

            $crate::conformance_tests! { @tests Tested, $seeds;
                encoding Encoding,
                sizes Sizes,
                memory Memory,
                determinism Determinism,
                spurious_inputs SpuriousInputs,
                deadlines Deadlines,
                refusals Refusals,
                checkpoints Checkpoints,
                replay Replay,
                message_rate MessageRate,
            }
        }
    )+};
    (@tests $specimen:ty, $seeds:expr; $($test:ident $check:ident,)+) => {$(
        #[test]
        #[allow(clippy::panic)]
        fn $test() {
            let check = $crate::conformance::Check::$check;
            if let Err(failure) = $crate::conformance::check::<$specimen>(check, $seeds) {
                panic!("{failure}");
            }
        }
    )+};
}
