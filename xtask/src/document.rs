//! Documents that are prose by people, with sections between markers that commands write.

use std::path::Path;

use crate::Outcome;

/// The record of what runs on the library.
pub const COMPATIBILITY: &str = "docs/compatibility.md";

/// Replaces what is between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
pub fn write_section(root: &Path, file: &str, name: &str, text: &str) -> Outcome {
    let path = root.join(file);
    let old = std::fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
    let new = replace(&old, name, text).ok_or_else(|| format!("{file}: no markers of `{name}`"))?;
    std::fs::write(&path, new).map_err(|error| format!("{file}: {error}"))
}

fn replace(document: &str, name: &str, text: &str) -> Option<String> {
    let begin = format!("<!-- {name}:begin -->\n");
    let end = format!("<!-- {name}:end -->");
    let (head, rest) = document.split_once(&begin)?;
    let (_, tail) = rest.split_once(&end)?;
    Some(format!("{head}{begin}\n{}\n\n{end}{tail}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_section_changes() {
        let old = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n";
        let new = "a\n<!-- x:begin -->\n\nnew\n\n<!-- x:end -->\nb\n";
        assert_eq!(replace(old, "x", "new\n").as_deref(), Some(new));
        assert_eq!(replace(new, "x", "new").as_deref(), Some(new));
        assert_eq!(replace(old, "y", "new"), None);
    }
}
