//! What fuzzing left behind (`cargo xtask fuzz`), replayed: a module of the tests of hostile inputs in `CRATE/sim`.

use std::path::Path;

pub(crate) type Target = fn(&[u8]) -> Result<(), String>;

/// Gives every input of a corpus to a target.
pub(crate) fn replay(name: &str, target: Target) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if let Err(what) = target(&std::fs::read(&path).unwrap()) {
            panic!("{}: {what}", path.display());
        }
        count += 1;
    }
    assert!(count >= 20, "only {count} inputs in {}", folder.display());
}
