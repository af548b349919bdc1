//! What came out, in a line for each kind of fault, and as a table of `docs/reliability.md`.

use std::fmt;
use std::path::Path;

use crate::{Outcome, document};

/// How many runs ended how.
#[derive(Default)]
pub struct Tally {
    pub right: usize,
    pub reported: usize,
    pub waiting: usize,
    pub not_reached: usize,
    /// The lines that replay them, and what was wrong.
    pub faults: Vec<(String, String)>,
}

/// What came of a kind of fault.
pub struct Column {
    pub name: &'static str,
    pub tally: Tally,
}

impl Tally {
    /// Runs in which the fault took effect.
    fn reached(&self) -> usize {
        self.right + self.reported + self.waiting + self.faults.len()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            to,
            "{} runs: {} right, {} reported an error, {} waiting, {} faults ({} did not come to it)",
            self.reached(),
            self.right,
            self.reported,
            self.waiting,
            self.faults.len(),
            self.not_reached
        )
    }
}

/// What a fault begins with has a name of its own; all others are wrong results.
const KINDS: [&str; 7] = ["abort", "crash", "hang", "spin", "lost", "twice", "leaked"];

fn kind_of(what: &str) -> &'static str {
    if what.contains("child of fork ended by signal 6") {
        return "abort";
    }
    let named = KINDS.iter().find(|kind| what.starts_with(**kind));
    named.copied().unwrap_or("wrong")
}

/// Kinds of faults, most frequent first.
fn kinds(faults: &[(String, String)]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for (_, what) in faults {
        let kind = kind_of(what);
        match counts.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => counts.push((kind, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let texts: Vec<_> = counts
        .iter()
        .map(|(kind, count)| format!("{count} × {kind}"))
        .collect();
    if texts.is_empty() {
        return "—".into();
    }
    texts.join(", ")
}

fn table(ours: &[Column], theirs: &[Column], programs: usize) -> String {
    let mut text = format!(
        "{programs} programs. Each cell: runs in which the condition took effect, and how they \
         ended; then the faults.\n\n\
         | what fails | oxuv | faults | libuv | faults |\n|---|---|---|---|---|\n"
    );
    for column in ours {
        let empty = Tally::default();
        let other = theirs.iter().find(|other| other.name == column.name);
        let other = other.map_or(&empty, |other| &other.tally);
        let cell = |tally: &Tally| {
            format!(
                "{}: {} right, {} reported, {} waiting",
                tally.reached(),
                tally.right,
                tally.reported,
                tally.waiting
            )
        };
        text += &format!(
            "| {} | {} | {} | {} | {} |\n",
            column.name,
            cell(&column.tally),
            kinds(&column.tally.faults),
            cell(other),
            kinds(&other.faults)
        );
    }
    text
}

pub fn write(root: &Path, ours: &[Column], theirs: &[Column], programs: usize) -> Outcome {
    let text = table(ours, theirs, programs);
    document::write_section(root, "docs/reliability.md", "faults", &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_both_libraries() {
        let column = |right, faults: &[&str]| Column {
            name: "one system call fails",
            tally: Tally {
                right,
                faults: faults
                    .iter()
                    .map(|it| (String::new(), it.to_string()))
                    .collect(),
                ..Tally::default()
            },
        };
        let ours = [column(3, &[])];
        let theirs = [column(1, &["hang: x", "hang: y", "abort: z"])];
        let text = table(&ours, &theirs, 2);
        let row = "| one system call fails | 3: 3 right, 0 reported, 0 waiting | — | 4: 1 right, 0 reported, 0 waiting | \
                   2 × hang, 1 × abort |";
        assert!(text.contains(row), "{text}");
    }
}
