//! `conformance/known.tsv`: the differences that have a good reason.

use std::path::Path;

use super::verdict::Verdict;

/// A line of the file: the test, what differs (`skipped` or `fails`), and why that is right.
#[derive(Debug, PartialEq)]
pub struct Known {
    pub test: String,
    pub difference: Verdict,
    pub reason: String,
}

pub fn read(root: &Path) -> Result<Vec<Known>, String> {
    let path = root.join("conformance/known.tsv");
    let text =
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).map_err(|error| format!("conformance/known.tsv: {error}"))
}

/// The reason why a test may differ so, if there is one.
pub fn reason<'a>(known: &'a [Known], test: &str, difference: Verdict) -> Option<&'a str> {
    known
        .iter()
        .find(|line| line.test == test && line.difference == difference)
        .map(|line| line.reason.as_str())
}

fn parse(text: &str) -> Result<Vec<Known>, String> {
    let mut known = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let problem = |what: &str| Err(format!("line {}: {what}", index + 1));
        let mut columns = line.split('\t');
        let (Some(test), Some(difference), Some(reason), None) = (
            columns.next(),
            columns.next(),
            columns.next(),
            columns.next(),
        ) else {
            return problem("there are three columns: test, difference, reason");
        };
        let difference = match difference {
            "skipped" => Verdict::SkippedHere,
            "fails" => Verdict::FailsHere,
            _ => return problem("the difference is `skipped` or `fails`"),
        };
        if reason.trim().is_empty() {
            return problem("a difference needs a reason");
        }
        known.push(Known {
            test: test.into(),
            difference,
            reason: reason.trim().into(),
        });
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_and_skips_comments() {
        let known = parse("# test\tdifference\treason\n\na\tskipped\tno ring here\n").unwrap();
        assert_eq!(known.len(), 1);
        let skipped = Verdict::SkippedHere;
        assert_eq!(reason(&known, "a", skipped), Some("no ring here"));
        assert_eq!(reason(&known, "a", Verdict::FailsHere), None);
        assert_eq!(reason(&known, "b", skipped), None);
    }

    #[test]
    fn nothing_goes_without_a_reason() {
        for text in ["a\tskipped\t \n", "a\tskipped\n", "a\tsometimes\tx\n"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
