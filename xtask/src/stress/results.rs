use std::collections::BTreeMap;

/// How often each test ran and failed.
#[derive(Default)]
pub(super) struct Results(BTreeMap<(String, String), Count>);

#[derive(Default)]
struct Count {
    ran: u32,
    failed: u32,
}

/// What a test program says of one of its tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Test<'a> {
    pub(super) name: &'a str,
    pub(super) passed: bool,
}

impl Results {
    /// Counts a run; whether it is the test's first failure.
    pub(super) fn add(&mut self, program: &str, test: &str, passed: bool) -> bool {
        let count = self.0.entry((program.to_owned(), test.to_owned())).or_default();
        count.ran += 1;
        count.failed += u32::from(!passed);
        !passed && count.failed == 1
    }

    pub(super) fn failed(&self) -> u32 {
        self.0.values().map(|count| count.failed).sum()
    }

    /// A line for each test program, and below it one for each test that failed.
    pub(super) fn print(&self) {
        println!("\n{:<70} {:>6} {:>7}", "test", "runs", "failed");
        let mut programs: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for ((program, _), count) in &self.0 {
            let sum = programs.entry(program).or_default();
            *sum = (sum.0 + count.ran, sum.1 + count.failed);
        }
        for (program, (ran, failed)) in programs {
            println!("{program:<70} {ran:>6} {failed:>7}");
            let tests = self.0.iter().filter(|((of, _), count)| of == program && count.failed > 0);
            for ((_, test), count) in tests {
                println!("  {test:<68} {:>6} {:>7}", count.ran, count.failed);
            }
        }
    }
}

/// The results that a test program printed.
pub(super) fn tests(text: &str) -> impl Iterator<Item = Test<'_>> {
    text.lines().filter_map(|line| {
        let (name, result) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
        match result {
            "ok" => Some(Test { name, passed: true }),
            "FAILED" => Some(Test { name, passed: false }),
            _ => None,
        }
    })
}

/// What a test said that failed.
pub(super) fn said<'a>(text: &'a str, test: &str) -> impl Iterator<Item = &'a str> {
    let head = format!("---- {test} stdout ----");
    text.lines()
        .skip_while(move |line| *line != head)
        .skip(1)
        .take_while(|line| !line.starts_with("---- ") && *line != "failures:")
}

#[cfg(test)]
mod tests_of_results {
    use super::*;

    const TEXT: &str = "running 2 tests\ntest one ... ok\ntest two ... FAILED\ntest three ... ignored\n\nfailures:\n\n---- two stdout ----\nwhy\nso\n\n\nfailures:\n    two\n\ntest result: FAILED. 1 passed; 1 failed";

    #[test]
    fn results_are_read_and_counted() {
        let wanted = [("one", true), ("two", false)].map(|(name, passed)| Test { name, passed });
        assert_eq!(tests(TEXT).collect::<Vec<_>>(), wanted);
        let mut results = Results::default();
        let firsts: Vec<bool> = (0..2)
            .flat_map(|_| wanted)
            .map(|test| results.add("program", test.name, test.passed))
            .collect();
        assert_eq!(firsts, [false, true, false, false]);
        assert_eq!(results.failed(), 2);
    }

    #[test]
    fn output_of_a_test_is_found() {
        assert_eq!(said(TEXT, "two").collect::<Vec<_>>(), ["why", "so", "", ""]);
        assert_eq!(said(TEXT, "one").count(), 0);
    }
}
