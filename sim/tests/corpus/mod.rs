//! What fuzzing left behind (`cargo xtask fuzz`), replayed.

use std::path::Path;

pub(crate) type Target = fn(&[u8]) -> Result<(), String>;

/// Gives every input of a corpus to a target.
pub(crate) fn replay(name: &str, target: Target) {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let folder = above.map(|it| it.join("fuzz/corpus").join(name)).find(|it| it.is_dir()).unwrap();
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
