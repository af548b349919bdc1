//! What libuv's test runner prints for one test: a line of the Test Anything Protocol, then
//! comments with the output of the test.

use super::sandbox::Ended;

/// How one run of a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    /// It found that it cannot run here, and says why.
    Skipped(String),
    /// It failed, with one line about how.
    Failed(String),
}

/// The names in the output of `uv_run_tests --list`: one a line, some with their helpers after it.
pub fn list(output: &str) -> Vec<String> {
    output
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(String::from)
        .collect()
}

/// Reads the result. The line and the exit status have to agree.
pub fn outcome(test: &str, ended: &Ended) -> Outcome {
    let Some(status) = ended.status else {
        return Outcome::Failed("stopped at the time limit of this command".into());
    };
    let line = ended.output.lines().find(|line| is_result(line, test));
    match line {
        None => Outcome::Failed(format!("no result; exit status {status}")),
        Some(line) if line.starts_with("not ok") => Outcome::Failed(reason(&ended.output)),
        Some(line) => match line.split_once(" # SKIP") {
            Some((_, why)) => Outcome::Skipped(why.trim().to_string()),
            None if status == 0 => Outcome::Passed,
            None => Outcome::Failed(format!("said ok; exit status {status}")),
        },
    }
}

/// Whether a line begins with `ok N - test` or `not ok N - test`.
fn is_result(line: &str, test: &str) -> bool {
    let rest = line.strip_prefix("not ").unwrap_or(line);
    let Some((_, name)) = rest
        .strip_prefix("ok ")
        .and_then(|rest| rest.split_once(" - "))
    else {
        return false;
    };
    name.split_whitespace().next() == Some(test)
}

/// The line of the output that says most about a failure: an assertion, else the first comment.
fn reason(output: &str) -> String {
    let comments = || {
        output
            .lines()
            .filter_map(|line| line.strip_prefix('#'))
            .map(str::trim)
            .filter(|line| !line.is_empty())
    };
    comments()
        .find(|line| line.contains("Assertion failed"))
        .or_else(|| comments().next())
        .unwrap_or("no output")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(test: &str, status: Option<i32>, output: &str) -> Outcome {
        let ended = Ended {
            status,
            output: output.into(),
        };
        outcome(test, &ended)
    }

    #[test]
    fn reads_the_list() {
        let output = "active\nconnect_unspecified       (helpers: a b)\n";
        assert_eq!(list(output), ["active", "connect_unspecified"]);
    }

    #[test]
    fn distinguishes_passed_skipped_and_failed() {
        assert_eq!(read("a", Some(0), "ok 1 - a\n"), Outcome::Passed);
        assert_eq!(
            read("a", Some(7), "ok 1 - a # SKIP No tty\n"),
            Outcome::Skipped("No tty".into())
        );
        assert_eq!(
            read(
                "a",
                Some(134),
                "not ok 1 - a\n# exit code 134\n# Output from process `a`:\n# Assertion failed in x.c\n"
            ),
            Outcome::Failed("Assertion failed in x.c".into())
        );
        assert_eq!(
            read("a", Some(255), "not ok 1 - a\n# timeout\n# Output"),
            Outcome::Failed("timeout".into())
        );
    }

    #[test]
    fn silence_and_contradictions_are_failures() {
        let failed = |outcome| matches!(outcome, Outcome::Failed(_));
        assert!(failed(read("a", Some(0), "")));
        assert!(failed(read("a", Some(0), "ok 1 - ab\n")));
        assert!(failed(read("a", Some(1), "ok 1 - a\n")));
        assert!(failed(read("a", None, "ok 1 - a\n")));
    }

    #[test]
    fn output_before_the_result_does_not_matter() {
        assert_eq!(read("a", Some(0), "hello\nok 1 - a\n"), Outcome::Passed);
    }
}
