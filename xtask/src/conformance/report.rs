//! The report: the table of differences, the counts, and the section of the documentation.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::Finding;
use super::known::{self, Known};
use super::options::{Options, User};
use super::verdict::{Tally, Verdict};
use crate::Outcome;
use crate::document;

/// Prints every test with a difference, and then the counts.
pub fn print(findings: &[Finding], known: &[Known], options: &Options) {
    println!();
    for result in findings {
        for (index, (side, verdict)) in result.verdicts.iter().enumerate() {
            if *verdict == Verdict::Same {
                continue;
            }
            let reason = known::reason(known, &result.test, *verdict);
            println!(
                "{:<45} {:<13} {:<6} {:<20} libuv {}; here {}",
                result.test,
                result.user.name(),
                side,
                reason.map_or(verdict.text(), |_| "known"),
                runs(result, 0),
                runs(result, index + 1),
            );
            if let Some(text) = reason.or(Some(&result.message)).filter(|t| !t.is_empty()) {
                println!("    {text}");
            }
        }
    }
    for line in known {
        if is_over(findings, line) {
            println!("conformance/known.tsv: {} differs no more", line.test);
        }
    }
    println!("\n{}", counts(findings, options));
}

/// Whether a known difference was tested for and not found.
fn is_over(findings: &[Finding], known: &Known) -> bool {
    let mut rows = findings
        .iter()
        .filter(|row| row.test == known.test)
        .peekable();
    let differs = |row: &Finding| row.verdicts.iter().any(|(_, v)| *v == known.difference);
    rows.peek().is_some() && !rows.any(differs)
}

/// The runs of a side, those that were made again behind the first ones.
fn runs(result: &Finding, side: usize) -> String {
    let text = |tally: Tally| {
        let mut parts = Vec::new();
        for (count, what) in [
            (tally.passed, "passed"),
            (tally.skipped, "skipped"),
            (tally.failed, "failed"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        parts.join(" ")
    };
    let again = text(result.again[side]);
    if again.is_empty() {
        return text(result.first[side]);
    }
    format!("{}, again {again}", text(result.first[side]))
}

/// An error if anything counts against this library.
pub fn verdict(findings: &[Finding], known: &[Known]) -> Outcome {
    let mut against: Vec<&str> = findings
        .iter()
        .filter(|result| {
            result.verdicts.iter().any(|(_, verdict)| {
                verdict.counts() && known::reason(known, &result.test, *verdict).is_none()
            })
        })
        .map(|result| result.test.as_str())
        .collect();
    against.sort_unstable();
    against.dedup();
    if against.is_empty() {
        println!("no test that passes on libuv fails on this library");
        return Ok(());
    }
    Err(format!(
        "{} tests pass on libuv and not here: {}",
        against.len(),
        against.join(", ")
    ))
}

/// A side's final outcome of a test: that of the runs made alone, if there were any.
fn settled(first: Tally, again: Tally) -> usize {
    let tally = if again == Tally::default() {
        first
    } else {
        again
    };
    if tally.passed > 0 {
        0
    } else if tally.skipped > 0 {
        1
    } else {
        2
    }
}

/// The table of counts, in Markdown.
fn counts(findings: &[Finding], options: &Options) -> String {
    let mut text = String::from("| as | on | passed | skipped | failed |\n|---|---|---|---|---|\n");
    for user in [User::Root, User::Ordinary] {
        let rows: Vec<&Finding> = findings.iter().filter(|row| row.user == user).collect();
        if rows.is_empty() {
            continue;
        }
        let sides = std::iter::once("libuv".to_string()).chain(
            options
                .swaps
                .iter()
                .map(|swap| format!("oxuv, {} swap", swap.name())),
        );
        for (side, name) in sides.enumerate() {
            let mut counts = [0; 3];
            for row in &rows {
                counts[settled(row.first[side], row.again[side])] += 1;
            }
            let [passed, skipped, failed] = counts;
            let user = user.name();
            let _ = writeln!(
                text,
                "| {user} | {name} | {passed} | {skipped} | {failed} |"
            );
        }
    }
    text
}

/// Puts the counts and the lasting differences into the documentation.
pub fn write(root: &Path, findings: &[Finding], known: &[Known], options: &Options) -> Outcome {
    let (ending, flag) = options.kind();
    let section = format!("conformance{ending}");
    let mut text = format!(
        "`cargo xtask conformance{flag}`, {}:\n\n{}",
        options.poller(),
        counts(findings, options)
    );
    for (title, verdict) in [
        ("Fails on this library", Verdict::FailsHere),
        ("Skipped on this library", Verdict::SkippedHere),
        ("Fails on both", Verdict::FailsOnBoth),
        ("Passes only on this library", Verdict::BetterHere),
    ] {
        let lines = differences(findings, known, verdict);
        if !lines.is_empty() {
            let _ = write!(text, "\n{title}:\n\n{lines}");
        }
    }
    let skipped = skipped_on_both(findings);
    if !skipped.is_empty() {
        let _ = write!(text, "\nSkipped on both:\n\n{skipped}");
    }
    document::write_section(root, document::COMPATIBILITY, &section, &text)
}

/// A list of the tests with a verdict, each once.
fn differences(findings: &[Finding], known: &[Known], verdict: Verdict) -> String {
    let mut tests: Vec<&str> = findings
        .iter()
        .filter(|row| row.verdicts.iter().any(|(_, found)| *found == verdict))
        .map(|row| row.test.as_str())
        .collect();
    tests.sort_unstable();
    tests.dedup();
    let line = |test: &&str| match known::reason(known, test, verdict) {
        Some(reason) => format!("- `{test}`: {reason}\n"),
        None => format!("- `{test}`: {}\n", message(findings, test, verdict)),
    };
    tests.iter().map(line).collect()
}

/// The message of a test with a verdict, without the folder of its source.
fn message(findings: &[Finding], test: &str, verdict: Verdict) -> String {
    let has_verdict = |row: &&Finding| row.verdicts.iter().any(|(_, found)| *found == verdict);
    let mut rows = findings.iter().filter(|row| row.test == test);
    let said = rows.find(has_verdict).map_or("", |row| &row.message);
    match said.strip_prefix("Assertion failed in ") {
        Some(place) => {
            let (path, rest) = place.split_once(' ').unwrap_or((place, ""));
            format!("{} {rest}", path.rsplit('/').next().unwrap_or(path))
        }
        None => said.to_string(),
    }
}

/// A list of the tests that can run nowhere in such a sandbox, with what they say about it.
fn skipped_on_both(findings: &[Finding]) -> String {
    let is_skipped = |row: &&Finding| {
        row.verdicts
            .iter()
            .all(|(_, found)| *found == Verdict::Same)
            && settled(row.first[0], row.again[0]) == 1
    };
    let mut users: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for row in findings.iter().filter(is_skipped) {
        let key = (row.test.as_str(), row.message.as_str());
        users.entry(key).or_default().push(row.user.name());
    }
    let line = |((test, why), users): ((&str, &str), Vec<&str>)| match users.as_slice() {
        [user] => format!("- `{test}` as {user}: {why}\n"),
        _ => format!("- `{test}`: {why}\n"),
    };
    users.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(test: &str, libuv: [usize; 3], ours: [usize; 3], verdict: Verdict) -> Finding {
        let tally = |counts: [usize; 3]| Tally {
            passed: counts[0],
            skipped: counts[1],
            failed: counts[2],
        };
        Finding {
            test: test.into(),
            user: User::Root,
            first: vec![tally(libuv), tally(ours)],
            again: vec![Tally::default(); 2],
            verdicts: vec![("binary", verdict)],
            message: String::new(),
        }
    }

    fn options() -> Options {
        crate::tests::parse("--swap binary").unwrap()
    }

    #[test]
    fn counts_by_side() {
        let mut flaky = row("b", [1, 0, 0], [0, 0, 1], Verdict::PassedAgain);
        flaky.again[1].passed = 5;
        let findings = [
            row("a", [1, 0, 0], [1, 0, 0], Verdict::Same),
            flaky,
            row("c", [1, 0, 0], [0, 1, 0], Verdict::SkippedHere),
        ];
        let table = counts(&findings, &options());
        assert!(table.contains("| root | libuv | 3 | 0 | 0 |"), "{table}");
        assert!(
            table.contains("| root | oxuv, binary swap | 2 | 1 | 0 |"),
            "{table}"
        );
    }

    #[test]
    fn what_failed_on_both_is_told_without_folders() {
        let mut row = row("c", [0, 0, 1], [0, 0, 1], Verdict::FailsOnBoth);
        row.message = "Assertion failed in /a/b/c.c on line 1: `a == b`".into();
        assert_eq!(
            differences(&[row], &[], Verdict::FailsOnBoth),
            "- `c`: c.c on line 1: `a == b`\n"
        );
    }

    #[test]
    fn only_what_is_not_known_counts() {
        let findings = [row("c", [1, 0, 0], [0, 1, 0], Verdict::SkippedHere)];
        assert!(verdict(&findings, &[]).is_err());
        let known = [Known {
            test: "c".into(),
            difference: Verdict::SkippedHere,
            reason: "no ring".into(),
        }];
        assert!(verdict(&findings, &known).is_ok());
        assert!(!is_over(&findings, &known[0]));
        let same = [row("c", [1, 0, 0], [1, 0, 0], Verdict::Same)];
        assert!(is_over(&same, &known[0]) && !is_over(&[], &known[0]));
        assert_eq!(
            differences(&findings, &known, Verdict::SkippedHere),
            "- `c`: no ring\n"
        );
    }
}
