use std::fs;

use crate::failure::{Failure, Outcome};
use crate::tool::root;

/// The features of a crate of the workspace, without `default`, from the `[features]` table of its manifest.
pub(crate) fn features(folder: &str) -> Outcome<Vec<String>> {
    let path = root().join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
    Ok(parse_features(&text))
}

fn parse_features(manifest: &str) -> Vec<String> {
    let in_table = manifest.lines().skip_while(|line| line.trim() != "[features]").skip(1);
    let lines = in_table.take_while(|line| !line.trim_start().starts_with('['));
    let names = lines.filter(|line| !line.trim_start().starts_with('#'));
    let names = names.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim());
    names.filter(|name| *name != "default").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_read() {
        let manifest = "[package]\nname = \"x\"\n[features]\ndefault = []\n## Heap.\nalloc = []\n\
            std = [\"alloc\"]\n\n[dependencies]\nserde = \"1\"\n";
        assert_eq!(parse_features(manifest), ["alloc", "std"]);
    }
}
